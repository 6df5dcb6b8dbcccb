"""Whether a change of the code changes a grade: the same class graded before and after, the reports compared.

    python -m tests.same_reports make FOLDER
    autograder grade week2 --course FOLDER --json > ONE       # with each of the two versions, in a copy of FOLDER
    python -m tests.same_reports compare ONE OTHER

The class is the demo's, with a student more for each notebook in tests/week2/alternates and for each of the mistakes
that solutions/week2/mistakes.py lists. Times and digests are left out of the comparison.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder.authoring import make_course, stock_mistakes
from autograder.course import joined, load_course
from tests.courses import cell

ROOT = Path(__file__).parents[1]
DIFFERS = ("seconds", "digest", "provenance")


def make(folder: Path) -> int:
    """Write the course, and give the number of students beyond the demo's."""
    course = load_course(ROOT)
    make_course(course, folder, 30)
    week2 = course.assignment("week2")
    master = json.loads(week2.master.read_text(encoding="utf-8"))
    cells = {each["metadata"].get("nbgrader", {}).get("grade_id", each["id"]): each for each in master["cells"]}
    right = {
        row.name: re.sub(r"(?m)^ *### (BEGIN|END) SOLUTION\n?", "", joined(cells[row.name]["source"]))
        for row in week2.rows
    }
    made = 0
    for path in sorted((ROOT / "tests/week2/alternates").glob("*.ipy")):
        own: dict[str, list[Any]] = {}
        solved, last = dict(right), "setup"
        for name, source in re.findall(r"(?m)^# %% ?(\w*)\n((?:(?!# %%).*\n?)*)", path.read_text(encoding="utf-8")):
            if name:
                solved[name], last = source, name
            else:
                own.setdefault(last, []).append(cell(source))
        _submit(folder, f"alternate-{path.stem}", master, cells, solved, own)
        made += 1
    for mistake in stock_mistakes(week2):
        solved = right | {mistake.row: mistake.made_in(right[mistake.row])}
        _submit(folder, f"mistake-{mistake.row}-{mistake.name}", master, cells, solved, {})
        made += 1
    return made


def compare(one: Path, other: Path) -> Iterator[str]:
    """A sentence for each student of whom something differs."""
    before, after = (
        {each["student"]: _without(each) for each in json.loads(path.read_text(encoding="utf-8"))}
        for path in (one, other)
    )
    for student in sorted(before.keys() | after.keys()):
        if student not in before or student not in after:
            yield f"{student}: only in {one if student in before else other}"
        elif before[student] != after[student]:
            yield f"{student}: {_first_difference(before[student], after[student], 'report')}"


def _submit(
    folder: Path, student: str, master: Any, cells: dict[str, Any], solved: dict[str, str], own: dict[str, list[Any]]
) -> None:
    changed = []
    for name, each in cells.items():
        changed += [each | ({"source": solved[name]} if name in solved else {}), *own.get(name, ())]
    path = folder / "submitted" / student / "week2" / "week2.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(master | {"cells": changed}), encoding="utf-8")


def _without(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without(value) for key, value in tree.items() if key not in DIFFERS}
    return [_without(each) for each in tree] if isinstance(tree, list) else tree


def _first_difference(one: Any, other: Any, where: str) -> str:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return next(_first_difference(one[key], other[key], f"{where}.{key}") for key in one if one[key] != other[key])
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return next(_first_difference(a, b, f"{where}[{at}]") for at, (a, b) in pairs if a != b)
    return f"{where}: {one!r}, then {other!r}"


def main(words: list[str]) -> int:
    """Run the command of the module's docstring."""
    match words:
        case ["make", folder]:
            print(f"{make(Path(folder))} students beside the demo's 30 in {folder}")
            return 0
        case ["compare", one, other]:
            differences = list(compare(Path(one), Path(other)))
            print("\n".join(differences) or "The reports are the same.")
            return bool(differences)
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
