"""The system calls of Linux that Python has no function for. Each raises OSError with what was tried."""

import ctypes
import fcntl
import os
import platform
import socket
import struct

NEW = {"mount": 0x00020000, "uts": 0x04000000, "ipc": 0x08000000, "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000}
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x8, 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
AT_RECURSIVE, ATTR_RDONLY, ATTR_NOSUID = 0x8000, 0x1, 0x2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
SYSTEM_CALLS = {"x86_64": {"pivot_root": 155}, "aarch64": {"pivot_root": 41}}
MOUNT_SETATTR = 442                                # on every architecture
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
CAPABILITIES_3 = 0x20080522

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    """The result of a call; raises OSError when it is negative."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(*kinds: str) -> None:
    """Leave the namespaces of these kinds for new ones (that of processes: for the children)."""
    check(libc.unshare(sum(NEW[kind] for kind in kinds)), f"new namespaces ({', '.join(kinds)})")


def map_ids(inside: int, uid: int, gid: int) -> None:
    """In a new user namespace: this process's user and group are called `inside` there."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{inside} {uid} 1"), ("gid_map", f"{inside} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    text = [part.encode() if part else None for part in (source, target, kind)]
    check(libc.mount(*text, ctypes.c_ulong(flags), options.encode() if options else None), f"mounting {source or kind} on {target}")


def make_read_only(tree: str) -> None:
    """A tree of mounts, in this namespace only. (Linux 5.12)"""
    attributes = struct.pack("=QQQQ", ATTR_RDONLY | ATTR_NOSUID, 0, 0, 0)
    check(libc.syscall(MOUNT_SETATTR, -100, tree.encode(), AT_RECURSIVE, attributes, len(attributes)), f"making {tree} read-only")


def change_root(folder: str) -> None:
    """`folder`, a mount, becomes the root; the old one is gone."""
    number = SYSTEM_CALLS[platform.machine()]["pivot_root"]
    os.chdir(folder)
    check(libc.syscall(number, b".", b"."), f"making {folder} the root")
    check(libc.umount2(b".", MNT_DETACH), "leaving the old root")
    os.chdir("/")


def loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sh14x", b"lo", 0))
        flags = struct.unpack("16sh14x", request)[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def set_option(option: int, value: int) -> None:
    check(libc.prctl(option, value, 0, 0, 0), f"prctl {option}")


def drop_capabilities() -> None:
    """For good: no program that is started gets any either."""
    set_option(PR_SET_NO_NEW_PRIVS, 1)
    check(libc.capset(struct.pack("=Ii", CAPABILITIES_3, 0), bytes(24)), "dropping capabilities")
