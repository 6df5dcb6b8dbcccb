"""Code and Markdown on nbgrader's own pages, the formgrader's and the feedback's, rendered within our bounds.

nbgrader renders by nbconvert, in its own process, where nothing could end what takes for ever: in the formgrader that
is the Jupyter server. These stand in the place of nbconvert's filters, by configuration, and make the same HTML.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jinja2 import pass_context

from autograder.feedback import Piece, in_turn, plainly, rendered

_MADE = "autograder_rendered"
"""Among what nbconvert hands from one stage of a page to the next: the page's texts, once they are rendered."""


@pass_context
def highlight_code(context: Any, source: str, language: str | None = None, metadata: Any = None) -> str:  # noqa: ARG001
    """Code in colours: nbconvert's filter of this name, for Python."""
    return _shown(context, Piece("code", source))


@pass_context
def markdown2html(context: Any, source: str) -> str:
    """Markdown as HTML: nbconvert's filter of this name."""
    return _shown(context, _prose(source, context.get("cell") or {}))


def _shown(context: Any, piece: Piece) -> str:
    resources = context["resources"]
    if _MADE not in resources:
        cells = in_turn(context["nb"].cells)
        resources[_MADE] = rendered(
            Piece("code", cell["source"]) if cell["cell_type"] == "code" else _prose(cell["source"], cell)
            for cell in cells
        )
    made: dict[Piece, str | None] = resources[_MADE]
    if piece not in made:
        made |= rendered([piece])
    html = made[piece]
    return str(plainly(piece.text)) if html is None else html


def _prose(source: str, cell: Mapping[str, Any]) -> Piece:
    attachments = cell.get("attachments")
    return Piece("nbgrader", source, json.dumps(attachments) if attachments else "")
