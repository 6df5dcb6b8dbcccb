"""Mistakes that students of numerical code make, whatever the code looks like.

They are made from a function's signature and from what the checks were seen to pass and to get: arguments ignored or
changed in place, results off by 1/N or right to three digits only, states not returned, zeros for gradients. And what
a check misses that draws ordinary inputs alone: numbers cut off at a bound, results rounded to float32, sizes read off
the data, edges that only float32 meets.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from autograder.authoring.audit.editing import (
    Change,
    Edit,
    Several,
    body_of,
    changes,
    expression,
    named_functions,
    replaced,
    statements,
)
from autograder.authoring.audit.mutants import expressions_of, statements_of
from autograder.authoring.audit.observing import ARRAYS, Form, Observed, common_form, form_of
from autograder.sandbox import Ref

BOUND = 1e3
"""Where an array's entries are cut off: beyond ordinary inputs, and below what a check of large ones draws."""
BOUND_OF_NUMBERS = 10.0
"""Where a number that is no array is cut off."""
BOUND_OF_COUNTS = 100
"""Where an integer is cut off."""
_LARGE_FLOAT32 = 100.0
"""Above 88.7, the exponential of a float32 is infinite; that of a float64 is not."""


def stock_mutants(tree: ast.Module, numpy: str, observed: Observed) -> Iterator[Change]:
    """The stock mistakes in a cell, no two alike.

    Args:
        tree: The right cell, without docstrings.
        numpy: What NumPy is called in the notebook; empty where it is not imported.
        observed: What the checks were seen to pass and to get.
    """
    for name, function in named_functions(tree):
        forms = parameter_forms(name, function, observed)
        values = parameter_values(name, function, observed)
        edits = [*_at_the_start(function, forms, values, numpy), *_at_the_end(function, forms)]
        edits += [*_of_the_range(function, forms, values, numpy), *_of_float32(function, forms, values, numpy)]
        edits += [*_of_sizes(function, values), *_sizes_of_data(function, forms, values, numpy)]
        keeper = function.args.args[0].arg if "." in name and function.args.args else name
        edits += _of_results(function, forms, values, observed.results.get(name, ""), numpy, keeper)
        yield from changes(tree, name, edits)


def parameter_values(name: str, function: ast.FunctionDef, observed: Observed) -> dict[str, list[Any]]:
    """What the checks passed for each parameter of a function (``named_functions``), in the order of their calls."""
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]["." in name :]
    values: dict[str, list[Any]] = {}
    # To make an object is to call its class.
    for positional, keywords in observed.arguments.get(name.removesuffix(".__init__"), ()):
        for parameter, value in [*zip(names, positional, strict=False), *keywords.items()]:
            if not isinstance(value, Ref):  # an object of the student's own, which may be anything
                values.setdefault(parameter, []).append(value)
    return values


def parameter_forms(name: str, function: ast.FunctionDef, observed: Observed) -> dict[str, Form]:
    """The form that all values of a parameter have in common, for each parameter where there is one."""
    values = parameter_values(name, function, observed)
    forms = {each: reduce(common_form, map(form_of, passed)) for each, passed in values.items()}
    return {each: form for each, form in forms.items() if form}


def _at_the_start(
    function: ast.FunctionDef, forms: Mapping[str, Form], values: Mapping[str, Sequence[Any]], numpy: str
) -> Iterator[Edit]:
    """Arguments replaced by something of the function's own before it does anything."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    defaults: dict[str, ast.expr] = dict(
        zip([each.arg for each in arguments[::-1]], function.args.defaults[::-1], strict=False)
    )
    for name, form in forms.items():
        ignored: list[tuple[str, str]] = []
        if name in defaults:
            ignored.append(("an argument ignored for its default", f"{name} = {ast.unparse(defaults[name])}"))
        elif form in ("float", "int"):
            ignored.append(("an argument ignored", f"{name} = {values[name][0]!r}"))
        if form == "int":
            ignored += [("off by one", f"{name} = {name} + 1"), ("off by one", f"{name} = {name} - 1")]
        if numpy and form in ARRAYS:
            ignored.append(("an argument ignored", f"{name} = {numpy}.ones_like({name})"))
        if numpy and form == "integers":
            ignored.append(("an argument ignored", f"{name} = {numpy}.zeros_like({name})"))
        for kind, code in ignored:
            yield _started(function, kind, code)


def _started(function: ast.FunctionDef, kind: str, code: str) -> Edit:
    """The function with some code at its start."""
    changed = _with_body(function, [*statements(code), *body_of(function)])
    return Edit(kind, function, function, changed, f"{code}  # at the start")


def _entries(form: Form) -> list[Any]:
    """The keys of a dict of which all entries are arrays of floats; none where it is no such dict."""
    return list(form) if isinstance(form, dict) and form and all(each in ARRAYS for each in form.values()) else []


def _of_the_range(
    function: ast.FunctionDef, forms: Mapping[str, Form], values: Mapping[str, Sequence[Any]], numpy: str
) -> Iterator[Edit]:
    """Arguments cut off at a bound: right for all that are smaller."""
    for name, form in forms.items():
        if not _beyond_one(values[name]):
            continue
        if numpy and form in ARRAYS:
            yield _started(function, "cut off at a bound", f"{name} = {numpy}.clip({name}, -{BOUND}, {BOUND})")
        elif numpy and _entries(form):
            each = f"{numpy}.clip(value, -{BOUND}, {BOUND})"
            yield _started(function, "cut off at a bound", f"{name} = {{key: {each} for key, value in {name}.items()}}")
        elif form == "float":
            yield _started(function, "cut off at a bound", f"{name} = min({name}, {BOUND_OF_NUMBERS})")
        elif form == "int":
            yield _started(function, "cut off at a bound", f"{name} = min({name}, {BOUND_OF_COUNTS})")


def _beyond_one(values: Sequence[Any]) -> bool:
    """Whether any number is above 1 in size: where none is, they are probabilities, shares or rates."""
    numbers = [each for value in values for each in (value.values() if isinstance(value, dict) else [value])]
    return any(
        bool(np.any(np.abs(number) > 1))
        for number in numbers
        if isinstance(number, int | float | np.ndarray | np.number) and np.asarray(number).dtype.kind in "iuf"
    )


def _of_float32(
    function: ast.FunctionDef, forms: Mapping[str, Form], values: Mapping[str, Sequence[Any]], numpy: str
) -> Iterator[Edit]:
    """Float32 arguments of which exact zeros, or large entries, come to grief, as float64 ones do not."""
    for name, form in forms.items() if numpy else ():
        each = name if form in ARRAYS else "value"
        lost = [("a float32 of 0 lost", f"{each} == 0")]
        if _entries(form) or form in ARRAYS:
            if _beyond_one(values[name]):
                lost.append(("a large float32 lost", f"abs({each}) > {_LARGE_FLOAT32}"))
            for kind, where in lost:
                edge = f"{numpy}.where({where}, {numpy}.nan, {each}) if {each}.dtype == {numpy}.float32 else {each}"
                code = edge if each == name else f"{{key: {edge} for key, value in {name}.items()}}"
                yield _started(function, kind, f"{name} = {code}")


def _sizes_of_data(
    function: ast.FunctionDef, forms: Mapping[str, Form], values: Mapping[str, Sequence[Any]], numpy: str
) -> Iterator[Edit]:
    """Sizes read off the data: as many classes as the largest label says, or as there are among the labels."""
    for labels in [name for name, form in forms.items() if form == "integers" and numpy]:
        largest = f"int({numpy}.max({labels})) + 1"
        for name, form in forms.items():
            if form == "int":
                for size in (largest, f"len({numpy}.unique({labels}))"):
                    yield _started(function, "a size taken from the data", f"{name} = {size}")
            elif form == "floats" and all(np.ndim(value) == 2 for value in values[name]):
                yield _started(function, "a size taken from the data", f"{name} = {name}[:, :{largest}]")
            elif _entries(form):
                shorter = f"{{key: value[..., :{largest}] for key, value in {name}.items()}}"
                yield _started(function, "a size taken from the data", f"{name} = {shorter}")


def _at_the_end(function: ast.FunctionDef, forms: Mapping[str, Form]) -> Iterator[Edit]:
    """Arguments written to, once the result is there."""
    for name, form in forms.items():
        if form in (*ARRAYS, "integers"):
            write = f"given_{name} += 1"
        elif isinstance(form, dict) and any(each in (*ARRAYS, "integers") for each in form.values()):
            write = f"for value in given_{name}.values():\n    value += 1"
        else:
            continue
        body: list[ast.stmt] = [*statements(f"given_{name} = {name}")]
        body += _before_returns(body_of(function), statements(write))
        shown = f"given_{name} += 1" if write.startswith("given") else f"value += 1  # each of given_{name}"
        yield Edit("an argument changed in place", function, function, _with_body(function, body), shown)


def _before_returns(body: Sequence[ast.stmt], before: list[ast.stmt]) -> list[ast.stmt]:
    """The statements with others before each return, and at the end where that is none."""

    class Returns(ast.NodeTransformer):
        def visit_Return(self, node: ast.Return) -> Sequence[ast.stmt]:
            kept = ast.Assign([ast.Name("result", ast.Store())], node.value or ast.Constant(None))
            return [kept, *before, ast.Return(ast.Name("result", ast.Load()))]

        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
            return node

    # A copy: transformers work in place.
    copied = statements(ast.unparse(ast.Module(list(body), [])))
    new = Returns().visit(ast.Module(copied, [])).body
    return [*new, *([] if isinstance(new[-1], ast.Return) else before)]


def _with_body(function: ast.FunctionDef, body: list[ast.stmt]) -> ast.FunctionDef:
    return ast.FunctionDef(function.name, function.args, body, function.decorator_list, function.returns)


def _sized(values: Sequence[Any]) -> bool:
    return all(isinstance(value, np.ndarray) and value.ndim for value in values)


def _of_sizes(function: ast.FunctionDef, values: Mapping[str, Sequence[Any]]) -> Iterator[Edit]:
    """Sizes of the arguments as numbers: those of the first call, as if there were no others."""
    for statement in statements_of(function):
        for node in expressions_of(statement):
            match node:
                case ast.Call(ast.Name("len"), [ast.Name(name)], []) if _sized(values.get(name, [None])):
                    size = len(values[name][0])
                case ast.Subscript(ast.Attribute(ast.Name(name), "shape"), ast.Constant(int(axis)), ast.Load()):
                    shapes = [np.shape(value) for value in values.get(name, ()) if isinstance(value, np.ndarray)]
                    if not shapes or not all(len(shape) > axis for shape in shapes):
                        continue
                    size = shapes[0][axis]
                case _:
                    continue
            yield Edit("a size taken for granted", statement, node, ast.Constant(size))


def _of_results(
    function: ast.FunctionDef,
    forms: Mapping[str, Form],
    values: Mapping[str, Sequence[Any]],
    result: Form,
    numpy: str,
    keeper: str,
) -> Iterator[Edit]:
    """Changes of what a function returns: all of it, parts left out, swapped or of another form, a state unchanged.

    ``keeper`` is what an answer is kept in: the function itself, or a method's object.
    """
    returns = [node for node in _own(function) if isinstance(node, ast.Return) and node.value is not None]
    batch = next((name for name, form in forms.items() if form in ("floats", "vector") and _sized(values[name])), "")
    parameters = {each.arg for each in (*function.args.posonlyargs, *function.args.args)}
    for node in returns:
        value = node.value
        assert value is not None
        yield from _of_whole(node, value, keeper)
        parts = [(value, result)]
        if isinstance(value, ast.Tuple) and isinstance(result, tuple) and len(value.elts) == len(result):
            parts = list(zip(value.elts, result, strict=True))
            rest = value.elts[0] if len(parts) == 2 else ast.Tuple(value.elts[:-1])
            yield Edit("the last part left out", node, value, rest)
            swapped = ast.Tuple([*value.elts[1::-1], *value.elts[2:]], ast.Load())
            yield Edit("parts swapped", node, value, swapped)
        for part, form in parts:
            inner = [(part, form)]
            if isinstance(part, ast.Dict) and isinstance(form, dict):
                keys = [getattr(key, "value", None) for key in part.keys]
                inner = [(each, form.get(key, "")) for key, each in zip(keys, part.values, strict=True)]
                more = ast.Dict([*part.keys, ast.Constant("extra")], [*part.values, ast.Constant(0.0)])
                yield Edit("a key too many", node, part, more)
            for each, kind in inner:
                for what, code in _wrong(kind, numpy, batch):
                    yield Edit(what, node, each, _filled(expression(code), each))
            if isinstance(part, ast.Name) and part.id in parameters and _rebound(function, part.id):
                changed = _returning_given(function, part)
                yield Edit("a state returned as it came in", function, function, changed, f"return … given_{part.id}")


def _of_whole(node: ast.Return, value: ast.expr, name: str) -> Iterator[Edit]:
    kept = f"{name}.first = getattr({name}, 'first', None) or (_,)"
    (remember,) = statements(kept)
    last = ast.Return(expression(f"{name}.first[0]"))
    new = Several([_filled(remember, value), last])  # type: ignore[list-item]
    yield Edit("the first answer given again", node, node, new)


def _wrong(form: Form, numpy: str, batch: str) -> Iterator[tuple[str, str]]:
    """Wrong versions of a part of a result, ``_``, as code."""
    if numpy and _entries(form):
        for what, code in _OF_ARRAYS:
            each = code.format(numpy=numpy, value="value")
            yield what, f"{{key: {each} for key, value in _.items()}}"
    if form not in ("float", *ARRAYS):
        return
    if numpy:
        for what, code in _OF_ARRAYS:
            yield what, code.format(numpy=numpy, value="_")
    yield "right to 1e-3 only", "_ * 1.001"
    yield "a sign too many", "-_"
    if batch:
        yield "1/N left out", f"_ * len({batch})"
        yield "1/N too many", f"_ / len({batch})"
    if numpy:
        yield "zeros returned", f"{numpy}.zeros_like(_)"
        yield "right to 1e-3 only", f"{numpy}.float16(_)"
        if form in ("floats", "vector"):
            yield "a list for an array", f"{numpy}.asarray(_).tolist()"
            if form == "floats":
                yield "transposed", f"{numpy}.transpose(_)"
            yield "axes of 1 dropped", f"{numpy}.squeeze(_)"
            yield "an axis too many", f"{numpy}.asarray(_)[None]"
        else:
            yield "an array for a number", f"{numpy}.array([_])"


_OF_ARRAYS = (
    ("rounded to float32", "{numpy}.float32({value})"),
    ("cut off at a bound", f"{{numpy}}.clip({{value}}, -{BOUND}, {BOUND})"),
)
"""Wrong versions of an array or a number, as code."""


def _filled(pattern: ast.AST, value: ast.expr) -> ast.AST:
    """The pattern with the value for ``_``."""

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return value if node.id == "_" else node

    return Fill().visit(pattern)  # type: ignore[no-any-return]


def _rebound(function: ast.FunctionDef, name: str) -> bool:
    names = (node for node in _own(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return any(node.id == name for node in names)


def _returning_given(function: ast.FunctionDef, part: ast.Name) -> ast.FunctionDef:
    """The function with what its argument was at the start in the place of that part of its result."""
    kept = statements(f"given_{part.id} = {part.id}")
    changed = replaced(function, part, ast.Name(f"given_{part.id}", ast.Load()))
    return _with_body(changed, [*kept, *body_of(changed)])


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function, without those of functions inside it."""
    waiting: list[ast.AST] = list(body_of(function))
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
