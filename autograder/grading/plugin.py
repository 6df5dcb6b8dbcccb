"""The pytest plug-in: the fixtures ``student``, ``reference`` and ``draw``.

In plain pytest the student is the reference, seen through the encoding of the wall, or the notebook that
``--submission`` names.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from autograder.checking import Calls, Declared, Draw, Reference, Student
    from autograder.course import Assignment, Course


__all__ = [
    "draw",
    "pytest_addoption",
    "pytest_ignore_collect",
    "pytest_load_initial_conftests",
    "reference",
    "student",
]


@dataclasses.dataclass
class Bench:
    """What the checks of one assignment run with: who the student is just now, the reference, and the seed.

    ``inputs_of`` is the student whose inputs are drawn, as ``Assignment.inputs_of`` says it.
    """

    assignment: str
    seed: int
    reference: Reference
    calls: Callable[[str], AbstractContextManager[Calls]]
    inputs_of: str = ""


BENCH: pytest.StashKey[Bench] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--submission`` and ``--student``."""
    group = parser.getgroup("autograder")
    group.addoption("--submission", metavar="NOTEBOOK", help="run hidden checks against this notebook, in the sandbox")
    group.addoption(
        "--student",
        metavar="ID",
        help="draw this student's inputs, where each has others; by default by the notebook's place in submitted/",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Refuse to run what students handed in: its ``conftest.py`` would run as whoever typed ``pytest``.

    Raises:
        UsageError: A path that was given, or the folder that one stands in, lies among what students hand in.
    """
    here = early_config.invocation_params.dir
    for each in early_config.known_args_namespace.file_or_dir or ["."]:
        if place := _hand_in_around(here / each.partition("::")[0]):
            raise pytest.UsageError(f"{each} lies in {place}: what students handed in is not run by pytest")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Pass over what students handed in, where pytest looks through a course's folder."""
    return True if collection_path.is_dir() and _hand_in_around(collection_path) else None


def _hand_in_around(path: Path) -> str:
    from autograder.course import hand_in_on_the_way

    return hand_in_on_the_way(path)


@pytest.fixture
def student(request: pytest.FixtureRequest) -> Iterator[Student]:
    """The student's functions."""
    from autograder.checking import Student

    with _bench(request).calls(declared(request.node).row) as calls:
        yield Student(calls, _bench(request).reference.parameters)


@pytest.fixture
def reference(request: pytest.FixtureRequest) -> Reference:
    """The reference's functions."""
    return _bench(request).reference


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> Draw:
    """A generator of random inputs, the same for the same seed, assignment, check and, where asked, student."""
    return drawing(_bench(request), request.node.name)


def drawing(bench: Bench, check: str) -> Draw:
    """A generator of the random inputs of a check, of this name."""
    import numpy as np

    name = f"{bench.seed}/{bench.assignment}/{check}"
    if bench.inputs_of:
        # The student's id comes first and by its digest: no id spells another student's check.
        name = f"{hashlib.sha256(bench.inputs_of.encode()).hexdigest()}/{name}"
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little"))


def declared(item: pytest.Item) -> Declared:
    """What ``check`` said of a test.

    Raises:
        CheckError: It is not declared as a check.
    """
    from autograder.base import CheckError
    from autograder.checking import DECLARED

    found = getattr(getattr(item, "function", None), DECLARED, None)
    if found is None:
        raise CheckError(f'{item.nodeid} is no check: put `@check("row", …)` above it')
    return found  # type: ignore[no-any-return]


def _bench(request: pytest.FixtureRequest) -> Bench:
    """The bench of a grading run, or one for an author at work, made from the course that the check belongs to."""
    bench = request.config.stash.get(BENCH, None)
    if bench is None:
        bench = request.config.stash[BENCH] = _authors_bench(request)
    return bench


def _authors_bench(request: pytest.FixtureRequest) -> Bench:
    """What the checks need where an author runs them by pytest: against ``--submission``, or the reference itself."""
    from autograder.checking import Loopback, load_reference
    from autograder.course import chosen_course, load_course
    from autograder.submission import student_of

    course = load_course(chosen_course(start=request.path.parent))
    around = request.path.resolve().parents
    notebooks = [each for assignment in course.assignments.values() for each in assignment.notebooks]
    owners = [each for each in notebooks if each.checks.resolve() in around]
    if not owners:
        raise pytest.UsageError(f"{request.path} lies in the checks folder of no assignment of {course.root}")
    assignment = owners[0]
    reference = load_reference(assignment)
    notebook = request.config.getoption("--submission")
    if notebook:
        calls = _submission_calls(Path(notebook), course, assignment, request.config)
    else:

        def calls(row: str) -> AbstractContextManager[Calls]:  # noqa: ARG001 - the same for every row
            return nullcontext(Loopback(dict(vars(reference._module))))

    student = request.config.getoption("--student")
    if notebook and student is None:
        student = student_of(Path(notebook), course.root)
    return Bench(assignment.name, assignment.seed, reference, calls, assignment.inputs_of(student))


def _submission_calls(
    notebook: Path, course: Course, assignment: Assignment, config: pytest.Config
) -> Callable[[str], AbstractContextManager[Calls]]:
    """Runs the notebook once; each check then gets a fork of the state after it."""
    from autograder.grading.running import run_notebook
    from autograder.sandbox import Worker, chosen, probed
    from autograder.submission import read_submission

    submission = read_submission(notebook, assignment)
    if submission.unreadable:
        raise pytest.UsageError(submission.unreadable)
    worker = probed(Worker(chosen(course.sandbox), assignment.allowed_imports))
    session = worker.session(assignment.limits, assignment.seed, files=submission.files)
    config.add_cleanup(worker.close)
    config.add_cleanup(session.close)
    run_notebook(session, submission)
    return lambda _: session.row()
