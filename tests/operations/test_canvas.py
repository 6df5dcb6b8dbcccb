"""Grades to Canvas by its interface, held against a server on loopback that speaks it: tests/canvas_server.py."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.base import AutograderError
from autograder.course import Course, load_course
from autograder.gradebook import HeldGrade, open_gradebook, register
from autograder.grading import CheckResult, Report, RowResult
from autograder.operations import Comment, Plan, link_comments, page_comments, push_to_canvas
from autograder.operations.canvas_requests import connected
from autograder.operations.push_record import FILE
from autograder.submission import read_submission
from tests import canvas_server
from tests.canvas_server import ASSIGNMENT, COURSE, TEACHER, TOKEN, Answer, Canvas, Held, interface
from tests.commands import AUTOGRADER, autograder
from tests.courses import CONFIG, make_course, solved, submit
from tests.grades import store

SUBMISSIONS = f"/api/v1/courses/{COURSE}/assignments/{ASSIGNMENT}/submissions"
AT_CANVAS = f"canvas_course: {COURSE}\n"


@pytest.fixture
def canvas() -> Iterator[Canvas]:
    with canvas_server.serving() as served:
        served.enroll("ada", "bob", "cyd")
        yield served


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return load_course(make_course(tmp_path_factory.mktemp("course") / "course", config=CONFIG + AT_CANVAS))


@pytest.fixture
def course(tiny: Course) -> Course:
    """The tiny course, with nothing in it of what another test has pushed."""
    (tiny.root / FILE).unlink(missing_ok=True)
    shutil.rmtree(tiny.root / "feedback", ignore_errors=True)
    return tiny


def held(student: str, score: float, *, waiting: bool = False) -> HeldGrade:
    return HeldGrade(student, None, {"test_scale": score}, score, 0.0, score, 12.0, waiting)


CLASS = [held("ada", 10.5), held("bob", 9), held("cyd", 7.25)]


def environment(canvas: Canvas) -> dict[str, str]:
    return {"CANVAS_URL": canvas.address, "CANVAS_TOKEN": TOKEN}


def push(
    course: Course,
    canvas: Canvas,
    grades: list[HeldGrade] = CLASS,
    *,
    pause: Callable[[float], object] = lambda _: None,
    **terms: Any,
) -> tuple[Plan, tuple[str, ...]]:
    """Look and send; what was planned, and what did not arrive."""
    assignment = course.assignment("warmup")
    with push_to_canvas(course, assignment, grades, environment(canvas), pause=pause, **terms) as found:
        return found.plan, found.send(lambda _: None, lambda _: None) if found.plan.changes else ()


def refused(course: Course, canvas: Canvas, **terms: Any) -> str:
    with pytest.raises(AutograderError) as caught:
        push(course, canvas, **terms)
    assert TOKEN not in str(caught.value)
    return str(caught.value)


def scores(canvas: Canvas) -> list[float | None]:
    return [each.score for each in canvas.held.values()]


# What is sent


def test_looking_changes_nothing(course: Course, canvas: Canvas) -> None:
    with push_to_canvas(course, course.assignment("warmup"), CLASS, environment(canvas)) as found:
        assert [each.new for each in found.plan.changes] == [10.5, 9, 7.25]
        assert (found.title, found.ids) == ("Warm-up", "login_id")
    assert canvas.writes == []


def test_grades_go_in_one_request_whose_job_is_waited_for(course: Course, canvas: Canvas) -> None:
    canvas.polls = 3
    waits: list[float] = []
    assert push(course, canvas, pause=waits.append)[1] == ()
    assert scores(canvas) == [10.5, 9, 7.25]
    assert canvas.writes == [f"POST {SUBMISSIONS}/update_grades"]
    assert len(waits) == 3
    assert waits == sorted(waits)


def test_a_second_push_sends_nothing_and_a_changed_grade_goes_alone(course: Course, canvas: Canvas) -> None:
    push(course, canvas)
    canvas.asked.clear()
    assert push(course, canvas)[0].changes == ()
    assert canvas.writes == []
    push(course, canvas, [held("ada", 11), *CLASS[1:]])
    assert canvas.writes == [f"PUT {SUBMISSIONS}/101"]
    assert scores(canvas) == [11, 9, 7.25]


def test_lists_of_several_pages_are_read_to_their_end(course: Course, canvas: Canvas) -> None:
    canvas.enroll(*(f"student{number}" for number in range(20)))
    canvas.page = 4
    grades = [*CLASS, *(held(f"student{number}", number / 2) for number in range(20))]
    assert push(course, canvas, grades)[1] == ()
    assert scores(canvas) == [each.score for each in grades]


def test_canvas_is_told_to_take_nothing_off_where_it_takes_a_hand_in_for_late(course: Course, canvas: Canvas) -> None:
    canvas.late_policy = 3
    canvas.of("bob").handed_in_late = True
    assert push(course, canvas)[1] == ()
    assert (canvas.of("bob").score, canvas.of("bob").status, canvas.of("bob").late) == (9, "none", False)
    assert canvas.of("ada").status is None
    assert push(course, canvas)[0].changes == ()


def test_an_excuse_of_the_course_is_one_in_canvas_and_is_taken_back_with_it(tmp_path: Path, canvas: Canvas) -> None:
    config = CONFIG.replace("    seed: 7\n", "    seed: 7\n    excused: [bob]\n") + AT_CANVAS
    assert "excused" in config
    root = make_course(tmp_path / "course", config=config)
    push(load_course(root), canvas)
    assert (canvas.of("bob").excused, canvas.of("bob").score) == (True, None)
    (root / "gradebook_config.yaml").write_text(CONFIG + AT_CANVAS, encoding="utf-8")
    push(load_course(root), canvas)
    assert (canvas.of("bob").excused, canvas.of("bob").score) == (False, 9)


def test_a_grade_that_a_person_sets_in_canvas_after_a_push_stays(course: Course, canvas: Canvas) -> None:
    push(course, canvas)
    canvas.of("ada").score = 12  # by hand, with the account that made the token
    found, _ = push(course, canvas, [held("ada", 11), *CLASS[1:]])
    assert [(each.student, each.why) for each in found.left] == [
        ("ada", "a person set 12 in Canvas, and it is 11 here")
    ]
    push(course, canvas, [held("ada", 11), *CLASS[1:]], overwrite=True)
    assert canvas.of("ada").score == 11


def test_a_grade_that_a_person_sets_back_to_an_earlier_one_of_ours_stays(course: Course, canvas: Canvas) -> None:
    for points in (8, 10):
        push(course, canvas, [held("ada", points)])
    canvas.of("ada").score = 8
    found, _ = push(course, canvas, [held("ada", 10)])
    assert ("ada", "a person set 8 in Canvas, and it is 10 here") in [(each.student, each.why) for each in found.left]


def test_who_was_graded_before_any_push_is_left_alone(course: Course, canvas: Canvas) -> None:
    canvas.held[101] = Held(score=5, grader=TEACHER)
    canvas.held[102] = Held(score=0, grader=None)  # what the policy for missing work sets
    canvas.held[103] = Held(excused=True, grader=TEACHER)
    canvas.enroll("dan")
    canvas.held[104] = Held(score=3, grader=-5)  # what a quiz or a tool sets
    found, _ = push(course, canvas, [*CLASS, held("dan", 4)])
    assert [(each.student, each.old, each.new) for each in found.changes] == [("bob", 0, 9), ("dan", 3, 4)]
    assert [each.student for each in found.left] == ["ada", "cyd"]


def test_who_waits_for_a_person_is_not_sent(course: Course, canvas: Canvas) -> None:
    found, _ = push(course, canvas, [held("ada", 3, waiting=True), *CLASS[1:]])
    assert scores(canvas) == [None, 9, 7.25]
    assert [each.student for each in found.left] == ["ada"]


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("sis_user_id", {"sis_user_id": "ada", "login_id": "x1", "email": "al@example.edu"}),
        ("login_id", {"sis_user_id": "00017", "login_id": "ADA"}),
        ("email", {"sis_user_id": None, "login_id": "al@example.edu", "email": "ada@example.edu"}),
    ],
)
def test_who_is_who_is_found_out(course: Course, canvas: Canvas, kind: str, known: dict[str, Any]) -> None:
    canvas.users = [{"id": 101, "name": "Ada"} | known]
    with push_to_canvas(course, course.assignment("warmup"), CLASS[:1], environment(canvas)) as found:
        assert (found.ids, [each.student for each in found.plan.changes]) == (kind, ["ada"])


# Comments


def page_of(course: Course, student: str, text: str) -> Path:
    path = course.root / "feedback" / student / "warmup" / "warmup.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_page_is_attached_to_a_comment_once_and_again_when_it_changed(course: Course, canvas: Canvas) -> None:
    page_of(course, "ada", "<p>one</p>")

    def pushed() -> Plan:
        comments = page_comments(course, course.assignment("warmup"), ["ada", "bob"])
        return push(course, canvas, comments=comments)[0]

    pushed()
    assert pushed().changes == ()
    (comment,) = canvas.of("ada").comments
    assert canvas.files[comment["attachments"][0]["id"]] == b"<p>one</p>"
    assert canvas.of("bob").comments == []
    page_of(course, "ada", "<p>two</p>")
    pushed()
    assert [each["attachments"][0]["id"] for each in canvas.of("ada").comments] == [300, 301]
    assert canvas.of("ada").score == 10.5


def test_a_student_who_writes_our_words_gets_the_page_all_the_same(course: Course, canvas: Canvas) -> None:
    page_of(course, "ada", "<p>one</p>")
    comments = page_comments(course, course.assignment("warmup"), ["ada"])
    canvas.of("ada").comments.append({"id": 1, "author_id": 101, "comment": comments["ada"].text})
    push(course, canvas, comments=comments)
    assert [each["author_id"] for each in canvas.of("ada").comments] == [101, TEACHER]


def test_a_link_is_posted_once(course: Course, canvas: Canvas) -> None:
    comments = link_comments(course.assignment("warmup"), "https://hub.example.edu/{student}/f.html", ["ada", "b b"])
    assert comments["b b"].text.endswith("https://hub.example.edu/b%20b/f.html")
    for _ in range(2):
        push(course, canvas, comments=comments)
    assert [each["comment"] for each in canvas.of("ada").comments] == [
        "Your feedback on Warm-up: https://hub.example.edu/ada/f.html"
    ]


@pytest.mark.parametrize(
    "link", ["hub/{student}", "https://hub.example.edu/", "https://hub/{student} x", "file:{student}"]
)
def test_a_link_that_leads_nobody_to_their_page_is_refused(course: Course, link: str) -> None:
    with pytest.raises(AutograderError, match=r"expected an address with \{student\} in it"):
        link_comments(course.assignment("warmup"), link, ["ada"])


def test_pages_that_nobody_wrote_are_asked_for(course: Course) -> None:
    with pytest.raises(AutograderError, match="autograder feedback warmup"):
        page_comments(course, course.assignment("warmup"), ["ada"])


# What is stopped, and what goes on


def test_a_push_that_breaks_off_sends_the_rest_the_next_time_and_nothing_twice(course: Course, canvas: Canvas) -> None:
    comments = {each: Comment(f"Look, {each} [x]", "[x]") for each in ("ada", "bob", "cyd")}
    canvas.before = lambda method, path: Answer(502) if (method, path[-3:]) == ("PUT", "102") else None
    assert "Canvas failed (502)" in refused(course, canvas, comments=comments)
    assert scores(canvas) == [10.5, None, None]
    canvas.before = lambda _method, _path: None
    canvas.asked.clear()
    push(course, canvas, comments=comments)
    assert canvas.writes == [f"PUT {SUBMISSIONS}/102", f"PUT {SUBMISSIONS}/103"]
    assert [len(each.comments) for each in canvas.held.values()] == [1, 1, 1]


def test_what_was_sent_before_a_push_broke_off_is_known_to_be_no_persons(course: Course, canvas: Canvas) -> None:
    def break_off(_method: str, path: str) -> None:
        if path.endswith("update_grades"):
            canvas.before = lambda _method, _path: Answer(500)

    canvas.after = break_off
    assert "Canvas failed (500)" in refused(course, canvas)
    assert scores(canvas) == [10.5, 9, 7.25]
    canvas.after = canvas.before = lambda _method, _path: None
    push(course, canvas, [held("ada", 11), *CLASS[1:]])
    assert canvas.of("ada").score == 11


def test_a_persons_grade_stays_theirs_where_writing_it_over_broke_off(course: Course, canvas: Canvas) -> None:
    canvas.held[101] = Held(score=5, grader=TEACHER)
    canvas.before = lambda method, _path: Answer(500) if method != "GET" else None
    refused(course, canvas, overwrite=True)
    canvas.before = lambda _method, _path: None
    push(course, canvas)
    assert scores(canvas) == [5, 9, 7.25]


def test_a_grade_of_ours_is_still_known_where_sending_the_next_one_broke_off(course: Course, canvas: Canvas) -> None:
    push(course, canvas, CLASS[:1])
    canvas.before = lambda method, _path: Answer(500) if method != "GET" else None
    refused(course, canvas, grades=[held("ada", 11)])
    canvas.before = lambda _method, _path: None
    push(course, canvas, [held("ada", 12)])
    assert canvas.of("ada").score == 12


def test_what_a_job_did_not_do_is_told(course: Course, canvas: Canvas) -> None:
    canvas.before = lambda _method, path: _forget(canvas, 102) if path.endswith("update_grades") else None
    missing = push(course, canvas)[1]
    assert missing == ("Canvas did not do all that it was asked: Couldn't find User(s) with API ids '102'",)
    assert scores(canvas) == [10.5, 7.25]


def _forget(canvas: Canvas, number: int) -> None:
    del canvas.held[number]


def test_a_grade_that_canvas_takes_and_does_not_keep_is_told(course: Course, canvas: Canvas) -> None:
    def drop(_method: str, path: str) -> None:
        if path.endswith("update_grades"):
            canvas.of("bob").score = None

    canvas.after = drop
    assert push(course, canvas)[1] == ("bob: what was sent is not in Canvas",)


# Patience


def test_canvas_is_left_alone_as_long_as_it_asks_for(course: Course, canvas: Canvas) -> None:
    limited = b"403 Forbidden (Rate Limit Exceeded)\n"
    canvas.answers = [
        Answer(403, limited, "text/plain; charset=utf-8", {"X-Rate-Limit-Remaining": "0.0"}),
        Answer(403, limited, "text/plain; charset=utf-8", {"X-Rate-Limit-Remaining": "0.0"}),
        Answer(429, b"", "text/plain", {"Retry-After": "17"}),
    ]
    waits: list[float] = []
    assert push(course, canvas, pause=waits.append)[1] == ()
    assert waits == [1.0, 2.0, 17.0]
    assert scores(canvas) == [10.5, 9, 7.25]


def test_a_write_that_was_put_off_is_made_once(course: Course, canvas: Canvas) -> None:
    page_of(course, "ada", "<p>one</p>")
    comments = page_comments(course, course.assignment("warmup"), ["ada"])
    put_off = {("PUT", f"{SUBMISSIONS}/101"), ("POST", f"{SUBMISSIONS}/101/comments/files")}

    def once(method: str, path: str) -> Answer | None:
        if (method, path) not in put_off:
            return None
        put_off.remove((method, path))
        return Answer(429, b"", "text/plain", {"Retry-After": "0"})

    canvas.before = once
    push(course, canvas, CLASS[:1], comments=comments)
    assert [each["comment"] for each in canvas.of("ada").comments] == [comments["ada"].text]
    assert put_off == set()


def test_a_canvas_whose_allowance_runs_low_is_given_time_before_it_refuses(course: Course, canvas: Canvas) -> None:
    listed = json.dumps(canvas.assignments).encode()
    canvas.answers = [Answer(200, listed, "application/json", {"X-Rate-Limit-Remaining": "40"})]
    waits: list[float] = []
    push(course, canvas, pause=waits.append)
    assert waits == [6.0]


def test_a_canvas_that_never_has_time_is_given_up(course: Course, canvas: Canvas) -> None:
    canvas.before = lambda _method, _path: Answer(429, b"", "text/plain")
    waits: list[float] = []
    assert "asks to be left alone" in refused(course, canvas, pause=waits.append)
    assert waits == [1, 2, 4, 8, 16, 32]
    canvas.before = lambda _method, _path: Answer(429, b"", "text/plain", {"Retry-After": "86400"})
    assert "for 86400 s more" in refused(course, canvas)


def test_a_page_of_a_list_is_asked_for_again_and_a_grade_is_not(course: Course, canvas: Canvas) -> None:
    canvas.answers = [Answer(503, b"", "text/html")]
    push(course, canvas, CLASS[:1])
    canvas.asked.clear()
    canvas.before = lambda method, _path: Answer(503, b"", "text/html") if method == "PUT" else None
    assert "Canvas failed (503)" in refused(course, canvas, grades=[held("ada", 1)])
    assert len(canvas.writes) == 1


def test_a_connection_that_breaks_is_made_again_for_a_list_and_not_for_a_grade(course: Course, canvas: Canvas) -> None:
    canvas.answers = [Answer(0)]
    waits: list[float] = []
    assert push(course, canvas, CLASS[:1], pause=waits.append)[1] == ()
    assert waits == [1.0]
    canvas.asked.clear()
    canvas.before = lambda method, _path: Answer(0) if method == "PUT" else None
    assert "broke off" in refused(course, canvas, grades=[held("ada", 1)])
    assert len(canvas.writes) == 1


# What Canvas may say


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            Answer(401, b'{"errors":[{"message":"Invalid access token."}]}'),
            "Canvas does not take what is in CANVAS_TOKEN",
        ),
        (Answer(401, b"<html>Log in</html>", "text/html"), "Canvas does not take what is in CANVAS_TOKEN"),
        (Answer(403, b'{"status":"unauthorized"}'), "Canvas does not allow this to the owner of CANVAS_TOKEN"),
        (Answer(404, b'{"errors":[{"message":"no such thing"}]}'), "at canvas_course in gradebook_config.yaml"),
        (Answer(400, f'{{"error":"bad {TOKEN}"}}'.encode()), "Canvas refuses the request (400: bad …)"),
        (Answer(500, b"oops", "text/plain"), "Canvas failed (500)"),
        (Answer(200, b"<html>Welcome</html>", "text/html"), "answers with a page (text/html) where Canvas gives JSON"),
        (Answer(302, b"", headers={"Location": "https://sso.example.edu/login?x"}), "leads elsewhere, to https://sso."),
        (Answer(200, b'[{"id": 1'), "something else than its documents say"),
        (Answer(200, b'[{"id": "1"}]'), "something else than its documents say, at 0.id"),
        (Answer(200, b'[{"id": 1, "points_possible": NaN}]'), "something else than its documents say"),
        (Answer(200, b'{"id": 1}'), "something else than its documents say, at the whole"),
        (Answer(200, b"[" * 100_000), "something else than its documents say"),
        (Answer(200, b"[]", headers={"Link": '<https://evil.example/api/v1/x>; rel="next"'}), "not its own"),
    ],
)
def test_an_answer_that_is_no_use_is_told_in_words(course: Course, canvas: Canvas, answer: Answer, said: str) -> None:
    canvas.before = lambda _method, _path: answer
    assert said in refused(course, canvas)
    assert canvas.writes == []


def test_a_list_whose_pages_never_end_is_given_up(
    course: Course, canvas: Canvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.operations.canvas.MOST_PAGES", 20)
    again = {"Link": f'<{canvas.address}/api/v1/courses/{COURSE}/assignments?page=2>; rel="next"'}
    canvas.before = lambda _method, _path: Answer(200, b"[]", headers=again)
    assert "more than 20 pages" in refused(course, canvas)


def test_an_answer_that_does_not_end_is_given_up(
    course: Course, canvas: Canvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.operations.canvas_requests.MOST_BYTES", 1_000_000)
    body = b"[" + b" " * 2_000_000
    canvas.before = lambda _method, _path: Answer(
        200, body, headers={"Content-Length": str(10**12), "Connection": "close"}
    )
    assert "a reply has more than 1 MB" in refused(course, canvas)
    assert len(canvas.asked) == 1


def test_names_from_canvas_move_no_terminal(course: Course, canvas: Canvas) -> None:
    canvas.assignments[1]["name"] = "Warm-\x1b[2Jup"
    assert "\x1b" not in refused(course, canvas)
    canvas.users.append({"id": 104, "name": "\x1b]0;x\x07Eve", "login_id": "e\x1b[1mve"})
    canvas.held[104] = Held()
    found, _ = push(course, canvas, called=str(ASSIGNMENT))
    assert [each.student for each in found.left] == ["eve"]


@pytest.mark.parametrize("where", ["http://127.0.0.1:1/", "http://169.254.169.254/", "https://localhost/"])
def test_a_distant_canvas_sends_no_upload_into_the_machine_or_without_encryption(where: str) -> None:
    far = {"CANVAS_URL": "https://canvas.example.edu", "CANVAS_TOKEN": TOKEN}
    with connected(far) as requester, pytest.raises(AutograderError, match=r"a request to .*, which is not made"):
        requester.request("POST", use_auth=False, _url=where)


def test_an_upload_that_answers_with_nothing_to_attach_is_told(course: Course, canvas: Canvas) -> None:
    page_of(course, "ada", "<p>one</p>")
    comments = page_comments(course, course.assignment("warmup"), ["ada"])
    for body in (
        b"{}",
        b"[]",
        b'{"upload_url": 1, "upload_params": {"a": 1}}',
        b'{"upload_url": "x", "upload_params": []}',
    ):
        canvas.before = lambda _method, path, body=body: Answer(200, body) if path.endswith("/files") else None
        assert "Canvas does not take" in refused(course, canvas, comments=comments)
    assert canvas.of("ada").comments == []


# Where it goes, and with what


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "CANVAS_URL is not set"),
        ("http://canvas.example.edu", "a token is not sent without encryption; expected https://canvas.example.edu"),
        ("canvas.example.edu", "expected the address of your Canvas"),
        ("https://me:secret@canvas.example.edu", "without a name or a password"),
        ("https://[::1", "expected the address of your Canvas"),
        ("file:///etc/passwd", "expected the address of your Canvas"),
    ],
)
def test_an_address_that_could_be_no_canvas_is_refused(course: Course, address: str, said: str) -> None:
    known = {"CANVAS_URL": address, "CANVAS_TOKEN": TOKEN}
    with pytest.raises(AutograderError) as caught, push_to_canvas(course, course.assignment("warmup"), CLASS, known):
        pass
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("token", ["", "  ", "7~se cret", "7~se\ncret", "7~secrét"])
def test_a_token_that_can_be_none_is_refused_and_not_said(course: Course, token: str) -> None:
    known = {"CANVAS_URL": "https://canvas.example.edu", "CANVAS_TOKEN": token}
    with pytest.raises(AutograderError) as caught, push_to_canvas(course, course.assignment("warmup"), CLASS, known):
        pass
    assert "CANVAS_TOKEN" in str(caught.value)
    assert "7~" not in str(caught.value)


def test_a_password_for_the_host_in_netrc_does_not_take_the_tokens_place(
    course: Course, canvas: Canvas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n", encoding="utf-8")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert push(course, canvas)[1] == ()


def test_where_nobody_listens_is_told(course: Course, canvas: Canvas) -> None:
    canvas.address = "http://127.0.0.1:9"
    waits: list[float] = []
    assert "cannot be reached" in refused(course, canvas, pause=waits.append)
    assert waits == [1, 2, 4]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"points_possible": 100.0}, "has 100 points, and warmup has 12 here"),
        ({"points_possible": None}, "has no points"),
        ({"grading_type": "pass_fail"}, "takes no points"),
        ({"published": False}, "is not published"),
        ({"moderated_grading": True}, "graded by moderators"),
        ({"anonymize_students": True}, "without names"),
        ({"group_category_id": 5}, "gives each grade to a whole group"),
        (
            {"name": "Warm up"},
            "no assignment is 'Warm-up'; name one by its number with --canvas-assignment. There are:",
        ),
        ({"id": ASSIGNMENT + 1, "name": "Essay"}, "no assignment is"),
    ],
)
def test_an_assignment_that_does_not_fit_is_refused_with_the_way_out(
    course: Course, canvas: Canvas, change: dict[str, Any], said: str
) -> None:
    canvas.assignments[1] |= change
    assert said in refused(course, canvas)
    assert canvas.writes == []


def test_two_assignments_of_one_title_are_told_apart_by_number(course: Course, canvas: Canvas) -> None:
    canvas.assignments.append(canvas.assignments[1] | {"id": 9})
    assert "more than one assignment is 'Warm-up'" in refused(course, canvas)
    assert push(course, canvas, called=str(ASSIGNMENT))[1] == ()


def test_a_class_of_another_course_is_refused(course: Course, canvas: Canvas) -> None:
    assert "no student of the gradebook" in refused(course, canvas, grades=[held("nobody", 1)])


def test_a_student_who_is_there_twice_is_refused(course: Course, canvas: Canvas) -> None:
    canvas.enroll("ADA")
    assert "Canvas has ada twice: Ada and Ada" in refused(course, canvas)


def test_a_student_to_whom_canvas_gives_no_such_id_is_listed_by_name(course: Course, canvas: Canvas) -> None:
    for login, number in (("", 104), (None, 105)):
        canvas.users.append({"id": number, "name": f"Xi {number}", "login_id": login})
        canvas.held[number] = Held()
    found, _ = push(course, canvas)
    assert [each.student for each in found.left] == ["Xi 104", "Xi 105"]


def test_a_course_without_its_number_in_canvas_is_told_where_it_stands(tmp_path: Path, canvas: Canvas) -> None:
    course = load_course(make_course(tmp_path / "course"))
    assert "canvas_course is missing" in refused(course, canvas)


# The command


@pytest.fixture
def graded(tmp_path: Path) -> Course:
    """A course with grades of ada (10) and bob (6) in its gradebook, and nobody who waits."""
    course = load_course(make_course(tmp_path / "course", config=CONFIG + AT_CANVAS))
    warmup = course.assignment("warmup")
    with open_gradebook(course) as gradebook:
        register(gradebook, course, warmup)
        for student, passed in (("ada", "passed"), ("bob", "failed")):
            tree = solved()
            tree["cells"][-1]["source"] = "YOUR ANSWER HERE"
            submission = read_submission(submit(course.root, student, tree), warmup, student=student)
            rows = (
                RowResult("scale", "test_scale", 4.0, (CheckResult("a", "Scales.", 1.0, passed),)),  # type: ignore[arg-type]
                RowResult("centre", "test_centre", 6.0, (CheckResult("b", "Centres.", 1.0, "passed"),)),
            )
            assert store(gradebook, course, warmup, submission, Report("warmup", student, "d", "bubblewrap", rows))
    return course


def test_the_command_shows_what_would_change_and_sends_it_with_yes(graded: Course, canvas: Canvas) -> None:
    looked = autograder(graded.root, "push", "canvas", "warmup", **environment(canvas))
    assert (looked.returncode, canvas.writes) == (0, [])
    assert re.findall(r"(?m)^(\w+) +(\S+) +(\d+) +new$", looked.stdout) == [("ada", "—", "10"), ("bob", "—", "6")]
    assert "cyd is left alone: nothing of theirs is in the gradebook" in looked.stdout
    assert "Nothing was changed in Canvas; --yes sends this." in looked.stdout
    sent = autograder(graded.root, "push", "canvas", "warmup", "--yes", **environment(canvas))
    assert sent.returncode == 0, sent.stderr
    assert scores(canvas) == [10, 6, None]
    again = autograder(graded.root, "push", "canvas", "warmup", "--yes", **environment(canvas))
    assert "0 grades and 0 comments to send; 2 students have there what they have here." in again.stdout
    assert TOKEN not in "".join(each.stdout + each.stderr for each in (looked, sent, again))
    assert not [path for path in graded.root.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


def test_the_command_says_that_students_see_unpublished_grades_at_once(graded: Course, canvas: Canvas) -> None:
    canvas.assignments[1]["post_manually"] = False
    looked = autograder(graded.root, "push", "canvas", "warmup", **environment(canvas))
    assert "warmup is not published in gradebook_config.yaml" in looked.stderr


def test_a_refusal_of_canvas_ends_the_command_without_a_traceback(graded: Course, canvas: Canvas) -> None:
    wrong = environment(canvas) | {"CANVAS_TOKEN": "7~another"}
    done = autograder(graded.root, "push", "canvas", "warmup", "--yes", **wrong)
    assert done.returncode == 1
    assert "Canvas does not take what is in CANVAS_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr
    assert "7~another" not in done.stderr + done.stdout


def test_a_command_that_is_killed_on_the_way_is_gone_on_with(graded: Course, canvas: Canvas) -> None:
    for student in ("ada", "bob"):
        page_of(graded, student, f"<p>{student}</p>")
    words = ["push", "canvas", "warmup", "--comments", "page", "--yes"]
    started = subprocess.Popen(
        [sys.executable, "-c", AUTOGRADER, *words],
        cwd=graded.root,
        env=os.environ | environment(canvas),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def kill(method: str, path: str) -> None:
        if (method, path) == ("PUT", f"{SUBMISSIONS}/101"):
            started.kill()
            started.wait()

    canvas.after = kill
    assert started.wait() == -signal.SIGKILL
    assert scores(canvas) == [10, None, None]
    canvas.after = lambda _method, _path: None
    canvas.asked.clear()
    done = autograder(graded.root, *words, **environment(canvas))
    assert done.returncode == 0, done.stderr
    assert scores(canvas) == [10, 6, None]
    assert [len(each.comments) for each in canvas.held.values()] == [1, 1, 0]
    assert f"PUT {SUBMISSIONS}/101" not in canvas.writes


def test_a_second_push_at_the_same_time_is_refused(course: Course, canvas: Canvas) -> None:
    with push_to_canvas(course, course.assignment("warmup"), CLASS, environment(canvas)):
        assert "another run is at work" in refused(course, canvas)


# The interface


def test_every_name_of_the_interface_says_where_it_comes_from() -> None:
    found = interface()
    entries = [*found["requests"], *found["replies"].values(), *found["behaviour"]]
    assert all(re.match(r"(app|lib|doc)/[\w/.]+", each["from"]) for each in entries)
