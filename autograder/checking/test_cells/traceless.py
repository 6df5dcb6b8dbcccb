"""Whether a test cell leaves no trace: nothing that a later one could see. Then it needs no fork of its own.

Most test cells only call the student's functions with data and compare what these give. A fork for each takes longer
than such a cell itself. What is not known here to leave nothing is taken to leave something.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import math
import sys
import types
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

_EXCEPTIONS = {
    name for name, each in vars(builtins).items() if isinstance(each, type) and issubclass(each, BaseException)
}
_BUILTINS = frozenset(
    {
        *("abs", "all", "any", "bool", "bytes", "callable", "complex", "dict", "divmod", "enumerate", "float"),
        *("frozenset", "int", "isinstance", "len", "list", "max", "min", "pow", "print", "range", "repr", "reversed"),
        *("round", "set", "slice", "sorted", "str", "sum", "tuple", "type", "zip"),
        *_EXCEPTIONS,
    }
)
_OF_NUMPY = frozenset(
    {
        *("array", "asarray", "zeros", "ones", "full", "eye", "identity", "arange", "linspace", "zeros_like"),
        *("ones_like", "full_like", "allclose", "array_equal", "isclose", "isnan", "isfinite", "isinf", "all", "any"),
        *("sum", "mean", "std", "var", "median", "min", "max", "argmin", "argmax", "abs", "absolute", "sqrt", "exp"),
        *("log", "log2", "log10", "sin", "cos", "tan", "tanh", "dot", "matmul", "outer", "concatenate", "stack"),
        *("vstack", "hstack", "reshape", "transpose", "ravel", "round", "around", "floor", "ceil", "sign", "sort"),
        *("argsort", "unique", "cumsum", "cumprod", "prod", "diff", "maximum", "minimum", "where", "clip", "shape"),
        *("ndim", "size", "trace", "count_nonzero", "isscalar", "iscomplexobj", "isrealobj", "ndarray", "generic"),
        *("number", "integer", "floating", "pi", "e", "inf", "nan", "newaxis", "bool_", "int8", "int16", "int32"),
        *("int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64", "complex64", "complex128"),
        *("testing", "linalg"),
    }
)
_OF_TESTING = frozenset(
    {
        *("assert_allclose", "assert_equal", "assert_array_equal", "assert_almost_equal"),
        *("assert_array_almost_equal", "assert_array_less", "assert_approx_equal"),
    }
)
_OF_MODULES = {
    "numpy": _OF_NUMPY,
    "numpy.linalg": frozenset({"norm", "inv", "det", "solve", "matrix_rank", "LinAlgError"}),
    "numpy.testing": _OF_TESTING,
    "math": frozenset(name for name in vars(math) if not name.startswith("_")),
}
"""What of these modules changes nothing but what it gives. They are imported where a cell speaks of them."""
_OF_DATA = frozenset(
    {
        *("shape", "ndim", "size", "dtype", "T", "real", "imag", "all", "any", "sum", "mean", "std", "var", "min"),
        *("max", "argmin", "argmax", "tolist", "copy", "astype", "reshape", "ravel", "flatten", "transpose", "round"),
        *("dot", "item", "prod", "cumsum", "trace", "conj", "diagonal", "nonzero", "keys", "values", "items", "get"),
        *("count", "index", "lower", "upper", "strip", "lstrip", "rstrip", "split", "splitlines", "join"),
        *("startswith", "endswith", "replace", "find", "title", "capitalize", "isdigit", "isalpha", "zfill"),
        *("union", "intersection", "difference", "issubset", "issuperset", "is_integer", "bit_length", "args"),
    }
)
"""Attributes of plain data that change nothing, methods among them; the message of an exception is one as well."""
_NODES = (
    *(ast.Module, ast.Expr, ast.Assert, ast.If, ast.Pass, ast.Raise, ast.Try, ast.For, ast.Break, ast.Continue),
    *(ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare),
    *(ast.IfExp, ast.Slice, ast.Starred, ast.JoinedStr, ast.FormattedValue, ast.ListComp, ast.GeneratorExp),
    *(ast.SetComp, ast.DictComp, ast.comprehension, ast.keyword, ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
    *(ast.expr_context, ast.alias),
)


def leaves_nothing(
    tree: ast.Module, names: Mapping[str, Any], students: Collection[str], shared: Collection[str]
) -> bool:
    """Whether a test cell can be seen to leave nothing behind where what the student's functions give is plain data.

    Args:
        tree: The cell's code.
        names: What the master's given cells define.
        students: The names that are the student's.
        shared: Names that the notebook's own code reads: what a test binds to one goes to the student's process.
    """
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    caught = {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name}
    own = bound | caught
    if own & {*students, *shared, *names, *vars(builtins)}:
        return False
    imported = _imported(tree)
    if imported is None or any(imported[name] is not names.get(name, imported[name]) for name in imported):
        return False
    known = {name: each for name, each in {**names, **imported}.items() if _is_harmless(each)}
    return not _gives_points(tree, known) and all(_is_known(node, known, own | {*students}) for node in ast.walk(tree))


def _gives_points(tree: ast.Module, known: Mapping[str, Any]) -> bool:
    """Whether the cell's last value may be its points: whether it is depends on what the master's last value is."""
    match tree.body[-1:]:
        case [ast.Expr(ast.Call(func=function))]:
            name = ast.unparse(function).rpartition(".")[2]
            module = _module(function.value, known) if isinstance(function, ast.Attribute) else None
            thing = known.get(name) if isinstance(function, ast.Name) else getattr(module, name, None)
            return name not in _OF_TESTING or thing is None or thing is not getattr(np.testing, name)
        case [ast.Expr()]:
            return True
    return False


def _is_known(node: ast.AST, known: Mapping[str, Any], free: Collection[str]) -> bool:
    """Whether a part of the code, its own parts left aside, changes nothing that is there longer than the cell."""
    match node:
        case ast.Import() | ast.ImportFrom():
            return True  # of these ``_imported`` knows
        case ast.Assign(targets=targets):
            return all(isinstance(part, ast.Name | ast.Tuple) for each in targets for part in _targets(each))
        case ast.Name(id=name):
            return name in free or name in known or name in _BUILTINS
        case ast.Attribute(value=of, attr=name, ctx=ast.Load()):
            module = _module(of, known)
            return name in (_OF_DATA if module is None else _OF_MODULES[module.__name__])
        case ast.Subscript(ctx=ast.Load()) | ast.ExceptHandler():
            return True
        case ast.Call(keywords=keywords):
            return all(each.arg not in (None, "out", "file") for each in keywords)
        case ast.For(target=target) | ast.comprehension(target=target):
            return all(isinstance(part, ast.Name | ast.Tuple) for part in _targets(target))
    return isinstance(node, _NODES)


def _targets(target: ast.expr) -> list[ast.expr]:
    """What is assigned to, at any depth."""
    if isinstance(target, ast.Tuple | ast.List):
        return [target, *(part for each in target.elts for part in _targets(each))]
    return [target]


def _imported(tree: ast.Module) -> dict[str, Any] | None:
    """What the cell imports of the known modules, by name; None where it imports anything else."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for each in names:
                    if each.name not in _OF_MODULES or ("." in each.name and not each.asname):
                        return None
                    found[each.asname or each.name] = importlib.import_module(each.name)
            case ast.ImportFrom(module=str(of), names=names, level=0):
                for each in names:
                    if each.name not in _OF_MODULES.get(of, ()):
                        return None
                    found[each.asname or each.name] = getattr(importlib.import_module(of), each.name)
            case ast.ImportFrom():
                return None
    return found


def _is_harmless(thing: Any) -> bool:
    """Whether a thing is one of the known modules, or one of what is known of these."""
    if isinstance(thing, types.ModuleType):
        return _is_one(thing)
    name = getattr(thing, "__name__", None)
    homes = (sys.modules[module] for module, known in _OF_MODULES.items() if module in sys.modules and name in known)
    return isinstance(name, str) and any(thing is getattr(home, name) for home in homes)


def _is_one(module: types.ModuleType) -> bool:
    """Whether a module is one of the known ones, and not only called so."""
    return module.__name__ in _OF_MODULES and module is sys.modules.get(module.__name__)


def _module(of: ast.expr, known: Mapping[str, Any]) -> types.ModuleType | None:
    """The module that an expression stands for; None where it stands for none."""
    match of:
        case ast.Name(id=name) if isinstance(known.get(name), types.ModuleType):
            module: types.ModuleType = known[name]
            return module
        case ast.Attribute(value=inner, attr=name):
            outer = _module(inner, known)
            found = getattr(outer, name, None) if outer is not None else None
            return found if isinstance(found, types.ModuleType) and _is_one(found) else None
    return None
