"""A course to look at: a copy of a real one, with a class of made-up students and what they submitted.

The submissions are the released notebook with solutions filled in, each with the mistakes that students make. The same
number of students gives the same bytes.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autograder.authoring.audit import record
from autograder.authoring.mistakes import Mistake, stock_mistakes
from autograder.base import AutograderError, ConfigError, make_closed_folder
from autograder.course import CONFIG_NAME, Assignment, Course, load_course, master_cells
from autograder.grading import AUTHORS_OWN

ASSIGNMENT = "week2"
MARK = ".autograder-demo"
_OUTPUTS = ("submitted", "autograded", "feedback", ".gradebook-backups", "gradebook.db*")

_NAMES = (
    "ngozi", "ada", "tomas", "mei", "farid", "lucia", "kofi", "ingrid", "bao", "samira", "pavel", "aroha",
    "diego", "yuki", "leila", "anton", "chidi", "greta", "hugo", "priya", "omar", "saoirse", "jun", "elif",
    "mateo", "zofia", "kwame", "noor", "lars", "amara", "ravi", "chloe", "idris", "hana", "bruno", "tala",
    "soren", "nadia", "efe", "vera", "malik", "rosa", "wen", "oskar", "dalia", "tariq", "jana", "emeka",
    "lina", "haruto", "sofia", "karim", "nia", "milan", "asha", "ruben", "freya", "duc", "paloma", "joris",
)  # fmt: skip

_ANSWERS = (
    """**Momentum** keeps a decaying sum of gradients. In a long valley the components across it change sign and cancel,
those along it add up, so we go faster without zigzag. **RMSProp** divides each component by its recent root mean
square, so steep and flat directions make similar progress. **Adam** combines the two; since both means start at zero it
divides by 1 − βᵗ, or else the first steps have the wrong size. A **schedule** starts with large steps to get near the
minimum and ends with small ones so that the noise of the mini-batches averages out. **Softmax** with two classes is
the sigmoid of the difference of the logits: softmax for classes that exclude each other, sigmoids for several labels
at once.""",
    "Momentum is like a ball that rolls down a hill, it gets faster and does not stop in small bumps. RMSProp has one "
    "learning rate for each parameter. Adam is both. You lower the learning rate at the end so it stops jumping. "
    "Softmax is the sigmoid for more than two classes.",
    "1. It averages the gradients, so the oscillation across the valley cancels.\n2. It rescales by the size of recent "
    "gradients.\n3. Momentum + RMSProp. The correction is needed because m and v start at 0.\n4. Large steps first, "
    "small steps later.\n5. softmax([0, z]) = sigmoid(z).",
    "",
    "In my figures momentum went along the valley in about a third of the steps, although it overshot the end. RMSProp "
    "went nearly straight. Adam was the best of the four on the spirals. With a constant rate of 0.1 the loss kept "
    "jittering, with the cosine it became smooth. Softmax probabilities share a sum of 1 and sigmoids do not.",
    "Adam is the best because it adapts. I always use it. The schedule makes it converge.",
    "Momentum helps since gradients that agree accumulate to 1/(1−β) times one gradient. RMSProp equalises the "
    "directions. Adam does both and corrects the start, where v is about a thousand times too small. I ran out of time "
    "for the rest, sorry.",
)

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
class Made:
    """A demo that was made.

    Attributes:
        example_feedback: The feedback page, once written, of a student with a mistake; relative to the course's folder.
        example_submission: That student's notebook, relative to the course's folder.
    """

    example_feedback: Path
    example_submission: Path


def make_course(template: Course, folder: Path, students: int) -> Made:
    """Make a course in ``folder`` like ``template``, with a class that has submitted its Week 2.

    Its gradebook is an SQLite file of its own, whatever the template's is.

    Args:
        template: The course to copy: configuration, masters, release, checks and reference.
        folder: Where to make it. An earlier demo there is replaced; files that no demo made are kept.
        students: How many submissions. From six on there are among them one that is perfect, one untouched, one that
            hangs, one broken, one late, and one or more with a mistake.

    Raises:
        ConfigError: The template has no Week 2, or no list of mistakes for it.
        AutograderError: The folder is something else than an earlier demo, or cannot be written.
    """
    if ASSIGNMENT not in template.assignments:
        raise ConfigError(
            f"the demo's students submit {ASSIGNMENT}, and {template.root / CONFIG_NAME} has no such assignment: "
            "run it in the course that comes with autograder, or name that one with --course DIR"
        )
    assignment = template.assignments[ASSIGNMENT]
    stock = stock_mistakes(assignment)
    folder = folder.resolve()
    parts = _parts(template)
    _refuse(template, folder, parts)
    try:
        _clear(folder, parts)
        _copy(template, folder, parts)
        return _submit(folder, assignment, stock, students)
    except OSError as error:
        raise AutograderError(f"the demo could not be written: {error}") from error


# --- the folder ---


def _parts(template: Course) -> list[Path]:
    """What a course is made of, relative to its folder."""
    names = (CONFIG_NAME, "nbgrader_config.py", "source", "release", "quizzes", "overviews")
    parts = [template.root / name for name in names]
    parts += [part for each in template.assignments.values() for part in (each.checks, each.solutions)]
    return [part.relative_to(template.root) for part in parts]


def _refuse(template: Course, folder: Path, parts: list[Path]) -> None:
    """Refuse a folder that is not the demo's to write.

    Raises:
        AutograderError: With the way out.
    """
    another = "name another folder, as in `autograder demo DIR`"
    if folder == template.root:
        raise AutograderError(f"{folder} is the course that the demo is made from; {another}")
    if inside := [part for part in parts if folder.is_relative_to((template.root / part).resolve())]:
        raise AutograderError(f"{folder} lies in the course's own {inside[0]}; {another}")
    if os.path.lexists(folder) and not (folder / MARK).is_file():
        raise AutograderError(
            f"{folder} exists and is no earlier demo, so it is left as it is; {another}, or remove it"
        )


def _clear(folder: Path, parts: list[Path]) -> None:
    """Remove what an earlier demo made."""
    outputs = [path for name in _OUTPUTS for path in folder.glob(name)]
    for path in [*(folder / part for part in parts), *outputs]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _left_behind(_: str, names: list[str]) -> set[str]:
    """Hidden files, but for the record of an audit and the lists beside a master, and what Python keeps of a module."""
    caches = shutil.ignore_patterns(".*", "__pycache__", "*.pyc")("", names)
    kept = record.FILE, *(f".{name}" for name in AUTHORS_OWN)
    return {name for name in caches if not name.endswith(kept)}


def _copy(template: Course, folder: Path, parts: list[Path]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # it has answers, and grades that look like real ones
    # First, so that a demo that was interrupted can be made again.
    (folder / MARK).write_text("Made by `autograder demo`, which may replace it.\n", encoding="utf-8")
    for part in parts:
        source, target = template.root / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=_left_behind)
        elif source.is_file():
            shutil.copyfile(source, target)
    config = folder / CONFIG_NAME
    text = config.read_text(encoding="utf-8")
    config.write_text(re.sub(r"(?m)^database:.*$", "database: sqlite:///gradebook.db", text), encoding="utf-8")
    # Made-up students must never reach a real gradebook.
    if not load_course(folder).database.endswith(f"///{folder / 'gradebook.db'}"):
        raise ConfigError(f"{template.root / CONFIG_NAME}: write the key `database` and its value on one line")


# --- the students ---


@dataclass(frozen=True)
class _Work:
    """What a student hands in: the notebook's text, how long before the due date, and the file's name."""

    text: str
    early: timedelta | None = None
    file: str = ""


def _submit(folder: Path, assignment: Assignment, stock: tuple[Mistake, ...], students: int) -> Made:
    """Write the submissions: those with something special about them first, then mistakes in turn."""
    due = (assignment.due or datetime(2026, 11, 29, 23, 59, tzinfo=UTC)).astimezone(UTC)
    notebook = f"{assignment.notebook}.ipynb"
    names = [_name(number) for number in range(students)]
    for number, (name, work) in enumerate(zip(names, _works(assignment, stock), strict=False)):
        where = folder / "submitted" / name / assignment.name
        make_closed_folder(where)
        (where / (work.file or notebook)).write_text(work.text, encoding="utf-8", newline="\n")
        early = work.early or timedelta(seconds=420 + number * 7919 * 61 % (9 * 24 * 3600))
        (where / "timestamp.txt").write_text(f"{due - early:%Y-%m-%d %H:%M:%S.%f} UTC", encoding="utf-8")
    example = Path(names[5] if students > 5 else names[0]) / assignment.name
    return Made("feedback" / example / f"{assignment.notebook}.html", "submitted" / example / notebook)


def _name(number: int) -> str:
    turn, at = divmod(number, len(_NAMES))
    return f"{_NAMES[at]}{turn + 1}" if turn else _NAMES[at]


def _works(assignment: Assignment, stock: tuple[Mistake, ...]) -> Iterator[_Work]:
    """What the students hand in, one after the other, without end."""
    paper = _Paper(assignment)
    mistakes = _in_turn([mistake for mistake in stock if not mistake.hangs])
    answers = itertools.cycle(_ANSWERS)
    rows = assignment.rows
    early, middle, late = rows[1], rows[len(rows) // 2], rows[-len(rows) // 4]

    def with_mistakes(count: int) -> _Work:
        return _Work(paper.text(paper.filled(_some(mistakes, count), next(answers)).values()))

    perfect = paper.filled((), next(answers))
    yield _Work(paper.text(perfect.values()))
    yield _Work(paper.text(paper.released.values()))
    yield _Work(paper.text(paper.filled([each for each in stock if each.hangs][:1], next(answers)).values()))
    broken = paper.text(perfect.values())
    yield _Work(broken[: len(broken) // 2])
    yield _Work(paper.text(paper.filled((), next(answers)).values()), early=-timedelta(days=1, hours=2))
    yield with_mistakes(1)
    yield with_mistakes(2)
    without = paper.filled(_some(mistakes, 1), next(answers))
    del without[early.test_id], without[middle.test_id]
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
    """The source without its solutions, as nbgrader releases it."""
    stub = r"\1# YOUR CODE HERE\n\1raise NotImplementedError()"
    return re.sub(r"(?ms)^( *)### BEGIN SOLUTION.*?### END SOLUTION[^\n]*", stub, source)


def _without_marks(source: str) -> str:
    return re.sub(r"(?m)^ *### (BEGIN|END) SOLUTION.*\n?", "", source).rstrip()
