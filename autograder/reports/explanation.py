"""A row graded again, with every call, value and tolerance: what an instructor answers an appeal with.

For instructors alone: what is hidden is in it. Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from autograder.base import Cause, ConfigError, did_you_mean
from autograder.checking import (
    Answer,
    Compared,
    alike,
    complex_noise,
    components,
    fault,
    is_array_like,
    is_exact,
    is_made_of_parts,
    is_rounded,
    judge,
    tolerances,
)
from autograder.course import Assignment, Course
from autograder.feedback import listed, points_text
from autograder.gradebook import read_report
from autograder.grading import (
    MAX_PRINTED,
    CallRecord,
    Checked,
    CheckResult,
    Recorder,
    RowResult,
    RowRun,
    Suite,
    check_rows,
    check_tree,
    digest_of,
    provenance_for,
    row_tree,
    run_notebook,
    undefined_after,
    watched_names,
    with_definitions,
)
from autograder.sandbox import Kind, Opaque, Ref, Worker, probed, protocol
from autograder.submission import Submission, submission_of

FOR_INSTRUCTORS = "For instructors: expected values and hidden checks are in this. Never for students."
MAX_ENTRIES = 8
"""Entries of an array that are listed, the furthest off first."""


@dataclass(frozen=True)
class Entry:
    """One entry of an array that was compared: how far off it is, and how far off is still right."""

    index: tuple[int, ...]
    actual: float
    desired: float
    error: float
    allowed: float
    wrong: bool


class Tolerance(NamedTuple):
    """How far off is still right, as ``numerics.judge`` takes it."""

    relative: float
    noise: Any
    floor: float


@dataclass(frozen=True)
class ShownComparison:
    """One array or number that a check compared.

    Attributes:
        label: What it is.
        ref: Names the student's own object, where it is one.
        problem: Why there is nothing to compare, such as another shape; usually empty.
        actual: The student's, as a real array; None where there is a problem.
        desired: What it should be.
        tolerance: How far off is still right; None where only the same is.
        allowed: The same for each entry, the largest |actual − desired| that is right.
        wrong: How many entries are wrong.
        entries: The entries that are furthest off in terms of what is allowed, at most ``MAX_ENTRIES``.
        of_complex: Whether these are the parts of complex numbers, along the last axis.
        of_float64: Whether it has to have the precision of float64.
        scripted: Whether a script with NumPy alone can make the comparison again.
    """

    label: str
    ref: Ref | None
    problem: str
    actual: Any
    desired: Any
    tolerance: Tolerance | None
    allowed: Any
    wrong: int
    entries: tuple[Entry, ...]
    of_complex: bool = False
    of_float64: bool = False
    scripted: bool = True


@dataclass(frozen=True)
class Explanation:
    """A row of one submission, graded again.

    Attributes:
        submission: What was graded.
        assignment: The assignment.
        row: The row's result now.
        stored: The result that is stored, or None where there is none.
        differences: Sentences on what is other than stored; empty where nothing is.
        run: The run of the checks whose result counts; None where nothing could be run.
    """

    submission: Submission
    assignment: Assignment
    row: RowResult
    stored: RowResult | None
    differences: tuple[str, ...]
    run: RowRun | None


def explain(
    course: Course, assignment: Assignment, student: str, row_name: str, *, sandbox: Kind = "bubblewrap"
) -> Explanation:
    """Grade a row of a student's submission again, in the sandbox, and keep what its checks called and compared.

    The rows before it are checked too: what is carried forward depends on them.

    Raises:
        ConfigError: There is no such row; the message gives the nearest name.
        RefusedError: There is no submission.
        SandboxError: There is no sandbox on this machine, or it failed.
        CheckError: The assignment's checks cannot be used.
    """
    assignment, row_name = _notebook_with(assignment, row_name)
    position = _position(assignment, row_name)
    row = assignment.rows[position]
    submission = submission_of(course.root, assignment, student, timezone=course.timezone)
    report = read_report(course, student, assignment)
    stored = next((each for each in report.rows if each.name == row.name), None) if report else None
    now = provenance_for(assignment, sandbox)(submission.digest, submission.student)
    changed = report is not None and report.digest != digest_of(now)
    if submission.unreadable:
        cause = Cause("unreadable", text=submission.unreadable)
        check = CheckResult("readable", "The notebook can be read.", 1.0, "failed", cause)
        result, counts = RowResult(row.name, row.test_id, row.points, (check,)), None
    else:
        upto = replace(assignment, rows=assignment.rows[: position + 1])
        with (
            Suite(assignment) as suite,
            probed(Worker(sandbox, assignment.allowed_imports)) as worker,
            worker.session(
                assignment.limits,
                assignment.seed,
                files=submission.files,
                printed_limit=MAX_PRINTED,
                states=len(suite.test_ids),
            ) as session,
        ):
            suite.draw_for(student)
            watched = watched_names(submission, assignment)
            ran = run_notebook(session, submission, watched=watched, tests=suite.test_ids)
            recorder = Recorder(row.name)
            undefined = undefined_after(submission, assignment, ran.cells)
            rows = check_rows(session, upto, suite, {}, undefined, recorder, ran.before)
            result = with_definitions(rows, assignment, submission, ran.cells, suite.reference)[-1]
            # The first of those with these outcomes is the one that counts: another had to be better to replace it.
            counts = next((each for each in recorder.runs if _outcomes(each.results) == _outcomes(result.checks)), None)
    return Explanation(submission, assignment, result, stored, tuple(_differences(result, stored, changed)), counts)


def comparisons(compared: Compared) -> Iterator[ShownComparison]:
    """What ``compared`` comes to, one array or number after the other."""
    answer = compared.actual if isinstance(compared.actual, Answer) else None
    value = answer.value if answer is not None else compared.actual
    label = compared.what or (answer.label.strip("`") if answer is not None else "a value")
    ref = answer.ref if answer is not None else None
    yield from _compared(value, compared.desired, compared.noise, compared, label, ref, compared.parts)


def _outcomes(checks: Sequence[CheckResult]) -> list[tuple[str, str]]:
    return [(check.name, check.outcome) for check in checks]


def _notebook_with(assignment: Assignment, name: str) -> tuple[Assignment, str]:
    """The notebook, of an assignment's, that a row is in, and what the row is called there.

    Raises:
        ConfigError: There is no such row, or one in more than one notebook.
    """
    if not assignment.parts:
        return assignment, name
    found = [
        (each, row.name)
        for each in assignment.parts
        for row in each.rows
        if name in (row.name, row.test_id, *row.functions, each.labelled(row.name))
    ]
    if len(found) == 1:
        return found[0]
    names = [row.name for row in assignment.rows]
    there = "is more than one" if found else "is no"
    raise ConfigError(
        f"there {there} row {name!r} in {assignment.name}; {did_you_mean(name, names)}expected one of: "
        f"{', '.join(names)}"
    )


def _position(assignment: Assignment, name: str) -> int:
    names = [row.name for row in assignment.rows]
    for position, row in enumerate(assignment.rows):
        if name in (row.name, row.test_id, *row.functions):
            return position
    raise ConfigError(
        f"there is no row {name!r} in {assignment.name}; {did_you_mean(name, names)}expected one of: {', '.join(names)}"
    )


def _differences(row: RowResult, stored: RowResult | None, changed: bool) -> Iterator[str]:
    """What differs between a row's result now and the stored one, in sentences."""
    if stored is None:
        yield "No result of this row is stored: it has not been graded."
        return
    if changed:
        yield (
            "The submission, the assignment, its checks, its seed or the versions are other than when it was graded; "
            "autograder grade grades it again."
        )
    if row.score != stored.score:
        yield f"The row has {_points(row.score)} points now and {_points(stored.score)} as stored."
    if row.carried != stored.carried:
        yield f"The reference answers for {_names(row.carried)} now; as stored, for {_names(stored.carried)}."
    before = {check.name: check for check in stored.checks}
    for check in row.checks:
        old = before.pop(check.name, None)
        if old is None:
            yield f"{check.name} is new."
        elif (old.outcome, old.reason) != (check.outcome, check.reason):
            yield f"{check.name} {check.outcome} now; as stored it {old.outcome}. {old.reason}".rstrip()
    yield from (f"{name} is gone." for name in before)


def _compared(
    value: Any, desired: Any, noise: Any, around: Compared, label: str, ref: Ref | None, parts: Any = None
) -> Iterator[ShownComparison]:
    """The comparisons of single arrays and numbers that a comparison of a dictionary or tuple consists of."""
    if isinstance(around.actual, Answer) and (around.identical or (around.exact and is_made_of_parts(desired))):
        yield _whole_comparison(replace(around.actual, value=value, label=label), desired, around, ref)
        return
    parted = isinstance(desired, tuple) or (isinstance(desired, list) and around.exact)
    if parted and isinstance(desired, list) and isinstance(value, np.ndarray) and is_array_like(desired):
        # As `matches` has it: a list of numbers may come as an array.
        desired, noise = np.asarray(desired), np.asarray(noise, dtype=np.float64)
        parted = False
    if isinstance(desired, dict):
        keys: list[Any] = list(desired)
        wanted = [(key, f"{label}[{key!r}]", desired[key], noise[key]) for key in keys]
    elif parted:
        names = parts or [f"value {index} of {label}" for index in range(len(desired))]
        pairs = zip(names, desired, noise, strict=True)
        wanted = [(at, name, each, slack) for at, (name, each, slack) in enumerate(pairs) if name is not None]
    else:
        if around.exact and is_exact(desired):
            yield _exact_comparison(value, desired, label, ref)
        else:
            answer = around.actual
            whole = isinstance(answer, Answer) and is_rounded(np.float32(0), answer.sent, desired, around.single)
            yield _comparison(value, desired, noise, tolerances(around.single), label, ref, whole)
        return
    for key, name, each, slack in wanted:
        try:
            # A table has columns, and is no dictionary; one with a default has what is not there.
            if (isinstance(value, dict) and key not in value) or (
                not isinstance(value, dict) and is_made_of_parts(value)
            ):
                raise KeyError(key)
            part, problem = value[key], ""
        except (TypeError, LookupError):
            part, problem = None, "there is no such part"
        inner = Ref(ref.handle, (*ref.path, key)) if ref is not None else None
        if problem:
            wanted_here = np.asarray(each) if isinstance(each, np.ndarray | np.generic | int | float) else _boxed(each)
            nothing, zero = np.zeros(wanted_here.shape), Tolerance(0.0, 0.0, 0.0)
            yield ShownComparison(name, None, problem, None, wanted_here, zero, nothing, 0, ())
        else:
            yield from _compared(part, each, slack, around, name, inner)


def _whole_comparison(answer: Answer, desired: Any, around: Compared, ref: Ref | None) -> ShownComparison:
    """A thing of parts, or one that has to be the very same, and what the check says of it."""
    problem = fault(answer, replace(around, desired=desired, noise=0.0, parts=None))
    whole, nothing = _boxed(desired), np.zeros(())
    return ShownComparison(
        answer.label, ref, problem, None, whole, None, nothing, int(bool(problem)), (), scripted=False
    )


def _boxed(thing: Any) -> np.ndarray:
    """An array without dimensions that holds the thing."""
    box = np.empty((), dtype=object)
    box[()] = thing
    return box


def _exact_comparison(value: Any, desired: Any, label: str, ref: Ref | None) -> ShownComparison:
    """Something beside what it should be, and whether it is just that."""
    right = alike(value, desired)
    if isinstance(desired, int | np.number | np.ndarray) and np.asarray(desired).dtype.kind in "iu":
        shown = _comparison(value, desired, 0.0, (0.0, 0.0), label, ref, False)
        # Integers that float64 does not hold are not told apart by their error.
        if bool(shown.wrong or shown.problem) != right:
            return shown
    problem = "" if right else f"it is {_kind(value)}"
    wanted: Any = desired
    if not isinstance(desired, np.ndarray):
        wanted = _boxed(desired)
    nothing = np.zeros(wanted.shape)
    return ShownComparison(label, ref, problem, None, wanted, None, nothing, int(bool(problem)), ())


def _comparison(
    value: Any, desired: Any, noise: Any, allowed: tuple[float, float], label: str, ref: Ref | None, whole: bool
) -> ShownComparison:
    """One array or number beside what it should be, judged as the check judges it.

    Complex numbers are judged by their parts, which are shown along a last axis. ``allowed`` is the relative error and
    the floor; ``whole`` says that float32 is not precise enough.
    """
    relative, floor = allowed
    of_complex = np.asarray(desired).dtype.kind == "c"
    actual = np.asarray(value) if isinstance(value, np.ndarray | np.generic | int | float | complex) else None
    if of_complex:
        noise = complex_noise(noise, np.abs(np.asarray(desired, dtype=np.complex128)), relative)
        fits = actual is not None and actual.dtype.kind in "biufc" and actual.shape == np.shape(desired)
        wanted, actual = components(desired), components(actual) if fits else actual
    else:
        wanted = np.asarray(desired, dtype=np.float64)
    tolerance = Tolerance(relative, np.asarray(noise, dtype=np.float64), floor)
    problem = ""
    if actual is None:
        problem = f"it is {_kind(value)}"
    elif actual.dtype.kind not in "biuf":
        problem = f"its dtype is {actual.dtype}"
    elif actual.shape != wanted.shape:
        problem = f"its shape is {actual.shape}, {wanted.shape} was asked for"
    elif whole and is_rounded(value, (), 0.0, single=False):
        problem = f"its dtype is {value.dtype}, though it was computed from float64"
    if problem or actual is None:
        most = _allowed(wanted, wanted, tolerance)
        return ShownComparison(label, ref, problem, None, wanted, tolerance, most, 0, (), of_complex, whole)
    right, difference, allowance, scale = judge(actual.astype(np.float64), wanted, *tolerance)
    most = _allowed(actual.astype(np.float64), wanted, tolerance)
    with np.errstate(all="ignore"):
        error, share = difference / scale, difference / allowance
    # The furthest off in terms of what is allowed come first; where there is no such ratio, by whether they are right.
    share = np.where(np.isfinite(share), share, np.where(right, 0.0, np.inf))
    order = np.argsort(-share, axis=None, kind="stable")[:MAX_ENTRIES]
    entries = tuple(
        Entry(
            tuple(int(each) for each in np.unravel_index(at, wanted.shape)),
            float(actual.flat[at]),
            float(wanted.flat[at]),
            float(error.flat[at]),
            float(most.flat[at]),
            not right.flat[at],
        )
        for at in order
    )
    wrong = int(np.sum(~right))
    return ShownComparison(label, ref, "", actual, wanted, tolerance, most, wrong, entries, of_complex, whole)


def _allowed(actual: Any, wanted: Any, tolerance: Tolerance) -> Any:
    """For each entry, the largest |actual − wanted| that is right; 0 where only the same infinity or NaN is."""
    _, _, allowance, scale = judge(actual, wanted, *tolerance)
    with np.errstate(all="ignore"):
        return np.where(np.isfinite(wanted), allowance / scale, 0.0)


# As text


def explanation_text(explanation: Explanation) -> str:
    """The explanation for a terminal."""
    row, whose = explanation.row, explanation.submission.student
    lines = [
        FOR_INSTRUCTORS,
        "",
        f"{whose}, {explanation.assignment.name}, {row.name}: {_points(row.score)} of {row.points:g} points",
    ]
    if row.carried:
        lines.append(f"  given a correct {_names(row.carried)}: their answers are marked below")
    lines += [f"  {note}" for note in row.said]
    if explanation.assignment.inputs == "per_student":
        lines.append(f"  with the inputs of {whose}")
    lines += [f"  ! {difference}" for difference in explanation.differences] or ["  as it is stored"]
    if explanation.run is None:
        lines += [f"  ✗ {check.title} {check.reason}" for check in row.checks]
    for checked in explanation.run.checks if explanation.run else ():
        lines += ["", *_check_lines(checked, explanation.assignment)]
    return "\n".join(lines)


def _check_lines(checked: Checked, assignment: Assignment) -> Iterator[str]:
    check = checked.result
    mark = {"passed": "✓", "failed": "✗"}.get(check.outcome, "?")
    seen = (check.visibility or assignment.visibility).replace("_", " ")
    yield f"{mark} {check.title}  [{check.name}, weight {check.weight:g}, {seen}]"
    if check.reason:
        yield f"    Reason: {check.reason}"
    if check.trouble:
        yield from _indented("Trouble of ours:", check.trouble)
    for event in checked.events:
        if isinstance(event, CallRecord):
            yield from _call_lines(event)
        else:
            for comparison in comparisons(event):
                yield from _comparison_lines(comparison)


def _call_lines(call: CallRecord) -> Iterator[str]:
    yield f"    {_call_text(call)}"
    for name, answer in call.answered:
        given = _shown(answer.result if isinstance(answer, protocol.Answered) else answer.reason)
        yield f"      a correct {name} answered {given}"
    if call.handle:
        yield f"      gave {_shown(call.value)}"
    if call.printed:
        yield from (f"  {line}" for line in _indented("printed:", call.printed))
    if call.trouble:
        yield from (f"  {line}" for line in _indented("stopped:", call.trouble))


def _call_text(call: CallRecord) -> str:
    match call.message:
        case protocol.Call(name, arguments, keywords):
            shown = [_shown(each) for each in arguments] + [f"{key}={_shown(each)}" for key, each in keywords.items()]
            return f"{name}({', '.join(shown)})"
        case protocol.TakeItems(ref):
            return f"what {_shown(ref)} yields"
        case protocol.MakeGenerator(seed):
            return f"numpy.random.default_rng({seed})"
    return call.function


def _comparison_lines(comparison: ShownComparison) -> Iterator[str]:
    if comparison.problem:
        yield f"      {comparison.label}: {comparison.problem}; expected {_shown(comparison.desired)}"
        return
    if comparison.tolerance is None:
        yield f"      {comparison.label}: right, exactly {_shown(comparison.desired)}"
        return
    total = comparison.desired.size
    verdict = f"{comparison.wrong} of {total} wrong" if comparison.wrong else f"right, {total} of {total}"
    yield f"      {comparison.label}: {verdict}"
    yield f"        {'at':<12}{'student':>24}{'expected':>24}{'error':>12}{'allowed':>12}"
    for entry in comparison.entries if comparison.wrong else comparison.entries[:1]:
        place = f"[{', '.join(map(str, entry.index))}]" if entry.index else ""
        values = f"{entry.actual:>24.16g}{entry.desired:>24.16g}{entry.error:>12.3g}{entry.allowed:>12.3g}"
        yield f"        {place:<12}{values}{'  ✗' if entry.wrong else ''}"


def _indented(title: str, text: str) -> Iterator[str]:
    yield f"    {title}"
    yield from (f"      {line}" for line in text.rstrip("\n").splitlines())


def _shown(value: Any) -> str:
    """A value in little space, an array by its shape, dtype and corners."""
    match value:
        case np.ndarray() if value.dtype == object and value.shape == ():
            return _shown(value[()])
        case set() | frozenset():
            return "{" + ", ".join(sorted(map(_shown, value))[:20]) + (", …}" if len(value) > 20 else "}")
        case np.ndarray():
            text = np.array2string(value, precision=8, threshold=40, edgeitems=2, separator=", ", max_line_width=10_000)
            return f"{value.dtype}{list(value.shape)} {' '.join(text.split())}"
        case Ref(handle, path):
            return f"result {handle}" + "".join(f"[{key!r}]" for key in path)
        case Opaque(name):
            return f"a {_line(name)}"
        case dict():
            return (
                "{" + ", ".join(f"{_line(repr(key))}: {_shown(each)}" for key, each in list(value.items())[:20]) + "}"
            )
        case tuple() | list():
            inner = ", ".join(_shown(each) for each in value[:20]) + (", …" if len(value) > 20 else "")
            return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    text = repr(value)
    # A table has several lines.
    return _line(" ".join(text.split()) if "\n" in text else text)


def _line(text: str) -> str:
    return "".join(each if each.isprintable() else "�" for each in text[:400])


def _kind(value: Any) -> str:
    return f"a {_line(value.type_name)}" if isinstance(value, Opaque) else f"a {type(value).__name__}: {_shown(value)}"


def _points(score: float | None) -> str:
    return "no" if score is None else points_text(score)


def _names(functions: tuple[str, ...]) -> str:
    return listed(functions) if functions else "none"


# As data


def explanation_tree(explanation: Explanation) -> dict[str, Any]:
    """The explanation as a tree of JSON types; arrays as lists, with their dtype and shape."""
    return {
        "for": FOR_INSTRUCTORS,
        "student": explanation.submission.student,
        "assignment": explanation.assignment.name,
        "row": row_tree(explanation.row),
        "stored": None if explanation.stored is None else row_tree(explanation.stored),
        "differences": list(explanation.differences),
        "checks": [_check_tree(checked) for checked in explanation.run.checks] if explanation.run else [],
    }


def _check_tree(checked: Checked) -> dict[str, Any]:
    """A check's result with its calls and comparisons in their order, as plain data."""
    events: list[dict[str, Any]] = []
    for event in checked.events:
        if isinstance(event, CallRecord):
            events.append(
                {
                    "call": _tree(list(protocol.tree(event.message))),
                    "handle": event.handle,
                    "value": _tree(event.value),
                    "printed": event.printed,
                    "trouble": event.trouble,
                    "answered": _tree([[name, list(protocol.tree(answer))] for name, answer in event.answered]),
                }
            )
        else:
            events += [
                {
                    "comparison": each.label,
                    "problem": each.problem,
                    "actual": _tree(each.actual),
                    "desired": _tree(each.desired),
                    "allowed": _tree(np.asarray(each.allowed)),
                    "wrong": each.wrong,
                    "entries": [_tree(asdict(entry)) for entry in each.entries],
                }
                for each in comparisons(event)
            ]
    return check_tree(checked.result) | {"events": events}


def _tree(value: Any) -> Any:
    match value:
        case np.ndarray() if value.dtype == object and value.shape == ():
            return _tree(value[()])
        case set() | frozenset():
            return {"set": sorted((_tree(each) for each in value), key=repr)}
        case np.ndarray():
            return {"dtype": str(value.dtype), "shape": list(value.shape), "values": _tree(value.tolist())}
        case np.generic():
            return _tree(value.item())
        case Ref(handle, path):
            return {"result": handle, "path": list(path)}
        case Opaque(name):
            return {"opaque": name}
        case dict():
            return {str(key): _tree(each) for key, each in value.items()}
        case tuple() | list():
            return [_tree(each) for each in value]
        case float() if not np.isfinite(value):
            return repr(value)
        case complex() | bytes():
            return repr(value)
    return value if value is None or isinstance(value, bool | int | float | str) else _shown(value)
