"""A course to look at: a copy of the one that comes with autograder, with a class of made-up students.

The same number of students gives the same bytes.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import autograder
from autograder.authoring.audit import record
from autograder.authoring.made_up_class import HandedIn, hand_in
from autograder.authoring.mistakes import stock_mistakes
from autograder.base import AutograderError, ConfigError
from autograder.course import AUTHORS_OWN, CONFIG_NAME, Course, load_course

ASSIGNMENT = "week2"
MARK = ".autograder-demo"
_OUTPUTS = ("submitted", "autograded", "feedback", ".gradebook-backups", "gradebook.db*")

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


def flagship() -> Path:
    """The folder of the course that comes with autograder: a part of an installed package, or the whole clone."""
    package = Path(autograder.__file__).resolve().parent
    return packed if (packed := package / "flagship").is_dir() else package.parent


def make_course(template: Course, folder: Path, students: int) -> HandedIn:
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
            "leave out --course to copy the one that comes with autograder"
        )
    assignment = template.assignments[ASSIGNMENT]
    stock = stock_mistakes(assignment)
    folder = folder.resolve()
    parts = _parts(template)
    _refuse(template, folder, parts)
    try:
        _clear(folder, parts)
        _copy(template, folder, parts)
        return hand_in(folder, assignment, stock, _ANSWERS, students)
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
