"""`grade --from`: what a learning platform, or anybody, has packed → grader/submitted/<student>/<assignment>/.

Nothing that is there is ever overwritten by something else: what differs is listed, or, with `replace`, the old one moves to
grader/replaced/. What cannot be given to anybody is listed, and stays where it came from.
"""

import re
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from grader.assignment import Assignment, Course
from grader.collect import share
from grader.files import replace_file
from grader.notes import GradingError
from grader.roster import Roster, squeezed
from grader.unpack import Found, Refused, Unpacker

# What platforms make of "name.ipynb" when an instructor downloads all submissions.
CANVAS = re.compile(r"(?P<who>[^_]+)_(?:late_)?(?P<user>\d+)_(?P<number>\d+)_(?P<file>.+)", re.I)
MOODLE = re.compile(r"(?P<who>.+)_(?P<user>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)", re.I)
COPY = re.compile(r"(?:^copy of )|(?:[ _-]*(?:copy ?\d*|\(\d+\)))+$", re.I)
AGAIN = re.compile(r"(?:^copy of )|(?:[ _-]*(?:copy ?\d*|\(\d+\)|-\d+))+$", re.I)        # Copy of x, x (1), x-1, x-Copy1


@dataclass
class Handed:
    """One file of one student. `name` is the path below the student's folder; `order` grows with time."""
    found: Found
    who: list[str]
    name: PurePosixPath
    order: tuple[float, ...]
    notebook: str = ""              # the assignment's notebook that it is; "" for other files


@dataclass
class Taken:
    """What came of an intake: names of files, and for some the reason."""
    new: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    older: list[str] = field(default_factory=list)                   # another file of the same student is newer
    different: list[str] = field(default_factory=list)               # not taken: a different file is there already
    unmatched: list[tuple[str, str]] = field(default_factory=list)   # not taken: (name, whose it might be)
    refused: list[tuple[str, str]] = field(default_factory=list)     # not taken: (name, why)
    students: set[str] = field(default_factory=set)


def take_in(course: Course, assignment: Assignment, source: Path, people: Roster, replace: bool = False) -> Taken:
    """Copy every file of a folder or zip to its student. Without a roster, the names in the source are the students' ids.

    Raises GradingError if the source is neither.
    """
    taken = Taken()
    with tempfile.TemporaryDirectory(prefix="intake-") as scratch:
        unpacker = Unpacker(Path(scratch))
        students: dict[str, list[Handed]] = {}
        try:
            everything = list(unpacker.files(source))
            wrapped = _wrapping(everything, assignment)
            for found in everything:
                handed = read_name(found, assignment, wrapped)
                student = people.find(handed.who) if people else _as_it_is(handed)
                if student is None:
                    spoken = [name for name in handed.who if not name.startswith("#")]
                    taken.unmatched.append((str(found.name), people.like(spoken[0]) if spoken else ""))
                else:
                    students.setdefault(student, []).append(handed)
        except Refused as error:
            raise GradingError(f"nothing was taken in: {error}") from None
        taken.refused = unpacker.refused
        for student, files in sorted(students.items()):
            _place(course, assignment, student, _newest(files, assignment, taken), taken, replace)
    return taken


def read_name(found: Found, assignment: Assignment, wrapped: int = 0) -> Handed:
    """Whose a file may be, likeliest first, and what the student called it, below `wrapped` outer folders."""
    parts = found.name.parts
    for i, part in enumerate(parts):
        if match := MOODLE.fullmatch(part) or CANVAS.fullmatch(part):
            canvas = "number" in match.groupdict()
            name = PurePosixPath(match["file"] or parts[-1] if i == len(parts) - 1 else "/".join(_below(parts[i + 1:], assignment)))
            # Canvas's number is the user's; Moodle's is the participant's in this course, which few rosters have.
            who = [f"#{match['user']}", match["who"]] if canvas else [match["who"], f"#{match['user']}"]
            return Handed(found, who, name, (int(match["number"]) if canvas else 0, _count(name.stem), found.changed))
    # A plain folder: the student is a folder's name, or what a file's name has besides the notebook's.
    parts = parts[wrapped:]
    folders = [part.removesuffix(".zip") for part in parts[:-1] if part != assignment.name]
    stem = found.name.stem
    who = [*folders, *(_without(each, assignment) for each in (COPY.sub("", stem), stem, AGAIN.sub("", stem)))]
    name = PurePosixPath(*_below(parts[1:], assignment)) if len(parts) > 1 else PurePosixPath(parts[-1])
    return Handed(found, list(filter(None, dict.fromkeys(who))), name, (0, _count(stem), found.changed))


def _without(stem: str, assignment: Assignment) -> str:
    """What a file's name has besides the names of the assignment and its notebooks."""
    for name in (*assignment.masters, assignment.name):
        stem = re.sub(rf"[\W_]*{re.escape(name)}(?![a-z])[\W_]*", " ", stem, flags=re.I)
    return stem.strip()


def _wrapping(found: list[Found], assignment: Assignment) -> int:
    """How many outer folders hold everything, and no single student's work: that of the zip itself, say."""
    depth = 0
    while True:
        outer = {each.name.parts[:depth + 1] for each in found}
        inner = {each.name.parts[depth + 1] for each in found if len(each.name.parts) > depth + 2}
        files = any(len(each.name.parts) == depth + 2 and each.name.suffix == ".ipynb" for each in found)
        if len(outer) != 1 or len(inner) < 2 or files or assignment.name in inner:
            return depth
        depth += 1


def _below(parts: tuple[str, ...], assignment: Assignment) -> list[str]:
    """A path within a submission, without the folder (or zip) that is the assignment itself."""
    folders = [part for part in parts[:-1] if part != assignment.name and not part.lower().endswith(".zip")]
    return [*folders, parts[-1]]


def _count(stem: str) -> int:
    match = re.search(r"(?:-|\()(\d+)\)?$", stem)
    return int(match[1]) if match else 0


def _as_it_is(handed: Handed) -> str | None:
    """Without a roster: the name in the source, as a folder can be called."""
    names = [re.sub(r"[/\\\x00-\x1f]", "", name).strip(". ") for name in handed.who if not name.startswith("#")]
    return next(filter(None, names), None)


def _newest(files: list[Handed], assignment: Assignment, taken: Taken) -> list[Handed]:
    """Which file is which notebook, and of several for one the newest; other files by their names."""
    notebooks = [each for each in files if each.name.suffix.lower() == ".ipynb"]
    for each in notebooks:
        each.notebook = _which(each, assignment, alone=len(notebooks) == 1)
        each.name = PurePosixPath(f"{each.notebook}.ipynb") if each.notebook else each.name
    kept: dict[PurePosixPath, Handed] = {}
    for each in sorted(files, key=lambda each: (each.order, str(each.found.name))):
        if each.name in kept:
            taken.older.append(str(kept[each.name].found.name))
        kept[each.name] = each
    return list(kept.values())


def _which(handed: Handed, assignment: Assignment, alone: bool) -> str:
    """The assignment's notebook that a file is: by its name, else by its cells; a student's only file is the only notebook."""
    plain = squeezed(AGAIN.sub("", handed.name.stem))
    for name in assignment.masters:
        if plain == squeezed(name):
            return name
    content = handed.found.path.read_bytes()
    shares = {name: share(master, content) or 0 for name, master in assignment.masters.items()}
    best = max(shares, key=shares.get)
    if shares[best] or (alone and len(assignment.masters) == 1):
        return best
    return ""


def _place(course: Course, assignment: Assignment, student: str, files: list[Handed], taken: Taken, replace: bool) -> None:
    folder = course.folder("submitted", student, assignment.name)
    taken.students.add(student)
    for handed in files:
        path, content = folder / handed.name, handed.found.path.read_bytes()
        shown = f"{student}/{assignment.name}/{handed.name}"
        if not path.resolve().is_relative_to(folder.resolve()) or path.is_dir():
            taken.refused.append((str(handed.found.name), f"it cannot be {shown}"))
        elif not path.exists():
            replace_file(path, content)
            taken.new.append(shown)
        elif path.read_bytes() == content:
            taken.unchanged.append(shown)
        elif replace:
            aside = course.root / "grader/replaced" / student / assignment.name / f"{time.strftime('%Y%m%d-%H%M%S')}-{path.name}"
            replace_file(aside, path.read_bytes())
            replace_file(path, content)
            taken.replaced.append(shown)
        else:
            taken.different.append(shown)
