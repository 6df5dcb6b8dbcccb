"""Make the pictures of the README and the docs: `PYTHONPATH=. python docs/pictures/make.py DEMO`, after `make demo`.

DEMO is the demo's folder. Needs Chromium, found on the path or named by CHROMIUM. The pictures of the formgrader and of
JupyterLab are made by the flow that the tests walk (`tests/labflow.py`).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from autograder.course import load_course
from tests import labflow
from tests.browsers import REPOSITORY, TOKEN, chromium_browser, jupyterlab, jupyters_environment

HERE = Path(__file__).parent
AUTOGRADER = Path(sys.executable).with_name("autograder")
STUDENT = "samira"


def main(demo: Path) -> None:
    """Shoot everything."""
    feedback = demo / "feedback" / STUDENT / "week2" / "week2.html"
    if not feedback.is_file():
        sys.exit(f"there is no {feedback}: run `make demo` first")
    for command in (("report", "week2"), ("overview", "week2")):
        subprocess.run([AUTOGRADER, *command], cwd=demo, check=True)
    with chromium_browser() as browser:
        shoot(browser, feedback, "feedback.png", 1000, 760)
        # The result stands at the end of the cell, below what the visible checks printed.
        shoot(browser, feedback, "feedback-row.png", 1000, 560, selector="#test_linear_forward", below=560)
        shoot(browser, demo / "week2-report.html", "class-report.png", 1100, 1250)
        shoot(browser, demo / "overview/week2.html", "overview.png", 900, 640, selector="h2:last-of-type", below=-420)
        shoot_quiz(browser)
        shoot_jupyterlab(browser, demo)


def shoot(
    browser: Any, path: Path, name: str, width: int, height: int, *, selector: str = "body", below: int = 0
) -> None:
    """A picture of a page of ours."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(path.resolve().as_uri())
    page.eval_on_selector(selector, "element => element.scrollIntoView()")
    page.evaluate("height => window.scrollBy(0, height)", below)
    page.screenshot(path=HERE / name)
    page.close()


def shoot_quiz(browser: Any) -> None:
    """The Knowledge Check in JupyterLab, one question answered."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "work"
        folder.mkdir()
        shutil.copy(REPOSITORY / "release/week2-knowledge-check/week2-knowledge-check.ipynb", folder)
        with jupyterlab(folder, jupyters_environment(Path(name) / "home")) as url:
            page = browser.new_page(viewport={"width": 1000, "height": 760})
            page.goto(f"{url}lab/tree/week2-knowledge-check.ipynb?token={TOKEN}")
            page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
            labflow.run_all(page)
            page.wait_for_selector(".Quiz .MCButton", state="attached", timeout=90_000)
            page.wait_for_timeout(1000)
            page.locator(".Quiz").nth(0).locator(".MCButton", has_text="softmax").click()
            page.locator(".Quiz").nth(0).scroll_into_view_if_needed()
            page.wait_for_timeout(1000)
            page.screenshot(path=HERE / "knowledge-check.png")
            page.close()


def shoot_jupyterlab(browser: Any, demo: Path) -> None:
    """What an instructor sees in the formgrader, and a student in the assignment list and on validating."""
    course = load_course(demo)
    with tempfile.TemporaryDirectory() as name:
        with labflow.instructors_desk(browser, course.root, Path(name) / "instructor") as desk:
            desk.page.set_viewport_size({"width": 1320, "height": 640})
            desk.page.keyboard.press("Control+b")  # without the files at the side
            frame = labflow.formgrader(desk)
            if "released" not in labflow.assignment_row(frame, "week2").inner_text():
                labflow.press(frame, "week2", "release")
            desk.page.wait_for_timeout(500)
            desk.page.screenshot(path=HERE / "formgrader.png")
            desk.page.set_viewport_size({"width": 1150, "height": 760})
            desk.page.goto(f"{desk.url}formgrader/gradebook/week2/week2")
            desk.page.locator("#main-table tr", has_text="Submission").first.wait_for(timeout=labflow.PATIENCE)
            there = desk.page.locator("#main-table a.name-shown", has_text=STUDENT).first.get_attribute("href")
            desk.page.goto(f"{desk.url.rstrip('/')}{there}")
            desk.page.locator("input.score").first.wait_for(timeout=labflow.PATIENCE)
            result = desk.page.locator(".autograder-result", has_text="linear_forward").last
            result.evaluate("element => element.scrollIntoView({block: 'center'})")
            desk.page.wait_for_timeout(1500)
            desk.page.screenshot(path=HERE / "formgrader-submission.png")
            points, comment = (desk.page.locator(f"#reflection{end}") for end in ("", "-comment"))
            points.fill("4")
            comment.fill("Clear. For how many steps does the correction matter?")
            points.evaluate("element => element.closest('.nbgrader_cell').scrollIntoView({block: 'center'})")
            desk.page.set_viewport_size({"width": 1150, "height": 560})
            desk.page.wait_for_timeout(1500)
            desk.page.screenshot(path=HERE / "formgrader-by-hand.png")
        exchange = course.exchange
        assert exchange is not None
        with labflow.students_desk(browser, Path(name) / "student", exchange=exchange, course_id=course.name) as desk:
            desk.page.set_viewport_size({"width": 1150, "height": 620})
            labflow.assignment_list(desk)
            labflow.fetch(desk, "week2")
            desk.page.wait_for_timeout(500)
            desk.page.screenshot(path=HERE / "assignment-list.png")
            labflow.open_notebook(desk, "week2/week2.ipynb")
            desk.page.get_by_role("button", name="Validate").click()
            desk.page.locator(".jp-Dialog-content").wait_for(timeout=3 * labflow.PATIENCE)
            desk.page.wait_for_timeout(500)
            desk.page.screenshot(path=HERE / "validate.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
