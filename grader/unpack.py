"""Files out of a folder or a zip, zips in zips included, that may have been made by anybody.

A zip can hold paths that lead out of its folder, links, a few bytes that unpack to terabytes, names in any encoding. What is not
taken is listed with the reason; what is taken lies in a scratch folder under names of our own.
"""

import datetime
import itertools
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.collect import SIZE_LIMIT

TOTAL = 2_000_000_000        # bytes of everything that is unpacked
COUNT = 50_000               # files
DEPTH = 3                    # zips in zips
JUNK_FOLDERS = {"__MACOSX", ".ipynb_checkpoints", "__pycache__", ".git"}
JUNK_FILES = {".DS_Store", "Thumbs.db", "desktop.ini"}
CHUNK = 2**18


@dataclass(frozen=True)
class Found:
    """One file: what it was called (with the folders and zips that it was in), where its content lies now, when it was changed."""
    name: PurePosixPath
    path: Path
    changed: float


class Refused(ValueError):
    """A file is not taken; the message says why."""


class Unpacker:
    """Walks a source; `refused` lists (name, reason) of what was not taken."""

    def __init__(self, scratch: Path, total: int = TOTAL, count: int = COUNT):
        self.scratch, self.left, self.count = scratch, total, count
        self.numbers = itertools.count()
        self.refused: list[tuple[str, str]] = []

    def files(self, source: Path) -> Iterator[Found]:
        """Every file of a folder or a zip, but for junk. Raises Refused if the source itself is no zip."""
        if source.is_dir():
            for path in sorted(source.rglob("*")):
                name = _tidy(path.relative_to(source).as_posix())
                if path.is_symlink():
                    self.refused.append((str(name), "a link, which may point at anybody's file"))
                elif path.is_file() and not is_junk(name):
                    yield from self._expanded(Found(name, path, path.stat().st_mtime), DEPTH)
            return
        if not zipfile.is_zipfile(source):
            raise Refused(f"{source} is neither a folder nor a zip")
        yield from self._members(Found(PurePosixPath(), source, source.stat().st_mtime), DEPTH)

    def _expanded(self, found: Found, depth: int) -> Iterator[Found]:
        if found.name.suffix.lower() != ".zip" or not zipfile.is_zipfile(found.path):
            yield found
        elif depth:
            yield from self._members(found, depth)
        else:
            self.refused.append((str(found.name), "too many zips within one another"))

    def _members(self, found: Found, depth: int) -> Iterator[Found]:
        try:
            with zipfile.ZipFile(found.path) as archive:
                for member in archive.infolist():
                    yield from self._member(archive, member, found.name, depth)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno:          # our own disk
                raise
            self.refused.append((str(found.name), f"the zip is damaged ({error})"))

    def _member(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, within: PurePosixPath, depth: int) -> Iterator[Found]:
        name = within / member.filename
        try:
            name = within / _tidy(_decoded(member))
            if member.is_dir() or is_junk(name):
                return
            if stat.S_ISLNK(member.external_attr >> 16):
                raise Refused("a link, which may point at anybody's file")
            path = self._copy(archive, member)
        except (Refused, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            self.refused.append((str(name), str(error) or "damaged"))
            return
        yield from self._expanded(Found(name, path, _changed(member)), depth - 1)

    def _copy(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Path:
        """Unpack one member, counting what really comes: the size that a zip tells may be wrong. Raises Refused."""
        number = next(self.numbers)
        if number >= self.count:
            raise Refused(f"more than {self.count:,} files")
        path, size = self.scratch / str(number), 0
        with archive.open(member) as packed, open(path, "wb") as file:
            while chunk := packed.read(CHUNK):
                size += len(chunk)
                self.left -= len(chunk)
                if size > SIZE_LIMIT or self.left < 0:
                    file.truncate(0)
                    raise Refused(f"unpacked, it is larger than {SIZE_LIMIT:,} bytes" if self.left >= 0
                                  else "all together is too large to be unpacked")
                file.write(chunk)
        return path


def is_junk(name: PurePosixPath) -> bool:
    """What systems and editors leave beside people's files."""
    return bool(JUNK_FOLDERS & set(name.parts)) or name.name in JUNK_FILES or name.name.startswith(("._", "~$"))


def _tidy(name: str) -> PurePosixPath:
    """A relative path in one form of Unicode. Raises Refused if it leads anywhere else than down."""
    parts = unicodedata.normalize("NFC", name).replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or any(":" in part[:2] or "\0" in part for part in parts):
        raise Refused("its path leads out of the folder")
    path = PurePosixPath(*parts)
    if not path.parts:
        raise Refused("it has no name")
    return path


def _decoded(member: zipfile.ZipInfo) -> str:
    """Names without the flag for UTF-8 are in code page 437 by the format's letter, but most often in UTF-8 all the same."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename


def _changed(member: zipfile.ZipInfo) -> float:
    try:
        return datetime.datetime(*member.date_time).timestamp()
    except (ValueError, OverflowError):
        return 0.0
