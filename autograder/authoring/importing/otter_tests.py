"""Test cells of otter-assign's → code of nbgrader's test cells that gives the same verdict.

A test in OK format is a doctest: what its statements show, printed or as a value, must be what the cell showed when the
master was saved, and a statement but the last shows nothing. Two functions make that so, which stand once in the
notebook, in a locked cell. An exception-based test is a function that raises; it is called with what its parameters
name.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autograder.authoring.importing.otter_blocks import Piece, Question
from autograder.authoring.importing.otter_settings import Settings, read_settings
from autograder.authoring.importing.reading import NotConverted, mistake
from autograder.base import ConfigError, shown
from autograder.submission import parsed

_HELPERS = '''\
# The tests of this notebook look at what code shows: what it prints, and its value.
import contextlib
import io


def {shown}(code):
    """What a function prints, with its value as Python shows it on the last line; nothing for None."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        value = code()
        if value is not None:
            print(repr(value))
    return printed.getvalue().removesuffix("\\n")


@contextlib.contextmanager
def {shows}(*texts):
    """Fail where the code inside prints anything but one of these texts; by default, anything at all."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        yield
    assert printed.getvalue().removesuffix("\\n") in (texts or ("",)), "This prints something else than it should."
'''

_CONFIG_BEGINS = re.compile(r"(?:.\s*=\s*)?(\"\"?\"?|''?'?)\s*#\s*BEGIN\s*TEST\s*CONFIG", re.IGNORECASE)
_CONFIG_ENDS = re.compile(r"(\"\"?\"?|''?'?);?\s*#\s*END\s*TEST\s*CONFIG", re.IGNORECASE)
_HIDDEN = re.compile(r"\bhidden\b", re.IGNORECASE)
_KEYS = ("hidden", "points", "success_message", "failure_message")

_NO_SUCCESS = "a message for those who pass: there is none here"
_NO_FAILURE = "a message for those who fail: a test that raises says what it raised, so this stands as a comment"


@dataclass(frozen=True)
class Case:
    """A test case.

    Attributes:
        piece: Its cell.
        first: The line of the cell, from 0, at which its code begins.
        code: Its code.
        hidden: Whether students do not get it.
        points: What its settings say: a number, or None.
        failure: What a student reads who fails it; may be empty.
        left: What could not be converted.
    """

    piece: Piece
    first: int
    code: str
    hidden: bool
    points: float | None
    failure: str
    settings: Settings
    left: tuple[NotConverted, ...] = ()


def read_case(path: Path, piece: Piece) -> Case:
    """The test case in a test cell.

    Raises:
        ConfigError: Its settings do not end or are wrong, or it is no Python.
    """
    lines = piece.lines
    hidden = lines[0].lstrip().startswith("#") and bool(_HIDDEN.search(lines[0]))
    begin = first = 1 if hidden else 0
    settings = Settings()
    left: list[NotConverted] = []
    if hidden and not re.fullmatch(r"\s*#+\s*hidden( tests?)?\s*#*\s*", lines[0], re.IGNORECASE):
        left.append(piece.left(0, "the test is hidden for this line, which is left out"))
    if begin < len(lines) and _CONFIG_BEGINS.match(lines[begin]):
        end = next((number for number in range(begin, len(lines)) if _CONFIG_ENDS.match(lines[number])), None)
        if end is None:
            raise _wrong(path, piece, begin, "`# BEGIN TEST CONFIG` has no `# END TEST CONFIG` after it")
        text = "\n".join(["", *lines[begin + 1 : end]])
        settings = read_settings(path, piece.cell, piece.line + begin, text)
        first = end + 1
    values = settings.values
    if not isinstance(values.get("hidden", False), bool):
        at = settings.line_of("hidden") - piece.line
        raise _wrong(path, piece, at, f"expected true or false, found {shown(values['hidden'])}")
    points = number_of(values.get("points"))
    if points is None and values.get("points") is not None:
        raise _wrong(path, piece, settings.line_of("points") - piece.line, not_points(values["points"]))
    left += settings.left
    for key in values:
        if key not in _KEYS:
            left += settings.not_converted("Otter knows no such setting of a test", key)
    if values.get("success_message") is not None:
        left += settings.not_converted(_NO_SUCCESS, "success_message")
    code = "\n".join(lines[first:])
    _look_for_mistakes(path, piece, first, code)
    failure = values.get("failure_message")
    return Case(
        piece,
        first,
        code,
        bool(values.get("hidden", hidden)),
        points,
        "" if failure is None else str(failure),
        settings,
        tuple(left),
    )


def number_of(value: Any) -> float | None:
    """Points that are a number; None where they are none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e9 or value != value:
        return None
    return float(value) if value >= 0 else None


def not_points(value: Any) -> str:
    """What is wrong with points."""
    return f"expected points of at least 0, found {shown(value)}"


def points_of(path: Path, question: Question, cases: list[Case]) -> list[float]:
    """The points of each case, shared as otter-grader's documentation says under "Resolving Point Values".

    Raises:
        ConfigError: What the question says is no number, or does not fit its cases.
    """
    said = question.settings.values.get("points")
    line = question.settings.line_of("points") or question.at.line

    def wrong(text: str) -> ConfigError:
        return mistake(path, f"question {shown(question.name)}: {text}", cell=question.at.cell, line=line)

    given = [case.points for case in cases]
    if isinstance(said, list):
        numbers = [number_of(each) for each in said]
        for each, number in zip(said, numbers, strict=True):
            if number is None and each is not None:
                raise wrong(not_points(each))
        if len(said) != len(cases):
            raise wrong(f"points are listed for {len(said)} tests, and it has {len(cases)}")
        given, said = numbers, None
    elif isinstance(said, dict):
        each = number_of(said.get("each"))
        if each is None or len(said) > 1:
            raise wrong(not_points(said.get("each", said)))
        said = each * len(cases)
    total = number_of(said)
    if total is None and said is not None:
        raise wrong(not_points(said))
    if not cases:
        return []
    known = sum(each for each in given if each is not None)
    open_ = sum(each is None for each in given)
    if total is None:
        rest = 1 / open_ if open_ and known == 0 else 0.0
    elif known > total:
        raise wrong(f"its tests have {known:g} points, more than its own {total:g}")
    else:
        rest = (total - known) / open_ if open_ else 0.0
    return [rest if each is None else each for each in given]


# In OK format


@dataclass(frozen=True)
class Looking:
    """The functions by which tests in OK format look at what code shows.

    Attributes:
        shown: The name of the one that gives what a function shows.
        shows: The name of the one that fails where code prints something else.
    """

    shown: str = "shown"
    shows: str = "shows"

    @property
    def source(self) -> str:
        """The cell that defines them."""
        return _HELPERS.format(shown=self.shown, shows=self.shows)


def looking(words: Iterable[str]) -> Looking:
    """The functions under names that no cell of a notebook has among its words."""
    taken = frozenset(words)

    def free(name: str) -> str:
        while name in taken:
            name += "_"
        return name

    return Looking(free("shown"), free("shows"))


def in_ok_format(case: Case, by: Looking) -> tuple[str, Case]:
    """The code of a test in OK format, and the case with what could not be converted."""
    wanted, left = _wanted(case)
    tree = parsed(case.code)
    body = [] if tree is None else tree.body
    if not body:
        return case.code.strip("\n"), _with(case, left)
    lines = case.code.split("\n")
    if _share_lines(body) or _magics(case.code):
        left.append(
            _note(case, body[0].lineno, "several statements in a line, or a magic: what they show is not looked at")
        )
        return case.code.strip("\n"), _with(case, left)
    written: list[str] = []
    said = False
    done = 0
    for group, show in _grouped(body, wanted):
        start, end = _first_line(group[0]) - 1, group[-1].end_lineno or group[-1].lineno
        written += lines[done:start]
        only = group[0]
        if show is not None and isinstance(only, ast.Expr) and not _binds_or_waits(only):
            said = said or group[0] is body[-1]
            written += _assertion(by, lines, only, show, case.failure if group[0] is body[-1] else "")
        elif show is not None and not _has_long_text(group):
            inner = textwrap.indent("\n".join(lines[start:end]), "    ")
            written += [f"with {by.shows}({', '.join(map(repr, _as_good(show))) if show else ''}):", *inner.split("\n")]
        else:
            written += lines[start:end]
            if show is not None:
                why = "a text over several lines: what this statement prints is not looked at"
                left.append(_note(case, start + 1, why))
        done = end
    written += lines[done:]
    if case.failure and not said:
        left += case.settings.not_converted(_NO_FAILURE, "failure_message")
        written = [*_comments([case.failure]), *written]
    return "\n".join(written).strip("\n"), _with(case, left)


def _wanted(case: Case) -> tuple[str, list[NotConverted]]:
    """What a doctest wants of the test: what its cell showed, up to the first empty line."""
    lines = case.piece.shown.split("\n")
    end = next(
        (number for number, line in enumerate(lines) if not line.strip(" ") or line.startswith(">>>")), len(lines)
    )
    left = []
    if any(line.strip() for line in lines[end:]):
        left.append(
            _note(case, 1, "what it showed has an empty line, where a doctest stops: the rest is not looked at")
        )
    tree = parsed(case.code)
    last = tree.body[-1] if tree is not None and tree.body else None
    if not "".join(lines[:end]) and isinstance(last, ast.Expr) and not isinstance(last.value, ast.Call):
        text = (
            "no output is saved for this test, so it wants none, as in Otter: run the notebook, save it with its "
            "outputs and import it again"
        )
        left.append(_note(case, last.lineno, text))
    return "\n".join(lines[:end]), left


def _grouped(body: list[ast.stmt], wanted: str) -> Iterator[tuple[list[ast.stmt], str | None]]:
    """Statements in order, each run of them with what it has to show; None for what shows nothing anyway.

    An expression is by itself: its value is shown too.
    """
    run: list[ast.stmt] = []
    for statement in body:
        show = wanted if statement is body[-1] else ""
        together = bool(run) and not isinstance(statement, ast.Expr) and not show and _may_show(statement)
        if run and not together:
            yield run, ""
            run = []
        if together or (_may_show(statement) and not isinstance(statement, ast.Expr) and not show):
            run.append(statement)
        else:
            yield [statement], show if show or _may_show(statement) else None
    if run:
        yield run, ""


def _may_show(statement: ast.stmt) -> bool:
    """Whether a statement may print: it calls something, or has operators of a student's class at work."""
    if isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Pass):
        return False
    if isinstance(statement, ast.Expr):
        return True
    return any(isinstance(node, ast.Call | ast.BinOp | ast.Compare | ast.Subscript) for node in ast.walk(statement))


def _assertion(by: Looking, lines: list[str], final: ast.Expr, wanted: str, failure: str) -> list[str]:
    """The last statement of a test, whose value is looked at."""
    first, last = final.lineno - 1, (final.end_lineno or final.lineno) - 1
    begin, end = _character(lines[first], final.col_offset), _character(lines[last], final.end_col_offset or 0)
    words = f", {failure!r}" if failure else ""
    wants = _as_good(wanted)
    compared = f"in {wants!r}" if len(wants) > 1 else f"== {wanted!r}"
    if first == last:
        rest = lines[last][end:].strip().lstrip(";").strip()
        return [f"assert {by.shown}(lambda: {lines[first][begin:end]}) {compared}{words}{f'  {rest}' if rest else ''}"]
    return [
        f"assert {by.shown}(lambda: (",
        *lines[first:last],
        lines[last],
        f")) {compared}{words}",
    ]


def _as_good(wanted: str) -> tuple[str, ...]:
    """What a doctest takes for a text: that text, and True for 1 and False for 0."""
    also = {"1": "True", "0": "False"}.get(wanted)
    return (wanted,) if also is None else (wanted, also)


def _character(line: str, offset: int) -> int:
    """A place in a line, which the parser counts in bytes."""
    return len(line.encode()[:offset].decode(errors="ignore"))


def _binds_or_waits(statement: ast.Expr) -> bool:
    """Whether an expression does what it cannot do in a function of its own."""
    return any(isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom) for node in ast.walk(statement))


def _share_lines(body: list[ast.stmt]) -> bool:
    ends = [each.end_lineno or each.lineno for each in body]
    return any(_first_line(later) <= end for end, later in zip(ends, body[1:], strict=False))


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(each.lineno for each in decorators)])


def _magics(code: str) -> bool:
    return bool(re.search(r"^[ \t]*[%!?]", code, re.MULTILINE))


def _has_long_text(group: Iterable[ast.stmt]) -> bool:
    """Whether a text or an f-string in it goes over several lines, so that indenting it would change it."""
    return any(
        isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno != node.lineno
        for statement in group
        for node in ast.walk(statement)
    )


# Based on exceptions


def exception_based(path: Path, case: Case, known: frozenset[str]) -> tuple[str, Case]:
    """The code of an exception-based test, and the case with what could not be converted.

    Args:
        path: The notebook.
        case: The case.
        known: Names that the notebook binds anywhere.

    Raises:
        ConfigError: It is no function alone, or with one statement behind it.
    """
    tree = parsed(case.code)
    body = [] if tree is None else tree.body
    if not body or len(body) > 2 or not isinstance(body[0], ast.FunctionDef):
        line = _first_line(body[1]) - 1 if len(body) > 1 and isinstance(body[0], ast.FunctionDef) else 0
        raise _wrong(
            path,
            case.piece,
            case.first + line,
            "an exception-based test is a function `def test_…(…)` and at most a call of it behind it",
        )
    function = body[0]
    left: list[NotConverted] = []
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    call = f"{function.name}({', '.join(map(_argument(known), arguments))})"
    lines = case.code.split("\n")
    end = function.end_lineno or function.lineno
    written = lines[:end]
    between = lines[end:]
    if len(body) > 1:
        said = body[1]
        positional = ", ".join(each.arg for each in arguments)
        if ast.unparse(said) == f"{function.name}({positional})" and "env" not in {each.arg for each in arguments}:
            call = ""
        else:
            for number in range(_first_line(said) - 1, said.end_lineno or said.lineno):
                between[number - end] = f"# {lines[number]}"
    written += between
    if call:
        while written and not written[-1].strip():
            written.pop()
        written.append(call if len(body) > 1 else f"\n\n{call}")
    if case.failure:
        written = [*_comments([case.failure]), *written]
        left += case.settings.not_converted(_NO_FAILURE, "failure_message")
    return "\n".join(written).strip("\n"), _with(case, left)


def _argument(known: frozenset[str]) -> Any:
    def written(parameter: ast.arg) -> str:
        if parameter.arg == "env":
            return "env=globals()"
        return f"{parameter.arg}={parameter.arg if parameter.arg in known else None}"

    return written


# For both


def _comments(texts: Iterable[str]) -> list[str]:
    return [f"# {line}" for text in texts for line in text.splitlines()]


def _look_for_mistakes(path: Path, piece: Piece, first: int, code: str) -> None:
    try:
        ast.parse(re.sub(r"^([ \t]*)[%!?].*$", r"\1pass", code, flags=re.MULTILINE))
    except SyntaxError as problem:
        line = first + (problem.lineno or 1) - 1
        raise _wrong(
            path, piece, min(line, len(piece.lines) - 1), f"this test is no Python: {problem.msg}"
        ) from problem
    except (ValueError, RecursionError, MemoryError) as problem:
        raise _wrong(path, piece, first, f"this test is no Python: {problem}") from problem


def _with(case: Case, left: Iterable[NotConverted]) -> Case:
    return replace(case, left=(*case.left, *left))


def _note(case: Case, line: int, why: str) -> NotConverted:
    """Something about a line of the code, from 1."""
    number = min(case.first + line - 1, len(case.piece.lines) - 1)
    return case.piece.left(number, why)


def _wrong(path: Path, piece: Piece, number: int, why: str) -> ConfigError:
    return mistake(path, why, cell=piece.cell, line=piece.line + number)
