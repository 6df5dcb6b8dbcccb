"""A server on loopback that speaks as much of Canvas's interface as a push needs, with a course and its assignment.

It is no Canvas. What it takes and gives has the names of tests/canvas_interface.yaml, and whatever else is asked of it,
or would be answered, is a violation that fails the test.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

INTERFACE = Path(__file__).with_name("canvas_interface.yaml")
TOKEN = "7~this-is-the-token"
TEACHER, COURSE, ASSIGNMENT = 7, 1234, 5678


@cache
def interface() -> dict[str, Any]:
    """The file of names."""
    found: dict[str, Any] = yaml.safe_load(INTERFACE.read_text(encoding="utf-8"))
    return found


@dataclass
class Held:
    """What Canvas has of one student in the assignment.

    Attributes:
        score: Points before what the late policy takes off.
        grader: Who set them: below 0 a tool, None nobody.
        handed_in_late: Whether they handed in late, as Canvas sees it.
        status: The late policy's status.
    """

    score: float | None = None
    excused: bool = False
    grader: int | None = None
    handed_in_late: bool = False
    status: str | None = None
    comments: list[dict[str, Any]] = field(default_factory=list)

    @property
    def late(self) -> bool:
        return self.status == "late" or (self.status is None and self.handed_in_late)


@dataclass(frozen=True)
class Answer:
    """An answer in the place of the right one; of status 0, the connection is broken off."""

    status: int
    body: bytes = b""
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Canvas:
    """The course in Canvas, and all that was asked of it.

    Attributes:
        late_policy: Points that the late policy takes off.
        page: The most that a page of a list has.
        polls: How often a job is asked for before it is done.
        answers: What is answered to the next requests in the place of what is right.
        before: Called with the method and path of each request before it is done; what it returns is answered.
        after: Called likewise when it is done and before it is answered.
    """

    address: str = ""
    users: list[dict[str, Any]] = field(default_factory=list)
    assignments: list[dict[str, Any]] = field(default_factory=list)
    held: dict[int, Held] = field(default_factory=dict)
    late_policy: float = 0.0
    page: int = 100
    polls: int = 0
    answers: list[Answer] = field(default_factory=list)
    before: Callable[[str, str], Answer | None] = lambda _method, _path: None
    after: Callable[[str, str], object] = lambda _method, _path: None
    asked: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    files: dict[int, bytes] = field(default_factory=dict)
    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)

    def enroll(self, *logins: str, **known: Any) -> None:
        """Have students in the course who have handed nothing in yet."""
        for login in logins:
            number = 101 + len(self.users)
            self.users.append({"id": number, "name": login.title(), "login_id": login} | known)
            self.held[number] = Held()

    def of(self, login: str) -> Held:
        """What is held of a student."""
        return self.held[next(each["id"] for each in self.users if each.get("login_id") == login)]

    @property
    def writes(self) -> list[str]:
        """What was asked for that changes something."""
        return [each for each in self.asked if not each.startswith("GET ")]

    # What the requests do

    def _score(self, held: Held) -> float | None:
        return held.score if held.score is None or not held.late else held.score - self.late_policy

    def _submission(self, number: int, *, comments: bool) -> dict[str, Any]:
        held = self.held[number]
        tree = {
            "user_id": number,
            "assignment_id": ASSIGNMENT,
            "score": self._score(held),
            "entered_score": held.score,
            "excused": held.excused,
            "late": held.late,
            "missing": False,
            "late_policy_status": held.status,
            "points_deducted": self.late_policy if held.late and held.score is not None else None,
            "grader_id": held.grader,
            "workflow_state": "unsubmitted" if held.grader is None else "graded",
        }
        return tree | ({"submission_comments": held.comments} if comments else {})

    def _grade(self, number: int, given: dict[str, str]) -> None:
        held = self.held[number]
        if "posted_grade" in given or "excuse" in given:
            held.excused = given.get("excuse") == "true"
            held.score = None if held.excused else round(float(given["posted_grade"]), 2)
            held.grader = TEACHER
        if "late_policy_status" in given:
            held.status = given["late_policy_status"]

    def _comment(self, number: int, text: str, files: list[str]) -> None:
        comment = {
            "id": 900 + sum(len(each.comments) for each in self.held.values()),
            "author_id": TEACHER,
            "author_name": "Teacher",
            "comment": text,
            "created_at": "2026-12-01T10:00:00Z",
        }
        if files:
            comment["attachments"] = [self._file(int(each)) for each in files]
        self.held[number].comments.append(comment)

    def _file(self, number: int) -> dict[str, Any]:
        size = len(self.files[number])
        address = f"{self.address}/files/{number}"
        return {"id": number, "url": address, "content-type": "text/html", "display_name": "page", "size": size}

    def do(self, call: str, ids: dict[str, int], given: list[tuple[str, str]]) -> tuple[Any, int | None]:
        """What a request gives, and how long the whole list is of which that is a part."""
        fields = dict(given)
        if call == "list assignments":
            return self.assignments, len(self.assignments)
        if call == "list users in course":
            assert fields["enrollment_type[]"] == "student"
            return self.users, len(self.users)
        if call == "list assignment submissions":
            comments = ("include[]", "submission_comments") in given
            found = [self._submission(each, comments=comments) for each in sorted(self.held)]
            return found, len(found)
        if call == "grade or comment on a submission":
            number = ids["user_id"]
            inside = {name[len("submission[") : -1]: value for name, value in given if name.startswith("submission[")}
            self._grade(number, inside)
            if "comment[text_comment]" in fields:
                files = [value for name, value in given if name == "comment[file_ids][]"]
                self._comment(number, fields["comment[text_comment]"], files)
            return self._submission(number, comments=True), None
        if call == "grade or comment on multiple submissions":
            by_student: dict[int, dict[str, str]] = {}
            for name, value in given:
                student, key = re.fullmatch(r"grade_data\[(\d+)\]\[(\w+)\]", name).groups()  # type: ignore[union-attr]
                by_student.setdefault(int(student), {})[key] = value
            unknown = [each for each in by_student if each not in self.held]
            number = 40 + len(self.jobs)
            self.jobs[number] = {"left": self.polls, "grades": by_student, "unknown": unknown}
            return self._progress(number), None
        if call == "query progress":
            return self._progress(ids["id"]), None
        if call == "upload a file to attach to a submission comment":
            key = f"{ids['user_id']}/{fields['name']}"
            return {"upload_url": f"{self.address}/files_api", "upload_params": {"key": key, "size": 7}}, None
        assert call == "the uploaded file, confirmed"
        return self._file(ids["id"]), None

    def _progress(self, number: int) -> dict[str, Any]:
        job = self.jobs[number]
        tree = {"id": number, "tag": "submissions_update", "url": f"{self.address}/api/v1/progress/{number}"}
        if job["left"] > 0:
            job["left"] -= 1
            return tree | {"workflow_state": "running", "completion": 10, "message": None}
        for student, given in job["grades"].items():
            if student in self.held:
                self._grade(student, given)
        if job["unknown"]:
            who = ", ".join(f"'{each}'" for each in job["unknown"])
            return tree | {"workflow_state": "failed", "message": f"Couldn't find User(s) with API ids {who}"}
        return tree | {"workflow_state": "completed", "completion": 100, "message": None}


def _matches(pattern: str, method: str, path: str) -> dict[str, int] | None:
    wanted, _, shape = pattern.partition(" ")
    found = re.fullmatch(re.sub(r":(\w+)", r"(?P<\1>\\d+)", shape), path)
    return {key: int(value) for key, value in found.groupdict().items()} if found and wanted == method else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 2**16  # an answer in one piece, for which nobody waits
    disable_nagle_algorithm = True
    canvas: Canvas

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def _handle(self) -> None:
        canvas, parts = self.canvas, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        canvas.asked.append(f"{self.command} {parts.path}")
        answer = canvas.before(self.command, parts.path)
        if answer is None and canvas.answers:
            answer = canvas.answers.pop(0)
        if answer is None:
            try:
                answer = self._right(parts.path, parts.query, body)
            except (AssertionError, KeyError, ValueError, AttributeError) as error:
                canvas.violations.append(f"{self.command} {self.path}: {type(error).__name__} {error}")
                answer = Answer(500, b'{"errors": [{"message": "An error occurred."}]}')
            canvas.after(self.command, parts.path)
        if answer.status == 0:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in {"Content-Type": answer.kind, **answer.headers}.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers and "Transfer-Encoding" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_PUT = do_POST = _handle  # noqa: N815 - as http.server looks for them

    def _right(self, path: str, query: str, body: bytes) -> Answer:
        if path == "/files_api":
            return self._upload(body)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            refused = {"errors": [{"message": "Invalid access token."}]}
            return Answer(401, json.dumps(refused).encode(), headers={"WWW-Authenticate": 'Bearer realm="canvas-lms"'})
        calls = [(each, ids) for each in interface()["requests"] if (ids := _matches(each["call"], self.command, path))]
        if len(calls) != 1 or calls[0][1].get("course_id", COURSE) != COURSE:
            missing = {"errors": [{"message": "The specified resource does not exist."}]}
            return Answer(404, json.dumps(missing).encode())
        call, ids = calls[0]
        given = parse_qsl(query, keep_blank_values=True) + parse_qsl(body.decode(), keep_blank_values=True)
        for name, _ in given:
            assert re.sub(r"\[\d+\]", "[<student_id>]", name) in call["parameters"], f"there is no parameter {name}"
        found, whole = self.canvas.do(call["name"], ids, given)
        headers = {"X-Rate-Limit-Remaining": "600.0"}
        if whole is not None:
            number = int(dict(given).get("page", 1))
            found = found[(number - 1) * self.canvas.page : number * self.canvas.page]
            if number * self.canvas.page < whole:
                rest = "&".join(f"{name}={value}" for name, value in given if name != "page")
                following = f"{self.canvas.address}{path}?{rest}&page={number + 1}"
                headers["Link"] = f'<{following}>; rel="next", <{self.canvas.address}{path}?page=1>; rel="first"'
        _check_fields(found, call["reply"])
        return Answer(200, json.dumps(found).encode(), "application/json; charset=utf-8", headers)

    def _upload(self, body: bytes) -> Answer:
        assert "Authorization" not in self.headers, "the token goes with an upload"
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = list(message_from_bytes(head + body, policy=HTTP).iter_parts())  # type: ignore[attr-defined]
        names = [each.get_param("name", header="Content-Disposition") for each in parts]
        assert names == ["key", "size", "file"], names
        number = 300 + len(self.canvas.files)
        self.canvas.files[number] = parts[-1].get_payload(decode=True)
        target = f"{self.canvas.address}/api/v1/files/{number}/create_success?uuid=ABC"
        return Answer(301, headers={"Location": target})


def _check_fields(found: Any, model: Any) -> None:
    """Hold an answer to the fields of the interface."""
    name = model[0] if isinstance(model, list) else model
    for each in found if isinstance(found, list) else [found]:
        strange = each.keys() - set(interface()["replies"][name]["fields"])
        assert not strange, f"{name} has no {strange}"
        for comment in each.get("submission_comments", ()):
            assert comment.keys() <= set(interface()["replies"]["submission_comments"]["fields"])
            for file in comment.get("attachments", ()):
                assert file.keys() <= set(interface()["replies"]["File"]["fields"])


@contextmanager
def serving() -> Iterator[Canvas]:
    """A Canvas with an assignment ``Warm-up`` of 12 points, while the block runs, in the end held to its interface."""
    canvas = Canvas()
    canvas.assignments = [
        {"id": ASSIGNMENT + 1, "name": "Essay", "points_possible": 10.0, "grading_type": "points", "published": True},
        {
            "id": ASSIGNMENT,
            "name": "Warm-up",
            "points_possible": 12.0,
            "grading_type": "points",
            "published": True,
            "post_manually": True,
            "anonymize_students": False,
            "moderated_grading": False,
            "group_category_id": None,
            "grade_group_students_individually": False,
        },
    ]
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"canvas": canvas}))
    canvas.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield canvas
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert canvas.violations == []
