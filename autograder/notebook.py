"""Notebook files: the text of a cell out of one, and a notebook as the text of its file."""

from __future__ import annotations

import json
from typing import Any


def joined(text: Any) -> str:
    """A text, which the format has as it is or as a list of its lines."""
    return "".join(text) if isinstance(text, list) else str(text)


def notebook_text(notebook: dict[str, Any]) -> str:
    """A notebook as the text of its file, to the byte as nbformat writes it, which takes a second to import."""
    cells = []
    for cell in notebook["cells"]:
        outputs = [
            output | {key: _split(output[key]) for key in ("text", "data") if key in output}
            for output in cell.get("outputs", [])
        ]
        cells.append(cell | {"source": _split(cell["source"])} | ({"outputs": outputs} if "outputs" in cell else {}))
    tree = notebook | {"cells": cells}
    return json.dumps(tree, ensure_ascii=False, indent=1, sort_keys=True, separators=(",", ": ")) + "\n"


def _split(text: Any) -> Any:
    """Text as a list of its lines, and so each text of a MIME bundle; pictures as they are."""
    if isinstance(text, dict):
        lines = ("text/", "image/svg+xml", "application/javascript")
        return {mime: _split(value) if mime.startswith(lines) else value for mime, value in text.items()}
    return text.splitlines(True) if isinstance(text, str) else text
