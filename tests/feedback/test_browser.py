"""What people look at, in a real Chromium: nothing of a student's runs or is fetched, and everybody can read it.

One student hands in a notebook that tries all that is known to turn text into a program. It is looked at as an
instructor does: our feedback page, the page that nbgrader writes, the formgrader and JupyterLab.
"""

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from autograder.course import load_course
from autograder.feedback import feedback_html, write_feedback
from autograder.gradebook import open_gradebook, register
from autograder.grading import grade
from autograder.submission import read_submission, submissions
from autograder.submission.choosing import find_notebook
from tests.browsers import (
    REPOSITORY,
    TOKEN,
    assert_everybody_can_read,
    chromium_browser,
    jupyterlab,
    jupyters_environment,
)
from tests.courses import cell, make_course, solved, submit, untouched
from tests.grades import store

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

MATHJAX = "https://cdnjs.cloudflare.com/ajax/libs/mathjax/2.7.7/latest.js?config=TeX-AMS_CHTML-full,Safe"
"""What nbgrader's own pages fetch by themselves."""

MATHJAX_STUB = "window.MathJax = {Hub: {Config() {}, Queue() {}, Startup: {signal: {Interest() {}}}}};"
"""Without it the formgrader does not start."""

AWAY = "http://evil.example"

OWN = "window.__owned=1"
FILE = r"$\href{javascript:window.__owned=1}{x}$ <img src=x onerror=window.__owned=1> `.ipynb"

PROSE = (
    f"<script>{OWN}</script><img src=x onerror={OWN}><svg onload={OWN}></svg><details open ontoggle={OWN}>x</details>",
    f"<style>body {{ background: url({AWAY}/style) }}</style><base href={AWAY}/><meta http-equiv=refresh content=0>",
    f"<iframe srcdoc='<script>parent.{OWN}</script>'></iframe><object data={AWAY}/o></object><form action={AWAY}>",
    f"[link](javascript:{OWN}) [link]( java&#115;cript:{OWN}) [link](data:text/html,<script>{OWN}</script>)",
    f"[link][r] ![picture][r]\n\n[r]: javascript:{OWN}\n\n<javascript:{OWN}>",
    f"![picture]({AWAY}/picture.png) ![picture](//evil.example/x.png)",
    f"![picture](data:image/svg+xml,<svg/onload={OWN}>) ![picture](data:text/html,<script>{OWN}</script>)",
    f"[![picture]({AWAY}/p.png)](https://fine.example) ![picture](/api/shutdown) ![picture](attachment:gone.png)",
    f'```mermaid\ngraph TD; a[<img src=x onerror={OWN}>]; click a href "javascript:{OWN}"\n```',
    f"```html\n<script>{OWN}</script>\n```\n\n`<script>{OWN}</script>`\n\n    <script>{OWN}</script>",
    rf"$\href{{javascript:{OWN}}}{{click}}$ $\unicode{{x3c}}$ $\style{{position:fixed}}{{x}}$ $\class{{score}}{{x}}$",
    rf"$$\require{{HTML}}\cssId{{why}}{{x}}\mmlToken{{mi}}[href='javascript:{OWN}']{{x}}$$",
    rf"\(\href{{javascript:{OWN}}}{{x}}\) \\(\href{{javascript:{OWN}}}{{x}}\\)",
    f"&#36;&#92;href{{javascript:{OWN}}}{{x}}&#36; &dollar;&bsol;href{{javascript:{OWN}}}{{x}}&#x24;",
    rf"\begin{{align}} \href{{javascript:{OWN}}}{{click}} &= \data{{onclick={OWN}}}{{x}} \end{{align}}",
    r"$\def\a{\b\b\b\b\b\b}\def\b{\c\c\c\c\c\c}\def\c{\d\d\d\d\d\d}\def\d{xxxxxxxx}\a$",
    r"$\newcommand{\frac}{\unicode{120}}$ $\raise100px{\Rule{1000px}{1000px}{0px}}$",
    "$" + "{" * 2000 + "x" + "}" * 2000 + "$ $$" + r"\sqrt{" * 500 + "x" + "}" * 500 + "$$",
    "> " * 300 + "deep\n\n" + "- " * 300 + "deep\n\n" + "[" * 500 + "deep" + "]" * 500,
    "# test_scale\n\ntest_scale\n===\n\n> # why\n\n- # why-comment\n\n1. # test_centre\n\nwhy\n---\n",
    f"<a href=javascript:{OWN} data-commandlinker-command=x id=why>x</a> <b onclick={OWN}>b</b> <x-y onfocus={OWN}>",
)

CODE = rf"""
from IPython.display import HTML, Javascript, SVG, Latex, Markdown, display
attack = "<img src=x onerror={OWN}><script>{OWN}</script>"
display(HTML(attack), Javascript("{OWN}"), Latex("$\\href{{javascript:{OWN}}}{{x}}$" + attack), Markdown(attack))
display({{"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' onload='{OWN}'/>"}}, raw=True)
display({{"application/vnd.jupyter.widget-view+json": {{"model_id": attack}}}}, raw=True)
display({{"application/vnd.vega.v5+json": {{"data": [{{"url": "{AWAY}/data"}}]}}, "text/plain": attack}}, raw=True)
display({{"text/html": attack, "text/plain": attack, "image/png": "\" onerror={OWN} x=\""}}, raw=True)
print(attack, "\x1b]8;;javascript:{OWN}\x1b\\link\x1b]8;;\x1b\\ \x1b[31mred\x1b[0m \u202egnp.exe\u2066 \x9b2J\r\b\x07")
class Shown:
    def _repr_html_(self): return attack
    def _repr_javascript_(self): return "{OWN}"
    def __repr__(self): return attack
Shown()
"""

RAISES = rf"""
def scale(x, factor):
    kind = type("<img src=x onerror={OWN}>", (Exception,), {{}})
    said = "<img src=x onerror={OWN}> [x](javascript:{OWN}) `{AWAY}/p.png` \\(x\\)"
    raise kind("$\\href{{javascript:{OWN}}}{{x}}$ " + said)
"""


REDEFINES = rf"""# <script>{OWN}</script> $\href{{javascript:{OWN}}}{{x}}$ | b |
centre = scale  # <img src=x onerror={OWN}>
"""


def hostile() -> dict[str, Any]:
    """A notebook that tries all of it, at once."""
    tree = solved()
    by_name = {each["id"]: each for each in tree["cells"]}
    by_name["scale"]["source"] = RAISES
    by_name["why"]["source"] = "\n\n".join(PROSE)
    own = [cell(text, kind="markdown") for text in PROSE]
    own[0]["attachments"] = {
        "x.svg": {"image/svg+xml": f"<svg onload={OWN}>"},
        "x.png": {"image/png": f'" onerror={OWN}'},
    }
    raw = cell(f"<script>{OWN}</script>", kind="raw") | {"metadata": {"raw_mimetype": "text/html"}}
    output = {"output_type": "display_data", "metadata": {"text/html": {"isolated": True}}, "data": {"text/html": OWN}}
    shown = cell(CODE) | {"outputs": [output], "metadata": {"tags": [f'"><script>{OWN}</script>'], "trusted": True}}
    tree["cells"] = [*own, raw, shown, cell(f"1 / 0  # <script>{OWN}</script>"), *tree["cells"]]
    tree["cells"].append(cell(REDEFINES))
    widgets = {"application/vnd.jupyter.widget-state+json": {"state": {}, "x": f"</script><script>{OWN}"}}
    tree["metadata"] |= {"widgets": widgets, "title": f"<script>{OWN}</script>"}
    return tree


MISTAKEN = """\
def scale(x, factor):
    # A comment, a "string", a number and a name or two, for the colours of code.
    label: str = "twice" * 2
    return 2.0 * x * factor if label else None
"""


NOTES = f"""\
#### Notes

$x^2$ and [a page](https://fine.example)

$${" + ".join(f"x_{{{number}}}" for number in range(40))}$$

{"| column " * 20}|
{"|---" * 20}|
{"| cell " * 20}|

# Title
"""


def class_in(root: Path) -> Path:
    """A course with one student of each kind, graded, with our feedback pages."""
    make_course(root)
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    given = submit(root, "mallory", hostile())
    for name in ("page.html", "picture.svg"):
        given.with_name(name).write_text(f"<svg xmlns='http://www.w3.org/2000/svg' onload='{OWN}'/>")
    given.rename(given.with_name(FILE))
    submit(root, "perfect")
    submit(root, "untouched", untouched())
    submit(root, "late", timestamp="2026-12-01 12:00:00 UTC")
    mistaken = solved()
    mistaken["cells"][2]["source"] = MISTAKEN
    mistaken["cells"].insert(0, cell(NOTES, kind="markdown"))
    mistaken["cells"].append(cell("import warnings\nwarnings.warn('a')\nprint('x' * 500)\n1 / 0"))
    submit(root, "mistaken", mistaken)
    submit(root, "unreadable").write_text('{"cells": [')
    course = load_course(root)
    warmup = course.assignment("warmup")
    with open_gradebook(course) as gradebook:
        register(gradebook, course, warmup)
        for found in submissions(root, "warmup", timezone=course.timezone):
            path = find_notebook(found.folder, warmup)
            submission = read_submission(path, warmup, student=found.student, timestamp=found.timestamp)
            assert store(gradebook, course, warmup, submission, grade(submission, warmup))
            write_feedback(gradebook, course, warmup, found.student)
    return root


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_in(tmp_path_factory.mktemp("browser") / "course")


@pytest.fixture(scope="module")
def environment(course: Path) -> dict[str, str]:
    return jupyters_environment(course.parent / "home")


def run(environment: dict[str, str], folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def server(course: Path, environment: dict[str, str]) -> Iterator[str]:
    """JupyterLab with the formgrader."""
    with jupyterlab(course, environment) as url:
        yield url


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with chromium_browser() as browser:
        yield browser


@dataclass
class Seen:
    """What a page did while it was looked at."""

    dialogs: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def elsewhere(self, *own: str) -> list[str]:
        """Requests for anything but what starts with one of ``own``."""
        return [url for url in self.requests if not url.startswith((*own, "data:image/", "blob:"))]


Look = Callable[..., tuple[Any, Seen]]


@pytest.fixture
def look(chromium: Any) -> Iterator[Look]:
    """Opens an address, as (page, what it did). Nothing of the network but the loopback interface is there."""
    contexts = []

    def look(address: str, *, server: str = "", **settings: Any) -> tuple[Any, Seen]:
        context = chromium.new_context(**settings)
        contexts.append(context)
        if server:
            assert context.request.get(f"{server}tree?token={TOKEN}").ok
        page, seen = context.new_page(), Seen()

        def dialog(shown: Any) -> None:
            seen.dialogs.append(shown.message)
            shown.dismiss()

        def request(route: Any) -> None:
            seen.requests.append(route.request.url)
            if route.request.url == MATHJAX:
                route.fulfill(body=MATHJAX_STUB, content_type="text/javascript")
                return
            here = route.request.url.startswith(("http://127.0.0.1:", "file:", "data:", "blob:"))
            route.continue_() if here else route.abort()

        page.on("dialog", dialog)
        page.on("pageerror", lambda error: seen.failures.append(str(error)))
        page.on("crash", lambda _: seen.failures.append("the page crashed"))
        page.route("**/*", request)
        page.goto(address)
        return page, seen

    yield look
    for context in contexts:
        context.close()


ACTIVE = """
(container) => {
  const found = [];
  for (const element of document.querySelectorAll(`${container}, ${container} *`)) {
    const text = element.outerHTML.slice(0, 200);
    if (/^(script|iframe|object|embed|base|meta|link|form|style)$/i.test(element.localName)
        && !/^math\\//.test(element.type || "")) found.push(text);
    for (const attribute of element.attributes) {
      if (/^on/i.test(attribute.name)) found.push(text);
      if (/^(href|src|action|data|xlink:href|srcdoc|formaction)$/i.test(attribute.name)) {
        let scheme = "";
        try { scheme = new URL(attribute.value, "http://same.example").protocol; } catch { continue; }
        const image = element.localName === "img" && attribute.value.startsWith("data:image/");
        if (!/^https?:$/.test(scheme) && !image) found.push(text);
      }
    }
  }
  return found;
}
"""


def settle(page: Any) -> None:
    """Give everything that could run the time to do so, and open and touch what can be."""
    page.wait_for_timeout(1500)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.mouse.move(300, 300)
    page.mouse.wheel(0, 100_000)
    page.wait_for_timeout(500)


def assert_nothing_ran(page: Any, seen: Seen, container: str) -> None:
    settle(page)
    assert page.evaluate("window.__owned") is None
    assert seen.dialogs == []
    assert page.evaluate(ACTIVE, container) == []
    assert not [url for url in seen.requests if "evil.example" in url or "shutdown" in url]


def ours(course: Path, student: str) -> str:
    return (course / "feedback" / student / "warmup/warmup.html").as_uri()


def test_where_nothing_is_in_the_way_the_notebook_does_run_and_fetch(look: Look, tmp_path: Path) -> None:
    unguarded = tmp_path / "page.html"
    prose = "\n".join(PROSE).replace("http-equiv=refresh", "")
    unguarded.write_text(f"<!DOCTYPE html><meta charset=utf-8>{prose}", encoding="utf-8")
    page, seen = look(unguarded.as_uri())
    page.wait_for_timeout(500)
    assert page.evaluate("window.__owned") == 1
    assert [url for url in seen.requests if url.startswith(AWAY)]
    assert page.evaluate(ACTIVE, "body")


def test_nothing_of_a_students_runs_on_our_feedback_page(look: Look, course: Path) -> None:
    page, seen = look(ours(course, "mallory"))
    assert_nothing_ran(page, seen, "main")
    told = page.locator("#test_centre .autograder-result").inner_text()
    assert re.search(r"centre was graded as cell \d+ leaves it, not as cell \d+ does", told)
    assert "its line 2 is centre = scale # <img src=x onerror=" in told
    assert seen.failures == []
    assert seen.elsewhere() == [ours(course, "mallory")]


def test_nothing_that_is_not_made_inert_runs_on_our_page_even_without_its_policy(look: Look, tmp_path: Path) -> None:
    """The sanitiser holds alone, as does what comes before it on nbgrader's pages, and the policy after it."""
    said = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "".join(PROSE)}}
    cells = [
        *(cell(text, kind=kind) for text in PROSE for kind in ("markdown", "raw")),
        cell("x") | {"outputs": [said]},
    ]
    made = feedback_html({"cells": cells}, "Warm-up")
    unguarded = tmp_path / "page.html"
    unguarded.write_text(re.sub(r"<meta http-equiv=\"Content-Security-Policy\".*?>", "", made), encoding="utf-8")
    page, seen = look(unguarded.as_uri())
    assert_nothing_ran(page, seen, "main")
    assert seen.failures == []
    assert seen.elsewhere() == [unguarded.as_uri()]


def test_nothing_of_a_students_runs_on_the_page_that_nbgrader_writes(
    look: Look, course: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    theirs = shutil.copytree(course, tmp_path / "course")
    run(environment, theirs, "nbgrader", "generate_feedback", "warmup", "--student", "mallory", "--force")
    address = ours(theirs, "mallory")
    page, seen = look(address)
    assert_nothing_ran(page, seen, "#notebook-container")
    assert seen.elsewhere(MATHJAX) == [address]


def submission_id(course: Path, student: str) -> str:
    with closing(sqlite3.connect(course / "gradebook.db")) as connection:
        query = (
            "SELECT n.id FROM submitted_notebook n JOIN submitted_assignment s ON s.id = n.assignment_id "
            "WHERE s.student_id = ?"
        )
        return str(connection.execute(query, (student,)).fetchone()[0])


def test_nothing_of_a_students_runs_in_the_formgrader(look: Look, course: Path, server: str) -> None:
    address = f"{server}formgrader/submissions/{submission_id(course, 'mallory')}/"
    page, seen = look(address, server=server)
    assert "Multiply every entry by the factor." in page.text_content("#notebook-container")
    assert_nothing_ran(page, seen, "#notebook-container")
    parts = (f"{server}formgrader/static/", f"{server}formgrader/api/", f"{server}static/", f"{server}favicon.ico")
    assert seen.elsewhere(MATHJAX, *parts) == [address]


def test_a_score_given_by_hand_goes_where_it_was_written(look: Look, course: Path, server: str) -> None:
    identity = submission_id(course, "mallory")
    page, _ = look(f"{server}formgrader/submissions/{identity}/", server=server)
    for name in ("test_scale", "test_centre", "why"):
        assert page.evaluate("name => document.getElementById(name).localName", name) == "input"
    page.wait_for_load_state("networkidle")
    with page.expect_response(lambda answer: "/formgrader/api/grade/" in answer.url and answer.request.method == "PUT"):
        page.fill("input#why", "1.5")
        page.dispatch_event("input#why", "change")
    with closing(sqlite3.connect(course / "gradebook.db")) as connection:
        given = connection.execute(
            "SELECT c.name, g.manual_score FROM grade g JOIN base_cell c ON c.id = g.cell_id "
            "WHERE g.notebook_id = ? AND g.manual_score IS NOT NULL",
            (identity,),
        ).fetchall()
    assert given == [("why", 1.5)]


def test_nothing_that_was_handed_in_is_served_as_a_page(look: Look, course: Path, server: str) -> None:
    address = f"{server}formgrader/submissions/{submission_id(course, 'mallory')}/"
    for name in ("page.html", "picture.svg"):
        page, _ = look(f"{address}{name}", server=server)
        page.wait_for_timeout(200)
        assert page.evaluate("window.__owned") is None


@pytest.mark.thorough
def test_nothing_of_a_students_runs_in_jupyterlab_even_where_it_is_trusted(
    look: Look, course: Path, server: str, environment: dict[str, str]
) -> None:
    notebook = "autograded/mallory/warmup/warmup.ipynb"
    run(environment, course, "jupyter", "trust", notebook)
    page, seen = look(f"{server}lab/tree/{notebook}", server=server)
    page.wait_for_selector(".jp-Notebook .autograder-result", timeout=90_000)
    page.wait_for_function("document.querySelectorAll('.jp-Notebook mjx-container').length > 0", timeout=60_000)
    assert_nothing_ran(page, seen, ".jp-Notebook .jp-RenderedHTMLCommon")
    assert seen.elsewhere(server, server.replace("http", "ws", 1)) == []


LOOKED_AT = (("mistaken", "light"), ("unreadable", "light"), ("mallory", "dark"))
"""Pages, and the colours that are asked for, of every run: what these have the other ones have as well."""


@pytest.mark.parametrize(
    ("student", "scheme"),
    [
        *LOOKED_AT,
        *(
            pytest.param(student, scheme, marks=pytest.mark.thorough)
            for student in ("perfect", "untouched", "mistaken", "unreadable", "late", "mallory")
            for scheme in ("light", "dark")
            if (student, scheme) not in LOOKED_AT
        ),
    ],
)
def test_everybody_can_read_the_feedback_page(look: Look, course: Path, student: str, scheme: str) -> None:
    for width in (1000, 390):
        page, _ = look(ours(course, student), color_scheme=scheme, viewport={"width": width, "height": 800})
        assert_everybody_can_read(page)


def test_the_keyboards_focus_is_seen(look: Look, course: Path) -> None:
    page, _ = look(ours(course, "mistaken"))
    page.keyboard.press("Tab")
    style = page.evaluate("getComputedStyle(document.activeElement)")
    assert (style["outlineStyle"], style["outlineWidth"]) == ("solid", "3px")


def test_a_dark_page_prints_black_on_white(look: Look, course: Path) -> None:
    page, _ = look(ours(course, "mistaken"), color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    colours = "(() => { const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]; })()"
    assert page.evaluate(colours) == ["rgb(31, 35, 40)", "rgb(255, 255, 255)"]


def test_the_page_is_whole_without_a_network(look: Look, course: Path) -> None:
    page, seen = look(ours(course, "mistaken"), offline=True)
    assert page.locator("math").count() == 2
    assert page.locator("h1").text_content() == "Warm-up"
    assert seen.elsewhere(ours(course, "mistaken")) == []
