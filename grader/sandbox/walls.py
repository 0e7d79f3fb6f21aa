"""Three steps, in three processes, since each makes the next possible:

    jail      the warm process, once: a read-only file system of its own that holds Python, its packages, the course's packages
              and the system's libraries; no home folders, no course folder, no solutions, no gradebook
    wall_off  the keeper of one notebook: own users, processes, network (loopback alone), semaphores, host name
    lock_in   the kernel that runs the cells: own /proc and /dev/shm, limits, no capabilities, Landlock, seccomp

None of it needs privileges; but some systems forbid ordinary users to make namespaces, as most containers do.
"""

import os
import resource
import sys
from pathlib import Path

from grader.sandbox import HOME, ROOT, landlock, seccomp
from grader.sandbox.kernel import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    PR_SET_DUMPABLE,
    PR_SET_PDEATHSIG,
    change_root,
    drop_capabilities,
    libc,
    loopback_up,
    make_read_only,
    map_ids,
    mount,
    set_option,
    unshare,
)

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl",
          "/etc/localtime", "/etc/timezone", "/etc/fonts", "/etc/mime.types", "/etc/protocols", "/etc/services")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
FILES = {"passwd": f"learner:x:1000:1000::{HOME}/home:/bin/sh\n", "group": "learner:x:1000:\n",
         "hosts": "127.0.0.1 localhost grading\n", "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n"}
NOBODY = 65534
SIGKILL = 9


# ── in the warm process ─────────────────────────────────────────────────────────────────────────────────


def jail() -> None:
    """Give this process a file system in which there is nothing but what notebooks may read. It must have one thread."""
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        unshare("mount")
    else:
        unshare("user", "mount")
        map_ids(uid, uid, gid)
    mount("", "/", flags=MS_REC | MS_PRIVATE)
    root = "/sys"                       # a folder that is there everywhere and not needed: the new root is made on it
    mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755")
    paths = readable()
    for path in paths:
        _show(path, root)
    _devices(root)
    for name, text in FILES.items():
        Path(root, "etc", name).write_text(text)
    Path(root, HOME[1:]).mkdir()
    if not any(path.startswith("/tmp/") for path in paths):
        os.symlink(f"{HOME}/tmp", f"{root}/tmp")
    make_read_only(root)
    # The host's: whoever is inside gets one of their own over it, which the system allows only where there was one.
    mount("/proc", f"{root}/proc", flags=MS_BIND | MS_REC)
    change_root(root)


def readable() -> list[str]:
    """The files and folders that a notebook may read: no path lies inside another."""
    code = [sys.prefix, sys.base_prefix, *(str(ROOT / name) for name in ("course", "stores"))]
    code += [path for path in map(os.path.abspath, filter(None, sys.path)) if os.path.isdir(path) and not ROOT.is_relative_to(path)]
    found = [os.path.realpath(path) for path in code]
    found += [path for path in [*code, *SYSTEM] if os.path.lexists(path)]
    folders = [path for path in found if not os.path.islink(path)]
    return [path for path in sorted(set(found)) if not any(path.startswith(folder + "/") for folder in folders)]


def _show(path: str, root: str) -> None:
    """Make a file or folder visible under `root`, at the same place."""
    target = root + path
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path):
        if not os.path.lexists(target):
            os.symlink(os.readlink(path), target)
    elif os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
        mount(path, target, flags=MS_BIND | MS_REC)
    else:
        Path(target).touch()
        mount(path, target, flags=MS_BIND)


def _devices(root: str) -> None:
    for name in ("dev/shm", "dev/pts", "proc", "etc"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    for name in DEVICES:
        _show(f"/dev/{name}", root)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2"), ("ptmx", "pts/ptmx")):
        os.symlink(target, f"{root}/dev/{name}")


# ── in the keeper ───────────────────────────────────────────────────────────────────────────────────────


def wall_off() -> None:
    """Own namespaces; the next process that is forked is the first of its own process namespace, and takes all others with it."""
    if os.getuid() == 0:
        # Limits on the number of processes do not bind root, and files of root's would be theirs.
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        set_option(PR_SET_DUMPABLE, 1)
    set_option(PR_SET_PDEATHSIG, SIGKILL)
    uid, gid = os.getuid(), os.getgid()
    unshare("user", "pid", "net", "ipc", "uts")
    map_ids(1000, uid, gid)
    loopback_up()
    libc.sethostname(b"grading", 7)


# ── in the kernel ───────────────────────────────────────────────────────────────────────────────────────


def lock_in(limits) -> None:
    """The last step; from here on this process may run anybody's code. `limits` is a grader.limits.Limits."""
    set_option(PR_SET_PDEATHSIG, SIGKILL)
    unshare("mount")
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("tmpfs", HOME, "tmpfs", MS_NOSUID | MS_NODEV, f"size={limits.files}m,nr_inodes=20000,mode=700")
    mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "size=64m,nr_inodes=1000,mode=1777")
    mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,max=32")
    megabyte = 2**20
    for what, limit in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, limits.file * megabyte), (resource.RLIMIT_NOFILE, 1024),
                        (resource.RLIMIT_NPROC, 2 * limits.processes), (resource.RLIMIT_MEMLOCK, 0),
                        (resource.RLIMIT_DATA, (limits.memory + 1000) * megabyte), (resource.RLIMIT_MSGQUEUE, 0)):
        _, most = resource.getrlimit(what)
        value = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(what, (value, value))
    drop_capabilities()
    landlock.restrict([HOME, "/dev/shm", "/dev/pts", *(f"/dev/{name}" for name in DEVICES)])
    seccomp.restrict()
