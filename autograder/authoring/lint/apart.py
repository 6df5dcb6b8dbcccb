"""Rules about test cells that run apart from what they test: what they do not touch, and what cannot be kept."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autograder.authoring.lint.finding import Finding, Master, tree_of
from autograder.checking import statement_titles
from autograder.course import WITH_TESTS, MasterCell, autotest_line, master_cells
from autograder.submission import binds

_TIMED = frozenset({"time", "capture"})
_NOTHING_LOST = frozenset({"matplotlib", "config", "load_ext", "autoreload", "pylab", "time", "precision"})
"""Line magics that a test does without."""

_HISTORY = frozenset({"In", "Out", "_ih", "_oh", "_i", "_ii", "_iii"})
"""What IPython knows of the cells that were run."""

_FILES = re.compile(r"open|exists|is_file|(read|load|from)_?\w*")
"""Functions by which a test may look at a file that an answer wrote."""

TEMPLATES = "autotests.yml"
"""The file by which nbgrader makes tests of AUTOTEST lines."""


def runs(master: Master) -> Iterator[Finding]:
    """Test cells that are no Python, or that only a notebook can run."""
    for cell in master.tests:
        test = master.plan.tests.get(cell.grade_id)
        if test is not None and test.problem:
            if autotest_line(cell.source):
                continue
            yield master.mistake(cell, f"{test.problem}; every submission would be left ungraded")
            continue
        for node in _at_top_level(tree_of(cell)):
            if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
                yield master.mistake(
                    cell,
                    "`await` outside a function works in a notebook alone; write asyncio.run(…) in its place",
                    node.lineno,
                )
                break
        for node in ast.walk(tree_of(cell)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get_ipython":
                text = "there is no IPython where test cells run, so get_ipython() gives None; write it in plain Python"
                yield master.warning(cell, text, node.lineno)
                break
            if isinstance(node, ast.Name) and node.id in _HISTORY and node.id not in binds(cell.source):
                text = f"there is no IPython where test cells run, so `{node.id}` is not what was run before this cell"
                yield master.warning(cell, text, node.lineno)
                break


def executes(master: Master) -> Iterator[Finding]:
    """Test cells that run a text as code, and make it of what a student has written: that would be run outside."""
    for cell in master.tests:
        for node in ast.walk(tree_of(cell)):
            match node:
                case ast.Call(func=ast.Name(id="exec" | "eval" | "compile" as function), args=[text, *_]):
                    as_it_is = isinstance(text, ast.Name | ast.Attribute | ast.Subscript | ast.Constant) or (
                        isinstance(text, ast.Call) and not isinstance(text.func, ast.Attribute)
                    )
                    # It is `inspect.getsource(f)` that gives a text as it stands, and `text.replace(…)` that does not.
                    as_it_is |= isinstance(text, ast.Call) and bool(master.full_name(text.func))
                    if not as_it_is and master.names_object(text):
                        yield master.mistake(
                            cell,
                            f"`{ast.unparse(node)}` would run outside the sandbox what a student has written; give "
                            f"{function} the student's text as it stands, which is then run in the sandbox",
                            node.lineno,
                        )


def _at_top_level(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes of a cell, but for those in functions."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield node
        waiting.extend(reversed([*ast.iter_child_nodes(node)]))


def magics(master: Master) -> Iterator[Finding]:
    """Shell lines and magics of test cells, which are left out where these run."""
    for cell in master.tests:
        for number, line in enumerate(cell.source.splitlines(), 1):
            match = re.match(r"[ \t]*(%%|%|!)[ \t]*(\w*)", line)
            if not match:
                continue
            kind, name = match[1], match[2]
            if kind == "!":
                text = "a shell line is left out where test cells run; do it in Python, or before the course is graded"
            elif name in (_TIMED if kind == "%%" else _NOTHING_LOST):
                continue
            else:
                text = (
                    f"{kind}{name} is left out where test cells run, so nothing comes of it; write it in plain Python"
                )
            yield master.warning(cell, text, number)


def autotests(master: Master) -> Iterator[Finding]:
    """Lines of which nbgrader makes tests when the assignment is released, and cannot, or has made others."""
    places = [master.folder] if master.assignment is None else [master.folder, master.folder.parents[1]]
    if not any((place / TEMPLATES).is_file() for place in places):
        for cell in master.tests:
            if line := autotest_line(cell.source):
                text = (
                    f"nbgrader makes tests of AUTOTEST lines by the templates in {TEMPLATES}, and there is none beside "
                    "the notebook; put one there, such as that of nbgrader's documentation, or write the tests"
                )
                yield master.mistake(cell, text, line)
    if master.folder.parent.name == WITH_TESTS and _is_outdated(master):
        text = (
            f"source/{master.folder.name} has been changed since nbgrader made these tests, which count until "
            "`autograder release` has it make them again"
        )
        yield Finding("warning", master.file, 0, "", 0, text)


def _is_outdated(master: Master) -> bool:
    """Whether the notebook of which these tests were made is another by now, as far as that shows."""
    source = master.folder.parents[1] / "source" / master.folder.name / master.file.rpartition("/")[2]
    try:
        before = master_cells(source)
    except (OSError, ValueError):
        return False
    return len(before) != len(master.cells) or any(map(_differs, before, master.cells))


def _differs(before: MasterCell, now: MasterCell) -> bool:
    if not autotest_line(before.source):
        return (before.source, before.points) != (now.source, now.points)
    kept = [line for line in before.source.splitlines() if "AUTOTEST" not in line]
    return not set(kept) <= set(now.source.splitlines())


def untouched(master: Master) -> Iterator[Finding]:
    """Test cells of which no statement that can fail has to do with what students write: a stub passes them."""
    for cell in master.tests:
        test = master.plan.tests.get(cell.grade_id)
        if test is None or test.problem:
            continue
        body = tree_of(cell).body
        testing = [body[number] for number in statement_titles(test)]
        for each in testing:
            if isinstance(each, ast.Assert) and isinstance(each.test, ast.Tuple) and each.test.elts:
                text = "`assert (…, …)` always holds, since a tuple is true; take the brackets away"
                yield master.mistake(cell, text, each.lineno)
        if testing and not any(map(master.names_students, body)) and not any(map(_looks_at_a_file, body)):
            text = (
                "no test here names anything that students write, so a stub may pass them all; let them use what the "
                "answer defines"
            )
            yield master.warning(cell, text, testing[0].lineno)


def _looks_at_a_file(code: ast.AST) -> bool:
    called = [node.func for node in ast.walk(code) if isinstance(node, ast.Call)]
    return any(
        _FILES.fullmatch(each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "")) for each in called
    )


def identity(master: Master) -> Iterator[Finding]:
    """What a test asks of a student's object and has of its own in its place: which object it is, and its class."""
    for cell in master.tests:
        for node in ast.walk(tree_of(cell)):
            match node:
                case ast.Compare(left=left, ops=operators, comparators=others):
                    sides = [left, *others]
                    for one, operator, other in zip(sides, operators, others, strict=False):
                        if isinstance(operator, ast.Is | ast.IsNot) and all(map(master.names_object, (one, other))):
                            yield master.warning(
                                cell,
                                f"`{ast.unparse(node)}`: whether two of the student's objects are one is not known "
                                "where test cells run; compare what is in them, or change one and look at the other",
                                node.lineno,
                            )
                case ast.Call(func=ast.Name(id="id"), args=[argument]) if master.names_object(argument):
                    text = (
                        f"`{ast.unparse(node)}` is another number where test cells run; compare what is in the object"
                    )
                    yield master.warning(cell, text, node.lineno)
                case ast.ClassDef(name=name, bases=bases):
                    for base in bases:
                        if isinstance(base, ast.Name) and base.id in master.plan.students:
                            yield master.warning(
                                cell,
                                f"{name} inherits from the student's {base.id}, which cannot be done from outside; "
                                f"make the subclass in a given cell, or use {base.id} itself",
                                node.lineno,
                            )


RULES = (runs, executes, magics, autotests, untouched, identity)
