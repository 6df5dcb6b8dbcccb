"""Turns what came out of the sandbox into notebook outputs that are safe to keep: bounded, passive, plain text."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autograder.base import MAX_PIXELS, MAX_PIXELS_IN_ALL, pixels_of, plain, without_host_paths

TEXT_TYPES = ("text/plain", "text/latex", "text/markdown")
IMAGE_TYPES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
MAX_ITEMS = 200
MAX_IMAGES = 16
IMAGE_BYTES = 2**20


@dataclass
class Allowance:
    """What may still be kept of a submission's outputs: characters of text and of encoded pictures, and pixels."""

    text: int = 2**21
    images: int = 12 * 2**20
    pixels: int = MAX_PIXELS_IN_ALL


def passive(outputs: Any, output_kb: int, left: Allowance) -> tuple[dict[str, Any], ...]:
    """The part of one cell's ``outputs`` that may be kept.

    The process that sent them may have written anything: each output is built anew from the fields that nbformat 4
    knows, text beyond ``output_kb`` is cut, and only text and pictures stay (no HTML, SVG or JavaScript). Texts have
    no escape codes, no other control characters and no paths of this machine.

    Args:
        outputs: What came over the wall.
        output_kb: What one cell may print, in KiB.
        left: What the whole submission may still have; what is kept is taken off.

    Returns:
        Notebook outputs.
    """
    if not isinstance(outputs, list | tuple):
        return ()
    allowance = _CellAllowance(min(output_kb * 1024 + 4096, left.text), left)
    built = (_output(output, allowance) for output in list(outputs)[:MAX_ITEMS])
    return tuple(output for output in built if output is not None)


def passive_outputs(handed_in: Mapping[int, Sequence[Any]], output_kb: int) -> dict[int, tuple[dict[str, Any], ...]]:
    """Outputs that came with a notebook, of which plain text and PNG pictures are kept, by the places of their cells.

    Args:
        handed_in: The outputs as they stand in the file: anything.
        output_kb: What one cell may print, in KiB.
    """
    left = Allowance()
    kept = {}
    for place, outputs in handed_in.items():
        plain_ones = [_only_plain(output) for output in outputs[:MAX_ITEMS] if isinstance(output, dict)]
        kept[place] = passive(plain_ones, output_kb, left)
    return kept


def _only_plain(output: dict[str, Any]) -> dict[str, Any]:
    """An output as it is in memory, where texts are no lists of lines, with nothing but plain text and PNG pictures."""
    data = output.get("data")
    bundle = data if isinstance(data, dict) else {}
    return {
        "output_type": output.get("output_type") if output.get("output_type") != "error" else None,
        "name": output.get("name"),
        "text": _joined(output.get("text")),
        "data": {mime: _joined(bundle[mime]) for mime in ("text/plain", "image/png") if mime in bundle},
    }


def _joined(text: Any) -> Any:
    return "".join(line for line in text if isinstance(line, str)) if isinstance(text, list) else text


class _CellAllowance:
    """What one cell may still have."""

    def __init__(self, text: int, left: Allowance) -> None:
        self.text = text
        self.left = left
        self.pictures = MAX_IMAGES

    def cut(self, value: Any) -> str:
        """As much of a text as may still be kept, made safe; nothing of what is no text."""
        room = max(self.text, 0)
        kept = without_host_paths(plain(value[:room]))[:room] if isinstance(value, str) else ""
        self.text -= len(kept)
        self.left.text -= len(kept)
        return kept

    def has_room_for(self, image: str) -> bool:
        """Whether a picture may still be kept; if so, it is counted."""
        if self.pictures <= 0 or len(image) > min(2 * IMAGE_BYTES, self.left.images):
            return False
        self.pictures -= 1
        self.left.images -= len(image)
        return True

    def has_pixels_for(self, picture: bytes) -> bool:
        """Whether a picture may still be decoded by whoever looks at it; if so, its pixels are counted."""
        pixels = pixels_of(picture)
        if pixels > min(MAX_PIXELS, self.left.pixels):
            return False
        self.left.pixels -= pixels
        return True


def _output(output: Any, allowance: _CellAllowance) -> dict[str, Any] | None:
    """One output, built anew from the fields that nbformat knows; None where nothing of it may be kept."""
    if not isinstance(output, dict):
        return None
    match output.get("output_type"):
        # With ``str(…)`` around: an array that is compared with a text has no truth value.
        case str("stream"):
            named = output.get("name")
            name = "stderr" if isinstance(named, str) and named == "stderr" else "stdout"
            text = allowance.cut(output.get("text"))
            return {"output_type": "stream", "name": name, "text": text} if text else None
        case str("error"):
            lines = output.get("traceback")
            return {
                "output_type": "error",
                "ename": allowance.cut(output.get("ename")),
                "evalue": allowance.cut(output.get("evalue")),
                "traceback": [allowance.cut(line) for line in lines[:500]] if isinstance(lines, list) else [],
            }
        case str("display_data" | "execute_result") as kind:
            data = _bundle(output.get("data"), allowance)
            if not data:
                return None
            built: dict[str, Any] = {"output_type": kind, "data": data, "metadata": {}}
            if kind == "execute_result":
                count = output.get("execution_count")
                built["execution_count"] = count if type(count) is int and 0 <= count < 10**6 else None
            return built
    return None


def _bundle(data: Any, allowance: _CellAllowance) -> dict[str, str]:
    """The texts and pictures of a display or a result that may be kept, by their types."""
    if not isinstance(data, dict):
        return {}
    kept = {mime: text for mime in TEXT_TYPES if (text := allowance.cut(data.get(mime)))}
    for mime, magic in IMAGE_TYPES.items():
        image = data.get(mime)
        if isinstance(image, str) and allowance.has_room_for(image) and (picture := _decoded(image)).startswith(magic):
            if allowance.has_pixels_for(picture):
                kept[mime] = image
            else:
                kept["text/plain"] = "[a picture was left out: too many pixels]"
    return kept


def _decoded(image: str) -> bytes:
    """The bytes of an encoded picture; none where it cannot be decoded."""
    try:
        return base64.b64decode("".join(image.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
