"""A JupyterHub for real: two courses, by the files that `autograder hub` writes, and what nobody may do there.

Accounts, PAM, nbgrader's exchange, the hub's proxy and Chromium are real, on a machine of the test's own
(tests/hubs.py). One term is walked; each test is about one part of it.
"""

import csv
import io
import json
import re
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from autograder.course import load_course
from autograder.gradebook import open_gradebook, register
from tests import hubs, labflow
from tests.browsers import CHROMIUM, REPOSITORY, chromium_browser
from tests.courses import CONFIG, make_course, solved
from tests.hubs import Machine, until

ADDRESS = "http://127.0.0.1:8000"
TINY, OTHER = "/srv/courses/tiny", "/srv/courses/other"
EXCHANGE = "/srv/nbgrader/exchange"
INBOUND = f"{EXCHANGE}/tiny/inbound"

OF_THE_TEST = f"""
load_subconfig("/etc/jupyterhub/jupyterhub_config.py")
c.JupyterHub.bind_url = "{ADDRESS}"
c.ConfigurableHTTPProxy.command = ["{hubs.PROXY}"]
c.Spawner.cmd = ["{hubs.PROGRAMS}/jupyterhub-singleuser"]
c.JupyterHub.log_level = "INFO"
"""
"""What this hub's administrator says besides. Who signs in is asked of PAM, as JupyterHub does by itself."""

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.long]


@dataclass
class Term:
    """What was said and done, by step."""

    machine: Machine
    said: dict[str, str] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)

    def scores(self, course: str) -> dict[str, tuple[float, str]]:
        """By student with a grade: all points, and those that a person gave to the written answer."""
        table = self.machine.tries(f"grader-{Path(course).name}", "autograder", "export", "warmup", cwd=course).stdout
        lines = csv.DictReader(io.StringIO(table))
        return {each["student"]: (float(each["score"]), each["why"]) for each in lines if each["score"]}


def half() -> dict[str, object]:
    tree = solved()
    tree["cells"][2]["source"] = "def scale(x, factor):\n    return 2 * x * factor"
    return tree


def written(base: Path, name: str, students: list[str]) -> Path:
    """A course with its students in the gradebook, as its instructor brings it to the hub's administrator."""
    config = CONFIG.replace("name: tiny", f"name: {name}\nexchange: {EXCHANGE}").replace(
        "    due: 2026-11-29 23:59\n", ""
    )
    root = make_course(base / name, config=config)
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    course = load_course(root)
    with open_gradebook(course) as gradebook:
        register(gradebook, course, course.assignment("warmup"), students)
    return root


@pytest.fixture(scope="module")
def term(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Term]:
    hubs.require_a_hub()
    base = tmp_path_factory.mktemp("hub")
    courses = [written(base, "tiny", ["ada", "bob"]), written(base, "other", ["bob", "mal"])]
    with hubs.machine(base) as machine:
        browser = base / "chromium"
        browser.write_text(f'#!/bin/sh\nexec nsenter --net=/proc/{machine.first}/ns/net "{CHROMIUM}" "$@"\n')
        browser.chmod(0o755)
        for course in courses:
            shutil.copytree(course, machine.root / "srv/courses" / course.name)
        with chromium_browser(browser) as chromium:
            yield walked(Term(machine), chromium)


def walked(term: Term, chromium: Any) -> Term:
    machine = term.machine
    set_up(term)
    hub_started(term)
    ann, bea = (signed_in(chromium, name, "/services/tiny/") for name in ("ann", "bea"))
    for desk in (ann, bea):
        desk.page.locator("#main-table tr td.name").first.wait_for(timeout=labflow.PATIENCE)
    term.said["release"] = labflow.press(ann.page, "warmup", "release")
    machine.does("grader-other", "nbgrader", "release_assignment", "warmup", cwd=OTHER)
    watch = machine.starts("grader-tiny", "/home/watch.log", "autograder", "watch", "warmup", "--jobs=1", cwd=TINY)
    until(lambda: "Watching for" in watch.read_text(), "watch runs")
    ada, bob, mal = (signed_in(chromium, name, "/hub/spawn") for name in ("ada", "bob", "mal"))
    handed_in_by_browser(term, ada)
    handed_in_by_commands(term, bob)
    until(lambda: all(f"  {name}  " in watch.read_text() for name in ("ada", "bob")), f"graded: {watch.read_text()}")
    attacked(term, mal)
    until(lambda: "not taken" in watch.read_text(), "the forged one is told of")
    for desk, name in ((ada, "ada"), (bob, "bob"), (mal, "mal"), (ann, "ann"), (bea, "bea")):
        for course in ("tiny", "other"):
            there = desk.page.context.new_page()
            answer = there.goto(f"{ADDRESS}/services/{course}/formgrader")
            term.status[f"{name} at the formgrader of {course}"] = answer.status
            there.close()
    labflow.grade_by_hand(ann, ann.page, "why", 1.5)
    term.said["second watch"] = machine.tries("grader-tiny", "autograder", "watch", "warmup", cwd=TINY).stderr
    machine.does("grader-tiny", "autograder", "feedback", "warmup", cwd=TINY)
    machine.does("grader-tiny", "nbgrader", "release_feedback", "warmup", cwd=TINY)
    labflow.fetch_feedback(ada, "warmup")
    submit = ("nbgrader", "submit", "warmup", "--course=tiny")
    machine.does("bob", *submit, **from_their_server(machine, "bob"))
    until(lambda: "once more, unchanged" in watch.read_text(), "an unchanged one is told of")
    machine.does("bob", "nbgrader", "fetch_feedback", "warmup", "--course=tiny", **from_their_server(machine, "bob"))
    term.said["watch"] = watch.read_text()
    return term


def handed_in_by_browser(term: Term, desk: labflow.Desk) -> None:
    """What ada does in JupyterLab: all right but for the written answer."""
    desk.url = f"{ADDRESS}/user/ada/"
    desk.page.wait_for_selector("#jp-main-dock-panel", timeout=labflow.PATIENCE)
    menu = desk.page.get_by_role("menuitem", name="Nbgrader", exact=True)
    menu.click(timeout=labflow.PATIENCE)
    term.said["ada's menu"] = " ".join(desk.page.locator(".lm-Menu-content").inner_text().split())
    menu.click()
    labflow.assignment_list(desk)
    labflow.fetch(desk, "warmup")
    term.said["ada's courses"] = desk.page.locator("#assignments").first.text_content()  # hidden entries too
    handed = term.machine.root / "home/ada/tiny/warmup/warmup.ipynb"
    handed.write_text(json.dumps(solved()))
    labflow.submit(desk, "warmup")


def handed_in_by_commands(term: Term, desk: labflow.Desk) -> None:
    """What bob types in a terminal of his server: half of it is right."""
    desk.page.wait_for_selector("#jp-main-dock-panel", timeout=labflow.PATIENCE)
    machine, hubs_own = term.machine, from_their_server(term.machine, "bob")
    term.said["bob's courses"] = machine.does("bob", "nbgrader", "list", **hubs_own)
    machine.does("bob", "nbgrader", "fetch_assignment", "warmup", "--course=tiny", **hubs_own)
    (machine.root / "home/bob/tiny/warmup/warmup.ipynb").write_text(json.dumps(half()))
    machine.does("bob", "nbgrader", "submit", "warmup", "--course=tiny", **hubs_own)


def attacked(term: Term, desk: labflow.Desk) -> None:
    """What mal tries, who takes the other course, and others with her."""
    desk.page.wait_for_selector("#jp-main-dock-panel", timeout=labflow.PATIENCE)
    machine, hubs_own = term.machine, from_their_server(term.machine, "mal")
    (entry,) = [path.name for path in (machine.root / INBOUND.lstrip("/")).glob("ada+*")]
    for what, words in forbidden(f"{INBOUND}/{entry}").items():
        for who in ("bob", "mal", "cleo", "grader-other", "ann"):
            term.status[f"{who}: {what}"] = machine.tries(who, *words).returncode
    done = machine.tries("mal", "nbgrader", "fetch_assignment", "warmup", "--course=tiny", **hubs_own)
    term.said["mal fetches"], term.status["mal fetches"] = done.stderr, done.returncode
    # Whoever writes their own configuration gets round that, and hands in as whom they like.
    machine.does("mal", "cp", "-r", f"{EXCHANGE}/tiny/outbound/warmup", "/home/mal/warmup")
    freely = ("--Authenticator.plugin_class=nbgrader.auth.NoAuthPlugin", "--Exchange.path_includes_course=False")
    machine.does("mal", "nbgrader", "submit", "warmup", "--course=tiny", "--student=ada", *freely, **hubs_own)


def forbidden(entry: str) -> dict[str, list[str]]:
    """What nobody but the course's account may do."""
    return {
        "list the course's folder": ["ls", TINY],
        "read the gradebook": ["cat", f"{TINY}/gradebook.db"],
        "read the answers": ["cat", f"{TINY}/source/warmup/warmup.ipynb"],
        "write to the gradebook": ["sh", "-c", f": >> {TINY}/gradebook.db"],
        "list what is handed in": ["ls", INBOUND],
        "put something in the place of another's": ["mv", entry, f"{INBOUND}/elsewhere"],
        "list the feedback": ["ls", f"{EXCHANGE}/tiny/feedback"],
        "move the course's exchange": ["mv", f"{EXCHANGE}/tiny", f"{EXCHANGE}/gone"],
        "change the release": ["sh", "-c", f": >> {EXCHANGE}/tiny/outbound/warmup/warmup.ipynb"],
        "look into another's home": ["ls", "/home/ada/tiny"],
        "read who takes which course": ["cat", "/etc/jupyterhub/jupyterhub_config.py"],
        "look at the account's own": ["ls", "/home/grader-tiny/.jupyter"],
    }


def from_their_server(machine: Machine, name: str) -> dict[str, str]:
    """What the hub gave a person's server, as a terminal in it has it."""
    number = machine.does("root", "pgrep", "-o", "-u", name, "-f", "singleuser").strip()
    pairs = machine.does("root", "cat", f"/proc/{number}/environ").split("\0")
    return dict(each.split("=", 1) for each in pairs if each.startswith("JUPYTERHUB_"))


def set_up(term: Term) -> None:
    """What the administrator does: accounts, `autograder hub`, its apply.sh."""
    machine = term.machine
    for name in ("ann", "bea", "cleo", "ada", "bob", "mal"):
        machine.does("root", "useradd", "--create-home", "--shell", "/bin/bash", name)
        machine.does("root", "chmod", "700", f"/home/{name}")
        machine.does("root", "sh", "-c", f"echo {name}:{name}-s-word | chpasswd")
    graders = ["--grader=tiny=ann", "--grader=tiny=bea", "--grader=other=cleo"]
    term.said["hub"] = machine.does("root", "autograder", "hub", TINY, OTHER, "--output", "/srv/hub", *graders)
    for _ in range(2):  # it can be run again
        machine.does("root", "sh", "/srv/hub/apply.sh")
    for name in ("tiny", "other"):
        done = machine.tries(f"grader-{name}", "autograder", "doctor", cwd=f"/srv/courses/{name}")
        term.said[f"doctor {name}"], term.status[f"doctor {name}"] = done.stdout, done.returncode


def hub_started(term: Term) -> None:
    machine = term.machine
    (machine.root / "srv/jupyterhub").mkdir(mode=0o700)
    (machine.root / "srv/jupyterhub/config.py").write_text(OF_THE_TEST)
    log = machine.starts("root", "/srv/jupyterhub/log", "jupyterhub", "-f", "config.py", cwd="/srv/jupyterhub")
    until(
        lambda: "JupyterHub is now running" in log.read_text() or machine.running[-1].poll() is not None, "the hub runs"
    )
    assert machine.running[-1].poll() is None, log.read_text()


def signed_in(chromium: Any, name: str, to: str) -> labflow.Desk:
    """Somebody in front of a browser of their own, signed in with their password, on a page of the hub's."""
    page = chromium.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{ADDRESS}/hub/login?next={to}")
    page.fill("#username_input", name)
    page.fill("#password_input", f"{name}-s-word")
    page.click("#login_submit")
    return labflow.Desk(page, f"{ADDRESS}{to}", "")


# What comes of it


def test_the_doctor_finds_each_course_closed_once_the_files_are_in_their_place(term: Term) -> None:
    for name in ("tiny", "other"):
        assert term.status[f"doctor {name}"] == 0, term.said[f"doctor {name}"]
        assert "nobody else on this machine can read or write answers" in term.said[f"doctor {name}"]


def test_both_graders_of_a_course_have_its_formgrader_in_the_hubs_proxy_and_nobody_else(term: Term) -> None:
    allowed = {what for what, status in term.status.items() if "at the formgrader of" in what and status == 200}
    refused = {status for what, status in term.status.items() if "at the formgrader of" in what and status != 200}
    assert allowed == {"ann at the formgrader of tiny", "bea at the formgrader of tiny"}
    assert refused == {403}


def test_a_student_has_the_assignment_list_alone_with_the_courses_that_they_take(term: Term) -> None:
    assert term.said["ada's menu"] == "Assignment List"
    assert {"tiny", "other"} & set(re.findall(r"\w+", term.said["ada's courses"])) == {"tiny"}
    assert "tiny warmup" in term.said["bob's courses"]
    assert "other warmup" in term.said["bob's courses"]


def test_what_is_released_in_the_formgrader_and_handed_in_is_graded_by_watch_as_the_courses_account(term: Term) -> None:
    assert "Successfully released" in term.said["release"]
    by_checks = {name: points - float(by_hand or 0) for name, (points, by_hand) in term.scores(TINY).items()}
    assert by_checks == {"ada": 10, "bob": 6}
    assert term.scores(OTHER) == {}
    assert "10 of 10; feedback and released after" in term.said["watch"]
    submitted = [path.stat() for path in (term.machine.root / "srv/courses/tiny/submitted").rglob("*")]
    assert {stat.S_IMODE(each.st_mode) for each in submitted} == {0o2770, 0o660}
    assert {each.st_uid for each in submitted} == {int(term.machine.does("grader-tiny", "id", "-u"))}


def test_points_given_by_hand_in_the_formgrader_are_in_the_feedback_that_students_fetch(term: Term) -> None:
    (graded,) = [name for name, (_, by_hand) in term.scores(TINY).items() if by_hand == "1.5"]
    points = {"ada": "10 of 12 points", "bob": "6 of 12 points"}
    points[graded] = {"ada": "11.5 of 12 points", "bob": "7.5 of 12 points"}[graded]
    for name, said in points.items():
        pages = list((term.machine.root / f"home/{name}/tiny/warmup/feedback").rglob("warmup.html"))
        assert any(said in page.read_text() for page in pages), name


def test_a_notebook_handed_in_once_more_unchanged_has_feedback_of_its_own(term: Term) -> None:
    assert "bob  handed in once more, unchanged; feedback and released" in term.said["watch"]
    folders = list((term.machine.root / "home/bob/tiny/warmup/feedback").iterdir())
    assert len(folders) == 2


def test_a_second_watch_is_refused(term: Term) -> None:
    assert "another watch is at work on warmup of this course (process " in term.said["second watch"]


def test_nobody_but_the_courses_account_gets_at_the_course_or_at_what_is_others(term: Term) -> None:
    tried = {what: status for what, status in term.status.items() if ": " in what}
    assert len(tried) == 5 * len(forbidden(""))
    assert [what for what, status in tried.items() if status == 0] == []
    # Where they can be done at all, the account itself does them.
    words = forbidden("")
    for what in ("list the course's folder", "read the answers", "list what is handed in", "list the feedback"):
        term.machine.does("grader-tiny", *words[what])


def test_who_does_not_take_a_course_fetches_nothing_of_it(term: Term) -> None:
    assert term.status["mal fetches"] != 0
    assert "You do not have access to this course" in term.said["mal fetches"]


def test_what_is_handed_in_in_anothers_name_is_told_and_kept_aside_and_counts_for_nobody(term: Term) -> None:
    assert "ada  not taken: " in term.said["watch"]
    assert "it belongs to the account mal, and not to the account ada" in term.said["watch"]
    aside = list((term.machine.root / "srv/courses/tiny/submitted/.put-aside").glob("account-*/warmup-*"))
    assert len(aside) == 1
    assert "mal" not in term.scores(TINY)
