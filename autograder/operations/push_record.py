"""What pushes have sent to a learning management system: a small file beside the course, of numbers and points.

A system says that a person graded, and not through which program: a grade of ours carries the name of whoever made
the token. So what was sent is written down before it goes, and another grade there is somebody's own. Without the file,
each grade that differs counts as a person's, and nothing is written over unasked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from autograder.base import AutograderError, write_atomically
from autograder.course import Course
from autograder.operations.pushing import EXCUSED, Mark, Sent

FILE = ".autograder-pushed.json"


def sent_before(course: Course, place: str) -> Sent:
    """What earlier pushes have sent to a place, by the number of a student there; nothing where it cannot be read."""
    found = _read(course.root / FILE).get(place)
    if not isinstance(found, dict):
        return {}
    return {
        number: [each for each in marks if _is_mark(each)] for number, marks in found.items() if isinstance(marks, list)
    }


def note_sent(course: Course, place: str, sent: Mapping[str, Sequence[Mark]]) -> None:
    """Write down what was or is about to be sent to a place; of students who are not named, what is known stays.

    Raises:
        AutograderError: The file could not be written.
    """
    path = course.root / FILE
    tree = _read(path)
    known = tree.get(place)
    tree[place] = (known if isinstance(known, dict) else {}) | {number: list(marks) for number, marks in sent.items()}
    try:
        write_atomically(path, json.dumps(tree, indent=1) + "\n")
    except OSError as error:
        raise AutograderError(
            f"{path} could not be written: {error.strerror}. It says which grades were sent; without it none is"
        ) from error


def _read(path: Path) -> dict[str, object]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _is_mark(value: object) -> bool:
    return value == EXCUSED or (isinstance(value, int | float) and not isinstance(value, bool))
