"""Markdown → HTML for our own page: as nbgrader's pages show it, formulas as MathML, and sanitised.

Whatever the renderer makes of a text goes through nh3 (ammonia), which parses it as a browser does and builds it anew
from what is listed here. Nothing listed runs, fetches, is sent anywhere or lies over the page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from autograder.feedback.inert import INERT

if TYPE_CHECKING:
    from markupsafe import Markup
    from nh3 import Cleaner


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TEXT = _words(
    "a abbr b blockquote br caption code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins "
    "kbd li mark ol p pre s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var"
)
_MATHML = _words(
    "math menclose mfrac mi mn mo mover mpadded mphantom mroot mrow mspace msqrt mstyle msub msubsup msup mtable mtd "
    "mtext mtr munder munderover"
)
"""What latex2mathml makes. No element that links, acts or holds HTML is among them (maction, semantics, mglyph)."""

_MATHML_ATTRIBUTES = _words(
    "accent columnalign columnlines columnspacing depth display displaystyle fence form height largeop linethickness "
    "lspace mathbackground mathcolor mathsize mathvariant maxsize minsize movablelimits notation rowlines rowspacing "
    "rspace scriptlevel separator stretchy voffset width"
)
_BOX = _words(
    "border border-left-width border-left-color border-radius padding padding-left margin margin-left list-style "
    "white-space"
)
"""The styles of ``result.html.j2``."""

_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*")
_LINK = re.compile(r"(?:https?|mailto):|#", re.IGNORECASE)
_SMUGGLED = re.compile(r"href|src\s*=|\son\w+\s*=|\bstyle\s*=|<(?!/?m)")
"""What stands in no formula of the converter's but where its TeX has brought markup along."""


def prose(source: str, attachments: Mapping[str, Any] | None = None) -> Markup:
    """A Markdown cell's text as HTML.

    Args:
        source: The text.
        attachments: The cell's attached pictures, by name and type.

    Returns:
        HTML in which nothing runs or is fetched; formulas are set as MathML (by latex2mathml), and where one is
        beyond it, its TeX stays.
    """
    from nbconvert.filters.markdown_mistune import MarkdownWithMath

    renderer = _renderer_class()(escape=False, attachments=attachments or {}, exclude_anchor_links=True)
    return sanitised(MarkdownWithMath(renderer=renderer).render(source))


def nbgraders_prose(source: str, attachments: Mapping[str, Any] | None = None) -> str:
    """A Markdown cell's text as HTML as nbconvert makes it for nbgrader's pages, with whatever it has of markup."""
    from nbconvert.filters.markdown_mistune import MarkdownWithMath

    renderer = _nbgraders_class()(escape=False, attachments=attachments or {})
    return str(MarkdownWithMath(renderer=renderer).render(source))


def sanitised(text: str) -> Markup:
    """HTML with nothing in it that runs, is fetched or lies over the page; tables and formulas scroll by themselves."""
    from markupsafe import Markup

    return Markup(_reachable(_cleaner().clean(text)))


def sanitised_result(text: str) -> Markup:
    """The box under a test cell, from ``result.html.j2``, with nothing else in it."""
    from markupsafe import Markup

    return Markup(_result_cleaner().clean(text))


def _reachable(page: str) -> str:
    """Tables and formulas in boxes that scroll: what is scrolled sideways on a phone can be reached by the keyboard."""
    page = page.replace("<table>", '<div class="wide" role="group" aria-label="Table" tabindex="0"><table>')
    page = page.replace("</table>", "</table></div>")
    return re.sub(
        r'<math display="block".*?</math>',
        r'<span class="formula" role="group" aria-label="Formula" tabindex="0">\g<0></span>',
        page,
        flags=re.DOTALL,
    )


@lru_cache(maxsize=1)
def _cleaner() -> Cleaner:
    from nh3 import Cleaner
    from pygments.token import STANDARD_TYPES  # type: ignore[import-untyped]

    cells = {"align", "colspan", "rowspan", "scope", "style"}
    attributes = {tag: {*_MATHML_ATTRIBUTES} for tag in _MATHML}
    attributes |= {"a": {"href", "title", "id"}, "img": {"src", "alt", "title"}, "td": cells, "th": cells}
    return Cleaner(
        tags={*_TEXT, *_MATHML},
        attributes=attributes | {"ol": {"start"}, "details": {"open"}},
        attribute_filter=_allowed,
        filter_style_properties={"text-align"},
        allowed_classes={"div": {"highlight"}, "span": {*STANDARD_TYPES.values()} - {""}},
        url_schemes={"http", "https", "mailto", "data"},
    )


@lru_cache(maxsize=1)
def _result_cleaner() -> Cleaner:
    from nh3 import Cleaner

    return Cleaner(
        tags={"br", "code", "div", "em", "li", "p", "span", "strong", "ul"},
        attributes={"div": {"style"}, "span": {"style"}, "ul": {"style"}},
        filter_style_properties={*_BOX},
        allowed_classes={"div": {"autograder-result"}},
    )


def _allowed(_tag: str, name: str, value: str) -> str | None:
    """An attribute's value where it may stay: pictures lie inside the page, and links lead to pages or within it."""
    if name == "src":
        return value if _PICTURE.fullmatch(value) else None
    return value if name != "href" or _LINK.match(value) else None


def _mathml(tex: str, display: str) -> str | None:
    """A formula as MathML, or None where it is beyond the converter."""
    from latex2mathml.converter import convert

    if "\\" + INERT in tex:
        return None
    tex = tex.replace(INERT, "").replace("<", r"\lt ").replace(">", r"\gt ")  # the converter escapes neither
    tex = re.sub(r"\\(begin|end)\{(?:aligned|align|split)\}", r"\\\1{align*}", tex)
    try:
        formula = str(convert(tex, display=display))
    except Exception:  # the converter has no exception class of its own, and what it meets here is anybody's TeX
        return None
    return None if _SMUGGLED.search(formula) else formula


@lru_cache(maxsize=1)
def _nbgraders_class() -> Any:
    """Nbconvert's renderer, which nbgrader's pages have, but that each attached picture is shown once."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer

    class Renderer(IPythonRenderer):  # type: ignore[misc]
        attachments: Mapping[str, Any]

        def image(self, text: str, url: str, title: str | None = None) -> str:
            scheme, _, name = url.partition(":")
            if scheme != "attachment":
                return str(super().image(text, url, title))
            if name not in self.attachments:
                return f"[picture: {html.escape(text or url)}]"
            made = str(super().image(text, url, title))
            # Each time, the whole picture would be in the page.
            self.attachments = {other: each for other, each in self.attachments.items() if other != name}
            return made

    return Renderer


@lru_cache(maxsize=1)
def _renderer_class() -> Any:
    """The same, but for what needs a network or a script."""

    class Renderer(_nbgraders_class()):  # type: ignore[misc]
        def inline_math(self, body: str) -> str:
            return _mathml(body, "inline") or f"<code>{html.escape(body)}</code>"

        def block_math(self, body: str) -> str:
            return _mathml(body.strip(), "block") or f"<pre>{html.escape(body)}</pre>"

        def latex_environment(self, name: str, body: str) -> str:
            whole = body if name in ("equation", "equation*") else f"\\begin{{{name}}}{body}\\end{{{name}}}"
            return self.block_math(whole)

        def block_mermaidjs(self, code: str) -> str:
            return f"<pre>{html.escape(code)}</pre>"

        def image(self, text: str, url: str, title: str | None = None) -> str:
            # The page fetches nothing: a picture that is a file beside the notebook would be a broken one.
            inside = url.startswith(("data:", "attachment:"))
            return str(super().image(text, url, title)) if inside else f"[picture: {html.escape(text or url)}]"

        def task_list_item(self, text: str, checked: bool = False) -> str:
            return f"<li>{'☑' if checked else '☐'} {text}</li>\n"

    return Renderer
