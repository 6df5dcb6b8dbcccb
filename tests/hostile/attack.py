"""What a hostile notebook is made of, and how its submission folder is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.courses import Notebook, cell, submit, untouched

RIGHT_SCALE = "def scale(x, factor): return x * factor"
RIGHT_CENTRE = "def centre(x): return x - x.mean()"


@dataclass(frozen=True)
class Attack:
    """One hostile submission for the course of ``tests/courses.py``: the rows ``scale`` (4 points) and ``centre`` (6).

    In its sources, ``COURSE_ROOT`` stands for the course's folder.

    Attributes:
        name: What it is called in the test's id.
        seeks: The effect that it seeks, which must not happen.
        first: A cell in front of all others.
        scale: The solution cell of the first row; the released stub where empty.
        centre: That of the second row.
        last: A cell behind all others.
        earned: The points that its honest part is worth; None for what is refused and has no grade.
        harms_itself: Whether it may end with less than it earned, by chance.
        change: What is done to the notebook in the end.
        files: What lies beside the notebook: texts, or functions that make the path that they are given.
    """

    name: str
    seeks: str
    first: str = ""
    scale: str = ""
    centre: str = ""
    last: str = ""
    earned: float | None = 0.0
    harms_itself: bool = False
    change: Callable[[Notebook], Any] = lambda tree: tree
    files: Mapping[str, str | Callable[[Path], object]] = field(default_factory=dict)


def notebook_of(attack: Attack, root: Path) -> Any:
    """The released notebook with the attack's cells in it."""

    def at_home(source: str) -> str:
        return source.replace("COURSE_ROOT", str(root))

    tree = untouched()
    for each in tree["cells"]:
        each["source"] = at_home({"scale": attack.scale, "centre": attack.centre}.get(each["id"]) or each["source"])
    first = [cell(at_home(attack.first))] if attack.first else []
    last = [cell(at_home(attack.last))] if attack.last else []
    return attack.change({**tree, "cells": [*first, *tree["cells"], *last]})


def hand_in(attack: Attack, root: Path, student: str) -> None:
    """Write the attack's submission folder."""
    folder = submit(root, student, notebook_of(attack, root)).parent
    for name, content in attack.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if callable(content):
            content(path)
        else:
            path.write_text(content.replace("COURSE_ROOT", str(root)), encoding="utf-8")
