"""Checks that ask nothing of pytest but to be collected: called without its protocol, which takes longer than they do.

Such a check is a function of the fixtures ``student``, ``reference`` and ``draw`` and of its parameters. Any other is
pytest's to run: one with a fixture or a mark of its own, or below a ``conftest.py`` that takes part in running tests.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from autograder.checking import Student
from autograder.grading import plugin

_GIVEN = frozenset({"student", "reference", "draw"})
_MARKS = frozenset({"parametrize"})
_HOOKS = frozenset({"pytest_fixture_setup", "pytest_fixture_post_finalizer", "pytest_pyfunc_call"})


def parameters(item: pytest.Item) -> dict[str, Any] | None:
    """The parameters to call a collected check with besides what it is given, or None where pytest has to run it."""
    if not isinstance(item, pytest.Function) or item.cls is not None or _takes_part(item.config.pluginmanager):
        return None
    function, fixtures = inspect.unwrap(item.obj), item._fixtureinfo
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        return None
    if any(mark.name not in _MARKS for mark in item.iter_markers()):
        return None
    chosen: dict[str, Any] = item.callspec.params if hasattr(item, "callspec") else {}
    for name in fixtures.names_closure:
        made_by = [definition.func for definition in fixtures.name2fixturedefs.get(name, ())]
        # The three ask for pytest's request themselves.
        if name == "request" and name not in fixtures.argnames:
            continue
        if name in _GIVEN and all(_of_the_plugin(each) for each in made_by):
            continue
        if name in chosen and all(each.__module__ == "_pytest.python" for each in made_by):
            continue
        return None
    return {name: chosen[name] for name in fixtures.argnames if name in chosen}


def call(item: pytest.Item, bench: plugin.Bench, student: Student, parameters: Mapping[str, Any]) -> None:
    """Call a check that ``parameters`` gave parameters for; what it raises is its verdict."""
    function: pytest.Function = item  # type: ignore[assignment]
    asked = function._fixtureinfo.argnames
    given: dict[str, Any] = {"student": student, "reference": bench.reference}
    if "draw" in asked:
        given["draw"] = plugin.drawing(bench, item.name)
    given |= parameters
    function.obj(**{name: given[name] for name in asked})


def _of_the_plugin(function: Callable[..., Any]) -> bool:
    return getattr(function, "__module__", "") == plugin.__name__


def _takes_part(plugins: pytest.PytestPluginManager) -> bool:
    """Whether a ``conftest.py`` has a hook that a running test would meet."""
    hooks = {name for each in plugins._conftest_plugins for name in dir(each)}
    return bool(hooks & _HOOKS) or any(name.startswith("pytest_runtest") for name in hooks)
