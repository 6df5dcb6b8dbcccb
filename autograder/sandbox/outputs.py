"""Outputs that came over the wall → notebook outputs that are safe to keep: bounded, of passive types, well-formed."""

from __future__ import annotations

import base64
import binascii
from typing import Any

TEXT_TYPES = ("text/plain", "text/latex", "text/markdown")
IMAGE_TYPES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
MAX_ITEMS = 200
MAX_IMAGES = 16
IMAGE_BYTES = 2**20


def passive(outputs: Any, output_kb: int) -> tuple[dict[str, Any], ...]:
    """What of ``outputs`` may be kept.

    The process that sent them may have written anything: each output is built anew from the fields that nbformat 4
    knows, text beyond ``output_kb`` is cut, and only text and pictures stay (no HTML, SVG or JavaScript).

    Returns:
        Notebook outputs.
    """
    if not isinstance(outputs, list | tuple):
        return ()
    budget = _Budget(output_kb * 1024 + 4096)
    built = (_output(output, budget) for output in list(outputs)[:MAX_ITEMS])
    return tuple(output for output in built if output is not None)


class _Budget:
    def __init__(self, text: int) -> None:
        self.text = text
        self.images = MAX_IMAGES

    def cut(self, value: Any) -> str:
        kept = value[: max(self.text, 0)] if isinstance(value, str) else ""
        self.text -= len(kept)
        return kept


def _output(output: Any, budget: _Budget) -> dict[str, Any] | None:
    if not isinstance(output, dict):
        return None
    match output.get("output_type"):
        case "stream":
            name = "stderr" if output.get("name") == "stderr" else "stdout"
            text = budget.cut(output.get("text"))
            return {"output_type": "stream", "name": name, "text": text} if text else None
        case "error":
            lines = output.get("traceback")
            return {
                "output_type": "error",
                "ename": budget.cut(output.get("ename")),
                "evalue": budget.cut(output.get("evalue")),
                "traceback": [budget.cut(line) for line in lines[:500]] if isinstance(lines, list) else [],
            }
        case "display_data" | "execute_result" as kind:
            data = _bundle(output.get("data"), budget)
            if not data:
                return None
            built: dict[str, Any] = {"output_type": kind, "data": data, "metadata": {}}
            if kind == "execute_result":
                count = output.get("execution_count")
                built["execution_count"] = count if type(count) is int and 0 <= count < 10**6 else None
            return built
    return None


def _bundle(data: Any, budget: _Budget) -> dict[str, str]:
    if not isinstance(data, dict):
        return {}
    kept = {mime: text for mime in TEXT_TYPES if (text := budget.cut(data.get(mime)))}
    for mime, magic in IMAGE_TYPES.items():
        image = data.get(mime)
        if isinstance(image, str) and budget.images > 0 and len(image) <= 2 * IMAGE_BYTES and _is_image(image, magic):
            budget.images -= 1
            kept[mime] = image
    return kept


def _is_image(image: str, magic: bytes) -> bool:
    try:
        return base64.b64decode("".join(image.split()), validate=True).startswith(magic)
    except (binascii.Error, ValueError):
        return False
