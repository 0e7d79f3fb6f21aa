"""Landlock: from here on this process and its children read what they see, and write only below some folders.

https://docs.kernel.org/userspace-api/landlock.html
"""

import os
import struct

from grader.sandbox.kernel import PR_SET_NO_NEW_PRIVS, check, libc, set_option

CREATE, ADD, RESTRICT = 444, 445, 446              # system calls, the same number on every architecture
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
MAKE_DEVICES = 1 << 6 | 1 << 11                    # character and block devices
REFER, TRUNCATE, IOCTL = 1 << 13, 1 << 14, 1 << 15
SCOPES = 3                                         # no abstract Unix sockets of others, no signals to others


def version() -> int:
    """Of Landlock's interface; 0 where it is not available."""
    return max(libc.syscall(CREATE, None, 0, 1), 0)


def restrict(writable: list[str]) -> None:
    """Allow reading everywhere, writing below `writable` (folders or single files). Nothing happens where there is no Landlock."""
    interface = version()
    if not interface:
        return
    rights = (1 << 13) - 1                         # those of the first version; later ones added one each
    for since, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL)):
        rights |= right if interface >= since else 0
    attributes = struct.pack("=QQQ", rights, 0, SCOPES if interface >= 6 else 0)
    rules = check(libc.syscall(CREATE, attributes, 8 if interface < 4 else 16 if interface < 6 else 24, 0), "Landlock")
    _allow(rules, "/", EXECUTE | READ_FILE | READ_DIR)
    for path in writable:
        _allow(rules, path, rights & ~MAKE_DEVICES if os.path.isdir(path) else rights & (WRITE_FILE | READ_FILE | TRUNCATE | IOCTL))
    set_option(PR_SET_NO_NEW_PRIVS, 1)
    check(libc.syscall(RESTRICT, rules, 0), "Landlock")
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    where = os.open(path, os.O_PATH | os.O_CLOEXEC)
    check(libc.syscall(ADD, rules, 1, struct.pack("=Qi", rights, where), 0), f"Landlock on {path}")
    os.close(where)
