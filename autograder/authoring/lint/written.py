"""Files that a notebook's own code writes: its names for them, as they stand there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autograder.authoring.lint.finding import Finding, Master, tree_of
from autograder.submission import parsed

_WRITES = re.compile(r"(im)?(save|write|dump)\w*|to_(csv|excel|json|pickle|parquet|html|file|netcdf)")
_NAME = re.compile(r"[^\s:*?\"'<>|]+\.[A-Za-z]\w{0,7}")


def written_files(code: str) -> frozenset[str]:
    """The names of files that code writes, where they stand in it as texts."""
    return frozenset(_written(parsed(code) or ast.Module([], [])))


def _written(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        operands = [*node.args, *(each.value for each in node.keywords)]
        given = [each.value for each in operands if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        opens = called == "open" and any(re.fullmatch(r"[wax]\+?[bt]?\+?", each) for each in given)
        if opens or _WRITES.fullmatch(called):
            yield from (each.removeprefix("./") for each in given if _NAME.fullmatch(each))


def answers(master: Master) -> Iterator[Finding]:
    """Test cells that read a file which a solution writes: outside is only what lies beside the master."""
    written = frozenset[str]().union(*(written_files(cell.source) for cell in master.code if cell.solution))
    if not written:
        return
    for cell in master.tests:
        own = written_files(cell.source)
        for node in ast.walk(tree_of(cell)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                name = node.value.removeprefix("./")
                if name in written - own:
                    yield master.mistake(
                        cell,
                        f"{name} is not there as the answer writes it, since test cells run outside the sandbox; ask "
                        "for a function or a name as well that gives what is written, and test that",
                        node.lineno,
                    )
                    break


RULES = (answers,)
