"""The reference of an assignment: loading it, what it gives, and its answers where an earlier row is wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.util
import inspect
import io
import linecache
import math
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.base import CheckError
from autograder.checking.numerics import conditioning
from autograder.checking.test_cells.jupyter import of_jupyter
from autograder.checking.test_cells.outside import REFERENCE
from autograder.course import SHOWS_TAG, master_cells, without_magics
from autograder.sandbox import Answered, Refused, kinds, wire

if TYPE_CHECKING:
    from autograder.course import Assignment

MAX_EXPECTED = 1024
"""How many results are kept: all that the checks of an assignment ask for, of one student's inputs or a few."""
Random = np.random.Generator | np.random.RandomState

MAX_ENTRIES = 50_000_000
"""Bounds the work of one answer: entries of the arguments times the largest integer among them."""


class Reference:
    """The reference's functions, as attributes: ``reference.softmax(logits)``, on ordinary NumPy arrays."""

    def __init__(self, module: ModuleType | Callable[[], ModuleType]) -> None:
        """Take the module of its functions, or what gives it when one is first needed."""
        self._given = module
        self._expected: dict[bytes, tuple[Any, Any]] = {}
        self._parameters: dict[str, tuple[str, ...]] = {}

    @functools.cached_property
    def _module(self) -> ModuleType:
        return self._given() if callable(self._given) else self._given

    def __getattr__(self, name: str) -> ReferenceFunction:
        if name.startswith("_") or not callable(getattr(self._module, name, None)):
            raise AttributeError(f"the reference has no function {name!r}")
        return ReferenceFunction(name, self)

    def parameters(self, name: str) -> tuple[str, ...]:
        """The names of the arguments that a function takes by their places, in order; none where they are not known."""
        if name not in self._parameters:
            self._parameters[name] = _parameters_of(getattr(self._module, name, None))
        return self._parameters[name]

    def expected(self, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, Any]:
        """What a function should give and how much round-off may change of it; kept for the same arguments."""
        single = is_single((arguments, keywords))
        key = wire.encode((name, single, arguments, keywords))
        if key in self._expected:
            self._expected[key] = self._expected.pop(key)  # the latest stand last, and stay longest
        else:
            function = getattr(self._module, name)
            noise = conditioning(function, arguments, keywords, single=single)
            exact_arguments, exact_keywords = _exact((arguments, keywords))
            self._expected[key] = function(*exact_arguments, **exact_keywords), noise
            if len(self._expected) > MAX_EXPECTED:
                del self._expected[next(iter(self._expected))]
        return self._expected[key]


@dataclasses.dataclass(frozen=True)
class ReferenceFunction:
    """One of the reference's functions."""

    name: str
    reference: Reference

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call it, natively."""
        return getattr(self.reference._module, self.name)(*arguments, **keywords)


def load_reference(assignment: Assignment) -> Reference:
    """The functions of ``solutions/<assignment>/``, imported under a name of its own; without any, the master's own.

    Raises:
        CheckError: It does not import, or lacks a function that a row asks for. The master's own cells are run when
            the first of their functions is needed.
    """
    if not assignment.has_reference:
        return Reference(functools.partial(_of_the_master, assignment))
    init = assignment.solutions / "__init__.py"
    # Two notebooks of one assignment have a reference each.
    name = f"{REFERENCE}{assignment.name}{f'_{assignment.notebook}' if assignment.others else ''}"
    specification = importlib.util.spec_from_file_location(
        name, init, submodule_search_locations=[str(assignment.solutions)]
    )
    if not init.is_file() or specification is None or specification.loader is None:
        raise CheckError(f"{assignment.name} has no reference: {init} is missing")
    for loaded in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
        del sys.modules[loaded]
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        raise CheckError(f"the reference {init} does not import: {type(error).__name__}: {error}") from error
    _refuse_incomplete(assignment, module, init)
    return Reference(module)


def _of_the_master(assignment: Assignment) -> ModuleType:
    """The master's own functions, once its cells have run but for the test cells and those that only show."""
    module = ModuleType(f"{REFERENCE}{assignment.name}")
    vars(module).update(of_jupyter())
    problem = ""
    with run_in(assignment.master.parent):
        for cell in master_cells(assignment.master):
            if cell.kind == "code" and (cell.solution or not (cell.grade or SHOWS_TAG in cell.tags)):
                # As in Jupyter, a cell that fails does not stop the next.
                problem = run_cell(cell.number, cell.source, vars(module)) or problem
    _refuse_incomplete(assignment, module, assignment.master, problem)
    return module


@contextlib.contextmanager
def run_in(folder: Path) -> Iterator[None]:
    """Have what is run meanwhile stand in a folder, print nothing, and leave random numbers as they are."""
    before, draws, legacy = Path.cwd(), random.getstate(), np.random.get_state()
    sys.path.append(str(folder))
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        os.chdir(before)
        sys.path.remove(str(folder))
        random.setstate(draws)
        np.random.set_state(legacy)


def run_cell(number: int, source: str, names: dict[str, Any]) -> str:
    """Run a cell of the author's in this process, without IPython's own lines; what went wrong, if anything did."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            name = f"<cell {number} of the master>"
            linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
            exec(compile(without_magics(source), name, "exec"), names)
    except Exception as error:
        return f"cell {number} raises {type(error).__name__}: {error}"
    return ""


def _refuse_incomplete(assignment: Assignment, module: ModuleType, place: Path, problem: str = "") -> None:
    missing = [f for row in assignment.rows for f in row.functions if not callable(getattr(module, f, None))]
    if missing:
        why = f": {problem}" if problem else ""
        names = ", ".join(dict.fromkeys(missing))
        raise CheckError(f"the reference {place} lacks {names}, which the master notebook asks for{why}")


def answer(
    reference: Reference, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any], *, lenient: bool = True
) -> Answered | Refused:
    """Answer a call that a student's function makes of an earlier row's function.

    A generator crosses as the state of its bit generator, and its new state goes back; what a reference yields goes
    back as a list.

    Args:
        reference: What answers.
        name: The function that is called.
        arguments: Its positional arguments, as they crossed.
        keywords: Its keyword arguments.
        lenient: Whether arguments that the reference does not take are left out: a student's own function may take
            more, with defaults. Only safe where that function is wrong anyway: to a right one they may matter.

    Returns:
        The answer, or why there is none, where the arguments make no sense.
    """
    try:
        if _work((arguments, keywords)) > MAX_ENTRIES:
            return Refused(f"{name}: the arguments are too large")
        generators: list[Random] = []
        taken = _with_generators(arguments, generators), _with_generators(keywords, generators)
        if lenient:
            taken = _known(reference, name, *taken)
        with np.errstate(all="ignore"):
            result = getattr(reference, name)(*taken[0], **taken[1])
            iterator = hasattr(result, "__next__")
            if iterator:
                result = list(result)
    except Exception as error:
        return Refused(f"{name}: {type(error).__name__}: {str(error)[:200]}")
    return Answered(result, [_state_of(generator) for generator in generators], iterator)


def _known(
    reference: Reference, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments that the reference knows."""
    parameters = inspect.signature(getattr(reference._module, name)).parameters
    return arguments[: len(parameters)], {key: value for key, value in keywords.items() if key in parameters}


def is_single(tree: Any) -> bool:
    """Whether an array or number in ``tree`` is a float of less than 64 bits, or a complex number of such."""
    if isinstance(tree, np.ndarray | np.generic):
        return tree.dtype.kind in "fc" and tree.dtype.itemsize < (8 if tree.dtype.kind == "f" else 16)
    if isinstance(tree, dict):
        return any(is_single(value) for value in tree.values())
    return isinstance(tree, list | tuple) and any(is_single(item) for item in tree)


def _exact(tree: Any) -> Any:
    """A copy of ``tree`` with its float arrays in float64."""
    if isinstance(tree, np.ndarray):
        return tree.astype({"f": np.float64, "c": np.complex128}.get(tree.dtype.kind, tree.dtype))
    if isinstance(tree, dict | list | tuple):
        return kinds.with_entries(tree, _exact)
    return tree


def generator_from(tree: Any) -> Random:
    """The generator of random numbers whose state came over the wall.

    Raises:
        ValueError: It is the state of none of NumPy's.
    """
    match tree:
        case {"generator": state}:
            return _generator(state)
        case {"legacy": state}:
            return _legacy(state)
    raise ValueError(UNUSABLE)


def _with_generators(tree: Any, generators: list[Random]) -> Any:
    if isinstance(tree, dict):
        if tree.keys() in ({"generator"}, {"legacy"}):
            generators.append(generator_from(tree))
            return generators[-1]
        return {key: _with_generators(value, generators) for key, value in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_with_generators(item, generators) for item in tree)
    return tree


def _generator(state: Any) -> np.random.Generator:
    """A generator in a state that came over the wall, which is built anew from its checked parts.

    Raises:
        ValueError: It is the state of none of NumPy's bit generators.
    """
    kind, checked = _state(state)
    bits = kind()
    bits.state = checked
    return np.random.Generator(bits)


def _legacy(state: Any) -> np.random.RandomState:
    """As ``_generator``, for NumPy's older generator, which also keeps half of a pair of normal numbers."""
    kind, checked = _state(state)
    match state:
        case {"has_gauss": 0 | 1 as has_half, "gauss": float(half)} if math.isfinite(half):
            generator = np.random.RandomState(kind())
            generator.set_state({**checked, "has_gauss": int(has_half), "gauss": half})
            return generator
    raise ValueError(UNUSABLE)


def _state_of(generator: Random) -> dict[str, Any]:
    if isinstance(generator, np.random.Generator):
        return dict(generator.bit_generator.state)
    return dict(generator.get_state(legacy=False))


UNUSABLE = "this random generator cannot be used here"


def _state(state: Any) -> tuple[Callable[[], np.random.BitGenerator], dict[str, Any]]:
    """A bit generator's kind and state, each part checked to be what its setter may be given.

    Raises:
        ValueError: It is none; a position beyond the buffer would be read from memory that is not the generator's.
    """
    match state:
        case {"bit_generator": "MT19937", "state": {"key": key, "pos": int(position)}} if 0 <= position <= 624:
            inner = {"key": _words(key, np.uint32, 624), "pos": position}
            return np.random.MT19937, {"bit_generator": "MT19937", "state": inner}
        case {"has_uint32": 0 | 1 as has_half, "uinteger": int(half)} if 0 <= half < 2**32:
            rest: dict[str, Any] = {"has_uint32": int(has_half), "uinteger": half}
        case _:
            raise ValueError(UNUSABLE)
    match state:
        case {
            "bit_generator": "PCG64" | "PCG64DXSM" as name,
            "state": {"state": int(place), "inc": int(increment)},
        } if 0 <= place < 2**128 and 0 <= increment < 2**128:
            kind = np.random.PCG64 if name == "PCG64" else np.random.PCG64DXSM
            return kind, {"bit_generator": name, "state": {"state": place, "inc": increment}, **rest}
        case {"bit_generator": "SFC64", "state": {"state": words}}:
            inner = {"state": _words(words, np.uint64, 4)}
            return np.random.SFC64, {"bit_generator": "SFC64", "state": inner, **rest}
        case {
            "bit_generator": "Philox",
            "state": {"counter": counter, "key": key},
            "buffer": buffer,
            "buffer_pos": int(position),
        } if 0 <= position <= 4:
            inner = {"counter": _words(counter, np.uint64, 4), "key": _words(key, np.uint64, 2)}
            more = {"buffer": _words(buffer, np.uint64, 4), "buffer_pos": position}
            return np.random.Philox, {"bit_generator": "Philox", "state": inner, **more, **rest}
    raise ValueError(UNUSABLE)


def _words(array: Any, dtype: type[np.unsignedinteger[Any]], count: int) -> np.ndarray:
    if isinstance(array, np.ndarray) and array.dtype == dtype and array.shape == (count,):
        return array
    raise ValueError(UNUSABLE)


def _work(tree: Any) -> int:
    entries, largest = _size(tree)
    return entries * max(1, largest)


def _size(tree: Any) -> tuple[int, int]:
    if isinstance(tree, bool):
        return 1, 0
    if isinstance(tree, int | np.integer):
        return 1, abs(int(tree))
    if isinstance(tree, np.ndarray | np.generic):
        return int(tree.size), 0
    parts = list(tree.values()) if isinstance(tree, dict) else list(tree) if isinstance(tree, list | tuple) else []
    if isinstance(tree, dict) and tree.keys() in ({"generator"}, {"legacy"}):
        return 1, 0
    sizes = [_size(part) for part in parts]
    return 1 + sum(size for size, _ in sizes), max((largest for _, largest in sizes), default=0)


def _parameters_of(function: Any) -> tuple[str, ...]:
    try:
        known = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(each.name for each in known if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD))
