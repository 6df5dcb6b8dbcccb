"""Which of several notebooks counts: the one of the assignment's name, unless only another has any work in it.

A Python script counts as a notebook where it has the assignment's name, or where there is nothing else.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.base import AutograderError, RefusedError, SubmissionError, printable
from autograder.course import Assignment, Release, release_of
from autograder.submission.file_names import is_called, is_litter, is_notebook, is_script
from autograder.submission.folders import MAX_ENTRIES, kind_at, read_regular
from autograder.submission.matching import is_untouched, matched, plain_lines
from autograder.submission.repair import repaired
from autograder.submission.scripts import handed_in_cells
from autograder.submission.written import own_content

MAX_COMPARED = 50
"""Notebooks of one hand-in that are looked into."""


class NotHandedInError(SubmissionError):
    """Of an assignment's notebooks this one was not handed in, while another was."""


@dataclass(frozen=True)
class Choice:
    """Which notebook counts.

    Attributes:
        name: Its name.
        note: What the student and the instructor are told of the others; usually empty.
    """

    name: str
    note: str = ""


@dataclass(frozen=True, order=True)
class _Worth:
    """How much of an assignment is in a notebook, from what says most.

    Attributes:
        answers: Cells for answers that are not as they were released.
        own: Cells of the student's own, where any cell of the assignment's is there.
        cells: Cells of the assignment's.
        readable: Whether it can be read.
    """

    answers: int = 0
    own: int = 0
    cells: int = 0
    readable: bool = False

    def yields_to(self, other: _Worth) -> bool:
        """Whether a notebook of the right name has nothing in it, and the other has."""
        return self.answers == 0 and (other.answers > 0 or other.own > self.own == 0)


def choose(names: Mapping[str, Callable[[], bytes]], assignment: Assignment, preferred: str = "") -> Choice:
    """The notebook that counts among several, one at least.

    It is the one of the assignment's name, as it is or with what browsers and systems add; where none is called so,
    that with most of the answers. But one that is as it was released yields to one that has work in it.

    Args:
        names: What reads each, by its name or its place in folders.
        assignment: What they are handed in for.
        preferred: The one that counts unless it has nothing in it, such as that of the newest attempt.
    """
    wanted = preferred or f"{assignment.notebook}.ipynb"
    ordered = sorted(names, key=lambda name: (name != wanted, not is_called(name, assignment.notebook), name))
    if len(ordered) == 1:
        return Choice(ordered[0])
    worth: dict[str, _Worth] = {}
    room = 5 * assignment.limits.notebook_mb * 2**20
    for name in ordered[:MAX_COMPARED]:
        worth[name], room = _worth(name, names[name], assignment, room) if room > 0 else (_Worth(), room)
    best = max(ordered[:MAX_COMPARED], key=lambda name: worth[name])
    called = [name for name in ordered if is_called(name, assignment.notebook)]
    chosen = ordered[0] if ordered[0] == wanted or len(called) == 1 else best
    rest = [name for name in ordered if name != chosen]
    if worth[chosen].yields_to(worth[best]):
        why = "is as it was released" if worth[chosen].readable else "cannot be read"
        return Choice(best, f"There is more than one notebook: {printable(best)} counts; {printable(chosen)} {why}.")
    if more := [name for name in rest if name in worth and worth[name].answers > worth[chosen].answers]:
        said = f"another notebook, {printable(more[0])}, has more of the answers"
        return Choice(chosen, f"{printable(chosen)} counts, and {said}. Hand in the right one alone.")
    if chosen != wanted or any(name in worth and worth[name].answers for name in rest):
        listed = ", ".join(printable(name) for name in rest[:5])
        return Choice(chosen, f"There is more than one notebook: {printable(chosen)} counts, and not {listed}.")
    return Choice(chosen)


def candidates(names: Mapping[str, Callable[[], bytes]], assignment: Assignment) -> dict[str, Callable[[], bytes]]:
    """Those of several notebooks that may be the assignment's: all, unless it has others.

    Then those that are called as this one; and of what is called as none of the assignment's notebooks, what has most
    of this one's text in it.
    """
    if not assignment.others:
        return dict(names)
    room = 5 * assignment.limits.notebook_mb * 2**20
    found = {}
    for name, read in sorted(names.items()):
        if is_called(name, assignment.notebook):
            found[name] = read
        elif not any(is_called(name, other) for other in assignment.others) and room > 0:
            fits, room = _fits(name, read, assignment, room)
            if fits:
                found[name] = read
    return found


def _fits(name: str, read: Callable[[], bytes], assignment: Assignment, room: int) -> tuple[bool, int]:
    """Whether a notebook has most of what the release has beside answers; and what is left to read.

    Cells are not told by their ids: those of two notebooks may be the same.
    """
    release = _release(assignment)
    try:
        content = read()
        cells = handed_in_cells(name, content, release, [])
    except (RefusedError, OSError, SubmissionError):
        return False, room
    released = release.cells if release is not None else ()
    given = {plain_lines(each.cell.source) for each in released if not each.solution and each.cell.source.strip()}
    there = {plain_lines(cell.source) for cell in cells}
    return 2 * len(given & there) > len(given), room - len(content)


def with_work(names: Mapping[str, Callable[[], bytes]], assignment: Assignment) -> list[str]:
    """Those of several notebooks that have answers in them, as far as they are looked into."""
    room = 5 * assignment.limits.notebook_mb * 2**20
    found = []
    for name in sorted(names)[:MAX_COMPARED]:
        worth, room = _worth(name, names[name], assignment, room) if room > 0 else (_Worth(), room)
        found += [name] if worth.answers or worth.own else []
    return found


def find_notebook(folder: Path, assignment: Assignment) -> Path:
    """The notebook that counts in a submitted folder, as ``choose`` says.

    ``read_submission`` tells the student about the name.

    Raises:
        SubmissionError: There is no notebook in it; the text is for the student.
        RefusedError: It is no folder.
    """
    return choose_in(folder, assignment)[0]


def choose_in(folder: Path, assignment: Assignment) -> tuple[Path, str]:
    """As ``find_notebook``, with what is to be said of the others; usually nothing."""
    name = f"{assignment.notebook}.ipynb"
    if folder.is_symlink() or not folder.is_dir():
        raise RefusedError(f"{folder} is {kind_at(folder)}, not a folder; it is not graded")
    with os.scandir(folder) as found:
        entries = sorted(Path(entry.path) for entry in itertools.islice(found, MAX_ENTRIES + 1))
    if len(entries) > MAX_ENTRIES:
        if os.path.lexists(folder / name):
            return folder / name, ""
        raise SubmissionError(
            f"There is no {name} in your submission, but more than {MAX_ENTRIES:,} other files. Hand in the notebook."
        )
    entries = [path for path in entries if not path.name.startswith(".") and not is_litter(path.name)]
    notebooks = [path for path in entries if path.name == name or is_notebook(path.name)]
    scripts = [path for path in entries if is_script(path.name) and path.name not in assignment.files]
    called = [path for path in scripts if is_called(path.name, assignment.notebook)]
    notebooks += called or (scripts if not notebooks and len(scripts) == 1 and not assignment.others else [])
    if not notebooks:
        others = ", ".join(printable(path.name) for path in entries[:5]) or "nothing"
        raise SubmissionError(f"There is no notebook in your submission: expected {name}, found {others}.")
    if os.path.lexists(folder / name) and not _is_plain(folder / name):
        return folder / name, ""  # a link or a pipe in its place is refused, whatever else is there
    reading = candidates({path.name: _reader(path, assignment) for path in notebooks}, assignment)
    if not reading:
        missing = f"This notebook was not handed in: there is no {name} in your submission"
        if odd := [path.name for path in notebooks if not _is_known(path.name, assignment)]:
            # What is written there may be the answers: a person has to look.
            raise SubmissionError(f"{missing}, and {', '.join(map(printable, odd[:5]))} has not its text.")
        raise NotHandedInError(f"{missing}.")
    choice = choose(reading, assignment)
    return folder / choice.name, choice.note


def _is_known(name: str, assignment: Assignment) -> bool:
    """Whether a file is called as one of the assignment's notebooks, or as one that was released along to be read."""
    return any(is_called(name, each) for each in assignment.names_of_notebooks) or (
        os.path.lexists(assignment.release.parent / name)
    )


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _reader(path: Path, assignment: Assignment) -> Callable[[], bytes]:
    def read() -> bytes:
        limit = assignment.limits.notebook_mb * 2**20
        content, size = read_regular(path, limit)
        if size > limit:
            raise RefusedError(f"{path} is too large")
        return content

    return read


def _worth(name: str, read: Callable[[], bytes], assignment: Assignment, room: int) -> tuple[_Worth, int]:
    """How much of an assignment is in a notebook, nothing where it cannot be read; and what is left to read."""
    try:
        content = read()
    except (RefusedError, OSError):
        return _Worth(), room
    room -= len(content)
    release = _release(assignment)
    try:
        cells = handed_in_cells(name, content, release, [])
    except SubmissionError:
        return _Worth(), room
    graded = {each for row in assignment.rows for each in (row.solution or row.test_id, row.test_id)} | set(
        assignment.manual
    )
    count = len(graded & {cell.grade_id for cell in cells})
    if release is None:
        return _Worth(count, 0, count, readable=True), room
    known, found = release.known, matched(cells, release)
    answers = sum(
        not known[name].locked and not is_untouched(cells[index], known[name]) for index, name in found.names.items()
    )
    own = len(own_content(repaired(cells, release, []), release)) if found.names else 0
    return _Worth(answers, own, count, readable=True), room


def _release(assignment: Assignment) -> Release | None:
    try:
        return release_of(assignment)
    except AutograderError:
        return None
