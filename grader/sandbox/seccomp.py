"""seccomp: system calls that no notebook needs are refused.

A classic BPF program over the number of a call and its first argument; https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import errno
import platform
import struct

from grader.sandbox.kernel import PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, check, libc, set_option

PR_SET_SECCOMP, MODE_FILTER = 22, 2
LOAD, EQUAL, GREATER_OR_EQUAL, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06     # classic BPF, with a constant
ALLOW, ERROR, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER, ARCHITECTURE, ARGUMENT = 0, 4, 16                                     # offsets in struct seccomp_data
X32 = 0x40000000
NEW_NAMESPACES = 0x7E020080                        # every CLONE_NEW… flag
SOCKETS = (1, 2, 10, 16)                           # Unix, IPv4, IPv6, netlink (which getaddrinfo asks for addresses)

# What the kernel's own surface is worth refusing for: name → number on (x86-64, ARM64).
REFUSED = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "setns": (308, 268), "unshare": (272, 97), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "reboot": (169, 142),
    "init_module": (175, 105), "delete_module": (176, 106), "finit_module": (313, 273), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "open_by_handle_at": (304, 265), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "syslog": (103, 116), "quotactl": (179, 60),
    "lookup_dcookie": (212, 18), "personality": (135, 92), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "shmget": (29, 194), "fanotify_init": (300, 262), "vhangup": (153, 58), "sethostname": (170, 161), "setdomainname": (171, 162),
    "move_pages": (279, 239), "migrate_pages": (256, 238), "mlockall": (151, 230), "mlock": (149, 228), "mlock2": (325, 284),
}
SPECIAL = {"clone": (56, 220), "clone3": (435, 435), "socket": (41, 198), "prctl": (157, 167)}
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


def restrict() -> None:
    """From here on, for this process and its children. Raises OSError."""
    program = b"".join(struct.pack("=HBBI", *instruction) for instruction in _program(*MACHINES[platform.machine()]))
    code = ctypes.create_string_buffer(program)
    description = struct.pack("=H6xQ", len(program) // 8, ctypes.addressof(code))
    set_option(PR_SET_NO_NEW_PRIVS, 1)
    check(libc.prctl(PR_SET_SECCOMP, MODE_FILTER, description, 0, 0), "seccomp")


def _program(architecture: int, column: int) -> list[tuple[int, int, int, int]]:
    """Instructions as (code, jump if true, jump if false, operand)."""
    refuse, no_such_call = ERROR | errno.EPERM, ERROR | errno.ENOSYS
    number = {name: numbers[column] for name, numbers in SPECIAL.items()}
    lines = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER)]
    if column == 0:
        lines += [(GREATER_OR_EQUAL, 0, 1, X32), (RETURN, 0, 0, no_such_call)]
    for numbers in REFUSED.values():
        lines += [(EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, refuse)]
    # clone3 keeps its flags in memory, where a filter cannot look: without it the C library takes clone.
    lines += [(EQUAL, 0, 1, number["clone3"]), (RETURN, 0, 0, no_such_call)]
    lines += [(EQUAL, 0, 5, number["clone"]), (LOAD, 0, 0, ARGUMENT), (AND, 0, 0, NEW_NAMESPACES), (EQUAL, 0, 1, 0),
              (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, refuse)]
    lines += [(EQUAL, 0, len(SOCKETS) + 3, number["socket"]), (LOAD, 0, 0, ARGUMENT)]
    lines += [(EQUAL, len(SOCKETS) - i, 0, family) for i, family in enumerate(SOCKETS)]
    lines += [(RETURN, 0, 0, ERROR | errno.EAFNOSUPPORT), (RETURN, 0, 0, ALLOW)]
    lines += [(EQUAL, 0, 4, number["prctl"]), (LOAD, 0, 0, ARGUMENT), (EQUAL, 0, 1, PR_SET_PDEATHSIG), (RETURN, 0, 0, refuse),
              (RETURN, 0, 0, ALLOW)]
    return [*lines, (RETURN, 0, 0, ALLOW)]
