"""The list of a student's graded attempts, whatever became of its file."""

import pytest

from autograder.course import Course, load_course
from autograder.gradebook import Attempt, attempts_of, note_attempt
from autograder.gradebook.attempts import FOLDER
from tests.courses import make_course

ONE = Attempt("a1b2", "2026-11-20T12:00:00-05:00", 6.0, counts=True)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return load_course(make_course(tmp_path_factory.mktemp("course")))


def attempts_in(course: Course, text: str) -> list[Attempt]:
    path = course.root / FOLDER / "warmup/ada.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return attempts_of(course, course.assignment("warmup"), "ada")


def test_attempts_are_read_as_they_were_written(course: Course) -> None:
    note_attempt(course, course.assignment("warmup"), "bob", ONE)
    assert attempts_of(course, course.assignment("warmup"), "bob") == [ONE]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[" * 100_000,
        '[{"submission": "a", "at": "2026-11-20T12:00:00-05:00", "worth": "abc", "counts": true}]',
        '[{"submission": "a", "at": "2026-11-20T12:00:00-05:00", "worth": NaN, "counts": true}]',
        '[{"submission": "a", "at": "2026-11-20T12:00:00-05:00", "worth": null, "counts": true}]',
        '[{"submission": "a", "at": "2026-11-20T12:00:00-05:00", "worth": 1.0, "counts": "no"}]',
        '[{"submission": [], "at": "2026-11-20T12:00:00-05:00", "worth": 1.0, "counts": true}]',
        '[{"submission": "a", "at": "0001-01-01T00:00:00+14:00", "worth": 1.0, "counts": true}]',
        '[{"submission": "a", "at": "2026-11-20T12:00:00", "worth": 1.0, "counts": true}]',
        '[{"submission": "a", "at": "noon", "worth": 1.0, "counts": true}]',
        "\udcff".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    ],
)
def test_a_damaged_list_is_taken_for_none(course: Course, text: str) -> None:
    assert attempts_in(course, text) == []
