"""The executed notebook → our own page of it, which fetches and runs nothing.

nbgrader's own feedback page fetches MathJax from a content delivery network. This one has everything in it, to open
from a disk, mail or print.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.base import page
from autograder.feedback.rendering import Piece, plainly, rendered
from autograder.feedback.summary import SUMMARY_ID
from autograder.feedback.text import points_text

if TYPE_CHECKING:
    from markupsafe import Markup

_TEMPLATE = Path(__file__).parent / "templates/feedback.html.j2"
_HEADING = re.compile(r"<(?P<end>/?)h(?P<level>[1-6])(?=[ >])")


@dataclass(frozen=True)
class _Output:
    """An output: a ``result`` of ours, a ``picture`` (its address), ``text``, or what an error or stderr ``said``."""

    kind: str
    content: str | Markup
    label: str = ""
    """Of a picture: what it is, for those who do not see it."""


@dataclass(frozen=True)
class _Cell:
    """A cell as the page shows it; ``points`` and ``comment`` are empty where there are none."""

    content: Markup
    name: str
    answer: bool
    checks: bool
    summary: bool
    points: str
    comment: str
    outputs: tuple[_Output, ...] = ()


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
    """One page with everything in it: code, outputs, results and comments, light or dark as the reader has it.

    Its Content-Security-Policy lets it neither fetch nor run anything, and what the notebook has of Markdown and HTML
    is sanitised besides. What cannot be rendered within bounds stands there as it was written, with a sentence.

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

    Raises:
        AutograderError: What renders pages cannot be started.
    """
    from markupsafe import Markup

    made = rendered(_pieces(notebook["cells"]))
    shown = {piece: plainly(piece.text) if html is None else Markup(html) for piece, html in made.items()}
    at_least = "at least " if least else ""
    html = page(
        _TEMPLATE,
        title,
        score=None if score is None else at_least + points_text(max(0.0, score - late_penalty)),
        before="" if score is None else (at_least + points_text(score)).capitalize(),
        max_score=None if max_score is None else points_text(max_score),
        late_penalty=points_text(late_penalty) if late_penalty > 0 else "",
        notes=notes,
        pending=pending,
        cells=[_cell(cell, shown) for cell in notebook["cells"]],
        code_style=_code_style(),
    )
    return _headings_in_order(html)


def _pieces(cells: Sequence[Mapping[str, Any]]) -> list[Piece]:
    """What is to be rendered, results first."""
    results = [_result(output["data"]) for cell in cells for output in cell.get("outputs", ()) if _has_result(output)]
    return [*results, *map(_piece, in_turn(cells))]


def in_turn(cells: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The cells in the order in which they get the page's time: ours and the course's first, then the shortest."""
    return sorted(cells, key=lambda cell: 0 if _is_ours(cell) else 1 + len(cell["source"]))


def _is_ours(cell: Mapping[str, Any]) -> bool:
    return cell.get("id") == SUMMARY_ID or bool(cell["metadata"].get("nbgrader", {}).get("locked"))


def _piece(cell: Mapping[str, Any]) -> Piece:
    if cell["cell_type"] == "code":
        return Piece("code", cell["source"])
    if cell["cell_type"] == "raw":
        return Piece("html", cell["source"])
    attachments = cell.get("attachments")
    return Piece("prose", cell["source"], json.dumps(attachments) if attachments else "")


def _has_result(output: Mapping[str, Any]) -> bool:
    return "text/html" in output.get("data", {})


def _result(data: Mapping[str, Any]) -> Piece:
    return Piece("result", data["text/html"])


def _cell(cell: Mapping[str, Any], shown: Mapping[Piece, Markup]) -> _Cell:
    meta = cell["metadata"].get("nbgrader", {})
    code, answer, graded = cell["cell_type"] == "code", bool(meta.get("solution")), bool(meta.get("grade"))
    points = ""
    if answer and meta.get("score") is not None and (graded or not code):
        points = f"{round(float(meta['score']), 2)} of {round(float(meta['points']), 2)} points"
    return _Cell(
        content=shown[_piece(cell)],
        name=str(meta.get("grade_id") or ""),
        answer=answer,
        checks=code and graded and not answer,
        summary=cell.get("id") == SUMMARY_ID,
        points=points,
        comment=str(meta.get("comment") or "") if answer else "",
        outputs=tuple(_outputs(cell["outputs"], shown)) if code else (),
    )


def _outputs(outputs: Sequence[Mapping[str, Any]], shown: Mapping[Piece, Markup]) -> Iterator[_Output]:
    """What the page shows of a cell's outputs, of each the first of its types that it can show."""
    for output in outputs:
        if output["output_type"] == "stream":
            yield _Output("said" if output["name"] == "stderr" else "text", output["text"])
        elif output["output_type"] == "error":
            yield _Output("said", "\n".join(output["traceback"]))
        else:
            data, metadata = output["data"], output.get("metadata", {})
            if _has_result(output):
                yield _Output("result", shown[_result(data)])
                continue
            for mime in ("image/png", "image/jpeg"):
                if mime in data:
                    label = metadata.get(mime, {}).get("alt", "")
                    yield _Output("picture", f"data:{mime};base64,{data[mime]}", label)
                    break
            else:
                yield from (_Output("text", data[mime]) for mime in ("text/latex", "text/plain") if mime in data)


def _headings_in_order(made: str) -> str:
    """The page with the notebook's headings below its own one, none more than one level below that before it."""
    last = 0

    def level(match: re.Match[str]) -> str:
        nonlocal last
        if not match["end"]:
            last = min(int(match["level"]) + (last > 0), last + 1, 6)
        return f"<{match['end']}h{last}"

    return _HEADING.sub(level, made)


@lru_cache(maxsize=1)
def _code_style() -> Markup:
    from markupsafe import Markup
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return Markup(f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}")
