"""A week in JupyterLab, in a real browser, step by step: what an instructor, a student and a teaching assistant do.

The tests walk it on a small course and look at what each step leaves behind; `docs/pictures/make.py` walks it to take
pictures. Each function does what its person does, through what they see, and returns when the page says that it is
done.
"""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Error

from tests.browsers import TOKEN, jupyterlab, jupyters_environment, started

PATIENCE = 90_000
"""Milliseconds: a loaded machine starts a kernel slowly."""


@dataclass
class Desk:
    """A person in front of a browser: their page in JupyterLab, and the address of their server."""

    page: Any
    url: str
    token: str


@contextmanager
def instructors_desk(browser: Any, course: Path, home: Path) -> Iterator[Desk]:
    """JupyterLab as `autograder lab` starts it."""
    environment = jupyters_environment(home)
    command = [str(Path(sys.executable).with_name("autograder")), "lab", "--no-browser"]
    with started(command, course, environment) as url:
        known = next(Path(environment["JUPYTER_RUNTIME_DIR"]).glob("jpserver-*.json"))
        yield _sits_down(browser, url, json.loads(known.read_text())["token"])


@contextmanager
def students_desk(browser: Any, home: Path, *, exchange: Path, course_id: str) -> Iterator[Desk]:
    """JupyterLab as a student has it: their own home, and nbgrader's exchange. Their id is the account's name."""
    environment = jupyters_environment(home)
    config = home / "config/nbgrader_config.py"
    config.parent.mkdir(parents=True)
    config.write_text(
        f"c = get_config()\nc.Exchange.root = {str(exchange)!r}\nc.CourseDirectory.course_id = {course_id!r}\n"
    )
    work = home / "work"
    work.mkdir()
    with jupyterlab(work, environment) as url:
        yield _sits_down(browser, url, TOKEN)


def _sits_down(browser: Any, url: str, token: str) -> Desk:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{url}lab?token={token}")
    page.wait_for_selector("#jp-main-dock-panel", timeout=PATIENCE)
    page.get_by_role("menuitem", name="Nbgrader", exact=True).wait_for(timeout=PATIENCE)
    return Desk(page, url, token)


def from_the_menu(desk: Desk, entry: str) -> None:
    """Choose an entry of the menu Nbgrader."""
    desk.page.get_by_role("menuitem", name="Nbgrader", exact=True).click()
    desk.page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True).click()


# The formgrader


def formgrader(desk: Desk) -> Any:
    """Open the formgrader by the menu: its frame, with the list of assignments."""
    from_the_menu(desk, "Formgrader")
    frame = desk.page.frame_locator("iframe").last
    frame.locator("#main-table tr td.name").first.wait_for(timeout=PATIENCE)
    return frame


def assignment_row(frame: Any, assignment: str) -> Any:
    """The assignment's line in the formgrader's list."""
    return frame.locator("#main-table tr").filter(has=frame.locator(f"td.name:has-text('{assignment}')"))


def press(frame: Any, assignment: str, action: str) -> str:
    """Press a button of the assignment's line and wait for its dialog: what it says."""
    assignment_row(frame, assignment).locator(f"td.{action} a").click()
    return _said(frame)


def _said(frame: Any) -> str:
    """What the dialog says when the work is done, which is then closed."""
    dialog = frame.locator(".modal.in")
    dialog.locator(".modal-title").get_by_text(re.compile("^(Success|Error|Failure)")).wait_for(timeout=3 * PATIENCE)
    text = str(dialog.inner_text())
    dialog.locator("button.btn.close").click()
    dialog.wait_for(state="detached", timeout=PATIENCE)
    return text


def submissions_of(frame: Any, assignment: str) -> None:
    """Open the list of an assignment's submissions."""
    assignment_row(frame, assignment).locator("td.num-submissions a").click()
    frame.locator("#main-table tr td.autograde").first.wait_for(timeout=PATIENCE)


def autograde(frame: Any, student: str) -> str:
    """Press Autograde for a student's submission: what the dialog says."""
    frame.locator("#main-table tr").filter(has_text=student).locator("td.autograde a").click()
    return _said(frame)


def grade_by_hand(desk: Desk, frame: Any, answer: str, points: float) -> None:
    """Go to the one submission of the one assignment under Manual Grading and type the points of an answer."""
    frame.get_by_role("link", name="Manual Grading").first.click()
    # The assignment, its notebook, the submission.
    for what in ("num-submissions", "avg-score", "written-score"):
        frame.locator(f"#main-table tr td.{what}").first.wait_for(timeout=PATIENCE)
        frame.locator("#main-table tr td.name a:visible").first.click()
    # The page empties the box when it has heard of the grades, which takes a loaded machine a while.
    box = frame.locator(f"input.score.needs_manual_grade#{answer}")
    box.wait_for(timeout=PATIENCE)
    with desk.page.expect_response(lambda response: "/api/grade/" in response.url and response.request.method == "PUT"):
        box.fill(f"{points:g}")
        box.press("Tab")


def automatic_comment(frame: Any, function: str) -> str:
    """The autograder's comment on a solution cell of the submission that is open, shown until a person writes one."""
    box = frame.locator(f"textarea#{function}-comment[placeholder]")
    box.wait_for(timeout=PATIENCE)
    return str(box.get_attribute("placeholder"))


def manage_assignments(frame: Any) -> None:
    """Go back to the list of assignments."""
    there = frame.get_by_role("link", name="Manage Assignments").first
    if not there.count():
        # A submission is shown without the menu at the side.
        frame.get_by_role("link", name="Manual Grading").first.click()
    there.click(timeout=PATIENCE)
    frame.locator("#main-table tr td.generate-feedback").first.wait_for(timeout=PATIENCE)


# A student


def assignment_list(desk: Desk) -> Any:
    """Open the list of assignments: its panel."""
    from_the_menu(desk, "Assignment List")
    panel = desk.page.locator("#assignments").first
    panel.wait_for(timeout=PATIENCE)
    return panel


def fetch(desk: Desk, assignment: str) -> None:
    """Fetch a released assignment."""
    entry = desk.page.locator("#released_assignments_list .list_item").filter(has_text=assignment)
    entry.get_by_role("button", name="Fetch").click(timeout=PATIENCE)
    desk.page.locator("#fetched_assignments_list .list_item").filter(has_text=assignment).first.wait_for(
        timeout=PATIENCE
    )


def open_notebook(desk: Desk, path: str) -> None:
    """Open a notebook of one's own."""
    desk.page.goto(f"{desk.url}lab/tree/{path}")
    desk.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=PATIENCE)
    desk.page.wait_for_selector(".jp-NotebookPanel-toolbar", timeout=PATIENCE)


def run_all(page: Any) -> None:
    """Run all cells of the notebook that is open, once its kernel is there."""
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(state="attached", timeout=PATIENCE)
    begun = page.locator(".jp-InputPrompt", has_text=re.compile(r"\[\s*(\d+|\*)\s*\]")).first
    for patience in (15_000, 30_000, PATIENCE):
        # A loaded machine shows an idle kernel before the notebook has heard of it, and runs nothing then.
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.locator(".lm-Menu-itemLabel").get_by_text("Run All Cells", exact=True).click()
        try:
            begun.wait_for(state="attached", timeout=patience)
        except Error:
            continue
        return
    raise AssertionError("no cell was run")


def write_solution(desk: Desk, stub: str, solution: str) -> None:
    """Type a solution in the place of the cell that has the stub, and save."""
    cell = desk.page.locator(".jp-CodeCell").filter(has_text=stub).first
    cell.locator(".cm-content").click()
    desk.page.keyboard.press("Control+a")
    desk.page.keyboard.press("Delete")
    for number, line in enumerate(solution.splitlines()):
        if number:
            desk.page.keyboard.press("Enter")
            desk.page.keyboard.press("Home")
            desk.page.keyboard.press("Shift+End")
            desk.page.keyboard.press("Delete")
        desk.page.keyboard.insert_text(line)
    save(desk)


def save(desk: Desk) -> None:
    """Save the notebook that is open."""
    with desk.page.expect_response(lambda answer: "/api/contents/" in answer.url and answer.request.method == "PUT"):
        desk.page.keyboard.press("Control+s")


def validate(desk: Desk) -> str:
    """Press Validate: what the dialog says."""
    desk.page.get_by_role("button", name="Validate").click()
    dialog = desk.page.locator(".jp-Dialog-content")
    dialog.wait_for(timeout=2 * PATIENCE)
    text = str(dialog.inner_text())
    dialog.locator("button").last.click()
    return text


def submit(desk: Desk, assignment: str) -> None:
    """Submit a fetched assignment."""
    entry = desk.page.locator("#fetched_assignments_list .list_item").filter(has_text=assignment).first
    entry.get_by_role("button", name="Submit").click(timeout=PATIENCE)
    desk.page.locator("#submitted_assignments_list .list_item").filter(has_text=assignment).first.wait_for(
        timeout=PATIENCE
    )


def fetch_feedback(desk: Desk, assignment: str) -> None:
    """Fetch the feedback on a submitted assignment."""
    entry = desk.page.locator("#submitted_assignments_list .list_item").filter(has_text=assignment).first
    entry.get_by_role("button", name="Fetch Feedback").click(timeout=PATIENCE)
    entry = desk.page.locator("#submitted_assignments_list .list_item").filter(has_text=assignment).first
    entry.get_by_text("view feedback").first.wait_for(timeout=PATIENCE)


def read_feedback(desk: Desk, path: Path) -> str:
    """Open a feedback page among one's own files in JupyterLab: what it shows."""
    desk.page.goto(f"{desk.url}lab/tree/{quote(path.as_posix())}")
    shown = desk.page.frame_locator(".jp-HTMLViewer iframe").locator("body")
    shown.get_by_text("Score").first.wait_for(timeout=PATIENCE)
    return str(shown.inner_text())


def back_to_lab(desk: Desk) -> None:
    """Leave the notebook for JupyterLab as it starts."""
    desk.page.goto(f"{desk.url}lab")
    desk.page.get_by_role("menuitem", name="Nbgrader", exact=True).wait_for(timeout=PATIENCE)


def write_answer(desk: Desk, text: str) -> None:
    """Write into the cell of the written answer, and save."""
    cell = desk.page.locator(".jp-MarkdownCell").filter(has_text="YOUR ANSWER HERE").first
    cell.dblclick()
    editor = desk.page.locator(".jp-MarkdownCell .cm-content:visible").last
    editor.click()
    desk.page.keyboard.press("Control+a")
    desk.page.keyboard.insert_text(text)
    save(desk)
