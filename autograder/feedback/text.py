"""Text that came from elsewhere, as it goes into HTML, into Markdown and into a comment: it reads as it was written."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from autograder.base import one_line, visible

if TYPE_CHECKING:
    from markupsafe import Markup


def points_text(points: float) -> str:
    """Points as people write them: ``7``, ``6.67``."""
    return f"{round(points, 2):g}"


def listed(names: tuple[str, ...]) -> str:
    """``names``, one at least, as people write them: ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def encodable(tree: Any) -> Any:
    """The tree with no text in it that reads other than it is, or that a file or a database cannot take."""
    if isinstance(tree, str):
        return visible(tree)
    if isinstance(tree, dict):
        return {key: encodable(value) for key, value in tree.items()}
    return [encodable(value) for value in tree] if isinstance(tree, list) else tree


def prose(text: str) -> Markup:
    """Text as HTML: everything escaped, code between backticks set as code, and nothing that MathJax takes for TeX."""
    from markupsafe import Markup

    pieces = re.split(r"`([^`\n]+)`", html.escape(text))
    pieces[0::2] = [re.sub(r"[$\\]", r"<span>\g<0></span>", piece) for piece in pieces[0::2]]
    pieces[1::2] = [f"<code>{piece}</code>" for piece in pieces[1::2]]
    return Markup("".join(pieces))


def literal(text: str) -> str:
    """Text as Markdown that renders as the text itself, code between backticks aside."""

    def piece(match: re.Match[str]) -> str:
        code = match.group(1)
        if code and "://" not in code:
            return f"`{code}`"
        return re.sub(r"[^\w\s.,;:()’“”'±×−–/%=+?]|_", character, match.group())

    def character(match: re.Match[str]) -> str:
        reference = f"&#{ord(match.group())};"
        # In an element of its own, MathJax takes it for no delimiter.
        return f"<span>{reference}</span>" if match.group() in "$\\" else reference

    literal = re.sub(r"`([\w .,()\[\]=+*/:;'\"!{}^@?~%-]+)`|[^`]+|`", piece, one_line(text))
    return literal.replace("://", ":&#47;&#47;")  # an address becomes no link


def plain_or_code(text: str) -> str:
    """Text for a comment: as it is where nothing outside its backticks is markup, else all between backticks."""
    line = one_line(text)
    if re.search(r"[<>`*\\\\$~]|\][(\[:]|\b_|_\b|^[#|=+-]", re.sub(r"`[^`]+`", "", line)):
        return f"`{line.replace('`', '’')}`"
    return line
