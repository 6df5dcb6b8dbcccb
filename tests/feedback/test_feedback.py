"""What a student reads: complete, safe to open, and giving nothing hidden away."""

import copy
import html
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.base import Cause, said
from autograder.checking import compare
from autograder.checking.numerics import cause_of
from autograder.course import Assignment
from autograder.feedback import annotated, feedback_html
from autograder.feedback.result import row_comment
from autograder.grading import CheckResult, Report, RowResult
from autograder.sandbox import CellRun
from autograder.submission import Submission, read_submission
from tests.courses import cell, solved, write
from tests.inert import Tags, assert_inert

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PASSED = CheckResult("test_scale", "A vector is scaled.", 1.0, "passed")
FAILED = CheckResult(
    "test_stays",
    "The input stays as it was.",
    3.0,
    "failed",
    said("`scale` changed `x` at [0]."),
    "Copy before you write.",
)
ERRED = CheckResult("test_ours", "Something of ours.", 1.0, "errored", trouble="Traceback: secret = 0.123456789")


def report(
    *checks: CheckResult, carried: tuple[str, ...] = (), cells: tuple[CellRun, ...] = (), **fields: Any
) -> Report:
    """A report on warmup: these checks for ``scale``, and a passed one for ``centre``."""
    rows = (
        RowResult("scale", "test_scale", 4.0, checks or (PASSED,)),
        RowResult("centre", "test_centre", 6.0, (CheckResult("test_c", "The mean is off.", 1.0, "passed"),), carried),
    )
    return Report("warmup", "ada", "digest", "bubblewrap", rows, cells, **fields)


def submission(warmup: Assignment, *extra: dict[str, Any]) -> Submission:
    tree = solved()
    tree["cells"] += extra
    path = write(warmup.master.parents[2] / "submitted/ada/warmup/warmup.ipynb", tree)
    return read_submission(path, warmup, student="ada")


def named(notebook: dict[str, Any], grade_id: str) -> dict[str, Any]:
    return next(each for each in notebook["cells"] if each["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def shown(notebook: dict[str, Any], grade_id: str) -> dict[str, str]:
    data: dict[str, str] = named(notebook, grade_id)["outputs"][-1]["data"]
    return data


def test_a_failed_check_shows_its_title_reason_and_hint(warmup: Assignment) -> None:
    data = shown(annotated(submission(warmup), report(PASSED, FAILED), warmup), "test_scale")
    for text in (
        "1 of 4 points",
        "The input stays as it was.",
        "at [0]",
        "Copy before you write.",
        "A vector is scaled.",
    ):
        assert text in data["text/plain"]
        assert text in data["text/html"]


def test_right_and_wrong_are_told_apart_without_colour(warmup: Assignment) -> None:
    data = shown(annotated(submission(warmup), report(PASSED, FAILED), warmup), "test_scale")
    assert "✓ <strong>Passed:" in data["text/html"]
    assert "✗ <strong>Failed:" in data["text/html"]
    assert not re.search(r"[;\"' ](color|background)\s*:", data["text/html"])


def test_the_first_thing_to_mend_comes_first_and_is_named(warmup: Assignment) -> None:
    other = CheckResult("test_other", "Any factor works.", 1.0, "failed", said("It is off by a factor 2."))
    text = shown(annotated(submission(warmup), report(PASSED, FAILED, other), warmup), "test_scale")["text/plain"]
    assert text.index("(fix this first)") < text.index("Any factor works.") < text.index("A vector is scaled.")


def hints(warmup: Assignment, first: Cause, later: Cause) -> str:
    """What is said of a row whose two checks fail so; their hints are ``Multiply.`` and ``Use the dtype.``"""
    checks = (
        CheckResult("test_scale", "A vector is scaled.", 1.0, "failed", first, "Multiply."),
        CheckResult("test_single", "float32 works.", 1.0, "failed", later, "Use the dtype."),
    )
    data = shown(annotated(submission(warmup), report(*checks), warmup), "test_scale")
    comment = row_comment(report(*checks).rows[0])
    assert len({"Use the dtype." in text for text in (*data.values(), comment)}) == 1
    assert all("Multiply." in text for text in (*data.values(), comment))
    return data["text/plain"]


OFF = cause_of(compare(np.full(5, 2.0), np.full(5, 1.0), relative=1e-6), "`scale`")
NEAR = cause_of(compare(np.full(5, 1.001), np.full(5, 1.0), relative=1e-6), "`scale`")
OTHER = cause_of(compare(np.full(5, 2.0), np.full(5, 1.0), relative=1e-6), "`shift`")
LOSS = cause_of(compare(np.array(2.0), np.array(1.0), relative=1e-6), "`scale`")


@pytest.mark.parametrize(("first", "later"), [(OFF, OFF), (OFF, NEAR), (LOSS, LOSS)])
def test_a_hint_that_supposes_right_what_the_first_check_found_far_off_is_kept_back(
    warmup: Assignment, first: Cause, later: Cause
) -> None:
    text = hints(warmup, first, later)
    assert "Use the dtype." not in text
    assert "mend that, then look here again" in text


@pytest.mark.parametrize(
    ("first", "later"),
    [(NEAR, NEAR), (OFF, OTHER), (OFF, said("`scale` changed `x` at [0].")), (said("It raised an error."), OFF)],
)
def test_a_hint_that_may_be_trusted_is_given(warmup: Assignment, first: Cause, later: Cause) -> None:
    assert "Use the dtype." in hints(warmup, first, later)


def test_a_row_that_is_right_given_an_earlier_one_says_so(warmup: Assignment) -> None:
    notebook = annotated(submission(warmup), report(FAILED, carried=("scale",)), warmup)
    assert "Right, given a correct scale" in shown(notebook, "test_centre")["text/plain"]
    assert "right, given a correct scale" in notebook["cells"][0]["source"]
    assert row_comment(report(FAILED, carried=("scale",)).rows[1]).startswith("Right, given a correct `scale`")


def test_the_summary_lists_every_row_with_its_score(warmup: Assignment) -> None:
    source = annotated(submission(warmup), report(PASSED, FAILED), warmup)["cells"][0]["source"]
    assert "7 of 10 points" in source
    assert "| ✗ | [scale](#test_scale) | 1 / 4 | The input stays as it was. |" in source
    assert "| ✓ | [centre](#test_centre) | 6 / 6 |" in source
    assert "| [why](#why) | – / 2 | waits to be graded by a person |" in source


@pytest.mark.parametrize("code", ["params['W1']", "x: float = 0.5", "{'a': 1}", 'f"{x!r}"', "scale(x, 2.0)[0]"])
def test_code_in_the_summary_is_set_as_code(warmup: Assignment, code: str) -> None:
    notes = (f"`{code}` was looked at.",)
    page = nbgraders_page(annotated(submission(warmup), report(PASSED, notes=notes), warmup))
    assert f"<code>{code}</code> was looked at." in html.unescape(page)


def test_trouble_of_ours_reaches_no_student(warmup: Assignment) -> None:
    notebook = annotated(submission(warmup), report(ERRED, trouble="RuntimeError: the worker died"), warmup)
    everything = json.dumps(notebook) + feedback_html(notebook, "Warm-up") + row_comment(report(ERRED).rows[0])
    assert "secret" not in everything
    assert "worker died" not in everything
    assert "could not be graded" in everything


def test_a_check_is_known_to_students_by_its_title_alone(warmup: Assignment) -> None:
    notebook = annotated(submission(warmup), report(PASSED, FAILED), warmup)
    assert "test_stays" not in json.dumps(notebook)


def test_an_unreadable_notebook_says_why_at_the_top(warmup: Assignment) -> None:
    path = warmup.master.parents[2] / "submitted/ada/warmup/warmup.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text('{"cells": [')
    broken = read_submission(path, warmup, student="ada")
    source = annotated(broken, report(FAILED), warmup)["cells"][0]["source"]
    assert "could not be read" in source
    assert "ends too early" in source


def test_an_address_in_what_a_student_wrote_becomes_no_link(warmup: Assignment) -> None:
    failed = CheckResult("t", "Title.", 1.0, "failed", said("`scale` raised ValueError: http://evil.example/x`y"))
    page = nbgraders_page(annotated(submission(warmup), report(failed), warmup))
    assert "http://evil.example/x`y" in html.unescape(page)
    assert not [attributes for tag, attributes in Tags(page).seen if "evil" in attributes.get("href", "")]


def test_what_holds_for_every_row_is_said_once(warmup: Assignment) -> None:
    same = CheckResult("readable", "The notebook can be read.", 1.0, "failed", said("The file ends too early."))
    rows = tuple(RowResult(row.name, row.test_id, row.points, (same,)) for row in warmup.rows)
    notebook = annotated(submission(warmup), Report("warmup", "ada", "digest", "bubblewrap", rows), warmup)
    everything = json.dumps(notebook, ensure_ascii=False)
    assert everything.count("The file ends too early.") == 1
    assert "0 of 4 points" in shown(notebook, "test_scale")["text/plain"]


def test_the_row_to_begin_with_is_named_at_the_top(warmup: Assignment) -> None:
    source = annotated(submission(warmup), report(PASSED, FAILED), warmup)["cells"][0]["source"]
    said = "**Start with [scale](#test_scale).** The input stays as it was. `scale` changed `x` at [0]."
    assert said in html.unescape(source)


def test_a_perfect_submission_is_told_so(warmup: Assignment) -> None:
    assert "Every row is right." in annotated(submission(warmup), report(), warmup)["cells"][0]["source"]


def test_notes_on_repairs_are_listed(warmup: Assignment) -> None:
    note = "The visible checks had been changed and were restored: test_scale."
    source = annotated(submission(warmup), report(notes=(note,)), warmup)["cells"][0]["source"]
    assert "- The visible checks had been changed and were restored: test&#95;scale." in source


def test_the_result_stands_after_the_students_own_output(warmup: Assignment) -> None:
    run = CellRun(3, "ok", ({"output_type": "stream", "name": "stdout", "text": "fine\n"},), 0.1)
    outputs = named(annotated(submission(warmup), report(cells=(run,)), warmup), "test_scale")["outputs"]
    assert [output["output_type"] for output in outputs] == ["stream", "display_data"]
    assert outputs[0]["text"] == "fine\n"


@pytest.mark.parametrize("status", ["timeout", "died", "skipped"])
def test_a_cell_that_did_not_end_says_so(warmup: Assignment, status: Any) -> None:
    notebook = annotated(submission(warmup), report(cells=(CellRun(2, status, (), 1.0),)), warmup)
    assert named(notebook, "scale")["outputs"][0]["text"]


def test_only_passive_outputs_are_kept(warmup: Assignment) -> None:
    bundle = {"text/html": "<script>1</script>", "application/javascript": "1", "text/plain": "p", "image/png": PIXEL}
    run = CellRun(2, "ok", ({"output_type": "display_data", "data": bundle, "metadata": {"x": 1}},), 0.1)
    notebook = annotated(submission(warmup), report(cells=(run,)), warmup)
    assert named(notebook, "scale")["outputs"][0]["data"] == {"text/plain": "p", "image/png": PIXEL}


def test_the_notebook_is_valid_and_the_submission_unchanged(warmup: Assignment) -> None:
    given_in = submission(warmup)
    before = copy.deepcopy(given_in.notebook)
    notebook = annotated(given_in, report(PASSED, FAILED), warmup)
    nbformat.validate(nbformat.from_dict(notebook))
    assert given_in.notebook == before


def test_the_courses_own_prose_is_left_alone(warmup: Assignment, course_root: Path) -> None:
    tree = json.loads(warmup.release.read_text())
    prose = cell("<details><summary>Hint</summary>$a<b$</details>", kind="markdown")
    tree["cells"].insert(1, prose)
    write(warmup.release, tree)
    sources = [each["source"] for each in annotated(submission(warmup, prose), report(), warmup)["cells"]]
    assert prose["source"] in sources


HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x]( javascript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x][r]\n\n[r]: javascript:alert(1)",
    "[x][r]\n\n[r]:\n   javascript:alert(1)",
    "<javascript:alert(1)>",
    "![x](http://evil.example/x.png)",
    "![x][r]\n\n[r]: https://evil.example/x.png",
    "[![x](http://evil.example/x.png)](http://fine.example)",
    "![[x]](http://evil.example/x.png)",
    "![x](/api/shutdown)",
    "![x](attachment:missing.png)",
    "```mermaid\n<img src=x onerror=alert(1)>\n```",
    "`<svg onload=alert(1)>`",
    r"$\href{javascript:alert(1)}{x}$ $\text{<script>}$ $\style{x:y}{z}$",
    "$$<img src=x onerror=alert(1)>$$",
    "<b onclick=alert(1)>x</b><br onload=alert(1)><base href=//evil.example>",
    "# test_scale\n\ntest_scale\n===\n\n> - # why-comment\n\nwhy\n---",
    r"$&#92;href{x}{y}$ \\(\unicode{x}\\) &#36;\def\a{}&dollar;",
)


@pytest.mark.parametrize("source", HOSTILE)
@pytest.mark.parametrize("grade_id", ["", "why"])
def test_nothing_that_a_student_writes_runs_or_is_fetched(warmup: Assignment, source: str, grade_id: str) -> None:
    tree = submission(warmup, cell(source, kind="markdown"))
    if grade_id:
        named(tree.notebook, grade_id)["source"] = source
    assert_inert(nbgraders_page(annotated(tree, report(FAILED), warmup)))


def test_nothing_that_a_student_writes_runs_in_our_page(warmup: Assignment) -> None:
    tree = submission(warmup, *(cell(source, kind="markdown") for source in HOSTILE))
    assert_inert(feedback_html(annotated(tree, report(FAILED), warmup), "<script>"))


def nbgraders_page(notebook: dict[str, Any]) -> str:
    """The cells as nbgrader's formgrader and feedback render them, without the frame around them, which is its own."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    parts = []
    for each in notebook["cells"]:
        if each["cell_type"] == "markdown":
            renderer = IPythonRenderer(escape=False, attachments=each.get("attachments", {}))
            parts.append(MarkdownWithMath(renderer=renderer).render(each["source"]))
        parts += [output["data"].get("text/html", "") for output in each.get("outputs", []) if "data" in output]
    return "\n".join(parts)


MARKUP = ("<", ">", "[", "]", "(", ")", "!", ":", "`", "|", "$", "\\", "\n", " ", "_", "*", "x", "![", "](", "]:")
WEAPONS = (
    "<script>",
    "<img src=x onerror=1>",
    "&#60;",
    "javascript:alert(1)",
    "http://e.example/x.png",
    "attachment:x",
)
PIECES = st.sampled_from([*MARKUP, *WEAPONS, "```mermaid\n"])


@given(pieces=st.lists(PIECES, max_size=14))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_of_a_student_becomes_markup_that_acts(warmup: Assignment, pieces: list[str]) -> None:
    text = "".join(pieces)
    failed = CheckResult("t", "Title", 1.0, "failed", said(text))
    tree = submission(warmup, cell(text, kind="markdown"))
    notebook = annotated(tree, report(failed, notes=(text,)), warmup)
    assert_inert(nbgraders_page(notebook))
    comment = {"cell_type": "markdown", "source": row_comment(report(failed).rows[0])}
    assert_inert(nbgraders_page({"cells": [comment]}))


@pytest.mark.parametrize(
    "heading", ["# why", "why\n===", "> - # why", "1. # why", "* > why\n> ---", "### *why*", "# `why`", ": # why"]
)
def test_no_heading_takes_the_place_of_a_field_of_the_formgraders(warmup: Assignment, heading: str) -> None:
    """There a heading's text is its id, and the field for a score is found by its ``grade_id``."""
    tree = submission(warmup, cell(heading, kind="markdown"))
    page = nbgraders_page(annotated(tree, report(FAILED), warmup))
    assert "why" in page
    assert "why" not in [attributes.get("id") for _, attributes in Tags(page).seen]


TEX = (
    "$",
    "$$",
    "\\(",
    "\\)",
    "\\",
    "\\\\",
    "&#92;",
    "&#36;",
    "&bsol;",
    "href",
    "def",
    "{",
    "}",
    "x",
    " ",
    "`",
    "*",
    "\n",
    "\n\n",
)


@given(pieces=st.lists(st.sampled_from(TEX), max_size=14))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_of_a_student_becomes_tex_that_acts(warmup: Assignment, pieces: list[str]) -> None:
    """What a browser reads as text outside code is what MathJax looks for TeX in."""
    text = "".join(pieces)
    failed = CheckResult("t", "Title", 1.0, "failed", said(text))
    notebook = annotated(submission(warmup, cell(text, kind="markdown")), report(failed, notes=(text,)), warmup)
    page = nbgraders_page(notebook)
    outside = re.sub(r"<(code|pre)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert not re.search(r"\\(href|def)(?![a-z])", html.unescape(outside))
    ours = shown(notebook, "test_scale")["text/html"] + nbgraders_page({"cells": notebook["cells"][:1]})
    assert not re.search(r"(?<!<span>)(\$|\\)", html.unescape(re.sub(r"<code>.*?</code>", "", ours)))


@pytest.mark.parametrize(
    "tex",
    ["{" * 40 + "}" * 40, r"\sqrt" * 80, r"\frac1" * 80, r"\begin{matrix}" * 40, r"\left\{" * 40, "x+" * 5000],
    ids=["braces", "roots", "fractions", "matrices", "brackets", "long"],
)
@pytest.mark.parametrize("marks", ["$ $", "$$ $$", r"\( \)", r"\[ \]", r"\begin{align} \end{align}"])
def test_a_formula_that_a_browser_fails_at_stays_text(warmup: Assignment, tex: str, marks: str) -> None:
    prose = cell(f"It is {marks.replace(' ', tex)}.", kind="markdown")
    notebook = annotated(submission(warmup, prose), report(), warmup)
    (source,) = (each["source"] for each in notebook["cells"] if each["id"].startswith("own-"))
    assert not re.search(r"\$|\\\(|\\\[|\\begin", source)
    assert source.startswith("It is ")


def test_an_outputs_formula_that_a_browser_fails_at_is_shown_as_text(warmup: Assignment) -> None:
    deep = "$" + r"\sqrt{" * 100 + "}" * 100 + "$"
    run = CellRun(2, "ok", ({"output_type": "display_data", "data": {"text/latex": deep}, "metadata": {}},), 0.1)
    notebook = annotated(submission(warmup), report(cells=(run,)), warmup)
    assert named(notebook, "scale")["outputs"][0]["data"] == {"text/plain": deep}


def test_formulas_that_people_write_stay_formulas(warmup: Assignment) -> None:
    tex = (
        r"$\frac{\partial L}{\partial W} = \frac{1}{N}\sum_i x_i^\top \left(p_i - y_i\right)$, costs \$5, "
        r"$$\begin{pmatrix}a\end{pmatrix}$$"
    )
    notebook = annotated(submission(warmup, cell(tex, kind="markdown")), report(), warmup)
    assert tex in [each["source"] for each in notebook["cells"]]


def test_code_that_reads_other_than_it_is_shows_what_it_is(warmup: Assignment) -> None:
    notebook = annotated(submission(warmup, cell("x = 'a\u202eb'  # \x1b[2J")), report(), warmup)
    assert "x = 'a\\u202eb'  # \\x1b[2J" in [each["source"] for each in notebook["cells"]]


def test_headings_are_in_order_whatever_the_notebook_has(warmup: Assignment) -> None:
    prose = cell("#### Deep\n\n# Top\n\n### Third", kind="markdown")
    page = feedback_html(annotated(submission(warmup, prose), report(), warmup), "Warm-up")
    levels = [int(tag[1]) for tag, _ in Tags(page).seen if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_a_reason_reads_in_a_comment_as_it_was_written() -> None:
    failed = CheckResult(
        "t", "Large logits stay finite.", 1.0, "failed", said("The result is nan at [0, 0]."), "Shift `x`."
    )
    row = RowResult("softmax", "test_softmax", 10.0, (failed,))
    assert row_comment(row) == "✗ Large logits stay finite: The result is nan at [0, 0]. (Hint: Shift `x`.)"


def test_a_row_with_full_marks_needs_no_comment() -> None:
    assert row_comment(RowResult("scale", "test_scale", 4.0, (PASSED,))) == ""


def test_the_page_has_formulas_without_the_network(warmup: Assignment) -> None:
    formulas = "$a<b$\n\n$$\\frac{e^{z_i}}{\\sum_k e^{z_k}}$$\n\n\\begin{align} a &= b \\\\ c &= d \\end{align}"
    page = feedback_html(annotated(submission(warmup, cell(formulas, kind="markdown")), report(), warmup), "Warm-up")
    assert page.count("<math") == 3
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=\"?https?:", page)


def test_a_formula_beyond_the_converter_stays_as_it_was_written(warmup: Assignment) -> None:
    page = feedback_html(annotated(submission(warmup, cell("$x_{$", kind="markdown")), report(), warmup), "Warm-up")
    assert "<code>x_{</code>" in page


def test_the_page_shows_scores_comments_and_lateness_as_they_are_given(warmup: Assignment) -> None:
    notebook = annotated(submission(warmup), report(), warmup)
    named(notebook, "why")["metadata"]["nbgrader"] |= {"score": 1.5, "points": 2, "comment": "Say <why>."}
    page = feedback_html(notebook, "Warm-up", score=11.5, max_score=12, late_penalty=2)
    assert "9.5 of 12 points" in page
    assert "11.5 points, less 2 for handing in late." in page
    assert "1.5 of 2.0 points" in page
    assert "Say &lt;why&gt;." in page


def test_figures_lie_inside_the_page(warmup: Assignment) -> None:
    run = CellRun(2, "ok", ({"output_type": "display_data", "data": {"image/png": PIXEL}, "metadata": {}},), 0.1)
    page = feedback_html(annotated(submission(warmup), report(cells=(run,)), warmup), "Warm-up")
    assert f"data:image/png;base64,{PIXEL}" in page


@pytest.mark.parametrize(
    "prose",
    ["[x](" + "a" * 4000, "\\begin{a}" * 9000, "~~a" * 20000, "![" * 30000, "|a" * 30000],
    ids=["link", "maths", "struck", "pictures", "table"],
)
def test_what_is_kept_of_a_students_prose_is_bounded(warmup: Assignment, prose: str) -> None:
    """A page takes seconds at the most; without a bound some of these take hours."""
    own = [cell(f"{number} {prose}", kind="markdown") for number in range(12)]
    notebook = annotated(submission(warmup, *own), report(), warmup)
    kept = sum(len(each["source"]) for each in notebook["cells"] if each["id"].startswith("own-"))
    assert kept < 300_000
    assert feedback_html(notebook, "Warm-up")
