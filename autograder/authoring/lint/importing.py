"""Rules about imports: what test cells need outside, and what a submission needs inside."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator

from autograder.authoring.lint.finding import Finding, Master, tree_of
from autograder.base import SandboxError
from autograder.course import SHOWS_TAG, MasterCell
from autograder.sandbox import site_entries


def outside(master: Master) -> Iterator[Finding]:
    """Imports of test cells, and of given ones, that the grader's own Python does not find."""
    for cell in (*master.tests, *master.given):
        for name, line, certain in _imports(cell):
            if _is_installed(name) or _is_beside(master, name):
                continue
            text = (
                f"{name} is not installed where test cells run, in the grader's Python: install it beside autograder, "
                "or put its file beside the master"
            )
            yield (master.mistake if certain else master.warning)(cell, text, line)


def inside(master: Master) -> Iterator[Finding]:
    """Imports of cells that students are given, and that a submission does not find in the sandbox.

    One in a cell that students can change is a warning: they may do without.
    """
    if master.assignment is None:
        return
    try:
        entries = site_entries(master.assignment.allowed_imports)
    except SandboxError:
        return  # one of them is not installed, which loading the course has said
    allowed = {each.split("/")[0].partition(".")[0] for each in entries} | sys.stdlib_module_names
    modules = [name.removesuffix(".py").split("/") for name in master.assignment.files if name.endswith(".py")]
    files = {part for parts in modules for part in (parts[0], parts[-1])}
    for cell in master.code:
        if cell.solution or cell.grade or SHOWS_TAG in cell.tags:
            continue
        for name, line, certain in _imports(cell):
            if name in allowed or name in files or not (_is_installed(name) or _is_beside(master, name)):
                continue
            if _is_beside(master, name):
                text = f"a submission does not find {name}: add {name}.py to `files` in gradebook_config.yaml"
            else:
                text = (
                    f"a submission may not import {name}: add its distribution to `allowed_imports` in "
                    "gradebook_config.yaml"
                )
            yield (master.mistake if certain and cell.locked else master.warning)(cell, text, line)


def _imports(cell: MasterCell) -> Iterator[tuple[str, int, bool]]:
    """The modules that a cell imports, each the first time: its top-level name, the line, whether it surely does."""
    seen: set[str] = set()
    waiting: list[tuple[ast.AST, bool]] = [(each, True) for each in reversed(tree_of(cell).body)]
    while waiting:
        node, certain = waiting.pop()
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            top = name.partition(".")[0]
            if top not in seen:
                seen.add(top)
                yield top, node.lineno if isinstance(node, ast.stmt) else 0, certain
        if isinstance(node, ast.Try):
            continue  # it knows what to do where there is none
        certain = certain and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.If)
        waiting.extend(
            (each, certain) for each in reversed([*ast.iter_child_nodes(node)]) if isinstance(each, ast.stmt)
        )


def _is_installed(name: str) -> bool:
    if name in sys.stdlib_module_names:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return name in sys.modules


def _is_beside(master: Master, name: str) -> bool:
    if (master.folder / f"{name}.py").is_file() or (master.folder / name).is_dir():
        return True
    # A cell may add the folder to ``sys.path``.
    return any("path" in cell.source for cell in master.code) and any(master.folder.glob(f"*/{name}.py"))


RULES = (outside, inside)
