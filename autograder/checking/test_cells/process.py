"""The process of its own in which the test cells of a notebook run: trusted, and bounded in time and memory.

It makes what the given cells of the master define, once, and forks for each run of a test cell. It is started and
talked to by ``running``.
"""

from __future__ import annotations

import array
import ast
import contextlib
import functools
import gc
import inspect
import io
import linecache
import os
import re
import resource
import signal
import socket
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from autograder.base import Stopped, cause_tree
from autograder.checking.test_cells.databases import guard_databases
from autograder.checking.test_cells.evaluating import guard_libraries
from autograder.checking.test_cells.executing import Texts, executes, guard
from autograder.checking.test_cells.jupyter import of_jupyter
from autograder.checking.test_cells.link import NO_ROOM, StudentLink, signature_of
from autograder.checking.test_cells.namespace import Names
from autograder.checking.test_cells.remote import CELL, STATEFUL, is_remote, number_of, parts
from autograder.checking.test_cells.traceless import leaves_nothing
from autograder.sandbox import confine, wire

_VALUE = "__autograder_value__"
"""What the value of a statement that is one is bound to: the last one of a cell may be its points."""

_Compiled = list[tuple[types.CodeType, ast.stmt]]

MAX_SAID = 2_000
MAX_TOLD = 120
_reserve = bytearray(8 * 2**20)
"""Given back where no memory is left, so that there is some to say so with."""


def main(descriptor: int, settings_descriptor: int) -> None:
    """Serve until the grader closes the socket of the first number; it is started with Python's collector disabled.

    A frame on the other socket says what is given. On the first, a packet is ``b"run"`` with a socket, on which the job
    comes. It is answered with the number of the process that runs the test cell there: 0 is this one, which goes on
    when it has. Or a packet is such a number, which ends that process, with 1 where its wait status is to be answered.
    """
    channel = socket.socket(fileno=descriptor)
    if sys.platform == "linux":
        confine.die_with_parent()
    beginning = socket.socket(fileno=settings_descriptor)
    settings = wire.receive(beginning)
    sys.stdout = sys.stderr = io.StringIO()
    sys.path.append(settings["folder"])
    os.chdir(settings["folder"])
    names = Names(settings["students"], settings["shared"])
    names.update(of_jupyter())
    guard_databases([source for _, source, *_ in (*settings["given"], *settings["tests"])])
    failed = [problem for piece in settings["given"] if (problem := _given(names, piece))]
    for number, source in settings["tests"]:
        # Each fork has them from here: to compile a test takes longer than to run most of them.
        with contextlib.suppress(Exception):
            _test(number, source)
    # A collection in a fork would write to every object's header, and so copy all memory that the forks share.
    gc.collect()
    gc.freeze()
    gc.enable()
    wire.send(beginning, wire.encode(failed))
    beginning.close()
    running: set[int] = set()
    while True:
        packet, descriptors, _, _ = socket.recv_fds(channel, 64, 1)
        if not packet:
            break
        if packet == b"run":
            with socket.socket(fileno=descriptors[0]) as ours:
                job = wire.receive(ours)
                if not job["apart"] and _leaves_nothing(names, job):
                    channel.sendall(array.array("q", [0]).tobytes())
                    with contextlib.suppress(wire.WireError):
                        _run_here(ours, names, job, settings)
                    continue
                child = os.fork()
                if child == 0:
                    channel.close()
                    _run_and_end(ours, names, job, settings, failed)
            running.add(child)
            channel.sendall(array.array("q", [child]).tobytes())
        else:
            (child, asked) = array.array("q", packet)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            running.discard(child)
            if asked:
                channel.sendall(array.array("q", [status]).tobytes())
    for child in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    os._exit(0)


def _given(names: Names, piece: Sequence[Any]) -> str:
    """Make what a given cell of the master defines; why it does not, where it fails."""
    number, source, statements = piece
    try:
        for code, _ in _compiled(f"{CELL}{number}>", source, tuple(statements)):
            exec(code, names)
            names.pop(_VALUE, None)
    except BaseException as error:
        return f"cell {number} of the master: {type(error).__name__}: {error}"
    return ""


def _leaves_nothing(names: Names, job: dict[str, Any]) -> bool:
    """Whether a test cell can be run in this process, since later ones cannot see that it was."""
    needs_more = job["before"] or job["partial"] or job["records"] or job["keeps"] or job["shares_random"]
    if needs_more or job["sources"]:
        return False
    if (job["number"], job["source"]) not in names.traceless:
        with contextlib.suppress(Exception):
            known = dict(dict.items(names))
            tree, _, _ = _test(job["number"], job["source"])
            names.traceless[job["number"], job["source"]] = leaves_nothing(tree, known, names.students, names.shared)
    return names.traceless.get((job["number"], job["source"]), False)


def _run_here(channel: socket.socket, names: Names, job: dict[str, Any], settings: dict[str, Any]) -> None:
    """Run a test cell that leaves nothing, and send what came of it.

    That it failed is not believed, nor what came of it where the student's code has given more than data: then it is
    run again apart. Where it uses too much processor time, this process ends.
    """
    own = Names(names.students, names.shared)
    dict.update(own, dict.items(names))
    link = _linked(channel, own, job, settings)
    link.data_alone = True
    _, _, compiled = _test(job["number"], job["source"])
    if sys.platform == "linux":
        _bound_memory(confine.mapped_kb() * 1024 + settings["memory_mb"] * 2**20)
    signal.setitimer(signal.ITIMER_PROF, settings["seconds"])
    results: list[list[Any]] = []
    try:
        for code, _ in compiled:
            exec(code, own)
            own.pop(_VALUE, None)
            results.append(["passed", "", {}])
    except BaseException:
        if link.stopped is not None:
            results.append(["stopped", "", cause_tree(link.stopped)])
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        _bound_memory(resource.RLIM_INFINITY)
    believed = link.stopped is not None or (len(results) == len(compiled) and link.swallowed is None)
    said = ("over", results, None, [], False) if believed and not link.gave_more else ("again",)
    wire.send(channel, wire.encode(said))


def _run_and_end(
    channel: socket.socket, names: Names, job: dict[str, Any], settings: dict[str, Any], failed: list[str]
) -> None:
    """Run one test cell and send what came of it. It never returns."""
    try:
        if sys.platform == "linux":
            _bound_memory(confine.mapped_kb() * 1024 + settings["memory_mb"] * 2**20)
            seconds = max(1, round(settings["seconds"]))
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        try:
            over = _run(channel, names, job, failed, settings)
        except MemoryError:
            _make_room()
            over = [["said", NO_ROOM, {}]], None, [], False
        wire.send(channel, wire.encode(("over", *over)))
        # What there was no memory for is still being sent.
        while channel.recv(2**16):
            pass
    except (wire.Closed, OSError):
        pass
    finally:
        os._exit(0)


def _make_room() -> int:
    """Have memory to say what has come of a test in which a student's objects have left none; the bound until now."""
    _reserve.clear()
    if sys.platform != "linux":
        return 0
    bound, _ = resource.getrlimit(resource.RLIMIT_AS)
    _bound_memory(resource.RLIM_INFINITY)
    return bound


def _bound_memory(bound: int) -> None:
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (bound, resource.RLIM_INFINITY))


def _run(
    channel: socket.socket, names: Names, job: dict[str, Any], failed: list[str], settings: dict[str, Any]
) -> tuple[Any, ...]:
    """Run a test cell.

    Its results by top-level statement, its last value as a number, the recorded places, and whether the student's code
    has changed what is the test's where the solved master does not.
    """
    link = _linked(channel, names, job, settings)
    _teach_inspect(link, job)
    of_the_test = [job["source"], *(source for _, source, _ in [*settings["given"], *job["before"]])]
    link.texts = Texts(job["sources"].values(), of_the_test)
    guard_libraries(link, link.texts)
    if executes(of_the_test):
        link.runs_texts = True
        guard(link, link.texts)
    for piece in job["before"]:
        _given(names, piece)
    tree, places, compiled = _test(job["number"], job["source"])
    for place in places:
        _watch(names, place)
    results: list[list[Any]] = []
    last: float | None = None
    for code, statement in compiled:
        index = len(results)
        try:
            exec(code, names)
            value = names.pop(_VALUE, None)
            if index == len(tree.body) - 1 and isinstance(statement, ast.Expr):
                last = _points(number_of(value), link)
            if link.swallowed is not None:
                raise link.swallowed
            results.append(["passed", "", {}])
        except BaseException as error:
            bound = _make_room()
            results.append(_failure(error, link, names, tree, job, failed))
            _bound_memory(bound)
            link.swallowed = None
            if not job["partial"]:
                break
            if link.stopped is not None:
                names.forget()
    if names.watched and link.stopped is None:
        with contextlib.suppress(Exception):
            names.push()  # what was patched and put back is put back there too
    return results, last, sorted(link.recorded or ()), link.changed


def _linked(channel: socket.socket, names: Names, job: dict[str, Any], settings: dict[str, Any]) -> StudentLink:
    """The way to the student's objects, by which names are asked for that are not there from now on."""
    link = StudentLink(channel, shares_random=job["shares_random"], keeps=job["keeps"])
    link.before = names.push
    link.givens = names.given
    link.names_given = names.names_given
    link.recorded = set() if job["records"] else None
    link.knows_given(dict(dict.items(names)))
    names.ask_for(settings["asked"])
    names.link = link
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    return link


def _points(number: float | None, link: StudentLink) -> float | None:
    """A test cell's last value as points: none, where the solved master's gives some and this is no such number."""
    gives = number is not None and number >= 0
    if link.recorded is not None:
        link.recorded |= {("points", "")} if gives else set()
        return number
    return 0.0 if not gives and link.has_object("points", "") else number


@functools.cache
def _test(number: int, source: str) -> tuple[ast.Module, list[tuple[str, str]], _Compiled]:
    """A test cell: its tree, the attributes that it sets or patches, and its top-level statements."""
    tree = ast.parse(source)
    return tree, [*_patched(tree)], _compiled(f"{CELL}{number}>", source, tuple(range(len(tree.body))))


@functools.cache
def _compiled(name: str, source: str, statements: tuple[int, ...]) -> _Compiled:
    """The code of some of a cell's top-level statements, and the statements."""
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    tree = _FromTheStudent().visit(ast.parse(source))
    compiled = []
    for number in statements:
        statement = tree.body[number]
        kept = statement
        if isinstance(statement, ast.Expr):
            kept = ast.copy_location(ast.Assign([ast.Name(_VALUE, ast.Store())], statement.value), statement)
        code = compile(ast.fix_missing_locations(ast.Module([kept], [])), name, "exec")
        compiled.append((code, statement))
    return compiled


class _FromTheStudent(ast.NodeTransformer):
    """Has a library that keeps a state of its own, such as its figures, be the one in the student's process."""

    def visit_Import(self, node: ast.Import) -> ast.AST | list[ast.stmt]:
        """``import matplotlib.pyplot as plt``."""
        if not any(each.name.partition(".")[0] in STATEFUL for each in node.names):
            return node
        made: list[ast.stmt] = []
        for each in node.names:
            root = each.name.partition(".")[0]
            if root not in STATEFUL:
                made.append(ast.Import([each]))
                continue
            made.append(_bound(each.asname or root, "import_there", each.name, "" if each.asname else root))
        return [ast.fix_missing_locations(ast.copy_location(each, node)) for each in made]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | list[ast.stmt]:
        """``from matplotlib import pyplot as plt``."""
        if node.module is None or node.module.partition(".")[0] not in STATEFUL:
            return node
        made = [_bound(each.asname or each.name, "from_there", node.module, each.name) for each in node.names]
        return [ast.fix_missing_locations(ast.copy_location(each, node)) for each in made]


def _bound(name: str, function: str, *arguments: str) -> ast.stmt:
    call = ast.Call(ast.Name(f"__autograder_{function}__", ast.Load()), [ast.Constant(each) for each in arguments], [])
    return ast.Assign([ast.Name(name, ast.Store())], call)


def _patched(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Attributes that a test sets or patches: the expression of what they are of, and their name."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=of, attr=name, ctx=ast.Store() | ast.Del()):
                yield ast.unparse(of), name
            case ast.Call(args=[ast.Constant(str(text)), *_]):
                yield "", text
            case ast.Call(args=[of, ast.Constant(str(name)), *_]) if isinstance(of, ast.Name | ast.Attribute):
                yield ast.unparse(of), name


def _watch(names: Names, place: tuple[str, str]) -> None:
    of, name = place
    if not of:
        names.watch_text(name)
        return
    first, *rest = of.split(".")
    thing = dict.get(names, first) or sys.modules.get(first)
    for each in rest:
        thing = getattr(thing, each, None) if isinstance(thing, types.ModuleType) else None
    names.watch(thing, name)


def _teach_inspect(link: StudentLink, job: dict[str, Any]) -> None:
    """Have ``inspect`` know the student's functions and classes: their code is that of the notebook."""
    sources: dict[str, str] = job["sources"]
    getsource, signature = inspect.getsource, inspect.signature

    def source_of(thing: Any) -> str:
        if not is_remote(thing):
            return getsource(thing)
        name = parts(thing)[2]
        if name not in sources:
            raise OSError(f"could not get source code of {name}")
        return sources[name]

    def signature_known(thing: Any, **keywords: Any) -> inspect.Signature:
        return signature_of(link, thing) if is_remote(thing) else signature(thing, **keywords)

    vars(inspect).update(
        getsource=source_of,
        getsourcelines=lambda thing: (source_of(thing).splitlines(keepends=True), 0),
        signature=signature_known,
    )
    fill: Callable[[str], Any] = lambda name: link.operate(name, "import", name)  # noqa: E731

    def import_there(name: str, root: str) -> Any:
        module = fill(name)
        return fill(root) if root else module

    def from_there(module: str, name: str) -> Any:
        try:
            return getattr(fill(module), name)
        except AttributeError:
            return fill(f"{module}.{name}")

    vars(sys.modules["builtins"])["__autograder_import_there__"] = import_there
    vars(sys.modules["builtins"])["__autograder_from_there__"] = from_there


# Why a statement failed


def _failure(
    error: BaseException, link: StudentLink, names: Names, tree: ast.Module, job: dict[str, Any], failed: list[str]
) -> list[Any]:
    """A failing statement's result: what kind of failure it is, what is said of it, and what is known.

    The kinds are ``stopped`` (the student's process gave no answer: the cause), ``threw`` (the student's code raised:
    the message), ``missing`` (a name), ``said`` (a sentence) and ``errored`` (ours).
    """
    if isinstance(error, Stopped) or link.stopped is not None:
        cause = error.cause if isinstance(error, Stopped) else link.stopped
        assert cause is not None
        return ["stopped", "", cause_tree(cause)]
    if (threw := link.thrown.get(id(error))) is not None:
        told = [threw.type[:100], threw.text[:MAX_SAID], threw.function[:200], threw.line, threw.source[:200]]
        return ["threw", "", {"raised": told}]
    if isinstance(error, MemoryError):
        return ["said", NO_ROOM, {}]
    lines = _lines_of(error, job["number"])
    line = lines[-1] if lines else 0
    if isinstance(error, NameError) and not is_remote(error) and error.name in names.absent:
        # Where a test runs what a student has written, that may bind any name.
        if error.name in names.students | names.shared | names.asked.keys() or link.runs_texts:
            return ["missing", error.name, {}]
        if error.name in job["binds"]:
            return ["said", "This needs an earlier part of the test, which fails with what your code gives.", {}]
        return ["errored", f"line {line}: {error}, in the master's other cells either{_because(failed)}", {}]
    if isinstance(error, ImportError):
        return ["errored", f"line {line}: {type(error).__name__}: {error}", {}]
    # What a hidden line has called, a function of the visible ones, would tell of what it was given.
    shown = not set(lines) & set(job["hidden"])
    node = _node_at(tree, line)
    if isinstance(error, AssertionError):
        return ["said", _assertion(node, shown=shown), {}]
    if not shown:
        return ["said", "A hidden test cannot use what your code gives: it has another form than was asked for.", {}]
    # What an exception of the student's class says, which the test has made and raised, may be the reference's answer.
    known = {} if is_remote(error) else {"exception": _text_of(error)}
    return ["said", f"`{_code(node)}` fails with what your code gives.", known]


def _text_of(error: BaseException) -> str:
    """The type and text of an exception of the test's; the text may be the student's code's to give, which may fail."""
    try:
        text = str(error)
    except BaseException:
        text = "…"
    plain = " ".join(f"{type(error).__name__}: {text[:1000]}".split())[:MAX_TOLD]
    # An address differs from run to run, and the same submission gets the same report.
    return re.sub("[^\x20-\u024f…]", "?", re.sub(r"\b0x[0-9A-Fa-f]{6,}", "0x…", plain))


def _because(failed: list[str]) -> str:
    return f"; what is given could not be made outside: {'; '.join(failed[:3])}" if failed else ""


def _lines_of(error: BaseException, number: int) -> list[int]:
    """The lines of the test cell in which an exception came up, the innermost last."""
    lines, at = [], error.__traceback__
    while at is not None:
        if at.tb_frame.f_code.co_filename == f"{CELL}{number}>":
            lines.append(at.tb_lineno)
        at = at.tb_next
    return lines


def _node_at(tree: ast.Module, line: int) -> ast.stmt | None:
    """The innermost statement that stands on a line."""
    found: ast.stmt | None = None
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno):
            found = node
    return found


def _assertion(node: ast.stmt | None, *, shown: bool) -> str:
    """What a failed assertion says: the author's own words, and of a visible test the test itself."""
    message = ""
    match node:
        case ast.Assert(msg=said) if said is not None:
            message = _words(said)
        case ast.Raise(exc=ast.Call(args=[said, *_])):
            message = _words(said)
    if shown and isinstance(node, ast.Assert):
        holds = f"`{_code(ast.Assert(node.test, None))}` does not hold."
        return " ".join(filter(None, (message, holds)))
    if shown and not message and node is not None and not isinstance(node, ast.Raise):
        return f"`{_code(node)}` does not hold."
    return message or "A hidden test fails."


def _words(said: ast.expr) -> str:
    """A message's own words; what is worked out in it, which may be the answer, is left out."""
    match said:
        case ast.Constant(str(text)):
            words = text
        case ast.JoinedStr(values=values):
            words = "".join(str(each.value) if isinstance(each, ast.Constant) else "…" for each in values)
        case ast.BinOp(left=left, op=ast.Mod() | ast.Add()):
            words = _words(left)
        case ast.Call(func=ast.Attribute(value=ast.Constant(str(text)), attr="format")):
            words = text
        case _:
            words = ""
    words = " ".join(words.split())[:300]
    return words if not words or words.endswith((".", "!", "?")) else f"{words}."


def _code(node: ast.stmt | None) -> str:
    if node is None:
        return "The test"
    lines = ast.unparse(ast.fix_missing_locations(node)).splitlines()
    return lines[0][:160] + (" …" if len(lines) > 1 or len(lines[0]) > 160 else "")
