"""How much of what a student wrote and printed stands in the executed notebook, and so on every page made of it.

The bounds are far beyond what anybody writes or reads, and what is left out is said where it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

CUT_CODE = "# [cut here: the code is too long to be shown]"
CUT_OUTPUTS = "[cut here: there are too many outputs, or they are too long to be shown]\n"
CODE_CHARACTERS = 100_000
OUTPUTS = 200


@dataclass
class Room:
    """What there still is room for in a notebook: characters of code, characters of outputs, outputs."""

    code: int = 400_000
    text: int = 2**20
    outputs: int = 2_000


def kept_code(source: str, room: Room) -> str:
    """As much of a cell's code as there is room for; it is taken off, and a comment in the end says what was cut."""
    most = max(0, min(CODE_CHARACTERS, room.code))
    room.code -= min(len(source), most)
    return source if len(source) <= most else f"{source[:most]}\n{CUT_CODE}"


def kept_outputs(outputs: Iterable[dict[str, Any]], room: Room) -> list[dict[str, Any]]:
    """As many of a cell's outputs as there is room for, as ``inert.passive`` gives them; what is kept is taken off.

    Pictures are bounded as they come out of the sandbox, and count as an output alone.
    """
    kept: list[dict[str, Any]] = []
    for output in outputs:
        if len(kept) >= OUTPUTS or room.outputs <= 0 or room.text <= 0:
            return [*kept, _cut()]
        room.outputs -= 1
        texts = _texts(output)
        length = sum(map(len, texts)) + len(texts)
        if length > room.text:
            first = "".join(texts)[: room.text]
            room.text = 0
            return [*kept, {"output_type": "stream", "name": "stdout", "text": f"{first}\n"}, _cut()]
        room.text -= length
        kept.append(output)
    return kept


def _texts(output: dict[str, Any]) -> list[str]:
    if output["output_type"] == "error":
        return [output["ename"], output["evalue"], *(f"{line}\n" for line in output["traceback"])]
    if output["output_type"] == "stream":
        return [output["text"]]
    return [text for mime, text in output["data"].items() if mime.startswith("text/")]


def _cut() -> dict[str, Any]:
    return {"output_type": "stream", "name": "stderr", "text": CUT_OUTPUTS}
