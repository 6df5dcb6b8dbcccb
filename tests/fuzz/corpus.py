"""The inputs that earlier searches kept: one file a target, one input a line, in base64."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).with_name("corpus")
LONGEST = 1024


def kept(target: str) -> list[bytes]:
    """The inputs of a target."""
    path = FOLDER / f"{target}.txt"
    return [base64.b64decode(line) for line in path.read_text("ascii").split()] if path.exists() else []


def write(target: str, inputs: Iterable[bytes]) -> int:
    """Keep these inputs, but for long ones, and return how many there are."""
    lines = sorted({base64.b64encode(data).decode("ascii") for data in inputs if 0 < len(data) <= LONGEST})
    lines.sort(key=len)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{target}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    return len(lines)
