"""What our own pages share: a page that fetches nothing, and figures in the reader's own text colour."""

from __future__ import annotations

import base64
import hashlib
import html
import io
from collections.abc import Callable
from typing import Any

_INK = "#123456"
"""Stands for the reader's own text colour in a figure."""


def document(title: str, body: str, style: str, script: str = "") -> str:
    """A page that needs no network: its Content-Security-Policy lets it run ``script`` and nothing else.

    Args:
        title: Plain text.
        body: HTML, the content of ``<main>``.
        style: CSS.
        script: JavaScript.
    """
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    runs = f"; script-src 'sha256-{allowed}'" if script else ""
    policy = f"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'{runs}"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{html.escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        + (f"<script>{script}</script>\n" if script else "")
        + "</body>\n</html>\n"
    )


def drawn(draw: Callable[[Any], None], width: float, height: float, *, salt: str) -> str:
    """A figure of Matplotlib's as SVG, its texts as text, in the reader's own text colour.

    Args:
        draw: Draws on the one axes that it is given.
        width: In inches.
        height: In inches.
        salt: What the names inside are made from, another one for each figure of a page.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: dict[str, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    settings |= dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK)
    with mpl.rc_context(settings):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure.add_subplot())
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    return svg[svg.index("<svg") :].replace(_INK, "currentColor").replace("<svg ", '<svg aria-hidden="true" ', 1)
