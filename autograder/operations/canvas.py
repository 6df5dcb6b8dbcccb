"""Grades and feedback to an assignment in Canvas, by its interface: read what is there, plan, send what differs.

The names of parameters and fields are those of Canvas's own source; tests/canvas_interface.yaml lists them with
where they come from.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import requests
from canvasapi.exceptions import CanvasException
from canvasapi.requester import Requester
from canvasapi.upload import Uploader
from canvasapi.util import combine_kwargs
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from autograder.base import AutograderError, ConfigError, one_line
from autograder.course import CONFIG_NAME, Assignment, Course
from autograder.gradebook import HeldGrade, only_run
from autograder.operations.canvas_requests import TOKEN, Pause, connected
from autograder.operations.push_record import note_sent, sent_before
from autograder.operations.pushing import EXCUSED, Change, Comment, Plan, There, is_same, plan
from autograder.reports import likeliest, naming
from autograder.submission import one_form

SYSTEM = "Canvas"

LOCK = ".autograder-push.lock"
"""One push at a time, beside whatever else is at work on the course."""

AT_ONCE = 100
"""Grades in one request: Canvas works on them one after the other, in a job of its own."""

JOB_SECONDS = 900.0
"""How long such a job is waited for."""

MOST_PAGES = 1_000
"""The most pages of a list, each of a hundred."""

_NOT_AS_DOCUMENTED = (ValueError, TypeError, AttributeError, KeyError)
"""What canvasapi raises where a reply is other JSON than it takes for granted."""

_READ = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")


@with_config(_READ)
@dataclass(frozen=True)
class _User:
    id: int
    name: str | None = None
    sis_user_id: str | None = None
    login_id: str | None = None
    integration_id: str | None = None
    email: str | None = None

    def ids(self) -> dict[str, str]:
        """What may be the course's id of them, the likeliest first, as for the table that Canvas exports."""
        by_kind = {
            "sis_user_id": self.sis_user_id,
            "login_id": self.login_id,
            "email": (self.email or "").partition("@")[0],
            "integration_id": self.integration_id,
            "id": str(self.id),
        }
        return {kind: one_line(text or "") for kind, text in by_kind.items()}


@with_config(_READ)
@dataclass(frozen=True)
class _Said:
    author_id: int | None = None
    comment: str | None = None


@with_config(_READ)
@dataclass(frozen=True)
class _Submission:
    user_id: int
    score: float | None = None
    entered_score: float | None = None
    excused: bool | None = None
    late: bool | None = None
    missing: bool | None = None
    grader_id: int | None = None
    submission_comments: tuple[_Said, ...] = ()


@with_config(_READ)
@dataclass(frozen=True)
class _Assignment:
    id: int
    name: str | None = None
    points_possible: float | None = None
    grading_type: str | None = None
    published: bool | None = True
    moderated_grading: bool | None = None
    anonymize_students: bool | None = None
    group_category_id: int | None = None
    grade_group_students_individually: bool | None = None
    post_manually: bool | None = None


@with_config(_READ)
@dataclass(frozen=True)
class _Progress:
    id: int
    workflow_state: str
    message: str | None = None


_Reply = TypeVar("_Reply")


@functools.cache
def _adapter(of: Any) -> TypeAdapter[Any]:
    return TypeAdapter(of)


@dataclass(frozen=True)
class Push:
    """An assignment in Canvas as it is, and what would be changed there.

    Attributes:
        title: Its title in Canvas.
        plan: What would be changed.
        ids: Which of Canvas's ids of students is the course's, such as ``login_id``.
        seen_at_once: Whether students see in Canvas what is sent as soon as it is there.
        send: Makes the changes, told how many there are and when some are done; returns what is not there although it
            was sent, in words, and all that Canvas said of it. Raises an ``AutograderError`` where Canvas refuses.
    """

    title: str
    plan: Plan
    ids: str
    seen_at_once: bool
    send: Callable[[Callable[[int], object], Callable[[int], object]], tuple[str, ...]]


@contextlib.contextmanager
def push_to_canvas(
    course: Course,
    assignment: Assignment,
    grades: Sequence[HeldGrade],
    environment: Mapping[str, str],
    *,
    called: str = "",
    comments: Mapping[str, Comment] | None = None,
    overwrite: bool = False,
    pause: Pause = time.sleep,
) -> Iterator[Push]:
    """Look at an assignment in Canvas, to have it hold the gradebook's grades; nothing is changed by looking.

    Args:
        course: The course, which says its number in Canvas.
        assignment: The assignment.
        grades: What the gradebook holds of each student.
        environment: Where the address and the token of Canvas are.
        called: The assignment's title or number in Canvas, where it is another title than here.
        comments: What to post, by student.
        overwrite: Whether grades that a person set in Canvas are written over.
        pause: Waits so many seconds.

    Yields:
        What would be changed, and what changes it. No other push of the course is at work meanwhile.

    Raises:
        AutograderError: Canvas cannot be reached or refuses, or the assignment there does not fit.
    """
    if course.canvas_course is None:
        raise ConfigError(
            f"{course.root / CONFIG_NAME}: canvas_course is missing: expected the number of the course in Canvas, "
            "which stands in its address there behind /courses/"
        )
    known = {grade.student for grade in grades} | assignment.excused
    wanted = functools.partial(
        plan, grades, assignment=assignment, system=SYSTEM, comments=comments or {}, overwrite=overwrite
    )
    with connected(environment, pause) as requester, only_run(course, lock=LOCK):
        canvas = _Canvas(requester, course.canvas_course, pause)
        target = canvas.assignment(assignment, called)
        place = f"{requester.original_url}/courses/{canvas.course}/assignments/{target.id}"
        there, ids = canvas.there(target.id, known)
        before = sent_before(course, place)
        planned = wanted(there, sent=before)

        def send(started: Callable[[int], object], advance: Callable[[int], object]) -> tuple[str, ...]:
            started(len(planned.changes))
            graded = [each for each in planned.changes if each.new is not None]
            old = {each.number: each.set_mark for each in there}
            ours = {number: [one for one in marks if is_same(one, old.get(number))] for number, marks in before.items()}
            # Before anything is sent: where this process ends on the way, what is there is still known to be ours, and
            # what a person set, which was to be written over, to be theirs.
            note_sent(course, place, {each.number: [*ours.get(each.number, ()), each.new] for each in graded})
            said = canvas.send(target.id, planned.changes, advance)
            after, _ = canvas.there(target.id, known)
            now = {each.number: each.set_mark for each in after}
            arrived = [each for each in graded if is_same(now.get(each.number), each.new)]
            note_sent(course, place, {each.number: [each.new] for each in arrived})
            again = wanted(after, sent=sent_before(course, place))
            return (*said, *(f"{each.student}: what was sent is not in Canvas" for each in again.changes))

        yield Push(one_line(target.name or ""), planned, ids, not target.post_manually, send)


@dataclass(frozen=True)
class _Canvas:
    """A course in Canvas, and what asks for it."""

    requester: Requester
    course: int
    pause: Pause

    def _ask(self, of: Any, method: str, path: str, **parameters: Any) -> Any:
        """One reply, read by what is expected of it."""
        response = self._request(method, f"courses/{self.course}{path}", **parameters)
        return self._read(of, response)

    def _request(self, method: str, path: str | None, url: str | None = None, **parameters: Any) -> requests.Response:
        try:
            response: requests.Response = self.requester.request(
                method, path, _url=url, _kwargs=combine_kwargs(**parameters)
            )
        except (CanvasException, requests.exceptions.RequestException, ValueError) as error:
            # What is left of these after our own messages names no cause that anybody could look for.
            raise AutograderError(f"Canvas could not be asked ({type(error).__name__})") from None
        return response

    def _read(self, of: Any, response: requests.Response) -> Any:
        try:
            return _adapter(of).validate_json(response.content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(each) for each in first["loc"]) or "the whole"
            raise AutograderError(
                f"Canvas answered with something else than its documents say, at {one_line(place)[:100]}: "
                f"{one_line(first['msg'])[:200]}"
            ) from None

    def _list(self, of: type[_Reply], path: str, **parameters: Any) -> list[_Reply]:
        """All pages of a list."""
        response = self._request("GET", f"courses/{self.course}{path}", per_page=100, **parameters)
        found: list[_Reply] = list(self._read(list[of], response))  # type: ignore[valid-type]
        for _ in range(MOST_PAGES):
            following = response.links.get("next", {}).get("url", "")
            if not following:
                return found
            if not following.startswith(self.requester.base_url):
                raise AutograderError("Canvas names a next page that is not its own; nothing was sent")
            response = self._request("GET", None, following)
            found += self._read(list[of], response)  # type: ignore[valid-type]
        raise AutograderError(f"Canvas gives a list of more than {MOST_PAGES} pages; this is no course's")

    def assignment(self, assignment: Assignment, called: str) -> _Assignment:
        """The assignment that is called so in Canvas, once grades of ours fit it.

        Raises:
            AutograderError: There is none or more than one, or it is graded in a way that points do not fit.
        """
        known = self._list(_Assignment, "/assignments")
        if called.isdecimal():
            wanted = [each for each in known if each.id == int(called)]
        else:
            titles = {one_form(each) for each in ([called] if called else [assignment.title, assignment.name])}
            wanted = [each for each in known if " ".join(one_form(each.name or "").split()) in titles]
        if len(wanted) != 1:
            those = "; ".join(f"{one_line(each.name or '')!r} ({each.id})" for each in (wanted or known)[:50]) or "none"
            what = "more than one assignment is" if wanted else "no assignment is"
            raise AutograderError(
                f"course {self.course} in Canvas: {what} {called or assignment.title!r}; name one by its number with "
                f"--canvas-assignment. There are: {those}"
            )
        found = wanted[0]
        title = f"{one_line(found.name or '')!r} in Canvas"
        if found.grading_type in ("not_graded", "pass_fail"):
            raise AutograderError(f"{title} takes no points; choose *Display grade as: Points* there")
        points = found.points_possible
        if points is None or not math.isclose(points, assignment.max_score, abs_tol=1e-6):
            raise AutograderError(
                f"{title} has {'no' if points is None else f'{points:g}'} points, and {assignment.name} has "
                f"{assignment.max_score:g} here. Change one of them; scores are not rescaled"
            )
        if found.published is False:
            raise AutograderError(f"{title} is not published, so that it takes no grades; publish it there")
        if found.moderated_grading or found.anonymize_students:
            raise AutograderError(
                f"{title} is graded by moderators, or without names, so that no interface knows whose a grade is; "
                "switch that off there, or post its grades first"
            )
        if found.group_category_id is not None and not found.grade_group_students_individually:
            raise AutograderError(
                f"{title} gives each grade to a whole group, and here each student has one. Choose *Assign grades to "
                "each student individually* there"
            )
        return found

    def there(self, assignment: int, known: Collection[str]) -> tuple[list[There], str]:
        """What Canvas has of each student, and which of its ids is the course's.

        Raises:
            AutograderError: Canvas says something else than it should, or knows nobody of the course, or one twice.
        """
        listed = self._list(_User, "/users", enrollment_type=["student"], include=["email"])
        users = list({each.id: each for each in listed}.values())  # a list that changes while it is read
        submissions = self._list(_Submission, f"/assignments/{assignment}/submissions", include=["submission_comments"])
        ids = [each.ids() for each in users]
        kind, found = likeliest({kind: [each[kind] for each in ids] for kind in (ids[0] if ids else ())}, known)
        if kind is None or (known and not found):
            raise AutograderError(
                f"course {self.course} in Canvas has no student of the gradebook. Is it another course? Otherwise the "
                f"owner of {TOKEN} may not see SIS ids, logins and addresses there"
            )
        named = naming(known)
        held = {each.user_id: each for each in submissions}
        result = []
        seen: dict[str, str] = {}
        for user, those in zip(users, ids, strict=True):
            student, name = named(those[kind]), one_line(user.name or "")[:100]
            if user.id in held:
                if student in seen:
                    raise AutograderError(f"Canvas has {student} twice: {seen[student]} and {name}")
                if student:
                    seen[student] = name
                result.append(_there(user.id, student, name, held[user.id]))
        return result, kind

    def send(self, assignment: int, changes: Sequence[Change], advance: Callable[[int], object]) -> list[str]:
        """Make changes, those that need no more than a grade together.

        Args:
            assignment: The assignment's number.
            changes: The changes.
            advance: Told how many more are made.

        Returns:
            What Canvas says went wrong in jobs that it works on by itself.
        """
        # A comment is never in a job: where this process ends before the job does, the next push could not see it yet
        # and would post it again.
        plain = [each for each in changes if each.new is not None and not each.not_late and each.comment is None]
        together = plain if len(plain) > 1 else []
        said = []
        for start in range(0, len(together), AT_ONCE):
            batch = together[start : start + AT_ONCE]
            said += self._send_together(assignment, batch)
            advance(len(batch))
        done = {each.number for each in together}
        for each in changes:
            if each.number not in done:
                self._send_one(assignment, each)
                advance(1)
        return said

    def _send_together(self, assignment: int, batch: Sequence[Change]) -> list[str]:
        path = f"/assignments/{assignment}/submissions/update_grades"
        data = {each.number: _grade(each) for each in batch}
        progress: _Progress = self._ask(_Progress, "POST", path, grade_data=data)
        waited, wait = 0.0, 0.5
        while progress.workflow_state in ("queued", "running"):
            if waited > JOB_SECONDS:
                raise AutograderError(
                    f"Canvas is at work on {len(batch)} grades for more than {JOB_SECONDS / 60:g} minutes. Look later: "
                    "the same command sends what is missing then"
                )
            self.pause(wait)
            waited, wait = waited + wait, min(wait * 1.5, 10.0)
            progress = self._read(_Progress, self._request("GET", f"progress/{progress.id}"))
        if progress.workflow_state == "completed":
            return []
        return [f"Canvas did not do all that it was asked: {one_line(progress.message or 'no reason is given')[:300]}"]

    def _send_one(self, assignment: int, change: Change) -> None:
        path = f"/assignments/{assignment}/submissions/{change.number}"
        parameters: dict[str, Any] = {}
        if change.new is not None:
            parameters["submission"] = _grade(change) | ({"late_policy_status": "none"} if change.not_late else {})
        if change.comment is not None:
            files = [self._uploaded(path, change.student, each) for each in change.comment.files]
            parameters["comment"] = {"text_comment": change.comment.text} | ({"file_ids": files} if files else {})
        self._ask(_Submission, "PUT", path, **parameters)

    def _uploaded(self, path: str, student: str, file: Path) -> int:
        """The number of a file, once it is in Canvas, where it can be attached to a comment on the submission."""
        try:
            opened = file.open("rb")
        except OSError as error:
            raise AutograderError(f"{file} could not be read: {error.strerror}") from error
        with opened:
            try:
                well, reply = Uploader(
                    self.requester, f"courses/{self.course}{path}/comments/files", opened, content_type="text/html"
                ).start()
            except (CanvasException, requests.exceptions.RequestException, *_NOT_AS_DOCUMENTED) as error:
                raise AutograderError(f"Canvas does not take {file} of {student} ({type(error).__name__})") from None
        number = reply.get("id") if well and isinstance(reply, dict) else None
        if not isinstance(number, int):
            raise AutograderError(f"Canvas does not take {file} of {student}: it gives the file no number")
        return number


def _there(number: int, student: str, name: str, held: _Submission) -> There:
    others = [each.comment or "" for each in held.submission_comments if each.author_id != number]
    return There(
        str(number),
        student,
        name,
        score=held.score,
        entered=held.entered_score,
        excused=bool(held.excused),
        # Quizzes and tools have numbers below 0, and what the policy for late work sets has none.
        by_person=held.grader_id is not None and held.grader_id > 0,
        late=bool(held.late or held.missing),
        comments=tuple(others),
    )


def _grade(change: Change) -> dict[str, Any]:
    if change.new == EXCUSED:
        return {"excuse": True}
    return {"posted_grade": f"{change.new:.4f}".rstrip("0").rstrip(".")}


def page_comments(course: Course, assignment: Assignment, students: Collection[str]) -> dict[str, Comment]:
    """A comment with the feedback page of each student who has one, known again by what the page holds.

    Raises:
        AutograderError: Nobody has a page, or one cannot be read.
    """
    found = {}
    for student in students:
        folder = course.root / "feedback" / student / assignment.name
        files = [folder / f"{each.notebook}.html" for each in assignment.notebooks]
        if not all(each.is_file() for each in files):
            continue
        try:
            digest = hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()[:12]
        except OSError as error:
            raise AutograderError(f"{error.filename} could not be read: {error.strerror}") from error
        text = f"Your feedback on {assignment.title} is attached: open the file in a browser. [{digest}]"
        found[student] = Comment(text, f"[{digest}]", tuple(files))
    if students and not found:
        raise AutograderError(
            f"{course.root / 'feedback'}: nobody has a feedback page; write them with autograder feedback "
            f"{assignment.name}"
        )
    return found


def link_comments(assignment: Assignment, link: str, students: Collection[str]) -> dict[str, Comment]:
    """A comment with a link to each student's feedback.

    Args:
        assignment: The assignment.
        link: The address, with ``{student}`` where their id stands in it.
        students: Their ids.

    Raises:
        AutograderError: It is no address, or has no place for the student.
    """
    if not link.startswith(("https://", "http://")) or "{student}" not in link or not link.isprintable() or " " in link:
        raise AutograderError(
            f"--link: expected an address with {{student}} in it, such as "
            f"https://hub.example.edu/feedback/{{student}}/{assignment.name}.html, found {link!r}"
        )
    by_student = {each: link.replace("{student}", quote(each, safe="")) for each in students}
    return {
        student: Comment(f"Your feedback on {assignment.title}: {address}", address)
        for student, address in by_student.items()
    }
