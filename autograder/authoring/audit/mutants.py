"""Wrong versions of a solution cell, each by one small change of its code: another operator, axis, constant, name.

What cannot be told from the right code by what it computes is not touched: docstrings, annotations, what is raised.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from autograder.authoring.audit.editing import Change, Edit, Several, answers_of, body_of, changes, expression

Nodes = Iterator[tuple[str, ast.AST]]
"""Pairs of what is done to a node and what is put in its place."""

_OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div, ast.Mod),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
}
_ORDERED = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_FUNCTIONS: dict[str, tuple[str, ...]] = {
    "sum": ("mean", "max"),
    "mean": ("sum", "median"),
    "max": ("min", "mean"),
    "min": ("max",),
    "maximum": ("minimum",),
    "minimum": ("maximum",),
    "exp": ("expm1", "exp2"),
    "log": ("log1p", "log2"),
    "sqrt": ("square", "cbrt"),
    "square": ("sqrt", "abs"),
    "abs": ("negative",),
    "zeros": ("ones",),
    "ones": ("zeros",),
    "zeros_like": ("ones_like",),
    "ones_like": ("zeros_like",),
    "cos": ("sin",),
    "sin": ("cos",),
    "argmax": ("argmin",),
    "var": ("std",),
    "std": ("var",),
    "dot": ("outer",),
    "floor": ("ceil",),
    "ceil": ("floor",),
    "normal": ("uniform",),
}
_AXES: dict[int, tuple[int, ...]] = {-1: (0, 1), 0: (1,), 1: (0,)}
_UNORDERED = frozenset({"maximum", "minimum", "add", "multiply", "zip", "print", "isinstance"})
_NO_OPERAND = frozenset({"zeros", "ones", "empty", "full", "arange", "eye", "where", "linspace", "default_rng"})
_TINY = 1e-6


@dataclass(frozen=True)
class Scope:
    """What edits may use at some place: names of the function, its strings, and NumPy's name there (or ``""``)."""

    numpy: str
    names: tuple[str, ...]
    strings: tuple[str, ...]
    arrays: frozenset[str]


def mutants(tree: ast.Module, numpy: str, arrays: dict[str, frozenset[str]]) -> Iterator[Change]:
    """The mutants of a cell, in the order of its code, no two alike.

    Args:
        tree: The right cell, without docstrings.
        numpy: What NumPy is called in the notebook; empty where it is not imported.
        arrays: By function, those of its parameters that are arrays.
    """
    for name, function in answers_of(tree):
        yield from changes(tree, name, _edits(function, numpy, arrays.get(name, frozenset())))


def _edits(function: ast.FunctionDef, numpy: str, arrays: frozenset[str]) -> Iterator[Edit]:
    """Every change of a function: of its defaults, of its statements, and of the expressions in each."""
    parameters = [each.arg for each in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    bound = dict.fromkeys(parameters, 0)
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and not _in_comprehension(function, node):
            bound.setdefault(node.id, node.lineno)
    strings = tuple(dict.fromkeys(_strings(function)))
    defaults = [each for each in (*function.args.defaults, *function.args.kw_defaults) if each is not None]
    for default in defaults:
        number = _number(default)
        for other in () if number is None else (*_other_numbers(number), 2 * number):
            yield Edit("another default", function, default, _constant(other))
    for statement in statements_of(function):
        names = tuple(name for name, first in bound.items() if first < statement.lineno)
        scope = Scope(numpy, names, strings, arrays)
        for kind, new in _of_statement(statement, scope, bound):
            yield Edit(kind, statement, statement, new)
        for node in expressions_of(statement):
            for edit in _OF_EXPRESSIONS:
                for kind, new in edit(node, scope):
                    yield Edit(kind, statement, node, new)


# Where edits are made


def statements_of(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    """All statements in order but those that only raise, assert or import; nested ones after what they stand in."""

    def within(body: list[ast.stmt]) -> Iterator[ast.stmt]:
        for statement in body:
            if isinstance(statement, ast.Raise | ast.Assert | ast.Import | ast.ImportFrom | ast.Pass):
                continue
            yield statement
            inner = body_of(statement) if isinstance(statement, ast.FunctionDef) else getattr(statement, "body", [])
            yield from within(inner)
            yield from within(getattr(statement, "orelse", []))
            yield from within(getattr(statement, "finalbody", []))

    yield from within(body_of(function))


def expressions_of(statement: ast.stmt) -> Iterator[ast.expr]:
    """The expressions of a statement itself, not of those inside it; no annotations, no parts of formatted strings."""

    def within(node: ast.AST) -> Iterator[ast.expr]:
        if (isinstance(node, ast.stmt) and node is not statement) or isinstance(node, ast.JoinedStr):
            return
        if isinstance(node, ast.expr):
            yield node
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list"):
                continue
            if isinstance(node, ast.keyword) and node.arg in ("axis", "keepdims"):
                continue
            if isinstance(node, ast.UnaryOp) and _number(node) is not None:
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from within(child)

    yield from within(statement)


def _strings(function: ast.FunctionDef) -> Iterator[str]:
    for statement in statements_of(function):
        for node in expressions_of(statement):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def _in_comprehension(function: ast.FunctionDef, name: ast.Name) -> bool:
    loops = (node for node in ast.walk(function) if isinstance(node, ast.comprehension))
    return any(name is node for loop in loops for node in ast.walk(loop.target))


# What is done to expressions


def _operator(node: ast.expr, scope: Scope) -> Nodes:  # noqa: ARG001 - one signature for all
    """Changes of an operator: another one, its operands swapped, or one operand alone."""
    match node:
        case ast.BinOp(left, operator, right):
            for other in _OPERATORS.get(type(operator), ()):
                yield "another operator", ast.BinOp(left, other(), right)
            if isinstance(operator, _ORDERED):
                yield "operands swapped", ast.BinOp(right, operator, left)
            yield "a term dropped", left
            if not isinstance(operator, ast.Pow):
                yield "a term dropped", right
        case ast.UnaryOp(ast.USub() | ast.Not(), operand) if _number(node) is None:
            yield "a sign dropped" if isinstance(node.op, ast.USub) else "not dropped", operand
        case ast.Compare(left, [operator], [right]):
            for comparison in _COMPARISONS.get(type(operator), ()):
                yield "another comparison", ast.Compare(left, [comparison()], [right])
        case ast.BoolOp(operator, values):
            yield "and for or", ast.BoolOp(ast.And() if isinstance(operator, ast.Or) else ast.Or(), values)
            for value in values:
                yield "a condition alone", value
        case ast.IfExp(_, body, orelse):
            yield "one branch", body
            yield "one branch", orelse


def _moved_in_or_out(node: ast.expr, scope: Scope) -> Nodes:
    """√a + ε for √(a + ε), and the other way round."""
    match node:
        case ast.BinOp(ast.Call(ast.Attribute(ast.Name(base)) as function, [inside], []), ast.Add() | ast.Sub(), right):
            if base == scope.numpy:
                yield "a term moved into a function", ast.Call(function, [ast.BinOp(inside, node.op, right)], [])
        case ast.Call(ast.Attribute(ast.Name(base)) as function, [ast.BinOp(left, ast.Add() | ast.Sub(), right)], []):
            if base == scope.numpy:
                moved = ast.BinOp(ast.Call(function, [left], []), node.args[0].op, right)  # type: ignore[attr-defined]
                yield "a term moved out of a function", moved


def _of_constant(node: ast.expr, scope: Scope) -> Nodes:
    number = _number(node)
    if number is not None:
        for other in _other_numbers(number):
            yield "another constant", _constant(other)
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "another constant", ast.Constant(not node.value)
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(scope.strings) > 1:
        place = scope.strings.index(node.value) if node.value in scope.strings else 0
        yield "another string", ast.Constant(scope.strings[(place + 1) % len(scope.strings)])


def _of_name(node: ast.expr, scope: Scope) -> Nodes:
    """The name among the function's own that is spelt most like it: beta2 for beta1, cache2 for cache1."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in scope.names:
        others = [name for name in scope.names if name != node.id]
        if others:
            like = max(others, key=lambda name: difflib.SequenceMatcher(None, node.id, name).ratio())
            yield "another name", ast.Name(like, ast.Load())


def _of_call(node: ast.expr, scope: Scope) -> Nodes:
    """Changes of a call: another function, arguments swapped, the function or a keyword dropped, another axis."""
    if not isinstance(node, ast.Call):
        return
    function, arguments, keywords = node.func, node.args, node.keywords
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    base = function.value if isinstance(function, ast.Attribute) else None
    ours = isinstance(base, ast.Name) and base.id == scope.numpy
    if isinstance(function, ast.Attribute):
        for other in _FUNCTIONS.get(name, ()):
            # What NumPy has as a function need not be a method.
            if ours or other not in ("median", "cbrt", "log2"):
                changed = ast.Attribute(function.value, other, function.ctx)
                yield "another function", ast.Call(changed, arguments, keywords)
    if name == "where" and len(arguments) == 3:
        yield "branches swapped", ast.Call(function, [arguments[0], arguments[2], arguments[1]], keywords)
        yield "a mask dropped", arguments[1]
    elif name not in _UNORDERED:
        for place in range(len(arguments) - 1):
            swapped = [*arguments[:place], arguments[place + 1], arguments[place], *arguments[place + 2 :]]
            yield "arguments swapped", ast.Call(function, swapped, keywords)
    if ((ours and name not in _NO_OPERAND) or name in ("float", "int", "abs")) and arguments:
        yield "a function dropped", arguments[0]
        if name in ("maximum", "minimum"):
            yield "a function dropped", arguments[1]
    if base is not None and not ours and name in ("sum", "mean", "max", "min", "copy", "astype", "reshape"):
        yield "a function dropped", base
    for place, keyword in enumerate(keywords):
        rest = [*keywords[:place], *keywords[place + 1 :]]
        yield f"{keyword.arg or '**'} dropped", ast.Call(function, arguments, rest)
        number = _number(keyword.value)
        if keyword.arg == "axis" and isinstance(number, int):
            for axis in _AXES.get(number, ()):
                moved = [*keywords[:place], ast.keyword("axis", _constant(axis)), *keywords[place + 1 :]]
                yield "another axis", ast.Call(function, arguments, moved)


def _of_part(node: ast.expr, scope: Scope) -> Nodes:  # noqa: ARG001
    """Changes of a transpose, a matrix product, an index, a slice or a dictionary's keys."""
    match node:
        case ast.Attribute(value, "T", ast.Load()):
            yield "a transpose dropped", value
        case ast.BinOp(left, ast.MatMult(), right):
            for side, rest in ((left, right), (right, left)):
                if not (isinstance(side, ast.Attribute) and side.attr == "T"):
                    turned = ast.Attribute(side, "T", ast.Load())
                    pair = (turned, rest) if side is left else (rest, turned)
                    yield "a transpose added", ast.BinOp(pair[0], ast.MatMult(), pair[1])
        case ast.Subscript(value, index, ast.Load()):
            yield "an index dropped", value
            if isinstance(index, ast.Tuple) and len(index.elts) == 2:
                yield "indices swapped", ast.Subscript(value, ast.Tuple(index.elts[::-1], ast.Load()), ast.Load())
        case ast.Subscript(value, ast.Tuple([one, other]), ast.Store()):
            yield "indices swapped", ast.Subscript(value, ast.Tuple([other, one], ast.Load()), ast.Store())
        case ast.Dict(keys, values) if len(keys) > 1:
            for place in range(len(keys)):
                others = [*keys[:place], *keys[place + 1 :]], [*values[:place], *values[place + 1 :]]
                yield "a key dropped", ast.Dict(*others)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        lower, upper, step = node.slice.lower, node.slice.upper, node.slice.step
        for part in (lower, upper, step):
            if part is not None:
                kept = [None if each is part else each for each in (lower, upper, step)]
                yield "a bound dropped", ast.Subscript(node.value, ast.Slice(*kept), node.ctx)


_OF_EXPRESSIONS: tuple[Callable[[ast.expr, Scope], Nodes], ...] = (
    _operator,
    _moved_in_or_out,
    _of_constant,
    _of_name,
    _of_call,
    _of_part,
)


# What is done to statements


def _of_statement(statement: ast.stmt, scope: Scope, bound: dict[str, int]) -> Nodes:
    """Changes of a statement: dropped, swapped, assigned in place, a loop cut short, a condition turned or ignored."""
    match statement:
        case ast.Assign([ast.Name(name)], value):
            if bound.get(name, statement.lineno) < statement.lineno:
                yield "a statement dropped", ast.Pass()
            if name in scope.arrays:
                place = ast.Subscript(ast.Name(name, ast.Load()), ast.Constant(...), ast.Store())
                yield "an argument changed in place", ast.Assign([place], value)
        case ast.Assign([ast.Tuple(names)], value) if len(names) > 1:
            for at in range(len(names) - 1):
                swapped = [*names[:at], names[at + 1], names[at], *names[at + 2 :]]
                yield "results swapped", ast.Assign([ast.Tuple(swapped, ast.Store())], value)
        case ast.Assign() | ast.Delete():
            yield "a statement dropped", ast.Pass()
        case ast.AugAssign(target, operator, value):
            yield "a statement dropped", ast.Pass()
            for other in _OPERATORS.get(type(operator), ())[:1]:
                yield "another operator", ast.AugAssign(target, other(), value)
            yield "assigned, not added up", ast.Assign([target], value)
        case ast.Expr(ast.Yield(ast.Tuple([one, other]))):
            yield "a pair swapped", ast.Expr(ast.Yield(ast.Tuple([other, one], ast.Load())))
        case ast.Expr():
            yield "a statement dropped", ast.Pass()
        case ast.Return():
            yield "nothing returned", ast.Return(None)
        case ast.For(target, iterable, body, orelse):
            for kind, part in (("the last turn left out", "[:-1]"), ("the first turn left out", "[1:]")):
                shortened = expression(f"list(_){part}")
                shortened.value.args = [iterable]  # type: ignore[attr-defined]
                yield kind, ast.For(target, shortened, body, orelse)
            yield "left after one turn", ast.For(target, iterable, [*body, ast.Break()], orelse)
        case ast.While(test, body, orelse):
            yield "one turn alone", ast.If(test, body, orelse)
        case ast.If(test, body, orelse):
            yield "a condition turned", ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
            yield "a condition ignored", Several(body)
            yield "a case left out", Several(orelse or [ast.Pass()])


# Constants


def _number(node: ast.expr) -> int | float | None:
    match node:
        case ast.Constant(int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as value)) if not isinstance(value, bool):
            return -value
    return None


def _other_numbers(number: int | float) -> tuple[int | float, ...]:
    if isinstance(number, int):
        return (1, -1) if number == 0 else tuple(dict.fromkeys((number + 1, number - 1, -number)))
    if number == 0:
        return (1.0,)
    if abs(number) < _TINY:
        # What keeps a logarithm finite may be any tiny number: only a large one, none, and one that float32 rounds to 0
        # are wrong.
        return (0.0, 1e-3, 1e-300)
    return (2 * number, 1.001 * number, -number, 0.0)


def _constant(number: int | float) -> ast.expr:
    return ast.UnaryOp(ast.USub(), ast.Constant(-number)) if number < 0 else ast.Constant(number)
