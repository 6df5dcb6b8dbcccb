"""Collecting what was handed in elsewhere: who it is, which attempt counts, what is kept, and hostile files."""

import contextlib
import io
import stat
import struct
import subprocess
import tracemalloc
import unicodedata
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.base import AutograderError
from autograder.course import Course, load_course, notebook_text
from autograder.gradebook import open_gradebook, register
from autograder.reports import people_of
from autograder.submission import Person, collect, local_time, plain_name, submissions
from autograder.submission.collecting import Collected
from autograder.submission.uploads import System
from tests.commands import autograder
from tests.courses import CONFIG, make_course, solved, submit, untouched

SOLVED, UNTOUCHED = notebook_text(solved()).encode(), notebook_text(untouched()).encode()
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
PEOPLE = [
    Person("ada", frozenset({"101"}), frozenset({"lovelaceada", "adalovelace"})),
    Person("bob", frozenset({"102"}), frozenset({"byronbob", "bobbyron"})),
]
CANVAS = "lovelaceada_101_9001_warmup.ipynb"
BOB = "byronbob_102_9005_warmup.ipynb"
MOODLE = "Bob Byron_102_assignsubmission_file/warmup.ipynb"


@pytest.fixture
def course(tmp_path: Path) -> Course:
    config = CONFIG.replace("    allowed_imports", "    files: [data.csv]\n    allowed_imports")
    return load_course(make_course(tmp_path / "course", config=config))


def zipped(folder: Path, members: Mapping[str, bytes]) -> Path:
    path = folder / "submissions.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def collected(
    course: Course, source: Path, *, when: datetime | None = NOON, known: tuple[str, ...] = ("ada", "bob")
) -> list[Collected]:
    return collect(course, course.assignment("warmup"), source, known=known, people=PEOPLE, when=when)


def brief(results: list[Collected]) -> list[tuple[str, str]]:
    return [(each.who, each.status) for each in results]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def there(course: Course, student: str) -> bytes:
    return (course.root / "submitted" / student / "warmup/warmup.ipynb").read_bytes()


# Who it is


@pytest.mark.parametrize(
    ("member", "student"),
    [
        ("lovelaceada_101_9001_warmup.ipynb", "ada"),
        ("lovelaceada_LATE_101_9001_warmup.ipynb", "ada"),
        ("lovelaceada_101_9001_my_home_work-2.ipynb", "ada"),
        ("lovelace_ada_101_9001_warmup.ipynb", "ada"),
        ("submissions/again/lovelaceada_101_9001_warmup.ipynb", "ada"),
        ("submissions\\lovelaceada_101_9001_warmup.ipynb", "ada"),
        ("lovelaceada_101_9001_warmup.ipynb.json", "ada"),
        ("lovelaceada_101_9001_warmup.ipynb-3.txt", "ada"),
        ("Bob Byron_102_assignsubmission_file/warmup.ipynb", "bob"),
        ("Bob Byron_102_assignsubmission_file_/warmup.ipynb", "bob"),
        ("Bob Byron_102_assignsubmission_file_warmup.ipynb", "bob"),
        ("Bob_Byron_102_assignsubmission_file/warmup.ipynb", "bob"),
        ("Bob Byron_102_assignsubmission_file/src/more/warmup.ipynb", "bob"),
        ("Course-Warmup-7/Bob Byron_102_assignsubmission_file/warmup.ipynb", "bob"),
        ("Course-Warmup-7/Bob Byron_102_assignsubmission_file_warmup (1).ipynb", "bob"),
    ],
)
def test_a_name_of_canvas_or_moodle_says_whose_it_is(course: Course, tmp_path: Path, member: str, student: str) -> None:
    assert brief(collected(course, zipped(tmp_path, {member: SOLVED}))) == [(student, "new")]
    assert there(course, student) == SOLVED


@given(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20),
    st.integers(0, 10**9),
    st.integers(0, 10**12),
    st.text(st.characters(categories=["L", "N"], include_characters="_-. "), min_size=1, max_size=20),
    st.booleans(),
)
@settings(max_examples=60)
def test_any_name_that_canvas_makes_is_read(
    tmp_path_factory: pytest.TempPathFactory, name: str, user: int, number: int, file: str, late: bool
) -> None:
    folder = tmp_path_factory.mktemp("canvas")
    course = load_course(make_course(folder / "course"))
    people = [Person("ada", frozenset({str(user)}))]
    source = zipped(folder, {f"{name}{'_LATE' if late else ''}_{user}_{number}_{file}.ipynb": SOLVED})
    results = collect(course, course.assignment("warmup"), source, known=["ada"], people=people, when=NOON)
    assert brief(results) == [("ada", "new")]


def test_who_is_not_known_is_listed_and_the_others_are_taken(course: Course, tmp_path: Path) -> None:
    source = zipped(tmp_path, {CANVAS: SOLVED, "eveevil_666_9002_warmup.ipynb": SOLVED})
    results = collected(course, source)
    assert brief(results) == [("ada", "new"), ("eveevil (666)", "not taken")]
    assert "nobody of the course is known by this number or name" in results[1].why


def test_where_the_system_has_numbers_a_name_alone_is_nobodys(course: Course, tmp_path: Path) -> None:
    """People may choose the name that they are shown by; an id of the course in its place is no better."""
    source = zipped(tmp_path, {"lovelaceada_666_9001_warmup.ipynb": SOLVED, "ada_667_9002_warmup.ipynb": SOLVED})
    assert [each.status for each in collected(course, source)] == ["not taken", "not taken"]
    assert not (course.root / "submitted/ada").exists()


def test_where_it_has_none_the_name_says_who_it_is(course: Course, tmp_path: Path) -> None:
    people = [Person("ada", names=frozenset({"lovelaceada"}))]
    source = zipped(tmp_path, {CANVAS: SOLVED})
    results = collect(course, course.assignment("warmup"), source, known=["ada"], people=people, when=NOON)
    assert brief(results) == [("ada", "new")]


def test_two_of_one_name_are_not_guessed_at(course: Course, tmp_path: Path) -> None:
    twins = [Person("ada1", names=frozenset({"lovelaceada"})), Person("ada2", names=frozenset({"lovelaceada"}))]
    source = zipped(tmp_path, {CANVAS: SOLVED})
    results = collect(course, course.assignment("warmup"), source, known=["ada1", "ada2"], people=twins, when=NOON)
    assert "more than one student is called so: ada1, ada2" in results[0].why


def test_a_folder_of_notebooks_is_named_by_ids(course: Course, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name, content in {"ada": SOLVED, "adda": SOLVED}.items():
        (source / f"{name}.ipynb").write_bytes(content)
    results = collected(course, source)
    assert brief(results) == [("ada", "new"), ("adda", "not taken")]
    assert results[1].why == "nobody of the course has this id; did you mean 'ada'?"
    assert brief(collected(course, source, known=())) == [("ada", "unchanged"), ("adda", "new")]


# Which attempt, which file


def test_of_several_attempts_the_newest_counts(course: Course, tmp_path: Path) -> None:
    members = {
        "lovelaceada_101_9003_warmup-2.ipynb": SOLVED,
        "lovelaceada_101_9001_warmup.ipynb": UNTOUCHED,
        "lovelaceada_101_9002_warmup-1.ipynb": UNTOUCHED,
    }
    collected(course, zipped(tmp_path, members))
    assert there(course, "ada") == SOLVED


def test_a_single_notebook_of_another_name_is_taken_and_of_two_none_is_guessed(course: Course, tmp_path: Path) -> None:
    members = {
        "lovelaceada_101_9001_My Work (1).ipynb": SOLVED,
        "byronbob_102_9002_one.ipynb": SOLVED,
        "byronbob_102_9003_two.ipynb": SOLVED,
    }
    results = collected(course, zipped(tmp_path, members))
    assert brief(results) == [("ada", "new"), ("byronbob", "not taken")]
    assert "there are 2 notebooks, none of which is called warmup.ipynb: one.ipynb, two.ipynb" in results[1].why


def test_the_notebook_of_the_right_name_counts_beside_others(course: Course, tmp_path: Path) -> None:
    members = {CANVAS: SOLVED, "lovelaceada_101_9002_notes.ipynb": UNTOUCHED}
    assert brief(collected(course, zipped(tmp_path, members))) == [("ada", "new")]
    assert names_in(course.root / "submitted/ada/warmup") == ["timestamp.txt", "warmup.ipynb"]
    assert there(course, "ada") == SOLVED


def test_of_other_files_those_of_the_assignment_come_along(course: Course, tmp_path: Path) -> None:
    members = {CANVAS: SOLVED, "lovelaceada_101_9002_data.csv": b"1,2", "lovelaceada_101_9003_photo.jpg": b"x"}
    collected(course, zipped(tmp_path, members))
    assert names_in(course.root / "submitted/ada/warmup") == ["data.csv", "timestamp.txt", "warmup.ipynb"]


def test_a_script_alone_is_taken_for_the_notebook(course: Course, tmp_path: Path) -> None:
    path = zipped(tmp_path, {"lovelaceada_101_9001_warmup-1.py": b"x = 1\n", "lovelaceada_101_9002_data.csv": b"1\n"})
    assert brief(collected(course, path)) == [("ada", "new")]
    assert (course.root / "submitted/ada/warmup/warmup.py").read_bytes() == b"x = 1\n"


def test_nothing_but_other_files_is_no_submission(course: Course, tmp_path: Path) -> None:
    results = collected(course, zipped(tmp_path, {"lovelaceada_101_9002_data.csv": b"1,2"}))
    assert results == [
        Collected("lovelaceada", "not taken", "there is no notebook: expected warmup.ipynb, found data.csv")
    ]


# When, and what is never overwritten


def test_the_time_that_is_given_is_when_it_was_handed_in(course: Course, tmp_path: Path) -> None:
    collected(course, zipped(tmp_path, {CANVAS: SOLVED}))
    (found,) = submissions(course.root, "warmup", ["ada"])
    assert found.timestamp == NOON.isoformat()


def test_without_a_time_none_is_made_up_and_what_canvas_calls_late_is_said(course: Course, tmp_path: Path) -> None:
    source = zipped(tmp_path, {"lovelaceada_LATE_101_9001_warmup.ipynb": SOLVED})
    (result,) = collected(course, source, when=None)
    assert (result.status, submissions(course.root, "warmup", ["ada"])[0].timestamp) == ("new", None)
    assert "late, and not by how much: give the time with --time" in result.why


@pytest.mark.parametrize(
    ("when", "status"),
    [
        ("2026-11-28 11:59:59", "kept"),
        ("2026-11-28 12:00:00", "kept"),
        ("2026-11-28 12:00:01", "newer"),
        (None, "kept"),
    ],
)
def test_only_something_newer_takes_the_place_of_what_is_there(
    course: Course, tmp_path: Path, when: str | None, status: str
) -> None:
    submit(course.root, "ada", untouched(), timestamp="2026-11-28 12:00:00 UTC")
    before = there(course, "ada")
    moment = None if when is None else local_time(when, UTC)
    assert brief(collected(course, zipped(tmp_path, {CANVAS: SOLVED}), when=moment)) == [("ada", status)]
    assert there(course, "ada") == (SOLVED if status == "newer" else before)
    kept = course.root / "submitted/.replaced/ada/warmup-20261128120000/warmup.ipynb"
    assert kept.exists() == (status == "newer")
    if status == "newer":
        assert kept.read_bytes() == before


def test_where_nothing_can_be_written_what_is_there_stays(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    submit(course.root, "ada", untouched(), timestamp="2026-11-01 12:00:00 UTC")
    before = there(course, "ada")
    monkeypatch.setattr("autograder.submission.placing.write_bytes_atomically", full)
    (result,) = collected(course, zipped(tmp_path, {CANVAS: SOLVED}))
    assert result.why == "it could not be written: No space left on device"
    assert there(course, "ada") == before
    assert names_in(course.root / "submitted/ada") == ["warmup"]


def test_collecting_twice_changes_nothing(course: Course, tmp_path: Path) -> None:
    source = zipped(tmp_path, {CANVAS: SOLVED, BOB: UNTOUCHED})
    assert brief(collected(course, source)) == [("ada", "new"), ("bob", "new")]
    assert brief(collected(course, source, when=None)) == [("ada", "unchanged"), ("bob", "unchanged")]


def test_what_was_replaced_is_graded_by_nobody(course: Course, tmp_path: Path) -> None:
    submit(course.root, "ada", untouched(), timestamp="2026-11-01 12:00:00 UTC")
    collected(course, zipped(tmp_path, {CANVAS: SOLVED}))
    assert [each.student for each in submissions(course.root, "warmup")] == ["ada"]


# Hostile and broken files


def outside(course: Course, tmp_path: Path) -> set[Path]:
    """What lies anywhere but in the course and is no archive."""
    return {path for path in tmp_path.rglob("*") if course.root not in (path, *path.parents) and path.suffix != ".zip"}


@pytest.mark.parametrize(
    "name",
    [
        "../../evil_101_9001_warmup.ipynb",
        "/tmp/evil_101_9001_warmup.ipynb",
        "..\\evil_101_9001_warmup.ipynb",
        "lovelaceada_101_9001_../../warmup.ipynb",
        "a\u202eb_101_9001_warmup.ipynb",
        "Bob Byron_102_assignsubmission_file/../../warmup.ipynb",
    ],
)
def test_a_name_that_leads_out_is_not_taken(course: Course, tmp_path: Path, name: str) -> None:
    results = collected(course, zipped(tmp_path, {name: SOLVED, BOB: SOLVED}))
    assert ("bob", "new") in brief(results)
    assert [each.status for each in results if each.who != "bob"] == ["not taken"]
    assert all(each.who.isprintable() for each in results)
    assert outside(course, tmp_path) == set()
    assert names_in(course.root / "submitted") == ["bob"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_a_device_is_not_taken(course: Course, tmp_path: Path, kind: int) -> None:
    path = tmp_path / "submissions.zip"
    with zipfile.ZipFile(path, "w") as archive:
        member = zipfile.ZipInfo(CANVAS)
        member.create_system, member.external_attr = 3, (kind | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    (result,) = collected(course, path)
    assert result.why == "it is no plain file, but a link or a device"


def test_what_unpacks_to_more_than_a_notebook_may_have_is_not_read(course: Course, tmp_path: Path) -> None:
    source = zipped(tmp_path, {CANVAS: b"0" * (20 * 2**20 + 1), BOB: SOLVED})
    assert source.stat().st_size < 100_000
    results = collected(course, source)
    assert brief(results) == [("bob", "new"), (CANVAS, "not taken")]
    assert "more than limits.notebook_mb, 20 MB" in results[1].why


def test_a_member_that_lies_about_its_size_is_not_taken(course: Course, tmp_path: Path) -> None:
    source = zipped(tmp_path, {CANVAS: b"0" * 1_000_000, BOB: SOLVED})
    content = bytearray(source.read_bytes())
    at = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, at + 24, 10)
    source.write_bytes(content)
    results = collected(course, source)
    assert ("bob", "new") in brief(results)
    assert not (course.root / "submitted/ada").exists()


def test_a_zip_file_in_the_zip_file_is_not_opened(course: Course, tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("warmup.ipynb", SOLVED)
    (result,) = collected(course, zipped(tmp_path, {"lovelaceada_101_9001_work.zip": inner.getvalue()}))
    assert "a zip file inside the zip file is not opened" in result.why


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_of_two_members_of_one_name_neither_is_taken(course: Course, tmp_path: Path) -> None:
    path = tmp_path / "submissions.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(CANVAS, SOLVED)
        archive.writestr(CANVAS, UNTOUCHED)
    assert [each.why for each in collected(course, path)] == ["there are two of that name"] * 2


def test_of_two_files_of_one_person_and_name_the_second_is_listed(course: Course, tmp_path: Path) -> None:
    source = zipped(tmp_path, {CANVAS: SOLVED, "lovelaceada_101_9002_warmup.ipynb": UNTOUCHED})
    results = collected(course, source)
    assert brief(results) == [("ada", "new"), ("lovelaceada_101_9002_warmup.ipynb", "not taken")]
    assert results[1].why == "the same person handed in another file called warmup.ipynb"
    assert there(course, "ada") == SOLVED


def test_an_encrypted_member_is_named(course: Course, tmp_path: Path) -> None:
    source = zipped(tmp_path, {CANVAS: SOLVED})
    content = bytearray(source.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.index(mark) + offset
        content[at] |= 1
    source.write_bytes(content)
    assert [each.why for each in collected(course, source)] == ["it is encrypted"]


def test_a_damaged_member_is_named_and_the_others_are_taken(course: Course, tmp_path: Path) -> None:
    source = zipped(tmp_path, {CANVAS: SOLVED, BOB: SOLVED})
    content = bytearray(source.read_bytes())
    at = content.index(b"warmup.ipynb") + 40
    content[at : at + 8] = bytes(8)
    source.write_bytes(content)
    results = collected(course, source)
    assert brief(results) == [("bob", "new"), ("ada", "not taken")]
    assert "damaged" in results[1].why


@pytest.mark.parametrize("content", [b"", b"no zip", SOLVED])
def test_what_is_no_zip_file_is_named(course: Course, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "submissions.zip"
    path.write_bytes(content)
    with pytest.raises(AutograderError, match=r"submissions\.zip: it is no zip file, or is damaged: .*again"):
        collected(course, path)


def test_a_truncated_zip_file_is_named(course: Course, tmp_path: Path) -> None:
    source = zipped(tmp_path, {CANVAS: SOLVED, BOB: SOLVED})
    source.write_bytes(source.read_bytes()[:-30])
    with pytest.raises(AutograderError, match="damaged"):
        collected(course, source)


@given(st.binary(max_size=400))
@settings(max_examples=60)
def test_any_bytes_are_a_zip_file_or_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    folder = tmp_path_factory.mktemp("noise")
    course = load_course(make_course(folder / "course"))
    source = zipped(folder, {CANVAS: SOLVED})
    content = bytearray(source.read_bytes())
    middle = len(content) // 2
    content[middle : middle + len(noise)] = noise
    source.write_bytes(content)
    with contextlib.suppress(AutograderError):
        collected(course, source)
    assert outside(course, folder) <= {source}


def test_a_link_in_a_folder_is_not_followed(course: Course, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "ada.ipynb").symlink_to("/etc/passwd")
    (source / "bob.ipynb").write_bytes(SOLVED)
    assert brief(collected(course, source)) == [("bob", "new"), ("ada", "not taken")]


def test_an_id_that_could_be_a_path_is_not_taken(course: Course, tmp_path: Path) -> None:
    people = [Person("../../evil", frozenset({"101"}))]
    source = zipped(tmp_path, {CANVAS: SOLVED})
    results = collect(course, course.assignment("warmup"), source, known=[], people=people, when=NOON)
    assert [each.status for each in results] == ["not taken"]
    assert outside(course, tmp_path) == set()


def test_where_a_students_folder_is_a_link_nothing_is_written(course: Course, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (course.root / "submitted").mkdir(exist_ok=True)
    (course.root / "submitted/ada").symlink_to(elsewhere)
    assert brief(collected(course, zipped(tmp_path, {CANVAS: SOLVED}))) == [("ada", "not taken")]
    assert names_in(elsewhere) == []


# A name that a student chooses says nothing of whose it is

MAL = Person("mal", frozenset({"111"}), frozenset({"mallorymal", "malmallory"}))
EVERYBODY = (*PEOPLE, MAL)


def claimed(
    course: Course, source: Path, people: Sequence[Person] = EVERYBODY, known: tuple[str, ...] = ("ada", "bob", "mal")
) -> list[Collected]:
    return collect(course, course.assignment("warmup"), source, known=known, people=people, when=NOON)


def of(system: System) -> list[Person]:
    return [replace(person, system=system) for person in EVERYBODY]


FILES = [
    "x_101_assignsubmission_file_warmup.ipynb",
    "_101_assignsubmission_file_warmup.ipynb",
    "101_9001_warmup.ipynb",
    "LATE_101_9001_warmup.ipynb",
    "lovelaceada_101_9001_warmup.ipynb",
    "Ada Lovelace_101_assignsubmission_file_x_101_assignsubmission_file_warmup.ipynb",
]


@pytest.mark.parametrize("system", ["canvas", "moodle", ""])
@pytest.mark.parametrize("begin", ["mallorymal_111_9002_", "mallorymal_LATE_111_9002_"])
def test_whatever_a_file_is_called_in_canvas_it_is_its_own_students(
    course: Course, tmp_path: Path, begin: str, system: System
) -> None:
    for number, name in enumerate(FILES):
        (tmp_path / str(number)).mkdir()
        source = zipped(tmp_path / str(number), {f"{begin}{name}": UNTOUCHED, CANVAS: SOLVED})
        if system == "moodle":
            with pytest.raises(AutograderError, match="the table of who is who is Moodle's, and not all names"):
                claimed(course, source, of(system))
        else:
            assert ("mal", "not taken") not in brief(claimed(course, source, of(system)))
            assert there(course, "ada") == SOLVED
            assert there(course, "mal") == UNTOUCHED


@pytest.mark.parametrize("begin", ["Mal Mallory_111_assignsubmission_file_", "Mal Mallory_111_assignsubmission_file_/"])
@pytest.mark.parametrize("alone", [True, False])
def test_whatever_a_file_is_called_in_moodle_it_is_its_own_students(
    course: Course, tmp_path: Path, begin: str, alone: bool
) -> None:
    for number, name in enumerate(FILES[:-1]):
        (tmp_path / str(number)).mkdir()
        honest = {} if alone else {f"Ada Lovelace_101_assignsubmission_file_{'/' * begin.endswith('/')}w.ipynb": SOLVED}
        source = zipped(tmp_path / str(number), {f"{begin}{name}": UNTOUCHED, **honest})
        assert ("mal", "not taken") not in brief(claimed(course, source, of("moodle")))
        assert there(course, "mal") == UNTOUCHED
        assert (course.root / "submitted/ada").exists() != alone
        assert alone or there(course, "ada") == SOLVED


@pytest.mark.parametrize(
    ("called", "end"),
    [
        ("Ada Lovelace_101_assignsubmission_file_x", "_111_assignsubmission_file_warmup.ipynb"),
        ("lovelaceada_101_9001_x", "_111_9002_warmup.ipynb"),
        ("lovelaceada_101_9001", "_LATE_111_9002_warmup.ipynb"),
    ],
)
def test_a_person_called_as_if_anothers_name_began_it_is_asked_about(
    course: Course, tmp_path: Path, called: str, end: str
) -> None:
    """Of a flat name nobody can tell then where the person's ends and the file's begins."""
    people = [*PEOPLE, Person("mal", frozenset({"111"}), frozenset({plain_name(called)}))]
    source = zipped(tmp_path, {f"{called}{end}": UNTOUCHED})
    (result,) = claimed(course, source, people)
    assert result.why == "its name can also be read as that of mal. A person has to say whose it is"
    assert not (course.root / "submitted/ada").exists()


def test_the_whole_name_of_a_moodle_folder_is_the_systems(course: Course, tmp_path: Path) -> None:
    source = zipped(
        tmp_path, {"Ada Lovelace_101_assignsubmission_file__111_assignsubmission_file_/warmup.ipynb": UNTOUCHED}
    )
    people = [*PEOPLE, Person("mal", frozenset({"111"}), frozenset({"adalovelace101assignsubmissionfile"}))]
    assert brief(claimed(course, source, people)) == [("mal", "new")]


def test_what_a_mac_adds_is_passed_over_and_a_hidden_notebook_is_not(course: Course, tmp_path: Path) -> None:
    hidden = "Bob Byron_102_assignsubmission_file_/.warmup.ipynb"
    added = {"__MACOSX/x.ipynb": b"", "__MACOSX/._Bob Byron_102_assignsubmission_file_": b"", ".DS_Store": b"x"}
    assert brief(collected(course, zipped(tmp_path, {hidden: SOLVED, **added}))) == [("bob", "new")]


def test_a_zip_file_of_two_systems_is_nobodys(course: Course, tmp_path: Path) -> None:
    with pytest.raises(AutograderError, match=r"some of its names are Canvas's .*, others Moodle's"):
        claimed(course, zipped(tmp_path, {CANVAS: SOLVED, MOODLE: SOLVED}))
    assert not (course.root / "submitted").exists()


def test_a_table_of_another_system_says_nothing_of_a_zip_file(course: Course, tmp_path: Path) -> None:
    """Canvas's 101 and Moodle's are two people."""
    with pytest.raises(AutograderError, match="the table of who is who is Canvas's"):
        claimed(course, zipped(tmp_path, {MOODLE: SOLVED}), of("canvas"))


def test_two_people_of_one_name_are_both_listed_and_nothing_is_filed(course: Course, tmp_path: Path) -> None:
    submit(course.root, "ada", untouched(), timestamp="2026-11-01 12:00:00 UTC")
    before = there(course, "ada")
    people = [Person("ada", names=frozenset({"lovelaceada"}))]
    source = zipped(tmp_path, {CANVAS: SOLVED, "lovelaceada_666_9002_warmup-7.ipynb": UNTOUCHED})
    results = claimed(course, source, people)
    assert brief(results) == [("lovelaceada (101)", "not taken"), ("lovelaceada (666)", "not taken")]
    assert all("2 people would hand in for ada: lovelaceada (101), lovelaceada (666)" in each.why for each in results)
    assert there(course, "ada") == before


def test_two_names_with_one_number_are_both_listed(course: Course, tmp_path: Path) -> None:
    source = zipped(tmp_path, {CANVAS: SOLVED, "mallorymal_101_9002_warmup-2.ipynb": UNTOUCHED})
    assert brief(claimed(course, source)) == [("lovelaceada (101)", "not taken"), ("mallorymal (101)", "not taken")]


@pytest.mark.parametrize("other", ["Ada", "ADA", "ａｄａ", "ad\N{FEMININE ORDINAL INDICATOR}"])
def test_ids_that_differ_only_in_how_they_are_written_are_not_taken(course: Course, tmp_path: Path, other: str) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("ada", other, "bob"):
        (source / f"{name}.ipynb").write_bytes(SOLVED)
    results = collected(course, source, known=())
    assert brief(results) == [("bob", "new"), *sorted((name, "not taken") for name in ("ada", other))]
    assert "its id differs from ada in nothing but how the letters are written. Give it the right id" in {
        each.why for each in results
    }
    assert names_in(course.root / "submitted") == ["bob"]


def test_an_id_written_unlike_the_one_that_is_there_is_not_taken(course: Course, tmp_path: Path) -> None:
    submit(course.root, "Ada", untouched())
    source = tmp_path / "in"
    source.mkdir()
    (source / "ada.ipynb").write_bytes(SOLVED)
    assert brief(collected(course, source, known=())) == [("ada", "not taken")]
    assert brief(collected(course, source, known=("ada", "Ada"))) == [("ada", "new")]


# Number and name, and every member of a zip file


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ("Team Rocket_101_assignsubmission_file/warmup.ipynb", "its number is that of ada, whose name is another"),
        ("mallorymal_101_9001_warmup.ipynb", "its number is that of ada, whose name is another"),
        ("Ada Lovelace_77_assignsubmission_file/warmup.ipynb", "its name is that of ada, whose number is another"),
        ("Default group_assignsubmission_file/warmup.ipynb", "Moodle gave no number, as for a team that is no group"),
        ("Default group_assignsubmission_file_warmup.ipynb", "Moodle gave no number, as for a team that is no group"),
        ("anon_101_9001_warmup.ipynb", "its number is that of ada, whose name is another"),
        ("LATE_anon_aB3xZ_9001_warmup.ipynb", "Canvas gave no name, since it is graded anonymously"),
        ("lovelaceada_101_text.html", "it is a text that was typed into Canvas, not a notebook"),
        ("lovelaceada_LATE_101_link.html", "it is a web address, not a notebook"),
        ("Ada Lovelace_101_assignsubmission_onlinetext/onlinetext.html", "it is a text that was typed into Moodle"),
        ("Ada Lovelace_101_assignsubmission_onlinetext_onlinetext.html", "it is a text that was typed into Moodle"),
        ("lovelaceada_101_9001_warmup.pdf", "there is no notebook: expected warmup.ipynb, found warmup.pdf"),
        ("notes/readme.txt", "its name is neither Canvas's nor Moodle's nor Blackboard's"),
    ],
)
def test_each_member_that_is_not_taken_is_listed_with_its_reason(
    course: Course, tmp_path: Path, member: str, said: str
) -> None:
    (result,) = collected(course, zipped(tmp_path, {member: SOLVED}))
    assert (result.status, said in result.why) == ("not taken", True)
    assert not (course.root / "submitted").exists()


@pytest.mark.parametrize(
    "name",
    [
        "__MACOSX/submissions/._lovelaceada_101_9001_warmup.ipynb",
        "submissions/.DS_Store",
        "submissions/._lovelaceada_101_9001_warmup.ipynb",
        "submissions/Thumbs.db",
        "submissions/desktop.ini",
        "submissions/lovelaceada_101_9001_warmup.ipynb:Zone.Identifier",
        "submissions/lovelaceada_101_9001_warmup.ipynb\uf03aZone.Identifier",
        "submissions/.ipynb_checkpoints/lovelaceada_101_9001_warmup-checkpoint.ipynb",
    ],
)
def test_what_a_mac_or_windows_adds_is_nobodys(course: Course, tmp_path: Path, name: str) -> None:
    source = zipped(tmp_path, {f"submissions/{CANVAS}": SOLVED, name: b"x"})
    assert collected(course, source) == [Collected("ada", "new")]


def test_a_zip_file_without_anybodys_work_is_said(course: Course, tmp_path: Path) -> None:
    with pytest.raises(AutograderError, match="there is nothing in it that anybody handed in"):
        collected(course, zipped(tmp_path, {"__MACOSX/._x": b"", "submissions/": b""}))


def test_what_is_left_out_beside_a_notebook_is_said(course: Course, tmp_path: Path) -> None:
    others = {f"lovelaceada_101_{number}_{number}.jpg": b"x" for number in range(7)}
    (result,) = collected(course, zipped(tmp_path, {CANVAS: SOLVED, **others}))
    assert result.status == "new"
    said = "left out, since the assignment does not ask for it: 0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg and 2 more"
    assert result.why == said


@pytest.mark.parametrize("other", ["warmup (1).ipynb", "Copy of warmup.ipynb", "notes.ipynb", "warmup-1.ipynb"])
def test_a_notebook_as_it_was_released_yields_to_one_with_work_in_it(
    course: Course, tmp_path: Path, other: str
) -> None:
    (result,) = collected(course, zipped(tmp_path, {CANVAS: UNTOUCHED, f"lovelaceada_101_9002_{other}": SOLVED}))
    assert there(course, "ada") == SOLVED
    assert "warmup.ipynb is as it was released" in result.why or "left out" in result.why


NAMES = ["Zoë Ångström", "Nguyễn Đức", "山田 太郎"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("flag", [True, False])
def test_a_name_is_the_same_in_every_form_of_its_letters_and_from_every_packer(
    course: Course, tmp_path: Path, name: str, form: Literal["NFC", "NFD"], flag: bool
) -> None:
    """Canvas's packer and Macs write UTF-8 without saying so."""
    table = tmp_path / "moodle.csv"
    table.write_text(f"Identifier,Full name,ID number,Grade,Maximum Grade\nParticipant 7,{name},zoe,,12\n")
    source = zipped(tmp_path, {f"{unicodedata.normalize(form, name)}_7_assignsubmission_file/warmup.ipynb": SOLVED})
    if not flag:
        content = bytearray(source.read_bytes())
        for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            at = content.index(mark) + offset
            content[at : at + 2] = struct.pack("<H", struct.unpack("<H", content[at : at + 2])[0] & ~0x800)
        source.write_bytes(content)
    people = people_of(table, ["zoe"])
    results = collect(course, course.assignment("warmup"), source, known=["zoe"], people=people, when=NOON)
    assert brief(results) == [("zoe", "new")]


def test_a_blind_assignment_of_moodles_is_matched_by_its_word_and_number(course: Course, tmp_path: Path) -> None:
    table = tmp_path / "moodle.csv"
    table.write_text("Identifier,Full name,ID number,Grade,Maximum Grade\nParticipant 7,Ada Lovelace,ada,,12\n")
    source = zipped(tmp_path, {"Participant_7_assignsubmission_file/warmup.ipynb": SOLVED})
    people = people_of(table, ["ada"])
    results = collect(course, course.assignment("warmup"), source, known=["ada"], people=people, when=NOON)
    assert brief(results) == [("ada", "new")]


@pytest.mark.parametrize("member", [CANVAS, "Ada Lovelace_101_assignsubmission_file/src/warmup.ipynb"])
def test_what_a_zip_file_unpacks_to_is_taken_as_the_zip_file_is(course: Course, tmp_path: Path, member: str) -> None:
    path = tmp_path / "unpacked/submissions" / member
    path.parent.mkdir(parents=True)
    path.write_bytes(SOLVED)
    assert brief(collected(course, tmp_path / "unpacked")) == [("ada", "new")]


@pytest.mark.parametrize(
    ("name", "status"),
    [("ADA.ipynb", "new"), ("ada (1).ipynb", "new"), ("ada.ipynb.txt", "new"), ("ada.pdf", "not taken")],
)
def test_a_file_named_by_an_id_is_known_by_what_was_made_of_its_name(
    course: Course, tmp_path: Path, name: str, status: str
) -> None:
    for each, content in {name: SOLVED, "bob.ipynb": SOLVED, "bob (1).ipynb": UNTOUCHED}.items():
        path = tmp_path / "in" / each
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    results = {each.who: each for each in collected(course, tmp_path / "in")}
    assert results["ada" if status == "new" else name].status == status
    assert (results["bob"].status, results["bob (1)"].why) == ("new", "bob.ipynb is there as well")
    assert there(course, "bob") == SOLVED


# Blackboard

DATE = "2026-11-27-10-00-00"
BLACKBOARD = [
    Person(student, frozenset({account}), system="blackboard") for student, account in (("ada", "ada_l"), ("bob", "l"))
]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({f"Warm_up 1_ada_l_attempt_{DATE}_warmup.ipynb": SOLVED, f"Warm_up 1_ada_l_attempt_{DATE}.txt": b"x"}, "ada"),
        ({f"sub/Warm-up_ADA_L_attempt_{DATE}_my_101_9001_warmup.ipynb": SOLVED}, "ada"),
        ({f"Warm-up_l_attempt_{DATE}_x_ada_l_attempt_{DATE}_warmup.ipynb": SOLVED}, "bob"),
        (
            {
                f"Warm-up_l_attempt_{DATE}_warmup.ipynb": UNTOUCHED,
                "Warm-up_l_attempt_2026-11-28-10-00-00_warmup.ipynb": SOLVED,
            },
            "bob",
        ),
    ],
)
def test_blackboards_zip_file_says_whose_it_is(
    course: Course, tmp_path: Path, members: dict[str, bytes], expected: str
) -> None:
    title = "Warm_up 1" if "Warm_up 1" in next(iter(members)) else "Warm-up"
    source = zipped(tmp_path, {**members, f"{title}_eve_attempt_{DATE}_w.ipynb": b"x"})
    results = collect(course, course.assignment("warmup"), source, known=["ada", "bob"], people=BLACKBOARD, when=NOON)
    assert brief(results) == [(expected, "new"), ("eve", "not taken")]
    assert there(course, expected) == SOLVED


def test_of_blackboard_a_person_without_a_file_is_listed(course: Course, tmp_path: Path) -> None:
    source = zipped(tmp_path, {f"Warm-up_l_attempt_{DATE}.txt": b"There are no student comments."})
    results = collect(course, course.assignment("warmup"), source, known=["bob"], people=BLACKBOARD, when=NOON)
    assert results == [Collected("l", "not taken", "there is no notebook: expected warmup.ipynb, found no file")]


# What a zip file unpacks to


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_can_only_be_unpacked_whole_is_not_taken(course: Course, tmp_path: Path, packing: int) -> None:
    path = tmp_path / "submissions.zip"
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr(CANVAS, SOLVED)
    assert "packed in a way that neither Canvas nor Moodle packs" in collected(course, path)[0].why


def test_a_member_is_unpacked_no_further_than_it_says(course: Course, tmp_path: Path) -> None:
    size = 64 * 2**20
    source = zipped(tmp_path, {CANVAS: bytes(size)})
    source.write_bytes(source.read_bytes().replace(struct.pack("<I", size), struct.pack("<I", 1000)))
    tracemalloc.start()
    (result,) = collected(course, source)
    assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    tracemalloc.stop()
    assert "damaged" in result.why


def test_a_list_of_members_without_end_is_not_read(course: Course, tmp_path: Path) -> None:
    source = zipped(tmp_path, {f"{'a' * 60_000}_{number}_1_x.ipynb": b"" for number in range(300)})
    with pytest.raises(AutograderError, match="its list of members has more than 16,777,216 bytes"):
        collected(course, source)


# An LMS's own table says who is who


def test_canvas_and_moodle_say_who_is_who(tmp_path: Path) -> None:
    canvas, moodle = tmp_path / "canvas.csv", tmp_path / "moodle.csv"
    canvas.write_text('Student,ID,SIS Login ID,Section\n    Points Possible,,,\n"Lovelace, Ada",101,ada,A\n')
    moodle.write_text('Identifier,Full name,ID number,Grade,Maximum Grade\n"Participant 102",Bob Byron,bob,,12\n')
    assert people_of(canvas, ["ada"]) == [PEOPLE[0]]
    assert (people_of(canvas, ["ada"])[0].system, people_of(moodle, ["bob"])[0].system) == ("canvas", "moodle")
    assert people_of(moodle, ["bob"]) == [Person("bob", frozenset({"102"}), frozenset({"bobbyron", "participant"}))]


@given(st.text(max_size=30))
def test_a_plain_name_has_only_letters_and_digits(name: str) -> None:
    assert all(each.isalnum() for each in plain_name(name))


# The command


def command(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return autograder(root, "collect", "warmup", *words)


def test_the_command_lists_what_it_did_not_take(course: Course, tmp_path: Path) -> None:
    with open_gradebook(course) as gradebook:
        register(gradebook, course, course.assignment("warmup"), ["ada"])
    zipped(tmp_path, {CANVAS: SOLVED, "eve_7_8_x.ipynb": SOLVED})
    roster = tmp_path / "canvas.csv"
    roster.write_text('Student,ID,SIS Login ID,Section\n"Lovelace, Ada",101,ada,A\n')
    done = command(course.root, "../submissions.zip", "--roster", "../canvas.csv", "--time", "2026-11-29 23:59")
    assert done.returncode == 1, done.stderr
    assert "eve (7): not taken: nobody of the course is known by this number or name" in done.stdout
    assert "1 submissions in submitted/" in done.stdout
    assert submissions(course.root, "warmup", ["ada"])[0].timestamp == "2026-11-30T04:59:00+00:00"
    again = command(course.root, "../submissions.zip", "--roster", "../canvas.csv")
    assert "0 submissions in submitted/, 1 unchanged" in again.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere: expected a zip file, a folder of STUDENT.ipynb, or nbgrader's exchange"),
        (["source"], "source: there is no STUDENT.ipynb in it"),
        (["source", "--time", "soon"], "expected a local time such as '2026-11-29 23:59', found 'soon'"),
        (["source", "--time", "0001-01-01"], "expected a local time such as '2026-11-29 23:59', found '0001-01-01'"),
        (["source", "--roster", "gradebook_config.yaml"], "this is no table of Canvas's or Moodle's or Blackboard's"),
    ],
)
def test_a_source_that_is_none_is_said(course: Course, words: list[str], said: str) -> None:
    done = command(course.root, *words)
    assert done.returncode == 1
    assert said in done.stderr
