"""Errors carried forward, in notebooks of the real Week 2: each wrong link of a chain costs its own row alone."""

import json
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from autograder.checking import Reference, answer, load_reference
from autograder.course import load_course
from autograder.feedback import annotated
from autograder.grading import Grader
from autograder.grading.reference_process import ReferenceProcess
from autograder.sandbox import Answered, Ref, Refused, ThrewOutside, protocol
from autograder.submission import read_submission
from tests.courses import write

ROOT = Path(__file__).parents[2]
WEEK2 = load_course(ROOT).assignment("week2")


def graded_cells(path: Path) -> dict[str, dict]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return {cell["metadata"]["nbgrader"]["grade_id"]: cell for cell in cells if "nbgrader" in cell["metadata"]}


MASTER = {name: "".join(cell["source"]) for name, cell in graded_cells(WEEK2.master).items()}

RIGHT = {
    # The largest probability of a row is at least 1/C, so its logarithm is exact for logits of any size.
    "log_softmax": """
def log_softmax(logits):
    top = np.max(logits, axis=-1, keepdims=True)
    return logits - top + np.log(np.max(softmax(logits), axis=-1, keepdims=True))
"""
}
"""In place of the master's own, so that each link of the chain calls the one before."""

WRONG = {
    "softmax": """
def softmax(logits):
    e = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    return 0.5 * e / e.sum(axis=-1, keepdims=True)
""",
    "log_softmax": RIGHT["log_softmax"].replace("logits - top", "logits - top - 0.25"),
    "softmax_cross_entropy": """
def softmax_cross_entropy(logits, labels):
    n = np.arange(len(labels))
    dlogits = softmax(logits)
    dlogits[n, labels] -= 1.0
    return -np.sum(log_softmax(logits)[n, labels]), -3.0 * dlogits
""",
    "mlp_loss_and_grads": MASTER["mlp_loss_and_grads"]
    .replace('"b1": db1', '"b1": db1 * 2')
    .replace("linear_backward(da, cache1)", "linear_backward(dh, cache1)"),
    "train": MASTER["train"].replace("default_rng(seed)", "default_rng(0)"),
}
CHAIN = tuple(WRONG)
PAIRS = [
    ("softmax", "log_softmax"),
    ("log_softmax", "softmax_cross_entropy"),
    ("softmax_cross_entropy", "mlp_loss_and_grads"),
    ("mlp_loss_and_grads", "train"),
    ("softmax", "mlp_loss_and_grads"),
]


@pytest.fixture(scope="module")
def grader():
    with Grader() as grader:
        yield grader


@pytest.fixture(scope="module")
def assignment(tmp_path_factory):
    """Week 2 without the cells that only teach, which take most of a notebook's time."""
    cells = graded_cells(WEEK2.release)
    rows = {row.name for row in WEEK2.rows}
    kept = rows | {row.test_id for row in WEEK2.rows} | {"setup", *WEEK2.manual}
    tree = json.loads(WEEK2.release.read_text(encoding="utf-8"))
    tree["cells"] = [
        cell | {"source": "" if name.startswith("test_") else cell["source"]}
        for name, cell in cells.items()
        if name in kept
    ]
    return replace(WEEK2, release=write(tmp_path_factory.mktemp("week2") / "week2.ipynb", tree))


def submitted(tmp_path: Path, assignment, sources: dict[str, str]):
    """The solved notebook, with these solution cells in place of the right ones."""
    tree = json.loads(assignment.release.read_text(encoding="utf-8"))
    for cell in tree["cells"]:
        name = cell["metadata"]["nbgrader"]["grade_id"]
        if name in {row.name for row in assignment.rows}:
            cell["source"] = sources.get(name, RIGHT.get(name, MASTER[name]))
    return read_submission(write(tmp_path / "week2.ipynb", tree), assignment)


@pytest.mark.sandbox
@pytest.mark.parametrize(
    "wrong",
    [
        (CHAIN[0],),
        (CHAIN[-1],),
        *(pytest.param(names, marks=pytest.mark.thorough) for names in [*((name,) for name in CHAIN[1:-1]), *PAIRS]),
    ],
    ids="+".join,
)
def test_each_wrong_link_of_a_chain_costs_its_own_row_alone(grader, assignment, tmp_path, wrong):
    submission = submitted(tmp_path, assignment, {name: WRONG[name] for name in wrong})
    report = grader.grade(submission, assignment)
    assert {row.name for row in report.rows if row.fraction < 1} == set(wrong)
    carried = {row.name: row.carried for row in report.rows}
    first = CHAIN.index(wrong[0])
    for name, before in zip(CHAIN[first + 1 :], CHAIN[first:], strict=False):
        assert name in wrong or before in carried[name]
    assert not any(carried[name] for name in CHAIN[: first + 1])
    said = json.dumps(annotated(submission, report, assignment), ensure_ascii=False)
    if wrong == ("softmax",):
        assert "log_softmax: 5 of 5 points\\nRight, given a correct softmax: an earlier mistake" in said


@pytest.mark.sandbox
def test_a_training_loop_with_any_generator_is_answered_by_a_correct_minibatches(grader, assignment, tmp_path):
    kinds = """\
    kinds = [np.random.PCG64, np.random.MT19937, np.random.SFC64, np.random.Philox, np.random.PCG64DXSM]
    if seed % 7 == 5:
        rng = np.random.RandomState(seed)
    elif seed % 7 == 6:
        np.random.seed(seed)
        rng = np.random
    else:
        rng = np.random.Generator(kinds[seed % 7](seed))
"""
    train = MASTER["train"].replace("    rng = np.random.default_rng(seed)\n", kinds)
    train = train.replace("minibatches(x, y, batch_size, rng)", "minibatches(x, y, batch_size, rng, True)")
    unshuffled = """
def minibatches(x, y, batch_size, rng, shuffle=False):
    for start in range(0, len(x), batch_size):
        yield x[start : start + batch_size], y[start : start + batch_size]
"""
    report = grader.grade(submitted(tmp_path, assignment, {"train": train, "minibatches": unshuffled}), assignment)
    assert {row.name for row in report.rows if row.fraction < 1} == {"minibatches"}
    assert {row.name: row.carried for row in report.rows}["train"] == ("minibatches",)


# The answers themselves


@pytest.fixture(scope="module")
def reference():
    return load_reference(WEEK2)


X, Y = np.arange(14.0).reshape(7, 2), np.arange(7)


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "SFC64", "Philox"])
def test_a_generator_of_any_kind_draws_as_it_would_have_and_moves_on(reference, kind):
    own, other = (np.random.Generator(getattr(np.random, kind)(5)) for _ in range(2))
    own.integers(9, dtype=np.uint32), other.integers(9, dtype=np.uint32)
    given = {"generator": own.bit_generator.state}
    batches, (state,), iterator = answer(reference, "minibatches", (X, Y, 3, given), {})
    wanted = list(reference.minibatches(X, Y, 3, other))
    assert iterator
    assert all(np.array_equal(yb, wb) for (_, yb), (_, wb) in zip(batches, wanted, strict=True))
    own.bit_generator.state = state
    assert own.integers(2**60) == other.integers(2**60)


def test_the_older_generator_does_too(reference):
    own, other = np.random.RandomState(5), np.random.RandomState(5)
    own.normal(), other.normal()
    given = {"legacy": own.get_state(legacy=False)}
    batches, (state,), _ = answer(reference, "minibatches", (X, Y, 3, given), {})
    wanted = list(reference.minibatches(X, Y, 3, other))
    assert all(np.array_equal(yb, wb) for (_, yb), (_, wb) in zip(batches, wanted, strict=True))
    own.set_state(state)
    assert own.normal() == other.normal()


PCG64 = np.random.PCG64(1).state
MT19937 = np.random.MT19937(1).state
PHILOX = np.random.Philox(1).state
LEGACY = np.random.RandomState(1).get_state(legacy=False)


@pytest.mark.parametrize(
    "forged",
    [
        {"generator": {}},
        {"generator": 3},
        {"generator": PCG64 | {"bit_generator": "PCG65"}},
        {"generator": PCG64 | {"has_uint32": 2}},
        {"generator": PCG64 | {"uinteger": 2**32}},
        {"generator": PCG64 | {"state": {"state": 2**128, "inc": 1}}},
        {"generator": MT19937 | {"state": {"key": MT19937["state"]["key"], "pos": 625}}},
        {"generator": MT19937 | {"state": {"key": MT19937["state"]["key"], "pos": -1}}},
        {"generator": MT19937 | {"state": {"key": MT19937["state"]["key"][:-1], "pos": 1}}},
        {"generator": MT19937 | {"state": {"key": MT19937["state"]["key"].astype(float), "pos": 1}}},
        {"generator": PHILOX | {"buffer_pos": 5}},
        {"generator": PHILOX | {"buffer": np.zeros(3, np.uint64)}},
        {"legacy": LEGACY | {"has_gauss": 3}},
        {"legacy": LEGACY | {"gauss": "half"}},
        {"legacy": LEGACY | {"gauss": float("nan")}},
    ],
)
def test_a_forged_state_is_refused(reference, forged):
    assert isinstance(answer(reference, "minibatches", (X, Y, 3, forged), {}), Refused)


def test_arguments_that_the_reference_does_not_take_are_left_out_only_where_it_is_lenient(reference):
    z = np.arange(3.0)
    assert isinstance(answer(reference, "softmax", (z, -1), {"keep": True}), Answered)
    assert isinstance(answer(reference, "softmax", (z, -1), {}, lenient=False), Refused)
    assert isinstance(answer(reference, "softmax", (z,), {"axis": -1}, lenient=False), Refused)


NETWORK = """
class Part:
    def __init__(self, weight):
        self.weight = weight

    def forward(self, x):
        return self.weight * x


class Whole:
    def __init__(self, parts):
        self.parts = parts

    def forward(self, x):
        return self.parts["first"].forward(x) + sum(part.forward(x) for part in self.parts["others"])
"""


def test_an_object_of_the_reference_is_an_argument_of_another_of_its_classes():
    module = ModuleType("autograder_reference_of_a_network")
    exec(NETWORK, vars(module))
    latest = time.monotonic() + 20

    def forward(process: ReferenceProcess, of: Ref) -> Any:
        method = process.asked(protocol.AskOutside(of.path[1], "getattr", ("forward",), {}), latest)
        return process.asked(protocol.AskOutside(method.value.path[1], "call", (10.0,), {}), latest)

    with ReferenceProcess(Reference(module), {"Part", "Whole"}) as process:
        first, second = (process("Part", (weight,), {}, latest).result for weight in (2.0, 0.5))
        back = [Ref(0, part.path[:2]) for part in (first, second)]
        whole = process("Whole", ({"first": back[0], "others": [back[1], back[1]]},), {}, latest).result
        assert forward(process, whole).value == 30.0
        unknown = process("Whole", ({"first": Ref(0, ("outside", -99)), "others": []},), {}, latest).result
        assert isinstance(forward(process, unknown), ThrewOutside)
