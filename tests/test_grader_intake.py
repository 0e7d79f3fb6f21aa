"""Submissions as platforms and people pack them → a folder per student."""

import copy
import json
import shutil
import stat
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from grader_class import NAME, make_course
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell

from grader import demo, unpack
from grader.assignment import Assignment, Course
from grader.cli import grade
from grader.intake import Taken, take_in
from grader.journal import Journal
from grader.notes import GradingError
from grader.roster import Person, Roster, read_roster, roster

CLASS = [
    Person("ada", "Ada Lovelace", "ada@example.org", ("1001",)),
    Person("grace", "Grace Brewster Hopper", "g.hopper@example.org", ("1002",)),
    Person("zoe", "Zoë Ångström", "zoe@example.org", ("1003",)),
    Person("s-12", "Alan Turing", "turing@example.org", ("1004",)),
    Person("lee1", "Kim Lee", "lee1@example.org"),
    Person("lee2", "Kim Lee", "lee2@example.org"),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return make_course(tmp_path_factory.mktemp("intake")).root


@pytest.fixture
def course(template, tmp_path) -> Course:
    shutil.copytree(template, tmp_path / "course")
    return Course.at(tmp_path / "course")


@pytest.fixture
def assignment(course) -> Assignment:
    return Assignment.of(course, NAME)


@pytest.fixture
def solved(course, assignment) -> bytes:
    return json.dumps(demo.solved(course, assignment)["small"]).encode()


def _other(content: bytes, text="# another") -> bytes:
    notebook = copy.deepcopy(json.loads(content))
    notebook["cells"].append(new_code_cell(text, id="another"))
    return json.dumps(notebook).encode()


def _zip(path: Path, files: dict[str, bytes], date=(2026, 5, 1, 12, 0, 0)) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, date), content, zipfile.ZIP_DEFLATED)
    return path


def _take(course, assignment, source, people=CLASS, **options) -> Taken:
    return take_in(course, assignment, source, Roster(people), **options)


def _submitted(course) -> dict[str, bytes]:
    folder = course.root / "grader/submitted"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _at(*students) -> set[str]:
    return {f"{student}/{NAME}/small.ipynb" for student in students}


# ── platforms ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_download_of_canvas(course, assignment, solved, tmp_path):
    source = _zip(
        tmp_path / "submissions.zip",
        {
            "lovelaceada_1001_50_small.ipynb": solved,
            "hoppergracebrewster_LATE_1002_51_small-1.ipynb": _other(solved),
            "angstromzoe_9999_52_Copy of small.ipynb": solved,
            "turingalan_late_1004_53_small-3.ipynb": solved,
            "nobodyknown_4444_54_small.ipynb": solved,
            "lovelaceada_1001_55_data.csv": b"a,b",
        },
    )
    taken = _take(course, assignment, source)
    assert set(_submitted(course)) == _at("ada", "grace", "zoe", "s-12") | {f"ada/{NAME}/data.csv"}
    assert [name for name, _ in taken.unmatched] == ["nobodyknown_4444_54_small.ipynb"]


def test_canvas_number_decides_before_the_name(course, assignment, solved, tmp_path):
    _take(course, assignment, _zip(tmp_path / "x.zip", {"hoppergrace_1001_50_small.ipynb": solved}))
    assert set(_submitted(course)) == _at("ada")


def test_a_download_of_moodle_in_folders_and_flat(course, assignment, solved, tmp_path):
    _take(
        course,
        assignment,
        _zip(
            tmp_path / "a.zip",
            {
                "Ada Lovelace_77_assignsubmission_file_/small.ipynb": solved,
                "Zoë Ångström_78_assignsubmission_file_/deep/er/small.ipynb": solved,
                "Alan Turing_1001_assignsubmission_file_/data/x.csv": b"1",
                "Grace Brewster Hopper_80_assignsubmission_file_small.ipynb": solved,
            },
        ),
    )
    assert set(_submitted(course)) == _at("ada", "grace") | {f"zoe/{NAME}/small.ipynb", f"s-12/{NAME}/data/x.csv"}


@pytest.mark.parametrize(
    "name",
    [
        "ada.ipynb",
        "small_ada.ipynb",
        "small-Ada Lovelace.ipynb",
        "Lovelace, Ada.ipynb",
        "ADA@example.org.ipynb",
        "ada (1).ipynb",
        "ada/small.ipynb",
        f"ada/{NAME}/small.ipynb",
        "ada/my work.ipynb",
        "ada.zip",
        "all/ada/small.ipynb",
        "Ada Lovelace - small-2.ipynb",
        f"{NAME}/ada/small.ipynb",
    ],
)
def test_a_plain_folder_by_the_roster(course, assignment, solved, tmp_path, name):
    for other, content in (
        (name, solved),
        (name.replace("ada", "zoe").replace("Ada", "Zoe").replace("ADA", "ZOE").replace("Lovelace", "Angstrom"), _other(solved)),
    ):
        path = tmp_path / "in" / other
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".zip":
            _zip(path, {"some folder/small.ipynb": content})
        else:
            path.write_bytes(content)
    taken = _take(course, assignment, tmp_path / "in")
    assert set(_submitted(course)) == _at("ada", "zoe"), taken
    assert taken.unmatched == [] and _submitted(course)[f"ada/{NAME}/small.ipynb"] == solved


def test_without_a_roster_the_names_are_the_ids(course, assignment, solved, tmp_path):
    _take(
        course,
        assignment,
        _zip(
            tmp_path / "a.zip",
            {
                "all of them/ada/small.ipynb": solved,
                "all of them/bob-12/other name.ipynb": solved,
                "all of them/ada/data.csv": b"1",
            },
        ),
        people=[],
    )
    assert set(_submitted(course)) == _at("ada", "bob-12") | {f"ada/{NAME}/data.csv"}


def test_a_file_without_anybodys_name_is_nobodys(course, assignment, solved, tmp_path):
    taken = _take(course, assignment, _zip(tmp_path / "a.zip", {"small.ipynb": solved}), people=[])
    assert _submitted(course) == {} and taken.unmatched == [("small.ipynb", "")]


def test_namesakes_are_never_guessed_between(course, assignment, solved, tmp_path):
    taken = _take(course, assignment, _zip(tmp_path / "a.zip", {"leekim_5_6_small.ipynb": solved, "Ada Lovelacce.ipynb": solved}))
    assert _submitted(course) == {}
    assert dict(taken.unmatched) == {"leekim_5_6_small.ipynb": "lee1, lee2", "Ada Lovelacce.ipynb": "ada"}


# ── again and again ─────────────────────────────────────────────────────────────────────────────────────


def test_of_several_the_newest_counts(course, assignment, solved, tmp_path):
    newest = _other(solved, "# newest")
    taken = _take(
        course,
        assignment,
        _zip(
            tmp_path / "a.zip",
            {
                "lovelaceada_1001_90_small-2.ipynb": newest,
                "lovelaceada_1001_50_small.ipynb": solved,
                "lovelaceada_1001_60_small-1.ipynb": _other(solved),
            },
        ),
    )
    assert _submitted(course)[f"ada/{NAME}/small.ipynb"] == newest and len(taken.older) == 2


def test_nothing_different_is_overwritten_unless_asked_and_then_it_is_kept(course, assignment, solved, tmp_path):
    first, second = _zip(tmp_path / "1.zip", {"ada.ipynb": solved}), _zip(tmp_path / "2.zip", {"ada.ipynb": _other(solved)})
    assert _take(course, assignment, first).new == [f"ada/{NAME}/small.ipynb"]
    assert _take(course, assignment, first).unchanged == [f"ada/{NAME}/small.ipynb"]
    assert _take(course, assignment, second).different == [f"ada/{NAME}/small.ipynb"]
    assert _submitted(course)[f"ada/{NAME}/small.ipynb"] == solved
    assert _take(course, assignment, second, replace=True).replaced == [f"ada/{NAME}/small.ipynb"]
    assert _submitted(course)[f"ada/{NAME}/small.ipynb"] == _other(solved)
    (old,) = (course.root / "grader/replaced").rglob("*.ipynb")
    assert old.read_bytes() == solved


# ── made by anybody ─────────────────────────────────────────────────────────────────────────────────────


def test_zips_in_zips_and_junk(course, assignment, solved, tmp_path):
    inner = _zip(
        tmp_path / "inner.zip",
        {
            "work/small.ipynb": solved,
            "work/.DS_Store": b"x",
            "__MACOSX/work/._small.ipynb": b"x",
            "work/.ipynb_checkpoints/small-checkpoint.ipynb": b"{}",
        },
    ).read_bytes()
    middle = _zip(
        tmp_path / "middle.zip", {"lovelaceada_1001_50_my work.zip": inner, "._lovelaceada_1001_50_my work.zip": b"x"}
    ).read_bytes()
    taken = _take(course, assignment, _zip(tmp_path / "outer.zip", {"section 1.zip": middle}))
    assert set(_submitted(course)) == {f"ada/{NAME}/small.ipynb"} and taken.refused == []


@pytest.mark.parametrize(
    "name", ["../../evil.ipynb", "/etc/ada.ipynb", "C:\\ada.ipynb", "ada/..\\..\\..\\evil.ipynb", "\\\\server\\ada.ipynb"]
)
def test_no_path_leads_out(course, assignment, solved, tmp_path, name):
    before = {path for path in tmp_path.rglob("*")}
    taken = _take(course, assignment, _zip(tmp_path / "a.zip", {name: solved, "zoe.ipynb": solved}))
    assert set(_submitted(course)) == _at("zoe") and len(taken.refused) == 1
    assert {path for path in tmp_path.rglob("*") if "zoe" not in str(path)} - before <= {
        tmp_path / "a.zip",
        course.root / "grader",
        course.root / "grader/submitted",
    }


def test_bombs_end(course, assignment, solved, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "SIZE_LIMIT", 1_000_000)
    bomb = _zip(tmp_path / "b.zip", {"small.ipynb": b"0" * 30_000_000})
    assert bomb.stat().st_size < 100_000
    taken = _take(
        course,
        assignment,
        _zip(tmp_path / "a.zip", {"ada/small.ipynb": b"0" * 30_000_000, "grace.zip": bomb.read_bytes(), "zoe.ipynb": solved}),
    )
    assert (
        set(_submitted(course)) == _at("zoe")
        and all("larger than" in why for _, why in taken.refused)
        and len(taken.refused) == 2
    )
    deep = b"x"
    for _ in range(6):
        deep = (
            _zip(tmp_path / "d.zip", {"ada.zip": deep}).read_bytes()
            if deep != b"x"
            else _zip(tmp_path / "d.zip", {"ada.ipynb": solved}).read_bytes()
        )
    taken = _take(course, assignment, _zip(tmp_path / "e.zip", {"ada.zip": deep}))
    assert [why for _, why in taken.refused] == ["too many zips within one another"]


def test_what_all_together_is_too_much_is_told(tmp_path, solved):
    source = _zip(tmp_path / "a.zip", {f"{number}.ipynb": solved for number in range(20)})
    (tmp_path / "s").mkdir()
    few = unpack.Unpacker(tmp_path / "s", count=5)
    assert len(list(few.files(source))) == 5 and len(few.refused) == 15
    small = unpack.Unpacker(tmp_path / "s", total=3 * len(solved))
    assert len(list(small.files(source))) == 3 and "too large" in small.refused[0][1]


def test_links_and_damage_are_told(course, assignment, solved, tmp_path):
    path = _zip(tmp_path / "a.zip", {"zoe.ipynb": solved})
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("ada.ipynb")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("grace.zip", _zip(tmp_path / "b.zip", {"small.ipynb": solved}).read_bytes()[:-30])
    taken = _take(course, assignment, path)
    assert set(_submitted(course)) >= _at("zoe") and not any(name.startswith("ada/") for name in _submitted(course))
    assert [why for name, why in taken.refused if name == "ada.ipynb"] == ["a link, which may point at anybody's file"]
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "ada.ipynb").symlink_to(path)
    assert _take(course, assignment, folder).refused == [("ada.ipynb", "a link, which may point at anybody's file")]
    (tmp_path / "not.zip").write_bytes(b"PK no zip")
    with pytest.raises(GradingError, match="neither a folder nor a zip"):
        _take(course, assignment, tmp_path / "not.zip")


def test_unicode_in_either_form_and_without_the_flag(course, assignment, solved, tmp_path):
    path = _zip(tmp_path / "a.zip", {"ABC_77_assignsubmission_file_/small.ipynb": solved})
    # An old packer: the name in UTF-8, the flag for it not set; composed and decomposed letters.
    path.write_bytes(path.read_bytes().replace(b"ABC_", "Zë_".encode()))
    taken = _take(course, assignment, path, people=[Person("zoe", "Zë"), Person("other", "Zé Other")])
    assert set(_submitted(course)) == _at("zoe"), taken
    _take(course, assignment, _zip(tmp_path / "c.zip", {"A\u030angstro\u0308m Zoe\u0308.ipynb": solved}))
    assert len(_submitted(course)) == 1


names = st.lists(
    st.sampled_from(
        [
            "ada",
            "..",
            ".",
            "small.ipynb",
            "x.zip",
            "C:",
            "\\",
            "a\0b",
            "lovelaceada_1001_5_small.ipynb",
            "Ada_1_assignsubmission_file_",
            "é\u0301",
            " ",
            "~",
            ".hidden",
            "small",
        ]
    )
    | st.text(max_size=6),
    min_size=1,
    max_size=4,
).map("/".join)


@settings(max_examples=60, deadline=None)
@given(entries=st.dictionaries(names, st.binary(max_size=30), max_size=4))
def test_no_zip_writes_outside_or_stops_the_intake(template, tmp_path_factory, entries):
    root = tmp_path_factory.mktemp("any")
    path = root / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            try:
                archive.writestr(name, content)
            except (ValueError, UnicodeError, IndexError):     # Python 3.11 cannot write a file without a name
                continue
    course = Course.at(template)
    course.config.CourseDirectory.submitted_directory = str(root / "submitted")
    _take(course, _ASSIGNMENT.setdefault("small", Assignment.of(Course.at(template), NAME)), path)
    written = {each for each in root.rglob("*") if each.is_file()} - {path}
    assert all(root / "submitted" in each.parents and each.parts[len(root.parts) + 2] == NAME for each in written)
    assert not (template / "grader/submitted").exists()


_ASSIGNMENT: dict[str, Assignment] = {}


# ── rosters ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "id", "name", "email", "lms"),
    [
        ("id,name,email,lms_ids\nada,Ada Lovelace,a@b.org,11 22\n", "ada", "Ada Lovelace", "a@b.org", ("11", "22")),
        (
            "\ufeffStudent,ID,SIS User ID,SIS Login ID,Section\n    Points Possible,,,,\n"
            '"Lovelace, Ada",1001,S77,ada,A\n"Student, Test",5,,x,\n',
            "ada",
            "Lovelace, Ada",
            "",
            ("1001",),
        ),
        ("First name;Surname;ID number;Email address\nAda;Lovelace;77;a@b.org\n", "77", "Ada Lovelace", "a@b.org", ()),
    ],
)
def test_rosters_of_either_platform(tmp_path, text, id, name, email, lms):
    (tmp_path / "r.csv").write_text(text, encoding="utf-8")
    (person,) = read_roster(tmp_path / "r.csv")
    assert (person.id, person.name, person.email, person.lms) == (id, name, email, lms)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "id,name\n../x,Eve\n"])
def test_a_roster_that_is_none_is_refused_in_words(tmp_path, text):
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(GradingError, match=r"roster|lists nobody"):
        read_roster(tmp_path / "r.csv")


def test_the_roster_is_in_grader_and_in_the_gradebook(course):
    assert not roster(course)
    course.roster.parent.mkdir(exist_ok=True)
    course.roster.write_text("id,name\nada,Ada Lovelace\n")
    assert roster(course).find(["lovelace ada"]) == "ada"


def test_take_in_and_grade_in_one_command(course, solved, tmp_path):
    course.roster.parent.mkdir(exist_ok=True)
    course.roster.write_text("id,name\nada,Ada Lovelace\nzoe,Zoë Ångström\n")
    source = _zip(tmp_path / "a.zip", {"lovelaceada_1_2_small.ipynb": solved, "whoisthat_3_4_small.ipynb": solved})
    run = CliRunner().invoke(grade, [NAME, "--root", str(course.root), "--from", str(source)], env={"COLUMNS": "160"})
    assert run.exit_code == 0, run.output
    assert "whoisthat_3_4_small.ipynb" in run.output and "not submitted" in run.output and " ada " in run.output
    assert "whoisthat" in (course.reports / f"{NAME}-not-taken.csv").read_text()
    with closing(Journal(course.journal)) as journal:
        assert set(journal.rows(NAME)) == {"ada"}
