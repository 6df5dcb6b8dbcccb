"""What our own pages share: one template, one style sheet, and figures in the reader's own text colour.

A page needs no network. Its Content-Security-Policy lets it run the one script that it is given, if any, fetch nothing,
and show no picture but those that lie inside.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.base.text import one_line

if TYPE_CHECKING:
    from jinja2 import Environment, Template
    from markupsafe import Markup

_HERE = Path(__file__).parent / "templates"
_INK = "#123456"
"""Stands for the reader's own text colour in a figure."""


def page(path: Path, title: str, *, script: str = "", **values: Any) -> str:
    """A page of our own.

    Args:
        path: The page's template, which extends ``page.html.j2``.
        title: The page's title and heading.
        script: JavaScript, the only one that the page lets run.
        values: What else the template asks for. Text is escaped, ``Markup`` is not.

    Returns:
        The HTML.

    Raises:
        jinja2.UndefinedError: The template asks for a value that is not given.
    """
    from markupsafe import Markup

    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return template(path).render(title=title, script=Markup(script), digest=digest, **values)


def template(path: Path) -> Template:
    """A template that escapes every text it is given, and can extend and import those of ``base/templates``."""
    return _environment(path.parent).get_template(path.name)


def coded(text: str) -> Markup:
    """Text as HTML: on one line, everything escaped, and what stands in backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(one_line(text)))))


@lru_cache
def _environment(folder: Path) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=FileSystemLoader([folder, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["style"] = Markup((_HERE / "page.css").read_text(encoding="utf-8"))
    made.filters |= {"coded": coded, "one_line": one_line}
    return made


def drawn(draw: Callable[[Any], None], width: float, height: float, *, salt: str) -> Markup:
    """A figure of Matplotlib's as SVG, its texts as text, in the reader's own text colour.

    Args:
        draw: Draws on the one axes that it is given.
        width: In inches.
        height: In inches.
        salt: What the names inside are made from, another one for each figure of a page.
    """
    import matplotlib as mpl
    from markupsafe import Markup
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
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor").replace("<svg ", '<svg aria-hidden="true" ', 1)
    return Markup(svg)
