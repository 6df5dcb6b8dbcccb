"""What a student wrote or drew, made inert for pages that others render: nbgrader's, the formgrader's, JupyterLab's.

An instructor opens these in the browser that holds the keys to the course, so nothing that a student wrote may run
there: code and outputs are shown as text and pictures, and raw HTML, foreign links, foreign pictures and TeX that acts
in a student's own Markdown read the same and are markup no more.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from autograder.course import joined

INERT = "\u200b"  # a zero-width space: what follows reads the same and is markup no more
_PASSIVE = ("text/plain", "text/latex", "image/png", "image/jpeg")
_FIGURE = "A figure that the code above drew"
_HARMLESS_TAG = r"(?!/?(?:b|i|em|strong|sub|sup|br|hr|code|kbd)\s*/?>)"
_ATTACHED = r"attachment:(?P<name>[^()\s<>]+)\)"
_OWN_PICTURE = r"(?!\.)[\w-]+(?:/[\w-]+)*\.(?:png|jpe?g|gif|webp)\)"
MARKDOWN_CHARACTERS = 20_000
"""What is kept of a student's own prose, in one cell and in all: turning Markdown into a page is not linear in it."""
MATHS_CHARACTERS = 8_000
"""How long a text with formulas may be for these to be set; a browser that sets more of them stands still."""
MATHS = re.compile(r"\$|\\[(\[]|\\begin")
_ACTING_TEX = (
    "href url unicode style class cssId data require mmlToken includegraphics toggle mathtip texttip bbox html "
    "def gdef edef xdef let futurelet newcommand renewcommand providecommand newenvironment renewenvironment "
    "raise lower moveleft moveright rule Rule Space llap rlap mathllap mathrlap"
)
"""Macros that make links, load, carry styles, ids or events, change the formulas of others, or draw over them."""
_PLACES = r"^[ \t>*+\-.:)\d]*"  # where a block can begin, in quotes and lists too
_HEADING = re.compile(_PLACES + r"+#{1,6}[ \t]+", re.MULTILINE)
_UNDERLINED = re.compile(
    r"^(?=[^\n]*+\n[ \t>]*+(?:=++|-++)[ \t]*$)" + _PLACES.removeprefix("^") + r"(?=[^\s`~])", re.MULTILINE
)
_MERMAID = re.compile(r"((?:(?<!`)`{3,}+|(?<!~)~{3,}+)\s*+)(?=mermaid)", re.IGNORECASE)
"""Each of these looks at every line a bounded number of times, whatever stands in it."""


def disarm(cell: dict[str, Any], characters: int, maths: int) -> str:
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
    kept = whole[: min(characters, MARKDOWN_CHARACTERS)]
    source = re.sub(rf"<(?=[A-Za-z/!?]){_HARMLESS_TAG}", "<" + INERT, kept)

    def target(match: re.Match[str]) -> str:
        rest = source[match.end() :]
        attached = re.match(_ATTACHED, rest)
        if attached is not None and attached["name"] in attachments:
            return match.group()
        if re.match(r"#[\w-]*\)", rest) or (match["picture"] and re.match(_OWN_PICTURE, rest)):
            return match.group()
        if re.match(r"https?://", rest) and not match["picture"]:
            return match.group()
        return match.group().replace("](", f"]{INERT}(")

    # A picture's own brackets hold no bracket, so that no link hides a picture's mark from this.
    source = re.sub(r"!\[(?![^\[\]]*\]\()", "!" + INERT + "[", source)
    source = re.sub(r"(?P<picture>!\[[^\[\]]*)?\]\(", target, source)
    source = re.sub(r"\]:(?!\s+https?://)", f"]{INERT}:", source)
    source = _MERMAID.sub(rf"\1{INERT}", source)
    # A heading's text becomes its id in nbgrader's pages, where the fields for scores are found by their ids.
    source = _HEADING.sub(rf"\g<0>{INERT}", source)
    source = _UNDERLINED.sub(rf"\g<0>{INERT}", source)
    source = calm(source, maths)
    cell["source"] = source if kept == whole else f"{source}\n\n[cut here: the text is too long to be shown]"
    return kept


def calm(text: str, most: int) -> str:
    """Text whose TeX can be handed to MathJax: no macro that acts, and no formula where it is too much of it."""
    # A character reference is one to Markdown and the character itself to MathJax.
    text = re.sub(r"&(?=(?:#0*36|#x0*24|dollar|#0*92|#x0*5c|bsol);)", "&" + INERT, text, flags=re.IGNORECASE)
    text = re.sub(rf"\\(?=(?:{_ACTING_TEX.replace(' ', '|')})(?![a-z]))", "\\\\" + INERT, text)
    if MATHS.search(text) and unsettable(text, most):
        # In an element of its own, MathJax takes a dollar sign for no delimiter.
        text = re.sub(r"\\(?=[(\[]|begin)", "\\\\" + INERT, text.replace("$", "<span>&#36;</span>"))
    return text


def unsettable(tex: str, most: int) -> bool:
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


def passive(output: Mapping[str, Any]) -> dict[str, Any] | None:
    """What of an output is text or a picture, as an output of its own; None where nothing is."""
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
            if unsettable(text, MATHS_CHARACTERS):
                data.setdefault("text/plain", text)
                continue
            text = calm(text, MATHS_CHARACTERS)
        if mime in _PASSIVE and (mime not in ("image/png", "image/jpeg") or _is_base64(text)):
            data[mime] = text
    described = {mime: {"alt": _FIGURE} for mime in ("image/png", "image/jpeg") if mime in data}
    return {"output_type": "display_data", "data": data, "metadata": described} if data else None
