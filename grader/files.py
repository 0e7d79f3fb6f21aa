"""Files that are there whole or not at all, whenever the power goes."""

import errno
import os
import shutil
from pathlib import Path

FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def replace_file(path: Path, content: bytes) -> None:
    """Write a file in one step: whoever reads finds the old content or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    _write(fresh, content)
    os.replace(fresh, path)


def replace_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Replace a folder by a new one with these files (path → content). It is never seen half filled.

    Between the old one and the new one there may be none: the journal then knows that the student is not done.
    """
    fresh, old = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, content in files.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, content)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def disk_is_full(error: BaseException | None) -> bool:
    """Did this error, or what caused it, come of a disk that takes no more?"""
    while error is not None:
        if getattr(error, "errno", None) in FULL or "disk is full" in str(error):       # the second is how SQLite says it
            return True
        error = error.__cause__ or error.__context__
    return False
