"""The folder `.venv`: made from `requirements.lock`, repaired when it does not fit, used for everything else.

Only the standard library is imported: no package exists when this runs. The steps, each safe to interrupt:

1. `.venv/course-stamp` says which lock, Python and project folder the environment was made for. If it fits, go on.
2. Otherwise take the lock file, so that two commands never build at once, and move the old folder away.
3. Make an empty environment, install every locked package by hash, put the project on its path.
4. Write the stamp, last. An environment without a fitting stamp is never used.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from course.explain import SetupError, explain, no_installer
from course.progress import Progress, run

ROOT = Path(__file__).resolve().parent.parent
NEWEST = (3, 14)  # the newest Python for which every locked package has a wheel
CHOSEN = "3.12"  # what uv fetches where the Python at hand is newer than that
SPACE_NEEDED = 1_500_000_000  # bytes: the packages, and the installer's own temporary copies
STAMP = "course-stamp"
UNFINISHED = "unfinished"

# Settings that would send the packages elsewhere, or mix foreign packages into ours.
MISLEADING = ("PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER",
              "PIP_REQUIRE_VIRTUALENV", "UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_TARGET", "UV_NO_BINARY", "UV_PROJECT_ENVIRONMENT")


def main(argv):
    """Make the environment if need be, then run `python -m course.cli ARGV` in it. Returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="replace")  # a folder's name may not fit the console's encoding
    try:
        python = Path(sys.executable) if is_the_environment() else Environment(ROOT).ready()
    except KeyboardInterrupt:
        print("\nStopped. Nothing half-made will be used: the next run starts the set-up again.", file=sys.stderr)
        return 130
    except SetupError as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    return hand_over(python, argv)


def is_the_environment():
    """True where this Python already holds the course: conda or Binder, after `pip install --no-deps -e .` in this folder."""
    for record in Path(sysconfig.get_path("purelib")).glob("nosql_course-*.dist-info/direct_url.json"):
        address = json.loads(record.read_text(encoding="utf-8"))["url"]
        if Path(url2pathname(urlsplit(address).path)) == ROOT:
            return True
    return False


def hand_over(python, argv):
    """Become `python -m course.cli ARGV`. Returns its exit code where the system cannot replace a process."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")}
    command = [str(python), "-m", "course.cli", *argv]
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], command, env)
    process = subprocess.Popen(command, env=env)
    while True:
        with contextlib.suppress(KeyboardInterrupt):  # the console sends Ctrl-C to both: the verb decides what it means
            return process.wait()


class Environment:
    """The virtual environment of one project folder.

    `root` holds requirements.lock; `folder` is root/.venv unless COURSE_VENV names another one.
    """

    def __init__(self, root, folder=None):
        self.root = Path(root).resolve()
        self.folder = Path(os.path.abspath(folder or os.environ.get("COURSE_VENV") or self.root / ".venv"))
        self.requirements = self.root / "requirements.lock"
        self.stamp = self.folder / STAMP
        self.python = self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.log = self.folder.with_name(self.folder.name + ".log")
        self.version = "{}.{}".format(*sys.version_info[:2]) if sys.version_info[:2] <= NEWEST else CHOSEN

    def fingerprint(self):
        """What a finished environment was made for: the lock's content, Python's version, the project's folder."""
        parts = (self.requirements.read_bytes(), self.version.encode(), os.fsencode(self.root))
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    def is_ready(self):
        """True if the environment is complete and made for exactly this project and this Python."""
        try:
            return self.python.exists() and self.stamp.read_text() == self.fingerprint()
        except (OSError, UnicodeDecodeError):
            return False

    def ready(self):
        """The environment's Python, after making or repairing the environment.

        Raises SetupError, with what to do, where that is not possible.
        """
        if self.is_ready():
            return self.python
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with only_one(self.folder) as lock:
                if not self.is_ready():  # another command may have made it while we waited
                    self.make(lock)
        except (OSError, subprocess.SubprocessError) as error:
            raise explain([str(error)], self.folder) from error
        return self.python

    def make(self, lock):
        """Make the environment from nothing; `lock` is the descriptor of the held lock file, or None."""
        self.check_room()
        install = self.installer()
        print(f"{self.reason()} This happens once and takes a minute or two.", file=sys.stderr)
        self.clear()
        self.folder.mkdir(exist_ok=True)
        self.stamp.write_text(UNFINISHED)
        progress = Progress(stages=3)
        with open(self.log, "w", encoding="utf-8") as log:
            for title, command in install:
                with progress.stage(title):
                    code, said = install_step(command, progress, log, [] if lock is None else [lock])
                    if code:
                        raise explain(said, self.folder, self.log)
            with progress.stage("putting the course on its path"):
                self.add_project()
        finished = self.stamp.with_suffix(".new")
        finished.write_text(self.fingerprint())
        os.replace(finished, self.stamp)

    def reason(self):
        """One sentence: why the environment is made now."""
        if not self.folder.exists():
            return f"Making the course's Python environment in {self.folder}."
        found = self.stamp.read_text(errors="replace") if self.stamp.exists() else ""
        if found in ("", UNFINISHED):
            return f"The environment in {self.folder} was never finished, so it is made again."
        return f"The environment in {self.folder} is for another Python, folder or list of packages, so it is made again."

    def installer(self):
        """The two steps of a set-up, as [(title, command)]: make the environment, fill it.

        uv where there is one; else this Python's own venv with the pip that is bundled with it; else (Debian
        without python3-venv) a venv without pip, filled by the pip that this Python can import.
        """
        base = getattr(sys, "_base_executable", None) or sys.executable  # not the venv that may be active now
        count = sum(line[:1].isalnum() for line in self.requirements.read_text().splitlines())
        fill = f"installing about {count} packages"
        wheels_by_hash = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(self.requirements)]
        uv = None if os.environ.get("COURSE_INSTALLER") == "pip" else shutil.which("uv")
        if uv:
            python = base if sys.version_info[:2] <= NEWEST else CHOSEN
            make = [uv, "venv", "--allow-existing", "--python", python, str(self.folder)]
            return [("making an empty environment with uv", make),
                    (fill, [uv, "pip", "install", "--python", str(self.python), "--compile-bytecode", *wheels_by_hash])]
        if sys.version_info[:2] > NEWEST:
            raise SetupError(
                f"The course runs on Python 3.11 to {NEWEST[0]}.{NEWEST[1]}. This is {sys.version.split()[0]}: "
                "some packages are not published for it yet.\n"
                f"Run it with another Python (python{CHOSEN} -m course ...), or install uv (https://docs.astral.sh/uv/), "
                f"which fetches Python {CHOSEN} by itself.")
        pip = ["install", "--no-user", "--progress-bar", "off", "--disable-pip-version-check", *wheels_by_hash]
        if has("venv") and has("ensurepip"):
            return [("making an empty environment", [base, "-m", "venv", str(self.folder)]),
                    (fill, [str(self.python), "-m", "pip", *pip])]
        if has("venv") and has("pip"):
            return [("making an empty environment", [base, "-m", "venv", "--without-pip", str(self.folder)]),
                    (fill, [base, "-m", "pip", "--python", str(self.python), *pip])]
        raise no_installer(base)

    def check_room(self):
        """Raise SetupError if the disk cannot hold the environment, or if the folder is somebody else's."""
        free = shutil.disk_usage(self.folder.parent).free
        if free < SPACE_NEEDED:
            raise SetupError(
                f"The disk is nearly full: the set-up needs {SPACE_NEEDED / 1e9:.1f} GB in {self.folder.parent}, "
                f"and {free / 1e9:.1f} GB are free.\n"
                "Make room, or set COURSE_VENV to a folder on another disk. Then run this again.")
        if self.folder.exists() and not self.is_ours():
            raise SetupError(
                f"{self.folder} exists and is not a Python environment, so it is left alone.\n"
                "Set COURSE_VENV to a folder that does not exist yet, or remove this one yourself. Then run this again.")

    def is_ours(self):
        """True if the folder may be deleted: an environment, a half-made one, or empty."""
        marks = (STAMP, "pyvenv.cfg")
        return self.folder.is_dir() and (any((self.folder / mark).exists() for mark in marks) or not any(self.folder.iterdir()))

    def clear(self):
        """Remove the old environment: by one rename, then at leisure.

        A rename is all or nothing: where a running kernel holds files open (Windows) the environment stays whole.
        """
        if self.folder.exists():
            self.stamp.unlink(missing_ok=True)
            aside = self.folder.with_name(f"{self.folder.name}.old{time.time_ns()}")
            try:
                self.folder.rename(aside)
            except OSError as error:
                raise SetupError(
                    f"The old environment cannot be removed: {held_open(self.folder) or self.folder} is in use or protected "
                    f"({error.strerror}).\nClose JupyterLab and every running notebook and terminal of the course, "
                    f"or delete {self.folder} yourself. Then run this again.") from error
        for old in self.folder.parent.glob(f"{self.folder.name}.old*"):
            shutil.rmtree(old, ignore_errors=True)
            if old.exists():
                print(f"Note: {held_open(old) or old} cannot be deleted now. Delete {old} when nothing uses it.", file=sys.stderr)

    def add_project(self):
        """Put the project's folder on the environment's path.

        The line is plain ASCII Python, because Python versions disagree on the encoding of .pth files.
        """
        ask = [str(self.python), "-I", "-X", "utf8", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        packages = subprocess.run(ask, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout.strip()
        line = f"import sys; sys.path.append({str(self.root)!a})\n"
        Path(packages, "course.pth").write_text(line, encoding="ascii")


def has(module):
    """True if this Python can import `module`; an empty folder left by a removed package does not count."""
    found = importlib.util.find_spec(module)
    return found is not None and found.origin is not None


def install_step(command, progress, log, keep_open):
    """Run an installer's `command`; returns (exit code, its last lines).

    uv brings its own list of certificates. Where a school or company puts a certificate of its own between, that one is
    in the system's list, so a refused certificate is tried once more with the system's.
    """
    env = clean_environment()
    code, said = run(command, progress, log, env, keep_open)
    if code and any("invalid peer certificate" in line for line in said):
        code, said = run(command, progress, log, {**env, "UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}, keep_open)
    return code, said


def clean_environment():
    """The environment variables for the installers: everything but what would mislead them."""
    return {**{name: value for name, value in os.environ.items() if name not in MISLEADING}, "PYTHONUTF8": "1"}


def held_open(folder):
    """The first file of `folder` that cannot be opened for writing, or None."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            try:
                with open(path, "r+b"):
                    pass
            except OSError:
                return path
    return None


@contextlib.contextmanager
def only_one(folder):
    """Hold the lock file beside `folder`; wait, and say so, while another command holds it.

    The system releases the lock when its last holder ends, also after a crash. Yields the descriptor: the installers
    inherit it, so that an installer that outlives a killed set-up still keeps others out. Yields None on file
    systems that know no locks.
    """
    with open(folder.with_name(folder.name + ".lock"), "a+b") as file:
        waiting = 0.0
        while (held := try_lock(file)) is False:
            if not waiting:
                waiting = time.monotonic()
                print("Another command is setting up the environment. Waiting for it to end (Ctrl-C stops waiting) ...",
                      file=sys.stderr, flush=True)
            time.sleep(0.2)
        if waiting:
            print(f"... it ended after {time.monotonic() - waiting:.0f} s.", file=sys.stderr, flush=True)
        yield file.fileno() if held else None


def try_lock(file):
    """Lock an open file without waiting: True if held now, False if another process has it, None if impossible here."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True
