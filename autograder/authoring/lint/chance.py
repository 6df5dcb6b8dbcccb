"""Rules about what is not the same twice: random numbers without a seed, the clock, the network."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from autograder.authoring.lint.finding import Finding, Master, tree_of
from autograder.course import MasterCell
from autograder.submission import binds, reads

_SEEDS = {
    "random": ("random.seed", "random.setstate"),
    "numpy.random": ("numpy.random.seed", "numpy.random.set_state"),
    "torch": ("torch.manual_seed", "torch.set_rng_state"),
}
_DRAWS = {
    "random": re.compile(
        r"random\.(random|rand\w+|uniform|choices?|sample|shuffle|gauss|\w+variate|triangular|getrandbits)"
    ),
    "numpy.random": re.compile(
        r"numpy\.random\.(?!seed$|get_state$|set_state$|default_rng$|[A-Z])\w+"  # what has a capital is a class
    ),
    "torch": re.compile(r"torch\.(rand\w*|normal|bernoulli|multinomial)"),
}
_GENERATORS = frozenset({"random.Random", "numpy.random.default_rng", "numpy.random.RandomState"})
_NEVER_THE_SAME = re.compile(r"(random\.SystemRandom|secrets\.\w+|uuid\.uuid[14]|os\.urandom)")
_CLOCK = re.compile(
    r"time\.(time|time_ns|perf_counter|perf_counter_ns|monotonic|monotonic_ns|process_time|process_time_ns|localtime|"
    r"gmtime|ctime)|datetime\.(datetime|date)\.(now|utcnow|today)|timeit\.(timeit|repeat|default_timer)"
)
_NETWORK = re.compile(
    r"(requests|httpx|aiohttp|urllib3|urllib\.request|http\.client|socket|ftplib|smtplib|wget|gdown|kagglehub)\.\w.*"
)
_FETCHES = re.compile(r"(read|open|get|load|fetch|download|retrieve)", re.IGNORECASE)
_ADDRESS = re.compile(r"(https?|ftp|s3|gs)://")


def random_numbers(master: Master) -> Iterator[Finding]:
    """Draws of random numbers that nothing has seeded."""
    tested = [reads(cell.source) or frozenset() for cell in master.tests]
    for cell in (*master.tests, *master.given):
        is_given = cell in master.given
        if is_given and not any(binds(cell.source) & names for names in tested):
            continue
        for name, call in _calls(master, cell, in_functions=not is_given):
            if name in _GENERATORS and not _has_seed(call):
                yield master.warning(
                    cell,
                    f"{name} without a seed is another at each grading, and so may the verdict be; give it one",
                    call.lineno,
                )
                break
            if _NEVER_THE_SAME.fullmatch(name):
                text = f"{name} gives something else at each grading, and so may the verdict be; write a value down"
                yield master.warning(cell, text, call.lineno)
                break
            library = next((each for each, draws in _DRAWS.items() if draws.fullmatch(name)), "")
            if library and not _seeded(master, cell, call.lineno, library):
                seed = _SEEDS[library][0]
                yield master.warning(
                    cell,
                    f"{name} draws without a seed, so the verdict may be another at each grading; call {seed} in this "
                    "cell before it",
                    call.lineno,
                )
                break


def _calls(master: Master, cell: MasterCell, *, in_functions: bool) -> Iterator[tuple[str, ast.Call]]:
    """The calls of what libraries have, in their lines' order; those in functions only where wanted."""
    inside = [
        node
        for function in ast.walk(tree_of(cell))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    ]
    left_out = set() if in_functions else {id(node) for node in inside}
    found = [(name, call) for name, call in master.called(cell) if id(call) not in left_out]
    return iter(sorted(found, key=lambda each: each[1].lineno))


def _has_seed(call: ast.Call) -> bool:
    given = [*call.args, *(each.value for each in call.keywords)]
    return bool(given) and not (isinstance(given[0], ast.Constant) and given[0].value is None)


def _seeded(master: Master, cell: MasterCell, line: int, library: str) -> bool:
    """Whether a seed is set earlier: in the cell before that line, or in a cell before it that is no answer."""
    for earlier in master.code:
        if earlier.number > cell.number or earlier.solution:
            continue
        for name, call in master.called(earlier):
            if name in _SEEDS[library] and _has_seed(call) and (earlier.number < cell.number or call.lineno <= line):
                return True
    return False


def clock(master: Master) -> Iterator[Finding]:
    """Test cells, and given ones that they read, that look at the time."""
    tested = [reads(cell.source) or frozenset() for cell in master.tests]
    read = [cell for cell in master.given if any(binds(cell.source) & names for names in tested)]
    for cell in (*master.tests, *read):
        for name, call in _calls(master, cell, in_functions=cell not in read):
            if _CLOCK.fullmatch(name):
                text = (
                    f"{name} depends on the machine and the hour of the grading, and so may the verdict; test what "
                    "comes of the code, not when"
                )
                yield master.warning(cell, text, call.lineno)
                break


def network(master: Master) -> Iterator[Finding]:
    """Test cells and given ones that need the network, which no submission has."""
    for cell in (*master.tests, *master.given):
        for node in ast.walk(tree_of(cell)):
            if not isinstance(node, ast.Call):
                continue
            name = master.full_name(node.func)
            if _NETWORK.fullmatch(name) or (_fetches(node) and _has_address(node.args)):
                what = name or ast.unparse(node.func)
                where = "a submission has none" if cell in master.given else "a grade must not depend on it"
                text = (
                    f"{what} needs the network, and {where}; put the file beside the master and name it under `files`"
                )
                yield master.warning(cell, text, node.lineno)
                break


def _fetches(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return _FETCHES.search(name) is not None


def _has_address(nodes: Sequence[ast.expr]) -> bool:
    return any(
        isinstance(node, ast.Constant) and isinstance(node.value, str) and _ADDRESS.match(node.value) for node in nodes
    )


RULES = (random_numbers, clock, network)
