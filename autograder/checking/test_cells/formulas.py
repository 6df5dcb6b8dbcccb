"""What in a text of Python goes beyond a formula: the names by which it may do more than work something out."""

from __future__ import annotations

import ast
import builtins
import cmath
import math
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

_CALLED = frozenset(
    {
        *("abs", "all", "any", "bool", "complex", "divmod", "enumerate", "float", "frozenset", "int", "len"),
        *("list", "max", "min", "pow", "range", "reversed", "round", "set", "slice", "sorted", "str", "sum"),
        *("tuple", "zip", "dict", "True", "False", "None", "NotImplemented", "Ellipsis", "bytes", "object"),
    }
)
"""Python's own functions and classes that do nothing but work something out."""
_OF_FILES = frozenset(
    {
        *("load", "save", "savez", "savez_compressed", "loadtxt", "savetxt", "fromfile", "genfromtxt", "memmap"),
        *("fromregex", "fromstring", "frombuffer", "DataSource", "fromfunction", "apply_along_axis", "vectorize"),
        *("frompyfunc", "apply_over_axes", "test", "plot", "splot", "cplot", "runtests", "show_config", "info"),
    }
)
_OF_SYMPY = tuple(
    f"sympy.{each}"
    for each in (
        *("core", "functions", "sets", "logic", "matrices", "series", "simplify", "solvers", "calculus", "integrals"),
        *("concrete", "polys", "ntheory", "tensor", "geometry", "combinatorics", "discrete", "assumptions", "algebras"),
    )
)
_METHODS = frozenset(
    {
        *("str", "dt", "cat", "contains", "startswith", "endswith", "len", "lower", "upper", "strip", "isin", "isna"),
        *("isnull", "notna", "notnull", "between", "mean", "median", "min", "max", "sum", "std", "abs", "round"),
        *("year", "month", "day", "hour", "minute", "weekday", "dayofweek", "index", "T", "shape", "size", "real"),
        *("imag", "conjugate", "subs", "evalf", "diff", "expand", "simplify", "sin", "cos", "sqrt", "pi", "e", "inf"),
    }
)
"""Attributes by which a column of a table, a number or a formula gives something of the kind."""
_OF_NUMBERS = frozenset({"numpy", "sympy", "math", "cmath", "mpmath", "scipy"})
_LOCAL_OF_PANDAS = "__pd_eval_local_"


def powers(source: Any, *, of_notebook: bool = False) -> list[str]:
    """What in a text goes beyond a formula, by names; empty where nothing does.

    Args:
        source: The text, the bytes that it is told as, or the tree of it. Of anything else nothing is known.
        of_notebook: Whether the names in it are looked up in a notebook, and not among those of a library's.
    """
    if isinstance(source, ast.AST):
        return [*_powers_in(source, of_notebook=of_notebook)]
    texts = [source]
    if isinstance(source, bytes):
        # Python tells a text as bytes as well. In what are bytes indeed, a first line may say of another encoding.
        texts.append(source.decode("utf-8", "replace"))
    found: list[str] = []
    for text in texts:
        try:
            found += _powers_in(ast.parse(text.strip()), of_notebook=of_notebook)
        except (SyntaxError, ValueError, RecursionError, MemoryError, AttributeError):
            # It is not run as it stands. Whoever mends it before it is run has that compiled as well.
            continue
    return found


def _powers_in(tree: ast.AST, *, of_notebook: bool) -> Iterator[str]:
    nodes = [*ast.walk(tree)]
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    called |= {id(each) for node in nodes for each in getattr(node, "decorator_list", ())}
    for node in nodes:
        match node:
            case ast.Name(id=name) if _is_power(name, called=id(node) in called and not of_notebook):
                yield name
            case ast.Attribute(attr=name) if name.startswith("_") or (called and not _is_harmless(node)):
                yield name
            case ast.Import(names=names):
                yield from (each.name for each in names if each.name.partition(".")[0] not in _OF_NUMBERS)
            case ast.ImportFrom(module=module) if str(module).partition(".")[0] not in _OF_NUMBERS:
                yield str(module)
            case ast.keyword(arg="key" as name):
                yield name  # What it says is called by another's hand.


def _is_harmless(node: ast.Attribute) -> bool:
    """Whether an attribute gives something to work with: a column's, or a function of a module for mathematics."""
    match node.value:
        case ast.Name("np" | "numpy" | "math" | "cmath" | "sp" | "sympy"):
            return _mathematical(node.attr) is True
    return node.attr in _METHODS


def _is_power(name: str, *, called: bool) -> bool:
    """Whether a name may stand for what does more than work something out."""
    if name.startswith(_LOCAL_OF_PANDAS):
        return called
    if name in _CALLED:
        return False
    if name.startswith("_") or hasattr(builtins, name):
        return True
    known = _mathematical(name)
    return called if known is None else not known


def _mathematical(name: str) -> bool | None:
    """Whether a library's name stands for something mathematical; None where no library has it."""
    found: bool | None = None
    sympy = sys.modules.get("sympy")
    if sympy is not None and hasattr(sympy, name):
        thing = getattr(sympy, name)
        module = str(getattr(thing, "__module__", None) or type(thing).__module__)
        found = module.startswith(_OF_SYMPY)
    for library in (math, cmath, np, sys.modules.get("mpmath"), sys.modules.get("scipy.special")):
        if library is not None and hasattr(library, name) and found is not False:
            thing = getattr(library, name)
            found = name not in _OF_FILES and not isinstance(thing, types.ModuleType)
    return found
