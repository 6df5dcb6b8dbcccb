"""Report and submission → the executed notebook with a readable result under each test cell, and a page of it.

Everything here is what a student gets to read, so nothing hidden may be in it: an errored check says only
that it could not be made, never why. And an instructor opens it in the browser that holds the keys to the
course (nbgrader's formgrader), so nothing that a student wrote may run there: code and outputs are shown as
text and pictures, and raw HTML, foreign links, foreign pictures and TeX that acts in a student's own Markdown
are made inert.
"""

from __future__ import annotations

import base64
import binascii
import copy
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from autograder.base import one_line, visible
from autograder.course import Assignment, joined
from autograder.grading import CheckResult, Report, RowResult, advice
from autograder.sandbox import CellRun
from autograder.submission import Submission

SUMMARY_ID = "autograder-summary"

_PASSIVE = ("text/plain", "text/latex", "image/png", "image/jpeg")
_KEPT_METADATA = ("nbgrader", "deletable", "editable")
_INERT = "\u200b"  # a zero-width space: what follows reads the same and is markup no more
_NOT_GRADED = "This could not be graded, through no fault of yours. Your instructor was told."
_SAID_ABOVE = CheckResult("said_above", "See the top of the notebook.", 1.0, "failed")
_FIGURE = "A figure that the code above drew"
_BOX = "border:1px solid #8886;border-left-width:6px;border-radius:4px;padding:0.5em 1em;margin:0.3em 0"


def annotated(submission: Submission, report: Report, assignment: Assignment) -> dict[str, Any]:
    """The executed notebook with its grade explained, as it goes into ``autograded/``.

    Args:
        submission: What was graded.
        report: What came of it; ``report.cells`` are matched by index.
        assignment: What the submission answers; its release tells the course's own prose from the student's.

    Returns:
        A new nbformat 4.5 notebook: the submission's cells with the outputs of the run, a summary as the
        first cell, and under each test cell the row's result as ``text/html`` and ``text/plain``.
    """
    # Only the cells' own keys are changed here, and in the end everything is copied.
    notebook = {**submission.notebook, "cells": [dict(cell) for cell in submission.notebook["cells"]]}
    ours = _release_sources(assignment.release)
    runs = {run.index: run for run in report.cells}
    rows, common = {row.test_id: row for row in report.rows}, said_of_all(report)
    executed, prose, maths = 0, 5 * _MARKDOWN_CHARACTERS, 3 * _MATHS_CHARACTERS
    for index, cell in enumerate(notebook["cells"]):
        metadata = cell.get("metadata", {})
        cell["metadata"] = {key: metadata[key] for key in _KEPT_METADATA if key in metadata}
        if cell["cell_type"] == "code":
            run = runs.get(index)
            cell["outputs"] = [] if run is None else _run_outputs(run)
            executed += run is not None and run.status != "skipped"
            cell["execution_count"] = executed if run is not None and run.status != "skipped" else None
            row = rows.get(str(metadata.get("nbgrader", {}).get("grade_id", "")))
            if row is not None:
                cell["outputs"].append(_result_output(row, common))
        elif (cell["cell_type"], joined(cell["source"])) not in ours:
            kept = _disarm(cell, max(prose, 0), min(maths, _MATHS_CHARACTERS))
            prose -= len(kept)
            maths -= len(kept) if _MATHS.search(kept) else 0
    notes = (*submission.notes, *report.notes)
    notebook["cells"].insert(0, _summary_cell(report, assignment, submission.unreadable, notes))
    kernelspec = notebook.get("metadata", {}).get("kernelspec")
    notebook["metadata"] = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    if isinstance(kernelspec, dict):
        notebook["metadata"]["kernelspec"] = {
            key: kernelspec[key] for key in ("display_name", "language", "name") if key in kernelspec
        }
    return _encodable(notebook)  # type: ignore[no-any-return]


def told_anew(notebook: Mapping[str, Any], report: Report, assignment: Assignment) -> dict[str, Any]:
    """The notebook that ``annotated`` gave, with its results told anew, as when its student may see more of them.

    Args:
        notebook: The notebook, with its texts joined or in lines.
        report: The report as the student may see it now; its cells are not needed.
        assignment: What was graded.

    Returns:
        A new notebook.
    """
    changed = copy.deepcopy(dict(notebook))
    rows = {row.test_id: row for row in report.rows}
    for cell in changed["cells"]:
        row = rows.get(str(cell["metadata"].get("nbgrader", {}).get("grade_id", "")))
        if cell["cell_type"] == "code" and row is not None:
            # No output of a student's is HTML.
            theirs = [output for output in cell["outputs"] if "text/html" not in output.get("data", {})]
            cell["outputs"] = [*theirs, _result_output(row, said_of_all(report))]
    unread = next((check.reason for row in report.rows for check in row.checks if check.name == "readable"), "")
    changed["cells"] = [
        _summary_cell(report, assignment, unread, report.notes) if cell.get("id") == SUMMARY_ID else cell
        for cell in changed["cells"]
    ]
    return _encodable(changed)  # type: ignore[no-any-return]


def row_comment(row: RowResult) -> str:
    """The row's result in a few lines, for the gradebook's comment; empty where there is nothing to say.

    nbgrader renders comments as Markdown and shows them as plain text too, so what could be markup is put
    between backticks, which reads well both ways.
    """
    if row.errored:
        return _NOT_GRADED
    failed = [check for check in row.checks if check.outcome == "failed" and check.shown]
    lines = []
    if row.carried:
        lines.append(_carried_text(row))
    for check in failed:
        line = f"✗ {_plain(check.title)}"
        if check.reason:
            line = f"{line.rstrip('.')}: {_plain(check.reason)}"
        if (advised := advice(row, check)) is not None:
            text = one_line(advised.text)
            line += f" (Hint: {text})" if advised.is_hint else f" ({text.rstrip('.')})"
        lines.append(line)
    if row.unseen:
        lines.append(f"… {_unseen_text(row)}")
    return str(_encodable("\n\n".join(lines)))


def said_of_all(report: Report) -> CheckResult | None:
    """The one failed check that every row has, as where the notebook could not be read; None where they differ."""
    said = {(check.title, check.reason) for row in report.rows for check in row.checks}
    checks = [check for row in report.rows for check in row.checks]
    alike = len(said) == 1 and len(checks) == len(report.rows) > 1 and checks[0].outcome == "failed"
    alike = alike and checks[0].shown
    return checks[0] if alike else None


def first_to_fix(report: Report) -> RowResult | None:
    """The row to begin with: the first that is seen to be wrong, since later ones build on it; None where none is."""
    for row in report.rows:
        if not row.errored and any(check.outcome == "failed" and check.shown for check in row.checks):
            return row
    return None


def points_text(points: float) -> str:
    """Points as people write them: ``7``, ``6.67``."""
    return f"{round(points, 2):g}"


def feedback_html(
    notebook: Mapping[str, Any],
    title: str,
    *,
    score: float | None = None,
    max_score: float | None = None,
    late_penalty: float = 0.0,
    notes: Sequence[str] = (),
    pending: bool = False,
    least: bool = False,
) -> str:
    """One page with everything in it, to open from a disk, mail or print.

    nbgrader's own feedback page fetches MathJax from a content delivery network. This one fetches nothing,
    and its Content-Security-Policy lets it neither fetch nor run anything: formulas are set as MathML (by
    latex2mathml; where that is not installed, or a formula is beyond it, its TeX stays), figures lie inside,
    and it follows the reader's light or dark setting.

    Args:
        notebook: What ``annotated`` returned. Where its nbgrader cells' metadata have ``score``, ``points``
            and ``comment`` (as nbgrader's GetGrades puts them there), these are shown.
        title: The page's title and heading.
        score: The score now, with what was graded by hand, before the late penalty; not shown where None.
        max_score: The most that the assignment gives.
        late_penalty: Points lost for lateness.
        notes: Sentences below the score, such as what lateness means for the submission.
        pending: Whether an answer still waits for a person.
        least: Whether the score is only what it is at least, since checks are not shown yet.

    Returns:
        The HTML.
    """
    import nbformat

    at_least = "at least " if least else ""
    resources = {
        "feedback": {
            "title": title,
            "score": None if score is None else at_least + points_text(max(0.0, score - late_penalty)),
            "before": None if score is None else (at_least + points_text(score)).capitalize(),
            "max_score": None if max_score is None else points_text(max_score),
            "late_penalty": points_text(late_penalty) if late_penalty > 0 else "",
            "notes": list(notes),
            "pending": pending,
            "styles": _code_styles(),
        }
    }
    page, _ = _exporter().from_notebook_node(nbformat.from_dict(copy.deepcopy(dict(notebook))), resources)
    return _headings_in_order(str(page))


# What is put under a test cell


def _result_output(row: RowResult, common: CheckResult | None) -> dict[str, Any]:
    """What stands under a row's test cell; ``common`` is what is said of all rows at the top, and not again here."""
    row = row if common is None else replace(row, checks=(_SAID_ABOVE,))
    data = {"text/html": _result_html(row), "text/plain": _result_text(row)}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def _score_line(row: RowResult) -> str:
    if row.errored:
        return f"– of {points_text(row.points)} points"
    if row.score is None:
        return f"at least {points_text(row.least)} of {points_text(row.points)} points"
    return f"{points_text(row.score)} of {points_text(row.points)} points"


def listed(names: tuple[str, ...]) -> str:
    """``names``, one at least, as people write them: ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _unseen_text(row: RowResult) -> str:
    checks = "1 further check is" if row.unseen == 1 else f"{row.unseen} further checks are"
    whose = "its" if row.unseen == 1 else "their"
    if row.withheld:
        return f"{checks} not shown yet; {whose} points are added later."
    return f"{checks} not shown; {whose} points are counted."


def _carried_text(row: RowResult) -> str:
    names = listed(tuple(f"`{name}`" for name in row.carried))
    if row.fraction == 1:
        return f"Right, given a correct {names}: an earlier mistake does not cost points twice."
    return f"Checked with a correct {names} in place of yours: an earlier mistake does not cost points twice."


def _ordered(row: RowResult) -> list[CheckResult]:
    """The checks that are shown, failed ones first: the first of them is the first thing to mend."""
    shown = [check for check in row.checks if check.shown]
    return sorted(shown, key=lambda check: ("failed", "errored", "passed").index(check.outcome))


def _result_text(row: RowResult) -> str:
    lines = [f"{row.name}: {_score_line(row)}"]
    if row.carried and not row.errored:
        lines.append(_carried_text(row).replace("`", ""))
    failed = sum(check.outcome == "failed" for check in row.checks)
    for position, check in enumerate(_ordered(row)):
        if check.outcome == "passed":
            lines.append(f"✓ {check.title}")
        elif check.outcome == "errored":
            lines.append(f"? {check.title}\n    {_NOT_GRADED}")
        else:
            first = " (fix this first)" if position == 0 and failed > 1 else ""
            lines.append(f"✗ {check.title}{first}")
            lines += [f"    {line}" for line in check.reason.splitlines()]
            if (advised := advice(row, check)) is not None:
                lines.append(f"    {'Hint: ' if advised.is_hint else ''}{one_line(advised.text)}")
    if row.unseen:
        lines.append(f"… {_unseen_text(row)}")
    return "\n".join(lines)


def _result_html(row: RowResult) -> str:
    whole = row.score is not None and row.fraction == 1
    failed = sum(check.outcome == "failed" for check in row.checks)
    waits = row.withheld and not failed
    edge = "#2e8b57" if whole else "#8a8a8a" if row.errored or waits else "#d1603d"
    parts = [
        f'<div class="autograder-result" style="{_BOX};border-left-color:{edge}">',
        f"<p><strong>{'✓' if whole else '?' if row.errored else '…' if waits else '✗'} {html.escape(row.name)}: "
        f"{_score_line(row)}</strong></p>",
    ]
    if row.carried and not row.errored:
        parts.append(f"<p>{_prose(_carried_text(row))}</p>")
    parts.append('<ul style="list-style:none;padding-left:0;margin-left:0">')
    for position, check in enumerate(_ordered(row)):
        title = _prose(check.title)
        if check.outcome == "passed":
            parts.append(f"<li>✓ <strong>Passed:</strong> {title}</li>")
        elif check.outcome == "errored":
            parts.append(f"<li>? <strong>Not checked:</strong> {title}<br>{_NOT_GRADED}</li>")
        else:
            label = "Failed (fix this first)" if position == 0 and failed > 1 else "Failed"
            item = f"<li>✗ <strong>{label}:</strong> {title}"
            if check.reason:
                item += f'<br><span style="white-space:pre-wrap">{_prose(check.reason)}</span>'
            if (advised := advice(row, check)) is not None:
                item += f"<br>{'<em>Hint:</em> ' if advised.is_hint else ''}{_prose(one_line(advised.text))}"
            parts.append(item + "</li>")
    if row.unseen:
        parts.append(f"<li>… {_unseen_text(row)}</li>")
    parts.append("</ul></div>")
    return "\n".join(parts)


def _summary_cell(report: Report, assignment: Assignment, unreadable: str, notes: tuple[str, ...]) -> dict[str, Any]:
    lines = ["## What the autograder found", ""]
    if unreadable:
        lines += [f"**The notebook could not be read.** {_literal(unreadable)}", ""]
    if report.errored:
        lines += [f"**{_NOT_GRADED}**", ""]
    else:
        least = "At least " if report.withheld else ""
        later = " Some checks are not shown yet; their points are added later." if report.withheld else ""
        points = f"{least}{points_text(report.least)} of {points_text(report.max_score)} points"
        lines += [f"**{points}** by the autograder.{later}", ""]
    if assignment.manual:
        count = "One answer" if len(assignment.manual) == 1 else f"{len(assignment.manual)} answers"
        points = points_text(sum(assignment.manual.values()))
        lines += [
            f"{count} ({points} points) {'is' if count == 'One answer' else 'are'} graded by a person.",
            "",
        ]
    if report.sandbox == "none":
        lines += ["This was run without a sandbox.", ""]
    common, first = said_of_all(report), first_to_fix(report)
    if common is not None and common.reason != unreadable:
        lines += [f"**For every row:** {_literal(common.reason or common.title)}", ""]
    elif first is not None and common is None:
        failed = [check for check in first.checks if check.outcome == "failed" and check.shown]
        said = _literal(_common_reason(failed) or f"{failed[0].title} {failed[0].reason}")
        lines += [f"**Start with [{_literal(first.name)}](#{first.test_id}).** {said}", ""]
    elif report.rows and not report.errored and all(row.fraction == 1 for row in report.rows):
        lines += ["Every row is right.", ""]
    told = [note for note in dict.fromkeys(notes) if note != unreadable]
    lines += [f"- {_literal(note)}" for note in told]
    if told:
        lines.append("")
    lines += ["| Right | Row | Points | What to look at |", "|:-:|:--|--:|:--|"]
    for row in report.rows:
        failed = [check for check in row.checks if check.outcome == "failed" and check.shown]
        mark = "?" if row.errored else "✗" if failed else "…" if row.withheld else "✗" if row.fraction < 1 else "✓"
        note = _NOT_GRADED if row.errored else ""
        if failed and not row.errored and common is None:
            same = _common_reason(failed)
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 and not same else ""
            note = f"{_literal(same or failed[0].title)}{more}"
        elif row.carried:
            note = f"right, given a correct {_literal(listed(row.carried))}"
        elif row.unseen and not row.errored:
            note = _unseen_text(row)
        score = "–" if row.errored else f"{'≥ ' if row.withheld else ''}{points_text(row.least)}"
        lines.append(
            f"| {mark} | [{_literal(row.name)}](#{row.test_id}) | {score} / {points_text(row.points)} | {note} |"
        )
    for name, most in assignment.manual.items():
        lines.append(_waiting_line(name, most))
    source = "\n".join(lines) + "\n"
    return {"cell_type": "markdown", "id": SUMMARY_ID, "metadata": {"deletable": False}, "source": source}


def with_hand_grades(summary: str, manual: Mapping[str, float], scores: Mapping[str, float | None]) -> str:
    """The summary's text with the points that a person has given since.

    Args:
        summary: The source of the summary cell, from ``annotated``.
        manual: The most that each answer graded by hand gives, by ``grade_id``.
        scores: What the gradebook holds now; None where an answer waits.
    """
    for name, most in manual.items():
        score = scores.get(name)
        if score is not None:
            mark, points = "✓" if score >= most else "✗", f"{points_text(score)} / {points_text(most)}"
            line = f"| {mark} | [{_literal(name)}](#{name}) | {points} | graded by a person |"
            summary = summary.replace(_waiting_line(name, most), line)
    return summary


def _waiting_line(name: str, most: float) -> str:
    return f"| … | [{_literal(name)}](#{name}) | – / {points_text(most)} | waits to be graded by a person |"


def _common_reason(failed: list[CheckResult]) -> str:
    """The reason that several failed checks of a row share, as where its function is not written; else empty."""
    return failed[0].reason if len(failed) > 1 and len({check.reason for check in failed}) == 1 else ""


# Text that came from elsewhere


def _encodable(tree: Any) -> Any:
    """The tree with no text in it that reads other than it is, or that a file or a database cannot take."""
    if isinstance(tree, str):
        return visible(tree)
    if isinstance(tree, dict):
        return {key: _encodable(value) for key, value in tree.items()}
    return [_encodable(value) for value in tree] if isinstance(tree, list) else tree


def _prose(text: str) -> str:
    """Text as HTML: everything escaped, code between backticks set as code, and nothing that MathJax takes for TeX."""
    pieces = re.split(r"`([^`\n]+)`", html.escape(text))
    pieces[0::2] = [re.sub(r"[$\\]", r"<span>\g<0></span>", piece) for piece in pieces[0::2]]
    pieces[1::2] = [f"<code>{piece}</code>" for piece in pieces[1::2]]
    return "".join(pieces)


def _literal(text: str) -> str:
    """Text as Markdown that renders as the text itself, code between backticks aside."""

    def piece(match: re.Match[str]) -> str:
        code = match.group(1)
        if code and "|" not in code:
            return f"`{code}`"
        return re.sub(r"[^\w\s.,;:()’“”'±×−–/%=+?]|_", character, match.group())

    def character(match: re.Match[str]) -> str:
        reference = f"&#{ord(match.group())};"
        # In an element of its own, MathJax takes it for no delimiter.
        return f"<span>{reference}</span>" if match.group() in "$\\" else reference

    literal = re.sub(r"`([\w .,()\[\]=+*/-]+)`|[^`]+|`", piece, one_line(text))
    return literal.replace("://", ":&#47;&#47;")  # an address becomes no link


def _plain(text: str) -> str:
    """Text for a comment: as it is where nothing outside its backticks is markup, else all between backticks."""
    line = one_line(text)
    if re.search(r"[<>`*\\\\$~]|\][(\[:]|\b_|_\b|^[#|=+-]", re.sub(r"`[^`]+`", "", line)):
        return f"`{line.replace('`', '’')}`"
    return line


@lru_cache(maxsize=8)
def _sources_at(path: Path, _modified: int) -> frozenset[tuple[str, str]]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return frozenset((cell["cell_type"], joined(cell["source"])) for cell in cells)


def _release_sources(path: Path) -> frozenset[tuple[str, str]]:
    """Type and text of each cell of the release: what the course itself wrote."""
    try:
        return _sources_at(path, path.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


_HARMLESS_TAG = r"(?!/?(?:b|i|em|strong|sub|sup|br|hr|code|kbd)\s*/?>)"
_ATTACHED = r"attachment:(?P<name>[^()\s<>]+)\)"
_OWN_PICTURE = r"(?!\.)[\w-]+(?:/[\w-]+)*\.(?:png|jpe?g|gif|webp)\)"
_MARKDOWN_CHARACTERS = 20_000
"""What is kept of a student's own prose, in one cell and in all: turning Markdown into a page is not linear in it."""


_MATHS_CHARACTERS = 8_000
"""How long a text with formulas may be for these to be set; a browser that sets more of them stands still."""

_MATHS = re.compile(r"\$|\\[(\[]|\\begin")
_ACTING_TEX = (
    "href url unicode style class cssId data require mmlToken includegraphics toggle mathtip texttip bbox html "
    "def gdef edef xdef let futurelet newcommand renewcommand providecommand newenvironment renewenvironment "
    "raise lower moveleft moveright rule Rule Space llap rlap mathllap mathrlap"
)
"""Macros that make links, load, carry styles, ids or events, change the formulas of others, or draw over them."""

_PLACES = r"^[ \t>*+\-.:)\d]*"  # where a block can begin, in quotes and lists too
_HEADING = re.compile(_PLACES + r"#{1,6}[ \t]+", re.MULTILINE)
_UNDERLINED = re.compile(_PLACES + r"(?=[^\s`~][^\n]*\n[ \t>]*(?:=+|-+)[ \t]*$)", re.MULTILINE)


def _disarm(cell: dict[str, Any], characters: int, maths: int) -> str:
    """Make a student's Markdown or raw cell inert: nothing in it runs, and nothing is fetched from elsewhere.

    Args:
        cell: The cell, which is changed.
        characters: How much of its text is kept, at most.
        maths: How long it may be for its formulas to stay formulas.

    Returns:
        The text that was kept.
    """
    attachments = _pictures(cell.pop("attachments", None))
    if cell["cell_type"] == "raw":
        cell["cell_type"] = "markdown"
    if attachments:
        cell["attachments"] = attachments
    whole = joined(cell["source"])
    kept = whole[: min(characters, _MARKDOWN_CHARACTERS)]
    source = re.sub(rf"<(?=[A-Za-z/!?]){_HARMLESS_TAG}", "<" + _INERT, kept)

    def target(match: re.Match[str]) -> str:
        rest = source[match.end() :]
        attached = re.match(_ATTACHED, rest)
        if attached is not None and attached["name"] in attachments:
            return match.group()
        if re.match(r"#[\w-]*\)", rest) or (match["picture"] and re.match(_OWN_PICTURE, rest)):
            return match.group()
        if re.match(r"https?://", rest) and not match["picture"]:
            return match.group()
        return match.group().replace("](", f"]{_INERT}(")

    # A picture's own brackets hold no bracket, so that no link hides a picture's mark from this.
    source = re.sub(r"!\[(?![^\[\]]*\]\()", "!" + _INERT + "[", source)
    source = re.sub(r"(?P<picture>!\[[^\[\]]*)?\]\(", target, source)
    source = re.sub(r"\]:(?!\s+https?://)", f"]{_INERT}:", source)
    source = re.sub(r"((?:`{3,}|~{3,})\s*)(?=mermaid)", rf"\1{_INERT}", source, flags=re.IGNORECASE)
    # A heading's text becomes its id in nbgrader's pages, where the fields for scores are found by their ids.
    source = _HEADING.sub(rf"\g<0>{_INERT}", source)
    source = _UNDERLINED.sub(rf"\g<0>{_INERT}", source)
    source = _calm(source, maths)
    cell["source"] = source if kept == whole else f"{source}\n\n[cut here: the text is too long to be shown]"
    return kept


def _calm(text: str, most: int) -> str:
    """Text whose TeX can be handed to MathJax: no macro that acts, and no formula where it is too much of it."""
    # A character reference is one to Markdown and the character itself to MathJax.
    text = re.sub(r"&(?=(?:#0*36|#x0*24|dollar|#0*92|#x0*5c|bsol);)", "&" + _INERT, text, flags=re.IGNORECASE)
    text = re.sub(rf"\\(?=(?:{_ACTING_TEX.replace(' ', '|')})(?![a-z]))", "\\\\" + _INERT, text)
    if _MATHS.search(text) and _unsettable(text, most):
        # In an element of its own, MathJax takes a dollar sign for no delimiter.
        text = re.sub(r"\\(?=[(\[]|begin)", "\\\\" + _INERT, text.replace("$", "<span>&#36;</span>"))
    return text


def _unsettable(tex: str, most: int) -> bool:
    """Whether TeX is longer or nested deeper than anybody writes it by hand: a browser can fail at it."""
    depth = deepest = 0
    for opening, closing in re.findall(r"(\\begin|\\left(?![a-z])|(?<!\\)\{)|(\\end|\\right(?![a-z])|(?<!\\)\})", tex):
        depth += bool(opening) - bool(closing)
        deepest = max(deepest, depth)
    chained = re.search(r"(?:\\[A-Za-z]++[^\\\n]{0,3}+){60}", tex)
    return len(tex) > most or deepest > 30 or chained is not None


def _pictures(attachments: Any) -> dict[str, dict[str, str]]:
    found = {}
    for name, bundle in attachments.items() if isinstance(attachments, dict) else ():
        kept = {}
        for mime in ("image/png", "image/jpeg"):
            encoded = bundle.get(mime) if isinstance(bundle, dict) else None
            if encoded is not None and _is_base64(joined(encoded)):
                kept[mime] = joined(encoded)
        if kept:
            found[name] = kept
    return found


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text.replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _run_outputs(run: CellRun) -> list[dict[str, Any]]:
    outputs = [shown for output in run.outputs if (shown := _passive(output)) is not None]
    stopped = {
        "timeout": "This cell took too long and was stopped.",
        "died": "This cell ended the Python that ran it.",
        "skipped": "This cell was not run: the time for the whole notebook was used up.",
    }.get(run.status)
    if stopped and not any(output["output_type"] == "error" for output in outputs):
        outputs.append({"output_type": "stream", "name": "stderr", "text": stopped + "\n"})
    return outputs


def _passive(output: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return {"output_type": "stream", "name": name, "text": joined(output.get("text", ""))}
    if kind == "error":
        return {
            "output_type": "error",
            "ename": str(output.get("ename", "")),
            "evalue": str(output.get("evalue", "")),
            "traceback": [str(line) for line in output.get("traceback", [])],
        }
    if kind not in ("display_data", "execute_result"):
        return None
    data: dict[str, str] = {}
    for mime, content in dict(output.get("data", {})).items():
        text = joined(content)
        if mime == "text/latex":
            if _unsettable(text, _MATHS_CHARACTERS):
                data.setdefault("text/plain", text)
                continue
            text = _calm(text, _MATHS_CHARACTERS)
        if mime in _PASSIVE and (mime not in ("image/png", "image/jpeg") or _is_base64(text)):
            data[mime] = text
    described = {mime: {"alt": _FIGURE} for mime in ("image/png", "image/jpeg") if mime in data}
    return {"output_type": "display_data", "data": data, "metadata": described} if data else None


# The page


def _headings_in_order(page: str) -> str:
    """The page with the notebook's headings below its own one, none more than one level below that before it."""
    last = 0

    def level(match: re.Match[str]) -> str:
        nonlocal last
        if not match["end"]:
            last = min(int(match["level"]) + (last > 0), last + 1, 6)
        return f"<{match['end']}h{last}"

    return re.sub(r"<(?P<end>/?)h(?P<level>[1-6])(?=[ >])", level, page)


@lru_cache(maxsize=1)
def _code_styles() -> str:
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}"


@lru_cache(maxsize=4096)
def _mathml(tex: str, display: str) -> str | None:
    """A formula as MathML, or None where it is beyond the converter."""
    try:
        from latex2mathml.converter import convert
    except ImportError:
        return None
    if "\\" + _INERT in tex:
        return None
    tex = tex.replace(_INERT, "").replace("<", r"\lt ").replace(">", r"\gt ")  # the converter escapes neither
    tex = re.sub(r"\\(begin|end)\{(?:aligned|align|split)\}", r"\\\1{align*}", tex)
    try:
        formula = str(convert(tex, display=display))
    except Exception:  # the converter has no exception class of its own, and what it meets here is anybody's TeX
        return None
    if re.search(r"href|src\s*=|\son\w+\s*=|\bstyle\s*=|<(?!/?m|/?annotation|/?semantics)", formula):
        return None
    return formula


@lru_cache(maxsize=1)
def _exporter() -> Any:
    """Nbconvert's HTML exporter with our template, which renders what all submissions share only once."""
    from nbconvert.exporters import HTMLExporter
    from nbconvert.exporters.templateexporter import TemplateExporter
    from nbconvert.filters import Highlight2HTML
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
    from traitlets.config import Config

    class Renderer(IPythonRenderer):  # type: ignore[misc]
        def inline_math(self, body: str) -> str:
            return _mathml(body, "inline") or f"<code>{html.escape(body)}</code>"

        def table(self, text: str) -> str:
            # What is scrolled sideways on a phone can be reached by the keyboard.
            return f'<div class="table" role="group" aria-label="Table" tabindex="0"><table>\n{text}</table></div>\n'

        def image(self, text: str, url: str, title: str | None = None) -> str:
            # The page fetches nothing: a picture that is a file beside the notebook would be a broken one.
            inside = url.startswith(("data:", "attachment:"))
            return str(super().image(text, url, title)) if inside else f"[picture: {html.escape(text or url)}]"

        def block_math(self, body: str) -> str:
            formula = _mathml(body.strip(), "block")
            if formula is None:
                return f"<pre>{html.escape(body)}</pre>"
            return f'<span class="formula" role="group" aria-label="Formula" tabindex="0">{formula}</span>'

        def latex_environment(self, name: str, body: str) -> str:
            whole = body if name in ("equation", "equation*") else f"\\begin{{{name}}}{body}\\end{{{name}}}"
            return self.block_math(whole)

    class Exporter(HTMLExporter):  # type: ignore[misc]
        def from_notebook_node(self, nb: Any, resources: Any = None, **kw: Any) -> Any:
            # HTMLExporter parses the page once more to describe pictures and mark cells: ours has that in it already.
            return TemplateExporter.from_notebook_node(self, nb, self._init_resources(resources), **kw)

    highlight = lru_cache(maxsize=1024)(Highlight2HTML(pygments_lexer="ipython3"))

    @lru_cache(maxsize=1024)
    def prose(source: str, attachments: str) -> str:
        renderer = Renderer(escape=False, attachments=json.loads(attachments), exclude_anchor_links=True)
        return str(MarkdownWithMath(renderer=renderer).render(source))

    config = Config()
    config.HTMLExporter.template_name = "autograder"
    config.HTMLExporter.extra_template_basedirs = [str(Path(__file__).parent / "templates")]
    config.HTMLExporter.exclude_input_prompt = True
    config.HTMLExporter.exclude_output_prompt = True
    # None of these is on for our template, and the notebook would be copied and validated for each of them.
    config.HTMLExporter.default_preprocessors = []
    exporter = Exporter(config=config)
    exporter.register_filter(
        "markdown2html", lambda source, attachments=None: prose(source, json.dumps(attachments or {}))
    )
    exporter.register_filter("highlight_code", highlight)
    best = ("text/html", "image/png", "image/jpeg", "text/latex", "text/plain")
    exporter.register_filter("filter_data_type", lambda data: [mime for mime in best if mime in data][:1])
    return exporter
