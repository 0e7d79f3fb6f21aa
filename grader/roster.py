"""Who is in the class, and whose a name is that a learning platform gave to a file."""

import csv
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from nbgrader.api import Gradebook
from rapidfuzz import process

from grader.assignment import Course
from grader.notes import GradingError

# Column of a roster → how it may be called, the first that is there counts. Those of Canvas's gradebook export and of Moodle's
# list of participants are among them, so either file can be the roster.
ID = ("id", "student_id", "username", "login", "sis login id", "sis user id", "id number", "idnumber", "email", "email address")
NAME = ("name", "full name", "student name", "student")
FIRST, LAST = ("first_name", "first name", "firstname"), ("last_name", "last name", "lastname", "surname")
EMAIL = ("email", "email address")
LMS = ("lms_ids", "lms_id", "lms_user_id", "canvas_id", "moodle_id")
ALSO = ("sis user id", "sis login id", "id number", "idnumber", "username", "login")
TWO_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "å": "aa", "ø": "oe"})
NO_PERSON = re.compile(r"\s*(points possible|student, test$|test student$)", re.I)        # lines of Canvas's export


@dataclass(frozen=True)
class Person:
    """A student. `id` names the folder; `lms` are the numbers that platforms give a student, `also` other names; `columns` is the
    line of the CSV."""
    id: str
    name: str = ""
    email: str = ""
    lms: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    columns: dict[str, str] = field(default_factory=dict, hash=False, compare=False)

    def keys(self) -> set[str]:
        """Everything that a file may be called after, squeezed."""
        names = {squeezed(each) for each in (self.id, self.email, self.email.partition("@")[0], *self.lms, *self.also)} - {""}
        for spelt in (self.name, self.name.translate(TWO_LETTERS)):
            words = squeezed(spelt, " ").split()
            names |= {"".join(words[i:] + words[:i]) for i in range(len(words))}   # "Lovelace, Ada" and lovelaceada
        return names | {f"#{squeezed(each)}" for each in self.lms}


class Roster:
    """The class. Two students whom a name fits equally well are never guessed between."""

    def __init__(self, people: Iterable[Person]):
        self.people = {person.id: person for person in people}
        self.by_key: dict[str, set[str]] = {}
        for person in self.people.values():
            keys = person.keys()
            for key in keys:
                self.by_key.setdefault(key, set()).add(person.id)

    def __bool__(self) -> bool:
        return bool(self.people)

    def find(self, names: Iterable[str]) -> str | None:
        """The student whom the first fitting of these names means. None if none fits, or one fits several students.

        A name with # in front is a platform's own number, and fits nothing else: it may be somebody's id by chance.
        """
        for name in names:
            found = self.by_key.get(("#" if name.startswith("#") else "") + squeezed(name), set())
            if found:
                return next(iter(found)) if len(found) == 1 else None
        return None

    def like(self, name: str) -> str:
        """The id of a student whose name is spelt nearly so; "" if there is none. For a person to read, never to decide by."""
        best = process.extractOne(squeezed(name), list(self.by_key), score_cutoff=75)
        return ", ".join(sorted(self.by_key[best[0]])) if best else ""


def squeezed(text: str, between: str = "") -> str:
    """Letters and digits only, without case and accents: Zoë → zoe."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ø", "o").replace("ł", "l"))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"[\W_]+", between, plain.casefold()).strip()


def roster(course: Course, path: Path | None = None) -> Roster:
    """The students of a CSV (grader/roster.csv if it is there), and those in nbgrader's gradebook. Raises GradingError."""
    path = path or (course.roster if course.roster.exists() else None)
    listed = {person.id: person for person in read_roster(path)} if path else {}
    return Roster((_in_gradebook(course) | listed).values())


def read_roster(path: Path) -> list[Person]:
    """Columns may be called as in ID, NAME, … above; their order does not matter. Raises GradingError."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_bytes().decode("cp1252", errors="replace")
    except OSError as error:
        raise GradingError(f"the roster cannot be read: {error}") from None
    head = text.partition("\n")[0]
    reader = csv.DictReader(text.splitlines(), delimiter=max(",;\t", key=head.count))
    lines = [{(name or "").strip().casefold(): (value or "").strip() for name, value in line.items() if isinstance(value, str | None)}
             for line in reader]
    people = [person for line in lines if (person := _person(line))]
    if not people:
        raise GradingError(f"{path} lists nobody: it needs a line of headings with a column `id` (and `name`, `email`, `lms_ids`)")
    return people


def _person(line: dict[str, str]) -> Person | None:
    def value(names):
        return next((line[name] for name in names if line.get(name)), "")

    canvas = "sis login id" in line or "sis user id" in line                 # there, `id` is Canvas's own number
    who = value(ID[4:] + ID[:1] if canvas else ID)
    name = value(NAME) or f"{value(FIRST)} {value(LAST)}".strip()
    if not who or NO_PERSON.match(name):
        return None
    if re.search(r"[/\\\x00-\x1f]", who) or who.startswith("."):
        raise GradingError(f"the roster's id {who!r} cannot be the name of a folder")
    lms = chain.from_iterable(re.split(r"[\s;,]+", line[name]) for name in (*LMS, *(["id"] if canvas else [])) if line.get(name))
    also = tuple(line[name] for name in ALSO if line.get(name))
    return Person(who, name, value(EMAIL), tuple(dict.fromkeys(filter(None, lms))), also, line)


def _in_gradebook(course: Course) -> dict[str, Person]:
    url = course.nbgrader().db_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return {}
    with Gradebook(url, course.nbgrader().course_id) as gradebook:
        return {each.id: Person(each.id, f"{each.first_name or ''} {each.last_name or ''}".strip(), each.email or "",
                                (each.lms_user_id,) if each.lms_user_id else ())
                for each in gradebook.students if not each.id.startswith("demo-")}
