"""A class of made-up students, who hand in what real ones do: the mistakes that people make, and half a file.

What they hand in is the released notebook with solutions filled in. The same number of students gives the same bytes.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autograder.authoring.mistakes import Mistake
from autograder.base import make_closed_folder
from autograder.course import Assignment, master_cells

_NAMES = (
    "ngozi", "ada", "tomas", "mei", "farid", "lucia", "kofi", "ingrid", "bao", "samira", "pavel", "aroha",
    "diego", "yuki", "leila", "anton", "chidi", "greta", "hugo", "priya", "omar", "saoirse", "jun", "elif",
    "mateo", "zofia", "kwame", "noor", "lars", "amara", "ravi", "chloe", "idris", "hana", "bruno", "tala",
    "soren", "nadia", "efe", "vera", "malik", "rosa", "wen", "oskar", "dalia", "tariq", "jana", "emeka",
    "lina", "haruto", "sofia", "karim", "nia", "milan", "asha", "ruben", "freya", "duc", "paloma", "joris",
)  # fmt: skip

_NOISE = """import sys
import warnings

warnings.warn("my warning, just to see it", stacklevel=1)
print("about to plot a lot", file=sys.stderr)
for power in range(6):
    plt.figure(figsize=(4, 2))
    plt.plot(np.linspace(0, 1, 50) ** power)
    plt.title(f"x to the power of {power}")
    plt.show()
np.log(np.zeros(3))
"""

_QUIT = """# everything works up to here, the rest is for tomorrow
import os

os._exit(0)
"""


@dataclass(frozen=True)
class HandedIn:
    """What a class handed in.

    Attributes:
        example_feedback: The feedback page, once written, of a student with a mistake; relative to the course's folder.
        example_submission: That student's notebook, relative to the course's folder.
    """

    example_feedback: Path
    example_submission: Path


@dataclass(frozen=True)
class _Work:
    """What a student hands in: the notebook's text, how long before the due date, and the file's name."""

    text: str
    early: timedelta | None = None
    file: str = ""


def hand_in(
    folder: Path, assignment: Assignment, mistakes: Sequence[Mistake], answers: Sequence[str], students: int
) -> HandedIn:
    """Write the submissions of a class: those with something special about them first, then mistakes in turn.

    Args:
        folder: The course's folder.
        assignment: What they hand in; it has a row or more.
        mistakes: Those that they make; those that hang are made by one student.
        answers: What they answer where a cell is graded by hand, in turn.
        students: How many hand in. From six on there are among them one who is perfect, one who did nothing, one whose
            notebook hangs, one whose file is broken, one who is late, and one or more with a mistake.

    Raises:
        OSError: It could not be written.
    """
    due = (assignment.due or datetime(2026, 11, 29, 23, 59, tzinfo=UTC)).astimezone(UTC)
    notebook = f"{assignment.notebook}.ipynb"
    names = [_name(number) for number in range(students)]
    for number, (name, work) in enumerate(zip(names, _works(assignment, mistakes, answers), strict=False)):
        where = folder / "submitted" / name / assignment.name
        make_closed_folder(where)
        (where / (work.file or notebook)).write_text(work.text, encoding="utf-8", newline="\n")
        early = work.early or timedelta(seconds=420 + number * 7919 * 61 % (9 * 24 * 3600))
        (where / "timestamp.txt").write_text(f"{due - early:%Y-%m-%d %H:%M:%S.%f} UTC", encoding="utf-8")
    example = Path(names[5] if students > 5 else names[0]) / assignment.name
    return HandedIn("feedback" / example / f"{assignment.notebook}.html", "submitted" / example / notebook)


def _name(number: int) -> str:
    turn, at = divmod(number, len(_NAMES))
    return f"{_NAMES[at]}{turn + 1}" if turn else _NAMES[at]


def _works(assignment: Assignment, stock: Sequence[Mistake], texts: Sequence[str]) -> Iterator[_Work]:
    """What the students hand in, one after the other, without end."""
    paper = _Paper(assignment)
    mistakes = _in_turn([mistake for mistake in stock if not mistake.hangs])
    answers = itertools.cycle(texts or [""])
    most = len({mistake.row for mistake in stock if not mistake.hangs})
    rows = assignment.rows
    early, middle, late = rows[min(1, len(rows) - 1)], rows[len(rows) // 2], rows[-len(rows) // 4]

    def with_mistakes(count: int) -> _Work:
        return _Work(paper.text(paper.filled(_some(mistakes, min(count, most)), next(answers)).values()))

    perfect = paper.filled((), next(answers))
    yield _Work(paper.text(perfect.values()))
    yield _Work(paper.text(paper.released.values()))
    yield _Work(paper.text(paper.filled([each for each in stock if each.hangs][:1], next(answers)).values()))
    broken = paper.text(perfect.values())
    yield _Work(broken[: len(broken) // 2])
    yield _Work(paper.text(paper.filled((), next(answers)).values()), early=-timedelta(days=1, hours=2))
    yield with_mistakes(1)
    yield with_mistakes(2)
    without = paper.filled(_some(mistakes, min(1, most)), next(answers))
    for row in {early.name: early, middle.name: middle}.values():
        del without[row.test_id]
    yield _Work(paper.text(without.values()))
    yield _Work(with_mistakes(1).text, file=f"{assignment.notebook} (1) final.ipynb")
    yield with_mistakes(3)
    yield _Work(paper.text(_followed(perfect, early.name, perfect[early.name])))
    unclosed = "".join(paper.right[middle.name].rsplit(")", 1))
    yield _Work(paper.text((perfect | {middle.name: paper.cell(middle.name, unclosed)}).values()))
    yield _Work(paper.text(_followed(perfect, late.test_id, paper.own("my-plots", _NOISE))))
    yield _Work(paper.text(_followed(perfect, late.test_id, paper.own("stop-here", _QUIT))))
    yield with_mistakes(4)
    for count in itertools.cycle((1, 2, 1, 3, 1, 2, 4)):
        yield with_mistakes(count)


def _in_turn(mistakes: list[Mistake]) -> Iterator[Mistake]:
    """The mistakes over and over, those of a row as far from each other as can be."""
    by_row: dict[str, list[Mistake]] = {}
    for mistake in mistakes:
        by_row.setdefault(mistake.row, []).append(mistake)
    rounds = itertools.zip_longest(*by_row.values())
    return itertools.cycle([mistake for each in rounds for mistake in each if mistake is not None])


def _some(mistakes: Iterator[Mistake], count: int) -> list[Mistake]:
    """The next mistakes in so many different rows."""
    chosen: dict[str, Mistake] = {}
    while len(chosen) < count:
        mistake = next(mistakes)
        chosen.setdefault(mistake.row, mistake)
    return list(chosen.values())


def _followed(cells: dict[str, str], name: str, another: str) -> Iterator[str]:
    """The cells' texts, with another behind the cell of that name."""
    for key, text in cells.items():
        yield text
        if key == name:
            yield another


# --- their notebooks ---


class _Paper:
    """The assignment's notebook as students fill it in, each cell as the text that it has in the file.

    Turning cells into JSON is what takes time, so each is turned once and the files are put together from texts.

    Attributes:
        released: The released cells by name, in order.
        right: The sources of right solution cells, by row.
    """

    def __init__(self, assignment: Assignment) -> None:
        solved = {cell.grade_id: cell.source for cell in master_cells(assignment.master)}
        # Whole, not as its reader gives it: what students hand in is this file with other cells in it.
        given = assignment.release if assignment.release.is_file() else assignment.master
        release = json.loads(given.read_text(encoding="utf-8"))
        self._trees = dict(_named(release))
        self._answers = [key for key in assignment.manual if key in self._trees]
        self.released = {key: self.cell(key, _cleared(_source(tree))) for key, tree in self._trees.items()}
        if given == assignment.master:
            self.released |= {key: self.cell(key, "YOUR ANSWER HERE") for key in self._answers}
        self.right = {row.name: _without_marks(solved[row.solution]) for row in assignment.rows}
        self._solved = self.released | {key: self.cell(key, source) for key, source in self.right.items()}
        self._filled: dict[tuple[str, str], str] = {}
        rest = {key: value for key, value in release.items() if key != "cells"}
        self._end = "\n ],\n" + json.dumps(rest, indent=1, ensure_ascii=False).removeprefix("{\n") + "\n"

    def filled(self, mistakes: Iterable[Mistake], answer: str) -> dict[str, str]:
        """The cells of a student with these mistakes, who answers what is graded by hand so."""
        cells = dict(self._solved)
        for mistake in mistakes:
            key = (mistake.row, mistake.name)
            if key not in self._filled:
                self._filled[key] = self.cell(mistake.row, mistake.made_in(self.right[mistake.row]))
            cells[mistake.row] = self._filled[key]
        for name in self._answers if answer else ():
            if (name, answer) not in self._filled:
                self._filled[name, answer] = self.cell(name, answer)
            cells[name] = self._filled[name, answer]
        return cells

    def cell(self, name: str, source: str) -> str:
        """The text of the released cell of that name with another source."""
        return _text(self._trees[name] | {"source": source})

    def own(self, name: str, source: str) -> str:
        """The text of a code cell of the student's own."""
        return _text(
            {"cell_type": "code", "execution_count": None, "id": name, "metadata": {}, "outputs": [], "source": source}
        )

    def text(self, cells: Iterable[str]) -> str:
        """The notebook's text."""
        return '{\n "cells": [\n' + ",\n".join(cells) + self._end


def _named(notebook: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The cells, each with its ``grade_id``, or its place where it has none."""
    for at, cell in enumerate(notebook["cells"]):
        yield cell["metadata"].get("nbgrader", {}).get("grade_id") or f"cell {at}", cell


def _source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def _text(cell: dict[str, Any]) -> str:
    tree = cell | {"source": _source(cell).splitlines(keepends=True)}
    text = json.dumps(tree, indent=1, ensure_ascii=False)
    return "  " + text.replace("\n", "\n  ")


def _cleared(source: str) -> str:
    """The source without its solutions and hidden tests, as nbgrader releases it."""
    stub = r"\1# YOUR CODE HERE\n\1raise NotImplementedError()"
    source = re.sub(r"(?ms)\n?^ *### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[^\n]*", "", source)
    return re.sub(r"(?ms)^( *)### BEGIN SOLUTION.*?### END SOLUTION[^\n]*", stub, source)


def _without_marks(source: str) -> str:
    return re.sub(r"(?m)^ *### (BEGIN|END) SOLUTION.*\n?", "", source).rstrip()
