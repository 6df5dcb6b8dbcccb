"""Master notebook → what students get: made by nbgrader, proved not to give anything away, and put in its place."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autograder.authoring.giveaways import TELLING_LENGTH, expressions, secrets_of
from autograder.authoring.gradient_proofs import claims_of, refuted
from autograder.authoring.hollow_checks import hollow_checks
from autograder.authoring.lint.apart import TEMPLATES
from autograder.authoring.showing import tagged_wrongly, untagged
from autograder.base import CheckError, ReleaseError
from autograder.course import WITH_TESTS, Assignment, Course, has_autotests, master_cells, notebook_text, release_of
from autograder.gradebook import backup, only_run, open_gradebook, register
from autograder.grading import Report, joint
from autograder.operations import nbgrader_config
from autograder.sandbox import chosen
from autograder.submission import Submission, read_submission, script_text

_PROVED_FOR = tuple(f"made-up student {number}" for number in range(1, 5))
"""Students whose inputs the solved master is proved with where each student has others."""

_MARKS = (
    "BEGIN SOLUTION",
    "END SOLUTION",
    "BEGIN HIDDEN TESTS",
    "END HIDDEN TESTS",
    "BEGIN MARK SCHEME",
    "END MARK SCHEME",
)
_IGNORED = shutil.ignore_patterns(".*", "__pycache__", "*.pyc")
_KEPT_METADATA = ("deletable", "editable", "jupyter", "nbgrader", "slideshow", "tags")


@dataclass(frozen=True)
class ReleaseResult:
    """A release that was made.

    Attributes:
        assignment: The assignment's name.
        folder: ``release/<assignment>``.
        files: What is in it, relative to the folder, sorted.
        changed: Whether anything in it is other than before.
        proved: The gradients of the reference that were proved by finite differences, by name; empty where it claims
            none.
        solved: The master notebook's own grade: full marks.
        untouched: The release's own grade: nothing.
        untagged: The locked code cells that define nothing which another cell reads, and are not tagged: each grading
            runs them for their output alone.
    """

    assignment: str
    folder: Path
    files: tuple[str, ...]
    changed: bool
    proved: tuple[str, ...]
    solved: Report
    untouched: Report
    untagged: tuple[str, ...] = ()


def release(
    course: Course, assignment_name: str, *, grade: Callable[[Submission, Assignment], Report] | None = None
) -> ReleaseResult:
    """Make ``release/<assignment>/`` from ``source/<assignment>/`` and register it in the gradebook.

    The same source gives the same bytes. What was released before stays as it is unless all goes well.

    Args:
        course: The course.
        assignment_name: Which assignment.
        grade: What grades a submission; ``grading.grade`` where not given.

    Returns:
        What was made.

    Raises:
        ConfigError: There is no such assignment, or nbgrader_config.py has a mistake.
        ReleaseError: The release would give something away, the solved master does not get full marks, the untouched
            release scores, a check cannot fail, a gradient of the reference is wrong, or nbgrader refused the master.
            All that was found is in the message.
        CheckError: The reference does not import, or what it says of its gradients fails.
        GradebookError: The assignment cannot be registered, or another run is at work on the course.
    """
    if grade is None:
        from autograder.grading import grade as grade_in_sandbox

        grade = functools.partial(grade_in_sandbox, sandbox=chosen(course.sandbox))
    assignment = course.assignment(assignment_name)
    with only_run(course), tempfile.TemporaryDirectory(prefix="autograder-release-") as temporary:
        with_tests = _with_tests(course, assignment, Path(temporary))
        if with_tests is not None:
            assignment = _mastered_in(with_tests, assignment)
        made = _generate(course, assignment, Path(temporary))
        for path in made.rglob("*.ipynb"):
            _settle(path, assignment.master.parent / path.relative_to(made))
        candidate = _released_in(made, assignment)
        if assignment.script:
            _write_scripts(candidate)
        problems = [*_leaks(assignment, made), *_not_released(assignment, made)]
        found = [_prove(each, grade) for each in candidate.notebooks]
        for each, of in zip(candidate.notebooks, found, strict=True):
            problems += (each.labelled(problem) if each.others else problem for problem in of.problems)
        if problems:
            listed = "\n".join(f"  - {problem}" for problem in problems)
            raise ReleaseError(f"{assignment.name} was not released, and what was released before stays:\n{listed}")
        folder = course.root / "release" / assignment.name
        backup(course)
        with open_gradebook(course) as gradebook:
            register(gradebook, course, candidate)
        if with_tests is not None:
            _put_in_place(with_tests, course.root / WITH_TESTS / assignment.name, like=course.root / "source")
        left_untagged = tuple(
            each.labelled(name) if each.others else name for each in candidate.notebooks for name in untagged(each)
        )
        changed = _put_in_place(made, folder)
    files = tuple(sorted(path.relative_to(folder).as_posix() for path in _files(folder)))
    return ReleaseResult(
        assignment.name,
        folder,
        files,
        changed,
        tuple(name for of in found for name in of.proved),
        joint(candidate, [of.solved for of in found]),
        joint(candidate, [of.untouched for of in found]),
        left_untagged,
    )


def _released_in(made: Path, assignment: Assignment) -> Assignment:
    """The assignment with its release in another folder."""
    parts = tuple(_released_in(made, each) for each in assignment.parts)
    return replace(assignment, release=made / f"{assignment.notebook}.ipynb", parts=parts)


def _mastered_in(folder: Path, assignment: Assignment) -> Assignment:
    """The assignment with its masters in another folder."""
    parts = tuple(_mastered_in(folder, each) for each in assignment.parts)
    return replace(assignment, master=folder / assignment.master.name, parts=parts)


def _write_scripts(candidate: Assignment) -> None:
    """Write each notebook of a release as a Python script beside it.

    Raises:
        ReleaseError: A file of that name lies beside the master.
    """
    for each in candidate.notebooks:
        path = each.release.with_suffix(".py")
        if path.exists():
            raise ReleaseError(
                f"source/{each.name}/{path.name}: with `script: true` the release gets a {path.name} made of the "
                "notebook. Give yours another name, or leave out `script`"
            )
        cells = ((cell.kind, cell.source, cell.grade_id) for cell in release_of(each).untouched())
        path.write_text(script_text(cells), encoding="utf-8")


def _solved_script(candidate: Assignment) -> Submission:
    """The solved master as a student would hand it in as a script."""
    with tempfile.TemporaryDirectory(prefix="autograder-release-") as temporary:
        path = Path(temporary) / f"{candidate.notebook}.py"
        cells = ((cell.kind, cell.source, cell.grade_id) for cell in master_cells(candidate.master))
        path.write_text(script_text(cells), encoding="utf-8")
        return read_submission(path, candidate)


@dataclass(frozen=True)
class _Proof:
    """What was found of a notebook that is to be released: what is wrong with it, and as for ``ReleaseResult``."""

    problems: tuple[str, ...]
    proved: tuple[str, ...]
    solved: Report
    untouched: Report


def _prove(candidate: Assignment, grade: Callable[[Submission, Assignment], Report]) -> _Proof:
    """Try a notebook that is to be released: one of the assignment's, with its release where it was made."""
    problems = [*_bare(candidate, candidate.release), *tagged_wrongly(candidate)]
    solved = grade(read_submission(candidate.master, candidate), candidate)
    problems += _short_of_full_marks(solved)
    if candidate.script:
        as_script = _short_of_full_marks(grade(_solved_script(candidate), candidate))
        problems += (f"as a script: {problem}" for problem in as_script)
    for student in _PROVED_FOR if candidate.inputs == "per_student" else ():
        theirs = grade(read_submission(candidate.master, candidate, student=student), candidate)
        problems += (f"with the inputs of {student}: {problem}" for problem in _short_of_full_marks(theirs))
    untouched = grade(read_submission(candidate.release, candidate), candidate)
    problems += _scores_for_nothing(untouched)
    problems += hollow_checks(candidate) if candidate.rows else ()
    proved, wrong = _proved(candidate)
    problems += (f"the reference's gradient is wrong: {problem}" for problem in wrong)
    return _Proof(tuple(problems), proved, solved, untouched)


def _proved(assignment: Assignment) -> tuple[tuple[str, ...], list[str]]:
    """The gradients that the reference claims, by name; and what is wrong with them."""
    claims = claims_of(assignment)
    try:
        return refuted(claims, assignment.seed) if claims else ((), [])
    except Exception as error:
        at = assignment.solutions / "gradients.py"
        raise CheckError(f"{at}: what it claims cannot be looked at: {type(error).__name__}: {error}") from error


# nbgrader's part


def _with_tests(course: Course, assignment: Assignment, temporary: Path) -> Path | None:
    """Have nbgrader make tests of AUTOTEST lines, in a folder of its own; None where there are no such lines.

    The values in them are those of the solved master, which it runs in a kernel for that.
    """
    from nbgrader.converters import GenerateSourceWithTests

    source = course.root / "source" / assignment.name
    if not any(map(has_autotests, sorted(source.glob("*.ipynb")))):
        return None
    given = temporary / "tests/source" / assignment.name
    shutil.copytree(source, given, ignore=_IGNORED)
    templates = course.root / TEMPLATES
    lent = templates.is_file() and not (given / TEMPLATES).exists()
    if lent:
        shutil.copy(templates, given)
    _convert(course, assignment, temporary / "tests", GenerateSourceWithTests)
    made = temporary / "tests" / WITH_TESTS / assignment.name
    if lent:
        (made / TEMPLATES).unlink(missing_ok=True)
    return made


def _generate(course: Course, assignment: Assignment, temporary: Path) -> Path:
    """Run nbgrader's GenerateAssignment in a folder of its own; return the folder of what it made."""
    from nbgrader.converters import GenerateAssignment

    shutil.copytree(assignment.master.parent, temporary / "source" / assignment.name, ignore=_IGNORED)
    _convert(course, assignment, temporary, GenerateAssignment)
    return temporary / "release" / assignment.name


def _convert(course: Course, assignment: Assignment, temporary: Path, converter: Any) -> None:
    """Run one of nbgrader's converters on the assignment in a folder of its own."""
    from nbgrader.converters import NbGraderException
    from nbgrader.coursedir import CourseDirectory

    config = nbgrader_config(course.root)
    config.CourseDirectory.root = str(temporary)
    config.SaveCells.enabled = False
    config.GenerateAssignment.no_database = True
    for setting in ("header", "footer"):
        path = config.IncludeHeaderFooter.get(setting)
        if isinstance(path, str) and path:
            config.IncludeHeaderFooter[setting] = str(course.root / path)
    said = _Said()
    log = logging.Logger("nbgrader", logging.INFO)
    log.addHandler(said)
    coursedir = CourseDirectory(config=config, log=log)
    coursedir.assignment_id = assignment.name
    try:
        converter(coursedir=coursedir, config=config, log=log).start()
    except NbGraderException as error:
        raise ReleaseError(f"{assignment.master}: nbgrader does not take it: {said.cause or error}") from error


class _Said(logging.Handler):
    """Remembers the last line of the first traceback that nbgrader logged: what went wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.cause = ""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage().strip()
        if not self.cause and text.startswith("Traceback"):
            self.cause = text.splitlines()[-1]


def _settle(path: Path, master: Path) -> None:
    """Rewrite a released notebook so that the same master always gives the same bytes."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    given = json.loads(master.read_text(encoding="utf-8"))["cells"] if master.is_file() else []
    named = {
        cell["metadata"]["nbgrader"].get("grade_id"): cell.get("id")
        for cell in given
        if cell.get("metadata", {}).get("nbgrader")
    }
    same_places = len(given) == len(notebook["cells"])
    taken: set[str] = set()
    for number, cell in enumerate(notebook["cells"], 1):
        cell["metadata"] = {key: cell["metadata"][key] for key in _KEPT_METADATA if key in cell["metadata"]}
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        wanted = named.get(grade_id) if grade_id else given[number - 1].get("id") if same_places else None
        wanted = wanted or re.sub(r"[^A-Za-z0-9_-]", "-", grade_id or "")[:64] or f"cell-{number}"
        while wanted in taken:
            wanted = f"{wanted[:56]}-{number}"
        taken.add(wanted)
        cell["id"] = wanted
    kernel = notebook["metadata"].get("kernelspec", {})
    notebook["metadata"] = {
        "kernelspec": {
            "display_name": "Python 3"
            if kernel.get("name", "python3") == "python3"
            else kernel.get("display_name", ""),
            "language": kernel.get("language", "python"),
            "name": kernel.get("name", "python3"),
        },
        "language_info": {"name": kernel.get("language", "python")},
    }
    notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
    path.write_text(notebook_text(notebook), encoding="utf-8", newline="\n")


# What must be in it, and what must not


def _bare(assignment: Assignment, released: Path) -> Iterator[str]:
    """Solution cells without marks around the solution: nbgrader replaces the whole of them, the `def` line too."""
    before, after = _graded_sources(assignment.master), _graded_sources(released)
    for row in assignment.rows:
        gone = [
            name for name in row.functions if not re.search(rf"\b(?:def|class) {name}\b", after.get(row.solution, ""))
        ]
        if gone and "BEGIN SOLUTION" not in before.get(row.solution, ""):
            yield (
                f"{row.name}: this solution cell has no marks, so nothing of it is left for students, not even the "
                f"`def` of {', '.join(gone)}; put `### BEGIN SOLUTION` and `### END SOLUTION` around the solution"
            )


def _graded_sources(notebook: Path) -> dict[str, str]:
    return {cell.grade_id: cell.source for cell in master_cells(notebook)}


@dataclass(frozen=True)
class _Piece:
    """Some text that students get, and where it stands."""

    place: str
    text: str
    code: bool


def _leaks(assignment: Assignment, made: Path) -> Iterator[str]:
    """Sentences on where the release in ``made`` has outputs or marks, or shows the solution, reference or checks."""
    pieces = []
    for path in sorted(_files(made)):
        name = path.relative_to(made).as_posix()
        if path.suffix == ".ipynb":
            notebook = json.loads(path.read_text(encoding="utf-8"))
            for number, cell in enumerate(notebook["cells"], 1):
                label = cell["metadata"].get("nbgrader", {}).get("grade_id") or cell.get("id") or str(number)
                place = f"{name}, cell {label}"
                pieces.append(_Piece(place, "".join(cell["source"]), cell["cell_type"] == "code"))
                if cell.get("outputs") or cell.get("execution_count"):
                    yield f"{place}: has an output; clear it in the master notebook"
        elif (text := _text_of(path)) is not None:
            pieces.append(_Piece(name, text, path.suffix == ".py"))
    for piece in pieces:
        for mark in _MARKS:
            if mark in piece.text:
                yield f"{piece.place}: {mark!r} is still in it; is its partner missing, or the cell no solution cell?"
    yield from _copies(assignment, made)
    secrets = dict(secrets_of(assignment))
    names = _check_names(assignment)
    for piece in pieces:
        found = set(expressions(piece.text)) if piece.code else set()
        squeezed = "".join(piece.text.split())
        for secret, origin in secrets.items():
            if secret in found or (len(secret) >= TELLING_LENGTH and secret in squeezed):
                yield f"{piece.place}: gives away {origin}"
        for name in names & set(re.findall(r"\bdef\s+(test_\w+)", piece.text)):
            yield f"{piece.place}: has the hidden check {name}"


def _check_names(assignment: Assignment) -> set[str]:
    files = assignment.checks.rglob("*.py") if assignment.checks.is_dir() else ()
    return {name for path in files for name in re.findall(r"\bdef\s+(test_\w+)", path.read_text(encoding="utf-8"))}


def _copies(assignment: Assignment, made: Path) -> Iterator[str]:
    hidden = {
        hashlib.sha256(path.read_bytes()).digest(): path
        for folder in (assignment.checks, assignment.solutions)
        if folder.is_dir()
        for path in sorted(_files(folder))
        if path.stat().st_size
    }
    for path in sorted(_files(made)):
        twin = hidden.get(hashlib.sha256(path.read_bytes()).digest())
        if twin is not None:
            yield f"{path.relative_to(made).as_posix()}: is a copy of {twin.name} of {twin.parent}"


def _not_released(assignment: Assignment, made: Path) -> Iterator[str]:
    for name, path in assignment.given.items():
        released = made / name
        if not released.is_file() or released.read_bytes() != path.read_bytes():
            yield (
                f"{name}: is one of the assignment's `files`, and nbgrader did not put it into the release as it is; "
                "look at what nbgrader_config.py has it ignore"
            )


def _short_of_full_marks(report: Report) -> Iterator[str]:
    if report.trouble:
        yield f"the solved master notebook could not be graded: {_last_line(report.trouble)}"
    for row in report.rows:
        for check in row.checks:
            if check.outcome == "errored":
                yield f"{row.name}: the check {check.name} does not work: {_last_line(check.trouble)}"
            elif check.outcome == "failed":
                reason = " ".join(check.reason.split())
                yield f"{row.name}: the solved master notebook fails {check.name} ({check.title}): {reason}"
        if not row.errored and row.fraction < 1 and all(check.outcome == "passed" for check in row.checks):
            yield f"{row.name}: no check has any weight, so nobody can get its {row.points:g} points"
        if row.carried and row.fraction == 1:
            yield f"{row.name}: the solved master notebook is right only with a correct {', '.join(row.carried)}"


def _scores_for_nothing(report: Report) -> Iterator[str]:
    if report.trouble:
        yield f"the untouched release could not be graded: {_last_line(report.trouble)}"
    for row in report.rows:
        passed = [check.name for check in row.checks if check.outcome == "passed" and check.weight]
        if passed:
            yield f"{row.name}: the untouched release passes {', '.join(passed)}, and so has points for nothing"
        for check in row.checks:
            if check.outcome == "errored":
                yield f"{row.name}: the check {check.name} does not take an unsolved cell: {_last_line(check.trouble)}"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1].strip()


# Files


def _files(folder: Path) -> Iterable[Path]:
    return (
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
    )


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def _put_in_place(made: Path, folder: Path, *, like: Path | None = None) -> bool:
    """Put what was made where it belongs, whole or not at all.

    Args:
        made: The folder that was made.
        folder: Its place.
        like: A folder whose mode its own is to be, and that of the folder it lies in; without one, everybody may read.

    Returns:
        Whether it is other than before.
    """
    if folder.is_dir() and _contents(folder) == _contents(made):
        return False
    mode = 0o755 if like is None else like.stat().st_mode & 0o7777
    if not folder.parent.is_dir():
        folder.parent.mkdir(parents=True)
        if like is not None:
            folder.parent.chmod(mode)
    staged = Path(tempfile.mkdtemp(prefix=f".{folder.name}-new-", dir=folder.parent))
    old = staged.with_name(staged.name.replace("-new-", "-old-"))
    try:
        shutil.copytree(made, staged, dirs_exist_ok=True)
        staged.chmod(mode)
        if folder.exists():
            folder.rename(old)
        try:
            staged.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    except OSError as error:
        raise ReleaseError(f"{folder}: the release could not be put there: {error.strerror or error}") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return True


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in _files(folder)}
