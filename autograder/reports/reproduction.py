"""An explanation as a Python script that makes the same calls of the student's code again, with NumPy alone."""

from __future__ import annotations

import base64
import datetime
import inspect
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from autograder.checking import alike, judge, short
from autograder.grading import CallRecord, Checked
from autograder.reports.explanation import FOR_INSTRUCTORS, Explanation, comparisons
from autograder.sandbox import Opaque, Ref, calls, protocol, repeatable
from autograder.submission import code_cells

MAX_LITERAL = 64
"""Entries of an array that are written out; larger ones are encoded."""

_BEGINNING = '''\
import base64
import contextlib
import datetime
import functools
import io
import itertools
import linecache
import os
import random
import sys
import traceback
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any
from unittest.mock import MagicMock

import numpy as np
from numpy import inf, nan

Array = Bools = Any
os.environ["MPLBACKEND"] = "Agg"
for package, modules in {"matplotlib": ["pyplot"], "IPython": ["display"]}.items():
    try:
        __import__(package)
    except ImportError:
        sys.modules[package] = MagicMock()
        sys.modules.update({f"{package}.{name}": MagicMock() for name in modules})

names = {"__name__": "__main__", "get_ipython": MagicMock()}  # what the notebook defines
kept = {}  # what calls gave, by number
waiting = []  # what a correct earlier function answers next
wrong = 0


def encoded(dtype, shape, data):
    return np.frombuffer(base64.b64decode(data), dtype).reshape(shape).copy()


def unmade(what):
    raise NotImplementedError(f"this script cannot make {what}")


def run_cell(name, source):
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    try:
        exec(compile(source, name, "exec"), names)
    except BaseException:
        print(f"{name}:")
        traceback.print_exc(file=sys.stdout)


def stand_in(name):
    """Answers as a correct one did."""

    def function(*arguments, **keywords):
        generators = [each for each in (*arguments, *keywords.values()) if _is_random(each)]
        asked, answer = waiting.pop(0) if waiting else (name, ("failed", "it was not asked for this often"))
        if asked != name or answer[0] != "answer":
            raise ValueError(answer[1])
        for generator, state in zip(generators, answer[2]):
            _put_state(generator, state)
        return iter(answer[1]) if answer[3] else answer[1]

    names[name] = function


@contextlib.contextmanager
def check(name, outcome, reason):
    print(f"\\n{name}: {outcome} in the grader. {reason}")
    try:
        yield
    except BaseException:
        traceback.print_exc(file=sys.stdout)


def call(number, name, *arguments, answers=(), **keywords):
    waiting[:] = answers
    kept[number] = names[name](*arguments, **keywords)
    print(f"  {name}(...) gave {kept[number]!r}")


def compare_exactly(label, actual, expected):
    global wrong
    right = alike(actual, expected)
    wrong += not right
    print(f"  {label}: {'right' if right else 'WRONG'}: {actual!r}" + ("" if right else f"; expected {expected!r}"))


def compare(label, actual, expected, relative, noise, floor, of_complex=False, of_float64=False):
    global wrong
    expected, noise = np.asarray(expected, float), np.asarray(noise, float)
    if not isinstance(actual, (int, float, complex, np.ndarray, np.generic)):
        wrong += 1
        print(f"  {label}: WRONG: {actual!r}; expected {expected!r}")
        return
    actual = np.asarray(actual)
    if of_float64 and actual.dtype.kind in "fc" and actual.dtype.itemsize < (16 if actual.dtype.kind == "c" else 8):
        wrong += 1
        print(f"  {label}: WRONG: dtype {actual.dtype}, though it was computed from float64")
        return
    if of_complex and actual.dtype.kind in "iufc":
        actual = np.stack([actual.real, actual.imag], axis=-1)
    if actual.shape != expected.shape or actual.dtype.kind not in "biuf":
        wrong += 1
        print(f"  {label}: WRONG: shape {actual.shape}, dtype {actual.dtype}; expected {expected!r}")
        return
    right, difference, allowance, scale = judge(actual.astype(float), expected, relative, noise, floor)
    with np.errstate(all="ignore"):
        error, allowed = difference / scale, np.where(np.isfinite(expected), allowance / scale, 0.0)
    wrong += bool((~right).any())
    print(f"  {label}: {'right' if right.all() else 'WRONG'}: {int((~right).sum())} of {right.size} entries are wrong")
    for index in np.argwhere(~right)[:8]:
        at = tuple(int(each) for each in index)
        values = f"{actual[at]!r}, expected {expected[at]!r}"
        print(f"    {list(at)}: {values}, error {error[at]:.3g}, allowed {allowed[at]:.3g}")
'''

_AS_INSIDE = (calls._is_random, calls._put_state, repeatable.fill_empty_arrays, repeatable._filled)

_END = """
print(f"\\n{wrong} comparisons are wrong.")
"""


def script(explanation: Explanation) -> str:
    """The script: the student's code cells, the row's calls with their inputs, what was expected.

    It needs NumPy alone. Where correct earlier functions had answered, they answer the same again.
    """
    submission, row = explanation.submission, explanation.row
    seed = explanation.assignment.seed
    title = f"{submission.student}, {explanation.assignment.name}, {row.name}: what its checks called and compared."
    head = [
        f'"""{_quoted(title)}',
        "",
        FOR_INSTRUCTORS,
        "",
        "Running it runs the student's code, as you, without a sandbox: read that first.",
        '"""',
        "",
        _BEGINNING,
        "# As in the grader: what draws random numbers, and memory that is never written to",
        "",
        *(inspect.getsource(function) for function in _AS_INSIDE),
        "# As in the grader: what is right",
        "",
        inspect.getsource(judge),
        "",
        inspect.getsource(alike),
        "",
        "fill_empty_arrays()",
        f"random.seed({seed})",
        f"np.random.seed({[seed & 0xFFFF_FFFF, seed >> 32]})",
        "",
        "# The student's code",
        "",
    ]
    cells = [_cell(index, source) for index, source in code_cells(submission)]
    calls = ["", "# The checks", ""]
    for name in explanation.run.replaced if explanation.run else ():
        calls.append(f"stand_in({name!r})")
    for checked in explanation.run.checks if explanation.run else ():
        calls += _check(checked)
    return "\n".join([*head, *cells, *calls, _END])


def _cell(index: int, source: str) -> str:
    lines = source.splitlines()
    if lines and lines[0].startswith("%%"):
        lines[0] = ""
    plain = "\n".join(re.sub(r"^(\s*)[%!?].*", r"\1pass", line) for line in lines) + "\n"
    text = f'"""\\\n{plain}"""' if _reads_as_written(plain) else repr(plain)
    return f'run_cell("cell {index}", {text})\n'


def _reads_as_written(text: str) -> bool:
    """Whether it means itself between triple quotes."""
    return '"""' not in text and "\\" not in text and all(each.isprintable() or each == "\n" for each in text)


def _check(checked: Checked) -> Iterator[str]:
    check = checked.result
    yield f"with check({check.name!r}, {check.outcome!r}, {check.reason!r}):"
    for event in checked.events:
        if isinstance(event, CallRecord):
            yield f"    {_call(event)}"
            continue
        for each in comparisons(event):
            if each.ref is not None:
                actual = _literal(each.ref)
            elif each.actual is not None:
                actual = f"{_literal(each.actual)}"
            else:
                continue
            if not each.scripted:
                yield f"    print({f'  {each.label}: ' + (each.problem or 'right') + ' (as the grader says)'!r})"
                continue
            label = each.label if each.ref is not None else f"{each.label} (worked out from the answers)"
            if each.tolerance is None:
                yield f"    compare_exactly({label!r}, {actual}, {_literal(each.desired)})"
                continue
            relative, noise, floor = each.tolerance
            tolerance = f"{relative!r}, {_literal(np.asarray(noise))}, {floor!r}"
            tolerance += ", of_complex=True" if each.of_complex else ""
            tolerance += ", of_float64=True" if each.of_float64 else ""
            yield f"    compare({label!r}, {actual}, {_literal(each.desired)}, {tolerance})"
    yield "    pass"
    yield ""


def _call(call: CallRecord) -> str:
    match call.message:
        case protocol.Call(name, arguments, keywords):
            parts = [str(call.handle), repr(name), *map(_literal, arguments)]
            answers = [(name, protocol.tree(answer)) for name, answer in call.answered]
            parts += [f"answers={_literal(answers)}"] if answers else []
            parts += [f"**{_literal(keywords)}"] if keywords else []
            return f"call({', '.join(parts)})"
        case protocol.TakeItems(ref, limit):
            return f"kept[{call.handle}] = list(itertools.islice(iter({_literal(ref)}), {limit + 1}))"
        case protocol.MakeGenerator(seed):
            return f"kept[{call.handle}] = np.random.default_rng({seed})"
    return "pass"


def _literal(value: Any) -> str:
    """An expression for plain data, bit by bit the same."""
    match value:
        case np.ndarray() if value.dtype == object and value.shape == ():
            return _literal(value[()])
        case np.ndarray() if value.dtype.kind == "U":
            return f"np.array({value.ravel().tolist()!r}, dtype=str).reshape({value.shape!r})"
        case frozenset():
            return f"frozenset({_literal(set(value))})"
        case set():
            return "{" + ", ".join(sorted(map(_literal, value))) + "}" if value else "set()"
        case np.ndarray() if value.size <= MAX_LITERAL and value.dtype.kind in "biuf" and value.size:
            return f"np.array({value.tolist()!r}, dtype={value.dtype.name!r}).reshape({value.shape!r})"
        case np.ndarray() if value.dtype.kind not in "biufc":
            return f"unmade({'an array of dtype ' + short(str(value.dtype))!r})"
        case np.ndarray():
            data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
            return f"encoded({value.dtype.name!r}, {value.shape!r}, {data!r})"
        case np.generic():
            return f"{_literal(np.asarray(value))}[()]"
        case Ref(handle, path):
            return f"kept[{handle}]" + "".join(f"[{key!r}]" for key in path)
        case Opaque():
            return "None"
        case defaultdict():
            return f"defaultdict({getattr(value.default_factory, '__name__', None)}, {_literal(dict(value))})"
        case OrderedDict() | Counter():
            return f"{type(value).__name__}({_literal(dict(value))})"
        case deque():
            return f"deque({_literal(list(value))}, {value.maxlen})"
        case dict():
            return "{" + ", ".join(f"{key!r}: {_literal(each)}" for key, each in value.items()) + "}"
        case tuple():
            return "(" + "".join(f"{_literal(each)}, " for each in value) + ")"
        case list():
            return "[" + ", ".join(map(_literal, value)) + "]"
    if value is None or type(value) in _WRITTEN:
        return repr(value)
    return f"unmade({short(type(value).__name__)!r})"


_WRITTEN = (
    *(bool, int, float, complex, str, bytes, bytearray, range, slice, type(...), Decimal, Fraction),
    *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta),
)
"""What writes itself as an expression that the script understands."""


def _quoted(text: str) -> str:
    return "".join(each for each in text if each.isprintable() and each not in '"\\')
