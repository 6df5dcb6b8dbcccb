"""The visible test cells of a master notebook, run where its solutions have run."""

import contextlib
import io
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib


def ran(cells: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """A namespace in which these cells of a notebook have run."""
    namespace: dict[str, Any] = {}
    with matplotlib.rc_context():
        for name in names:
            exec(cells[name].source, namespace)
    return namespace


def printed_by(cell: Any, namespace: dict[str, Any]) -> str:
    """What a test cell prints; it raises where the cell does."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(cell.source, namespace)
    return printed.getvalue()
