"""Which file is whose notebook. Nothing in the submitted folder is altered, moved or deleted."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from grader.assignment import Assignment, Course, Master, read_files
from grader.notes import Note, look, repaired
from grader.sanitise import Unreadable, grade_ids, read_notebook

SIZE_LIMIT = 50_000_000     # bytes; a notebook beyond this is not opened


@dataclass
class Submission:
    """What one student handed in for one assignment.

    notebooks  notebook's name → the bytes of the file taken for it; a notebook that is not there is not in the dict
    files      the other files, path → content
    """
    student: str
    notebooks: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    empty: bool = True


def students(course: Course, people: Iterable[str] = ()) -> list[str]:
    """The class: everybody with a folder under submitted/, for any assignment, and those of the roster (the gradebook's too)."""
    submitted = course.root / course.nbgrader().submitted_directory
    with_folder = {path.name for path in submitted.glob("*") if path.is_dir() and not path.name.startswith(".")}
    return sorted(with_folder.union(people))


def collect(course: Course, assignment: Assignment, student: str) -> Submission:
    """Read a student's folder; find each notebook, by name or else by what is in it."""
    folder = course.folder("submitted", student, assignment.name)
    submission = Submission(student)
    if not folder.is_dir():
        return submission
    if folder.is_symlink() or folder.parent.is_symlink():
        submission.empty = False
        submission.notes.append(look("the folder is a link, which may point at anybody's work; it was not followed"))
        return submission
    found = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() == ".ipynb" and ".ipynb_checkpoints" not in path.parts
             and not path.name.startswith("._")]
    submission.empty = not any(path.is_file() or path.is_symlink() for path in folder.rglob("*"))
    submission.notes += [look(f"{path.name!r} is a link, which may point at anybody's work; it was not followed")
                         for path in found if path.is_symlink()]
    submission.notes += [look(f"{path.name!r} is larger than {SIZE_LIMIT:,} bytes and was not opened")
                         for path in found if path.is_file() and path.stat().st_size > SIZE_LIMIT]
    submission.files, left_out = read_files(folder)
    if left_out:
        submission.notes.append(look(f"these files are too large and were left out: {', '.join(left_out)}"))
    for master in assignment.masters.values():
        others = assignment.masters.keys() - {master.name}
        taken, notes = match(master, [path for path in found if path.stem not in others], folder)
        submission.notes += notes
        if taken is not None:
            submission.notebooks[master.name] = taken
    return submission


def match(master: Master, found: list[Path], folder: Path) -> tuple[bytes | None, list[Note]]:
    """The file that is this notebook. The right name wins if the file can be read; else the file with most of its cells."""
    contents = {}
    for path in found:
        if path.is_symlink() or not path.is_file():     # a link may point at anybody's file
            continue
        contents[path] = path.read_bytes() if path.stat().st_size <= SIZE_LIMIT else b""
    shares = {path: share(master, content) for path, content in contents.items()}
    exact = folder / f"{master.name}.ipynb"
    if shares.get(exact) is not None:
        return contents[exact], []
    # Not by that name, or not readable: whatever else holds at least one of its cells, the fullest and newest first.
    fits = sorted((path for path in shares if shares[path]), key=lambda path: (-shares[path], -path.stat().st_mtime, path.name))
    distinct = list({contents[path]: path for path in reversed(fits)}.values())[::-1]
    if not fits:
        return contents.get(exact, next(iter(contents.values()), None)), []
    name = fits[0].relative_to(folder).as_posix()
    if len(distinct) > 1:
        others = ", ".join(path.relative_to(folder).as_posix() for path in distinct if path != fits[0])
        return contents[fits[0]], [look(f"several files could be {exact.name}: graded {name!r}, not {others!r}")]
    if exact in contents:
        return contents[fits[0]], [look(f"{exact.name} cannot be read; graded {name!r} instead")]
    return contents[fits[0]], [repaired(f"{name!r} was taken for {exact.name}: it holds the cells of that notebook")]


def share(master: Master, content: bytes) -> float | None:
    """How much of the notebook's marked cells a file holds, from 0 to 1; None if the file cannot be read."""
    try:
        return len(grade_ids(read_notebook(content)) & set(master.cells)) / max(1, len(master.cells))
    except Unreadable:
        return None
