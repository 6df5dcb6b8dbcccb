"""What a push would change in a learning management system: none twice, none that waits, none of a person's."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.course import Assignment, load_course
from autograder.gradebook import HeldGrade
from autograder.operations import Change, Comment, Mark, Plan, There, is_same, plan
from tests.courses import make_course

STUDENTS = ("ada", "bob", "cyd", "dan")
POINTS = st.floats(0, 12).map(lambda points: round(points, 3))


@pytest.fixture(scope="module")
def warmup(tmp_path_factory: pytest.TempPathFactory) -> Assignment:
    """The tiny course's assignment, of 12 points, from which dan is excused."""
    root = make_course(tmp_path_factory.mktemp("course") / "course")
    return replace(load_course(root).assignment("warmup"), excused=frozenset({"dan"}))


def held(student: str, score: float, *, waiting: bool = False, graded: bool = True) -> HeldGrade:
    return HeldGrade(student, None, {"test_scale": score if graded else None}, score, 0.0, score, 12.0, waiting)


def planned(
    warmup: Assignment,
    grades: list[HeldGrade],
    there: list[There],
    sent: dict[str, list[Mark]] | None = None,
    comments: dict[str, Comment] | None = None,
    *,
    overwrite: bool = False,
) -> Plan:
    known = {"sent": sent or {}, "comments": comments or {}}
    return plan(grades, there, warmup, system="Canvas", overwrite=overwrite, **known)  # type: ignore[arg-type]


def left(found: Plan) -> dict[str, str]:
    return {each.student: each.why for each in found.left}


def test_a_grade_that_is_not_there_is_new_and_one_that_is_there_is_not_sent(warmup: Assignment) -> None:
    found = planned(warmup, [held("ada", 10.5), held("bob", 9)], [There("1", "ada"), There("2", "bob", score=9)])
    assert found.changes == (Change("1", "ada", None, 10.5, "new"),)
    assert found.unchanged == ("2",)


def test_a_grade_that_an_earlier_push_sent_is_followed_when_it_changes_here(warmup: Assignment) -> None:
    there = [There("1", "ada", score=8, entered=8, by_person=True)]
    found = planned(warmup, [held("ada", 10)], there, {"1": [8]})
    assert [(each.old, each.new, each.why) for each in found.changes] == [(8, 10, "changed here")]


def test_a_grade_that_a_person_set_there_is_listed_and_written_over_when_that_is_asked_for(warmup: Assignment) -> None:
    there = [There("1", "ada", score=11, entered=11, by_person=True)]
    found = planned(warmup, [held("ada", 10)], there, {"1": [8]})
    assert left(found) == {"ada": "a person set 11 in Canvas, and it is 10 here"}
    assert (found.changes, found.set_there) == ((), ("ada",))
    (change,) = planned(warmup, [held("ada", 10)], there, {"1": [8]}, overwrite=True).changes
    assert (change.new, change.why) == (10, "in the place of what a person set in Canvas")


def test_who_is_excused_there_is_left_alone_and_who_is_excused_here_is_excused_there(warmup: Assignment) -> None:
    there = [There("1", "ada", excused=True, by_person=True), There("4", "dan")]
    found = planned(warmup, [held("ada", 10)], there)
    assert left(found) == {"ada": "excused in Canvas, and it is 10 here"}
    assert [(each.student, each.new, each.why) for each in found.changes] == [("dan", "EX", "excused here")]


def test_an_excuse_that_a_push_made_is_taken_back_with_the_one_here(warmup: Assignment) -> None:
    found = planned(warmup, [held("ada", 10)], [There("1", "ada", excused=True, by_person=True)], {"1": ["EX"]})
    assert [(each.old, each.new) for each in found.changes] == [("EX", 10)]


def test_what_the_system_takes_off_for_lateness_is_not_taken_off_twice(warmup: Assignment) -> None:
    there = [There("1", "ada", score=8, entered=10, by_person=True, late=True)]
    (change,) = planned(warmup, [held("ada", 10)], there, {"1": [10]}).changes
    assert (change.new, change.not_late) == (10, True)
    assert change.why == "Canvas took points off for lateness as well"


def test_a_zero_that_the_system_set_for_missing_work_is_no_persons(warmup: Assignment) -> None:
    (change,) = planned(warmup, [held("ada", 10)], [There("1", "ada", score=0, entered=0, late=True)]).changes
    assert (change.new, change.not_late, change.why) == (10, True, "in the place of what Canvas set by itself")


@pytest.mark.parametrize(
    ("grade", "why"),
    [
        (held("ada", 10, waiting=True), "an answer waits for a person"),
        (held("ada", 0, graded=False), "not graded yet"),
        (held("ada", 13), "13 is out of the range of 0 to 12; mend it in the formgrader first"),
        (held("eve", 10), "nothing of theirs is in the gradebook"),
    ],
)
def test_what_cannot_be_sent_is_left_and_the_reason_is_told(warmup: Assignment, grade: HeldGrade, why: str) -> None:
    found = planned(warmup, [grade], [There("1", "ada", score=3)])
    assert found.changes == ()
    assert left(found)["ada"] == why


def test_who_is_in_the_gradebook_alone_is_listed(warmup: Assignment) -> None:
    assert "not in Canvas" in left(planned(warmup, [held("ada", 1)], []))["ada"]


def test_a_comment_is_known_again_and_another_one_is_posted_beside_it(warmup: Assignment) -> None:
    comments = {"ada": Comment("Look [new]", "[new]")}
    there = [There("1", "ada", score=10, comments=("Look [old]",))]
    (change,) = planned(warmup, [held("ada", 10)], there, comments=comments).changes
    assert (change.new, change.comment) == (None, comments["ada"])
    there = [There("1", "ada", score=10, comments=("Look [old]", "so: Look [new]"))]
    assert planned(warmup, [held("ada", 10)], there, comments=comments).changes == ()


# Whatever is there


@st.composite
def classes(draw: st.DrawFn) -> tuple[list[HeldGrade], list[There], dict[str, list[Mark]], dict[str, Comment]]:
    """Grades of some students here, what the system has of some, what was sent before, and comments."""
    marks: st.SearchStrategy[Mark] = st.one_of(st.none(), st.just("EX"), POINTS)
    grades = [
        held(each, draw(st.floats(-1, 14)), waiting=draw(st.booleans()), graded=draw(st.booleans()))
        for each in STUDENTS
        if draw(st.booleans())
    ]
    there = []
    for number, each in enumerate(STUDENTS):
        if draw(st.booleans()):
            mark = draw(marks)
            entered = mark if isinstance(mark, float) else None
            late = draw(st.booleans())
            score = None if entered is None else max(0.0, entered - 2 * late * draw(st.booleans()))
            comments = tuple(draw(st.lists(st.sampled_from(["[a]", "other"]), max_size=2)))
            person = draw(st.booleans())
            there.append(There(str(number), each, "", score, entered, mark == "EX", person, late, comments))
    sent = {each.number: draw(st.lists(marks, max_size=2)) for each in there if draw(st.booleans())}
    comments_of = {each: Comment("text [a]", "[a]", (Path("a.html"),)) for each in STUDENTS if draw(st.booleans())}
    return grades, there, sent, comments_of


def made(found: Plan, there: list[There], sent: dict[str, list[Mark]]) -> tuple[list[There], dict[str, list[Mark]]]:
    """What the system has once the changes are made, and what is noted as sent."""
    changes = {each.number: each for each in found.changes}
    after = []
    for each in there:
        change = changes.get(each.number)
        if change is not None and change.new is not None:
            score = change.new if isinstance(change.new, float) else None
            late = each.late and not change.not_late
            each = replace(each, score=score, entered=score, excused=score is None, by_person=True, late=late)
        if change is not None and change.comment is not None:
            each = replace(each, comments=(*each.comments, change.comment.text))
        after.append(each)
    return after, sent | {each.number: [each.new] for each in found.changes if each.new is not None}


@given(case=classes(), overwrite=st.booleans())
def test_a_push_that_is_done_twice_sends_nothing_the_second_time(
    warmup: Assignment,
    case: tuple[list[HeldGrade], list[There], dict[str, list[Mark]], dict[str, Comment]],
    overwrite: bool,
) -> None:
    grades, there, sent, comments = case
    first = planned(warmup, grades, there, sent, comments, overwrite=overwrite)
    after, noted = made(first, there, sent)
    second = planned(warmup, grades, after, noted, comments, overwrite=overwrite)
    assert second.changes == ()
    assert second.left == first.left


@given(case=classes(), overwrite=st.booleans())
def test_no_grade_is_sent_that_is_there_that_waits_or_that_a_person_set(
    warmup: Assignment,
    case: tuple[list[HeldGrade], list[There], dict[str, list[Mark]], dict[str, Comment]],
    overwrite: bool,
) -> None:
    grades, there, sent, comments = case
    found = planned(warmup, grades, there, sent, comments, overwrite=overwrite)
    by_number = {each.number: each for each in there}
    here = {each.student: each for each in grades}
    for change in found.changes:
        was = by_number[change.number]
        assert change.new is not None or change.comment is not None
        if change.new is not None:
            assert not is_same(was.mark, change.new)
            known = any(is_same(was.set_mark, each) for each in sent.get(change.number, []))
            assert overwrite or was.set_mark is None or known or not (was.by_person or was.excused)
        if change.student not in warmup.excused:
            assert not here[change.student].needs_manual_grade
            assert any(score is not None for score in here[change.student].scores.values())
    touched = [each.number for each in found.changes]
    assert len(touched) == len(set(touched))
    told = {each.student for each in found.left} | {each.student for each in found.changes}
    told |= {by_number[each].student for each in found.unchanged}
    assert told == {each.student for each in there} | set(here)
