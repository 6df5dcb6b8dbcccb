"""The master notebook of Week 2: what the contract, nbgrader and a student may rely on."""

from __future__ import annotations

import ast
import itertools
import math
import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.preprocessors import ClearSolutions

from tests.visible_checks import printed_by, ran

MASTER = Path(__file__).parents[2] / "source" / "week2" / "week2.ipynb"

# The contract's table: row, points, signatures.
CONTRACT: dict[str, tuple[int, tuple[str, ...]]] = {
    "softmax": (10, ("softmax(logits)",)),
    "log_softmax": (5, ("log_softmax(logits)",)),
    "one_hot": (3, ("one_hot(labels, num_classes)",)),
    "cross_entropy": (6, ("cross_entropy(probs, targets)",)),
    "sparse_cross_entropy": (4, ("sparse_cross_entropy(probs, labels)",)),
    "softmax_cross_entropy": (7, ("softmax_cross_entropy(logits, labels)",)),
    "linear_forward": (3, ("linear_forward(x, W, b)",)),
    "linear_backward": (6, ("linear_backward(dout, cache)",)),
    "relu_forward": (4, ("relu_forward(x)", "relu_backward(dout, cache)")),
    "mlp_loss_and_grads": (12, ("mlp_loss_and_grads(params, x, labels)",)),
    "sgd_step": (2, ("sgd_step(param, grad, lr)",)),
    "momentum_step": (5, ("momentum_step(param, grad, velocity, lr, beta=0.9)",)),
    "rmsprop_step": (5, ("rmsprop_step(param, grad, sq_avg, lr, rho=0.9, eps=1e-08)",)),
    "adam_step": (
        10,
        ("adam_step(param, grad, m, v, t, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08)",),
    ),
    "step_decay": (
        5,
        (
            "step_decay(lr0, epoch, factor=0.5, every=10)",
            "exponential_decay(lr0, epoch, rate)",
            "cosine_decay(lr0, step, total_steps, lr_min=0.0)",
        ),
    ),
    "minibatches": (3, ("minibatches(x, y, batch_size, rng)",)),
    "train": (
        5,
        ("train(x, y, hidden_size, num_classes, epochs=50, batch_size=32, lr=0.01, optimizer='adam', seed=0)",),
    ),
}
REFLECTION_POINTS = 5
FIGURES_WITH_STUDENT_CODE = (
    "figure-softmax",
    "figure-valley",
    "figure-schedules",
    "figure-training",
    "figure-boundary",
)

rows = pytest.mark.parametrize("row", CONTRACT)


def read() -> NotebookNode:
    return nbformat.read(MASTER, as_version=4)


NOTEBOOK = read()
CELLS: dict[str, NotebookNode] = {cell.id: cell for cell in NOTEBOOK.cells}


def points_in(cell: NotebookNode) -> float:
    return float(cell.metadata.nbgrader.get("points", 0))


def functions_of(row: str) -> list[ast.FunctionDef]:
    return [node for node in ast.parse(CELLS[row].source).body if isinstance(node, ast.FunctionDef)]


def solved() -> dict[str, Any]:
    """A namespace in which the tools and the model solutions have run."""
    return ran(CELLS, ("setup", "check-tools", "gradient-check", *CONTRACT))


def run_visible_checks(row: str, namespace: dict[str, Any]) -> str:
    return printed_by(CELLS[f"test_{row}"], namespace)


def execute(notebook: NotebookNode, folder: Path, *, allow_errors: bool) -> dict[str, list[NotebookNode]]:
    """Run a notebook in a kernel; return each code cell's outputs."""
    client = NotebookClient(
        notebook,
        timeout=60,
        kernel_name="python3",
        allow_errors=allow_errors,
        resources={"metadata": {"path": str(folder)}},
    )
    with warnings.catch_warnings():
        # What jupyter_client warns about (event loops, sockets) is not the notebook's doing.
        warnings.simplefilter("ignore")
        client.execute()
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def text_of(outputs: list[NotebookNode]) -> str:
    return "".join(output.text for output in outputs if output.output_type == "stream")


# ------------------------------------------------------------------------------------ the contract


def test_points_sum_to_one_hundred() -> None:
    assert sum(points_in(cell) for cell in NOTEBOOK.cells) == 100


def test_graded_cells_are_the_contracts_rows_in_their_order_and_the_written_answer() -> None:
    graded = [cell.id for cell in NOTEBOOK.cells if cell.metadata.nbgrader.grade]
    assert graded == [*(f"test_{row}" for row in CONTRACT), "reflection"]
    assert points_in(CELLS["reflection"]) == REFLECTION_POINTS
    assert CELLS["reflection"].cell_type == "markdown"


@rows
def test_row_has_the_contracts_points(row: str) -> None:
    assert points_in(CELLS[f"test_{row}"]) == CONTRACT[row][0]


@rows
def test_row_is_an_introduction_then_a_solution_cell_then_its_test_cell(row: str) -> None:
    order = [cell.id for cell in NOTEBOOK.cells]
    at = order.index(row)
    assert order[at - 1 : at + 2] == [f"{row}-intro", row, f"test_{row}"]
    assert NOTEBOOK.cells[at - 1].cell_type == "markdown"
    solution, test = (CELLS[name].metadata.nbgrader for name in (row, f"test_{row}"))
    assert (solution.solution, solution.grade, solution.locked) == (True, False, False)
    assert (test.solution, test.grade, test.locked) == (False, True, True)


@rows
def test_row_defines_its_functions_with_the_contracts_signatures(row: str) -> None:
    signatures = tuple(f"{node.name}({ast.unparse(node.args)})" for node in functions_of(row))
    assert signatures == CONTRACT[row][1]


@rows
def test_every_function_is_documented_in_numpy_style(row: str) -> None:
    for node in functions_of(row):
        docstring = ast.get_docstring(node) or ""
        parameters, _, results = docstring.partition("Yields" if row == "minibatches" else "Returns")
        assert "Parameters\n----------\n" in parameters, node.name
        assert results.lstrip().startswith("---"), node.name
        documented = set(re.findall(r"\w+", " ".join(re.findall(r"(?m)^(\S.*) : ", parameters))))
        assert documented >= {argument.arg for argument in node.args.args}, node.name


@rows
def test_heading_states_the_rows_points(row: str) -> None:
    heading = CELLS[f"{row}-intro"].source.splitlines()[0]
    assert heading.endswith(f"({CONTRACT[row][0]} points)")
    assert heading.startswith(f"### Exercise {list(CONTRACT).index(row) + 1} · `{row}`")


def test_opening_table_states_the_points_of_each_part() -> None:
    stated = [int(points) for points in re.findall(r"(?m)^\| \d · .* \| (\d+) \|$", CELLS["about"].source)]
    actual: list[float] = []
    for cell in NOTEBOOK.cells:
        if re.fullmatch(r"part-\d", cell.id):
            actual.append(0)
        if actual:
            actual[-1] += points_in(cell)
    assert stated == actual


# ------------------------------------------------------------------------------- the file's format


def test_file_is_exactly_what_nbformat_writes() -> None:
    assert MASTER.read_text(encoding="utf-8") == nbformat.writes(NOTEBOOK) + "\n"
    nbformat.validate(NOTEBOOK)
    assert (NOTEBOOK.nbformat, NOTEBOOK.nbformat_minor) == (4, 5)


def test_metadata_names_the_kernel_and_nothing_of_the_authors_machine() -> None:
    assert NOTEBOOK.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def test_no_outputs_are_committed() -> None:
    for cell in NOTEBOOK.cells:
        assert {"nbgrader"} <= set(cell.metadata) <= {"nbgrader", "tags"}, cell.id
        if cell.cell_type == "code":
            assert cell.outputs == [], cell.id
            assert cell.execution_count is None, cell.id


def test_cell_ids_are_unique_and_equal_to_the_grade_ids() -> None:
    assert len(CELLS) == len(NOTEBOOK.cells)
    for cell in NOTEBOOK.cells:
        assert cell.id == cell.metadata.nbgrader.grade_id
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", cell.id)


def test_nbgrader_accepts_the_metadata() -> None:
    MetadataValidator().validate_nb(read())


def test_only_solution_cells_can_be_edited() -> None:
    for cell in NOTEBOOK.cells:
        assert cell.metadata.nbgrader.locked != cell.metadata.nbgrader.solution, cell.id


def test_only_numpy_and_matplotlib_are_imported() -> None:
    imported = set()
    for cell in NOTEBOOK.cells:
        if cell.cell_type == "code":
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.partition(".")[0] for alias in node.names}
                assert not isinstance(node, ast.ImportFrom), cell.id
    assert imported == {"numpy", "matplotlib"}


def test_no_line_of_a_solution_occurs_in_a_cell_that_students_see() -> None:
    seen = "\n".join(cell.source for cell in NOTEBOOK.cells if cell.metadata.nbgrader.locked)
    for row in CONTRACT:
        for body in re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", CELLS[row].source, re.DOTALL):
            for line in body.splitlines():
                if len(line.strip()) > 25:
                    assert line.strip() not in seen, row


# ------------------------------------------------------------------------------ running the notebook


@pytest.fixture(scope="module")
def solved_outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[NotebookNode]]:
    return execute(read(), tmp_path_factory.mktemp("solved"), allow_errors=False)


@pytest.fixture(scope="module")
def released() -> NotebookNode:
    notebook, _ = ClearSolutions().preprocess(read(), {})
    return notebook


@pytest.fixture(scope="module")
def released_outputs(released: NotebookNode, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[NotebookNode]]:
    return execute(released, tmp_path_factory.mktemp("released"), allow_errors=True)


@rows
def test_solved_notebook_passes_its_visible_checks(row: str, solved_outputs: dict[str, list[NotebookNode]]) -> None:
    assert text_of(solved_outputs[f"test_{row}"]).endswith(": visible checks passed\n")


def test_solved_notebook_runs_without_a_warning(solved_outputs: dict[str, list[NotebookNode]]) -> None:
    outputs = list(itertools.chain.from_iterable(solved_outputs.values()))
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]


def test_solved_notebook_draws_every_figure(solved_outputs: dict[str, list[NotebookNode]]) -> None:
    figures = [name for name in solved_outputs if name.startswith("figure-")]
    assert len(figures) == 7
    for name in figures:
        assert ["image/png" in output.get("data", {}) for output in solved_outputs[name]] == [True], name


def test_release_keeps_signature_and_docstring_and_clears_the_rest(released: NotebookNode) -> None:
    for cell in released.cells:
        if cell.id in CONTRACT:
            for node in ast.parse(cell.source).body:
                assert isinstance(node, ast.FunctionDef)
                assert [ast.unparse(statement) for statement in node.body[1:]] == ["raise NotImplementedError()"]
        if cell.id == "reflection":
            assert cell.source == "YOUR ANSWER HERE"


@rows
def test_untouched_release_passes_no_visible_check(row: str, released_outputs: dict[str, list[NotebookNode]]) -> None:
    assert [output.get("ename") for output in released_outputs[f"test_{row}"]] == ["NotImplementedError"]


def test_untouched_release_is_friendly_outside_the_test_cells(
    released_outputs: dict[str, list[NotebookNode]],
) -> None:
    for name, outputs in released_outputs.items():
        if not name.startswith("test_"):
            assert not [output for output in outputs if output.output_type == "error"], name
        if name in FIGURES_WITH_STUDENT_CODE:
            assert re.fullmatch(r"Finish .* to see this figure.*\n", text_of(outputs)), name


# --------------------------------------------------------------------------------- the visible checks


class Mistake(NamedTuple):
    """A slip that students make: a piece of the model solution, and what stands there instead."""

    row: str
    what: str
    old: str
    new: str


MAX = "np.max(logits, axis=-1, keepdims=True)"
MISTAKES = [
    Mistake("softmax", "no maximum subtracted", f"logits - {MAX}", "logits"),
    Mistake("softmax", "maximum of the whole batch", MAX, "np.max(logits)"),
    Mistake("softmax", "wrong axis", "np.sum(exponentials, axis=-1", "np.sum(exponentials, axis=0"),
    Mistake(
        "softmax",
        "sum of the whole batch",
        "np.sum(exponentials, axis=-1, keepdims=True)",
        "np.sum(exponentials)",
    ),
    Mistake("softmax", "in place", f"shifted = logits - {MAX}", f"logits -= {MAX}; shifted = logits"),
    Mistake("softmax", "no return", "return exponentials", "exponentials"),
    Mistake(
        "log_softmax",
        "logarithm of rounded probabilities",
        "return shifted - np.log(",
        "return np.log(softmax(logits)) #",
    ),
    Mistake("log_softmax", "maximum of the whole batch", MAX, "np.max(logits)"),
    Mistake("log_softmax", "wrong axis", "np.sum(np.exp(shifted), axis=-1", "np.sum(np.exp(shifted), axis=0"),
    Mistake("log_softmax", "in place", f"shifted = logits - {MAX}", f"logits -= {MAX}; shifted = logits"),
    Mistake("one_hot", "classes counted from the batch", "num_classes))", "np.max(labels) + 1))"),
    Mistake("one_hot", "integers", "num_classes))", "num_classes), dtype=int)"),
    Mistake("one_hot", "transposed", "return encoded", "return encoded.T"),
    Mistake(
        "cross_entropy",
        "mean over all entries",
        "-np.sum(targets * log_probs, axis=-1)",
        "-targets * log_probs",
    ),
    Mistake("cross_entropy", "sum over the batch", "np.mean(-np.sum", "np.sum(-np.sum"),
    Mistake("cross_entropy", "sign", "-np.sum(", "np.sum("),
    Mistake("cross_entropy", "no floor", "np.maximum(probs, floor)", "probs"),
    Mistake("cross_entropy", "coarse floor", "floor = 1e-30", "floor = 2e-9"),
    Mistake("cross_entropy", "not a scalar", "return np.mean(", "return np.atleast_1d("),
    Mistake(
        "cross_entropy",
        "soft targets ignored",
        "targets * log_probs",
        "(targets == np.max(targets, axis=-1, keepdims=True)) * log_probs",
    ),
    Mistake("sparse_cross_entropy", "whole columns", "[np.arange(len(labels)), labels]", "[:, labels]"),
    Mistake("sparse_cross_entropy", "sum over the batch", "-np.mean(", "-np.sum("),
    Mistake("sparse_cross_entropy", "no floor", "np.maximum(picked, 1e-30)", "picked"),
    Mistake("sparse_cross_entropy", "coarse floor", "np.maximum(picked, 1e-30)", "np.maximum(picked, 2e-9)"),
    Mistake(
        "sparse_cross_entropy",
        "shape (1,)",
        "return -np.mean(np.log(np.maximum(picked, 1e-30)))",
        "return np.array([-np.mean(np.log(np.maximum(picked, 1e-30)))])",
    ),
    Mistake("softmax_cross_entropy", "no 1/N in the gradient", "dlogits / len(labels)", "dlogits"),
    Mistake("softmax_cross_entropy", "no 1/N in the loss", "-np.mean(", "-np.sum("),
    Mistake(
        "softmax_cross_entropy",
        "unstable loss",
        "log_softmax(logits)[",
        "np.log(softmax(logits) + 1e-12)[",
    ),
    Mistake("softmax_cross_entropy", "sign of the target", "-= 1.0", "+= 1.0"),
    Mistake(
        "softmax_cross_entropy",
        "logits overwritten",
        "dlogits = softmax(logits)",
        "dlogits = logits; dlogits[:] = softmax(logits)",
    ),
    Mistake("softmax_cross_entropy", "shape (1,)", "return loss,", "return np.array([loss]),"),
    Mistake("softmax_cross_entropy", "loss alone", "return loss, dlogits / len(labels)", "return loss"),
    Mistake("linear_forward", "no bias", "x @ W + b", "x @ W"),
    Mistake("linear_forward", "no cache", ", (x, W)", ""),
    Mistake(
        "linear_forward",
        "in place",
        "return x @ W + b, (x, W)",
        "b += x @ W[:, :1] if len(x) == 1 else 1; return x @ W + b - 1, (x, W)",
    ),
    Mistake("linear_backward", "mean instead of sum", "np.sum(dout", "np.mean(dout"),
    Mistake("linear_backward", "db of shape (1, H)", "axis=0", "axis=0, keepdims=True"),
    Mistake("linear_backward", "1/N in dW", "x.T @ dout", "x.T @ dout / len(x)"),
    Mistake("linear_backward", "upstream gradient ignored in dW", "x.T @ dout", "x.T @ np.ones_like(dout)"),
    Mistake("linear_backward", "upstream gradient ignored in dx", "dout @ W.T", "np.ones_like(dout) @ W.T"),
    Mistake("linear_backward", "order of the results", "return dx, dW, db", "return dW, db, dx"),
    Mistake("relu_forward", "gradient 1 at 0", "x > 0", "x >= 0"),
    Mistake(
        "relu_forward",
        "upstream gradient ignored",
        "np.where(positive, dout, 0)",
        "np.where(positive, 1.0, 0)",
    ),
    Mistake("relu_forward", "sign of dout", "np.where(positive, dout, 0)", "np.maximum(dout, 0)"),
    Mistake(
        "relu_forward",
        "dout overwritten",
        "return np.where(positive, dout, 0)",
        "dout[~positive] = 0; return dout",
    ),
    Mistake(
        "relu_forward",
        "x overwritten",
        "return np.maximum(x, 0), x > 0",
        "positive = x > 0; x[~positive] = 0; return x, positive",
    ),
    Mistake("relu_forward", "leaky", "np.maximum(x, 0)", "np.maximum(x, 0.01 * x)"),
    Mistake("mlp_loss_and_grads", "no ReLU forward", "linear_forward(h,", "linear_forward(a,"),
    Mistake("mlp_loss_and_grads", "no ReLU backward", "linear_backward(da,", "linear_backward(dh,"),
    Mistake("mlp_loss_and_grads", "no gradient of the biases", '"b1": db1, ', ""),
    Mistake("mlp_loss_and_grads", "extra key", '"b2": db2', '"b2": db2, "x": _'),
    Mistake("mlp_loss_and_grads", "biases of shape (1, H)", '"b1": db1', '"b1": db1[None]'),
    Mistake("mlp_loss_and_grads", "1/N twice", '"W1": dW1', '"W1": dW1 / len(x)'),
    Mistake("sgd_step", "uphill", "param - lr", "param + lr"),
    Mistake("sgd_step", "in place", "return param - lr * grad", "param -= lr * grad; return param"),
    Mistake("sgd_step", "learning rate ignored", "lr * grad", "grad"),
    Mistake(
        "momentum_step",
        "old velocity",
        "return param - lr * velocity, velocity",
        "return param - lr * (velocity - grad) / beta, velocity",
    ),
    Mistake("momentum_step", "running mean", "+ grad", "+ (1 - beta) * grad"),
    Mistake("momentum_step", "beta ignored", "beta * velocity", "0.9 * velocity"),
    Mistake(
        "momentum_step",
        "in place",
        "velocity = beta * velocity + grad",
        "velocity *= beta; velocity += grad",
    ),
    Mistake(
        "momentum_step",
        "order of the results",
        "return param - lr * velocity, velocity",
        "return velocity, param - lr * velocity",
    ),
    Mistake("momentum_step", "velocity forgotten", "lr * velocity, velocity", "lr * velocity"),
    Mistake("rmsprop_step", "eps inside the root", "(np.sqrt(sq_avg) + eps)", "np.sqrt(sq_avg + eps)"),
    Mistake("rmsprop_step", "eps ignored", "+ eps)", "+ 1e-8)"),
    Mistake("rmsprop_step", "rho ignored", "rho * sq_avg + (1 - rho)", "0.9 * sq_avg + 0.1"),
    Mistake(
        "rmsprop_step",
        "rho the other way round",
        "rho * sq_avg + (1 - rho)",
        "(1 - rho) * sq_avg + rho",
    ),
    Mistake("rmsprop_step", "no root", "np.sqrt(sq_avg)", "sq_avg"),
    Mistake("rmsprop_step", "no square", "grad**2", "np.abs(grad)"),
    Mistake(
        "rmsprop_step",
        "in place",
        "sq_avg = rho * sq_avg + (1 - rho) * grad**2",
        "sq_avg *= rho; sq_avg += (1 - rho) * grad**2",
    ),
    Mistake("adam_step", "no bias correction of m", "m / (1 - beta1**t)", "m"),
    Mistake("adam_step", "no bias correction of v", "v / (1 - beta2**t)", "v"),
    Mistake("adam_step", "t from 0", "beta1**t", "beta1 ** (t + 1)"),
    Mistake("adam_step", "t as a factor", "(1 - beta1**t)", "(1 - beta1 * t)"),
    Mistake("adam_step", "t ignored", "beta1**t", "beta1"),
    Mistake("adam_step", "corrected m kept", "+ eps), m, v", "+ eps), m_hat, v_hat"),
    Mistake("adam_step", "eps inside the root", "(np.sqrt(v_hat) + eps)", "np.sqrt(v_hat + eps)"),
    Mistake(
        "adam_step",
        "eps before the correction",
        "(np.sqrt(v_hat) + eps)",
        "(np.sqrt(v) + eps) * np.sqrt(1 - beta2**t)",
    ),
    Mistake("adam_step", "eps ignored", "+ eps)", "+ 1e-8)"),
    Mistake("adam_step", "lr ignored", "param - lr *", "param - 1e-3 *"),
    Mistake("adam_step", "beta1 ignored", "m = beta1 * m + (1 - beta1)", "m = 0.9 * m + 0.1"),
    Mistake("adam_step", "beta2 ignored", "v = beta2 * v + (1 - beta2)", "v = 0.999 * v + 0.001"),
    Mistake(
        "adam_step",
        "m changed in place",
        "m = beta1 * m + (1 - beta1) * grad",
        "m *= beta1; m += (1 - beta1) * grad",
    ),
    Mistake("adam_step", "order of the results", "+ eps), m, v", "+ eps), v, m"),
    Mistake("step_decay", "no floor", "epoch // every", "epoch / every"),
    Mistake("step_decay", "factor ignored", "lr0 * factor", "lr0 * 0.5"),
    Mistake("step_decay", "growing", "np.exp(-rate", "np.exp(rate"),
    Mistake("step_decay", "rising again", "if step >= total_steps:", "if False:"),
    Mistake("step_decay", "a whole cosine", "np.pi * step", "2 * np.pi * step"),
    Mistake("step_decay", "lr_min ignored", "lr_min + 0.5 * (lr0 - lr_min)", "0.5 * lr0"),
    Mistake("minibatches", "not shuffled", "rng.permutation(len(x))", "np.arange(len(x))"),
    Mistake(
        "minibatches",
        "last batch dropped",
        "range(0, len(x), batch_size)",
        "range(0, len(x) - batch_size + 1, batch_size)",
    ),
    Mistake("minibatches", "pairs torn apart", "y[batch]", "y[start : start + batch_size]"),
    Mistake("minibatches", "with repetition", "rng.permutation(len(x))", "rng.integers(len(x), size=len(x))"),
    Mistake(
        "minibatches",
        "a generator of its own",
        "rng.permutation",
        "np.random.default_rng(0).permutation",
    ),
    Mistake("minibatches", "the global generator", "rng.permutation", "np.random.permutation"),
    Mistake(
        "minibatches",
        "only batches shuffled",
        "rng.permutation(len(x))",
        "np.roll(np.arange(len(x)), 16 * rng.integers(1, 4))",
    ),
    Mistake(
        "minibatches",
        "data shuffled in place",
        "order = rng.permutation(len(x))",
        "order = rng.permutation(len(x)); x[:] = x[order]",
    ),
    Mistake("train", "optimizer ignored", 'if optimizer == "sgd":', 'if optimizer == "nothing":'),
    Mistake("train", "seed ignored", "default_rng(seed)", "default_rng(0)"),
    Mistake("train", "unseeded", "default_rng(seed)", "default_rng()"),
    Mistake("train", "lr ignored", "t, lr=lr", "t"),
    Mistake(
        "train",
        "weights all zero",
        "rng.normal(size=(num_features, hidden_size))",
        "np.zeros((num_features, hidden_size))",
    ),
    Mistake(
        "train",
        "history of batches",
        "        history.append(float(total / len(x)))",
        "            history.append(float(loss))",
    ),
    Mistake("train", "history forgotten", "return params, history", "return params"),
    Mistake("train", "one epoch short", "range(epochs)", "range(epochs - 1)"),
    Mistake(
        "train",
        "full batches only",
        "            loss, grads =",
        "            if len(xb) < batch_size: continue\n            loss, grads =",
    ),
    Mistake(
        "train",
        "one batch an epoch",
        "            t += 1",
        "            if xb.shape[0] and t % 5: t += 1; continue\n            t += 1",
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: f"{mistake.row}: {mistake.what}")
def test_visible_checks_catch_a_common_slip_and_say_what_is_wrong(mistake: Mistake) -> None:
    source = CELLS[mistake.row].source
    assert mistake.old in source
    namespace = solved()
    exec(source.replace(mistake.old, mistake.new), namespace)
    with pytest.raises(AssertionError) as caught:
        run_visible_checks(mistake.row, namespace)
    assert len(str(caught.value)) > 20


@rows
def test_each_row_has_a_stock_mistake(row: str) -> None:
    assert [mistake for mistake in MISTAKES if mistake.row == row]


OTHER_STYLES = {
    "star import and shadowed builtins": "from numpy import *\nsum = max = min = any = all = 0",
    "lists for tuples": """
def listed(function):
    return lambda *args, **options: list(function(*args, **options))
for name in ["softmax_cross_entropy", "linear_forward", "linear_backward", "relu_forward",
             "mlp_loss_and_grads", "momentum_step", "rmsprop_step", "adam_step", "train"]:
    globals()[name] = listed(globals()[name])
""",
    "0-d arrays and Python floats for scalars": """
def converted(function, kind):
    return lambda *args, **options: kind(function(*args, **options))
cross_entropy = converted(cross_entropy, np.asarray)
sparse_cross_entropy = converted(sparse_cross_entropy, float)
cosine_decay = converted(cosine_decay, np.asarray)
""",
    "clips and floors up to 1e-12": """
def cross_entropy(probs, targets):
    return -np.sum(targets * np.log(probs + 1e-12)) / len(probs)
def sparse_cross_entropy(probs, labels):
    return -np.log(np.clip(probs[range(len(labels)), labels], 1e-12, 1)).mean()
""",
    "a list of lists of batches, shuffled": """
def minibatches(x, y, batch_size, rng):
    order = np.arange(len(x))
    rng.shuffle(order)
    return [[x[i], y[i]] for i in np.split(order, range(batch_size, len(x), batch_size))]
""",
    "small uniform weights": """
exec(train_source.replace("rng.normal(size=", "rng.uniform(-0.1, 0.1, size="))
""",
    "an object for a cache": """
class Layer: pass
def linear_forward(x, W, b):
    layer = Layer(); layer.x, layer.W = x, W
    return np.dot(x, W) + b[np.newaxis], layer
def linear_backward(dout, layer):
    return np.dot(dout, layer.W.T), np.einsum("nd,nh->dh", layer.x, dout), dout.sum(0)
def relu_forward(x):
    return x * (x > 0), x
def relu_backward(dout, x):
    return dout * np.heaviside(x, 0)
""",
}


@pytest.mark.parametrize("style", OTHER_STYLES)
def test_visible_checks_accept_a_right_answer_in_another_style(style: str) -> None:
    namespace = solved()
    namespace["train_source"] = CELLS["train"].source
    exec(OTHER_STYLES[style], namespace)
    for row in CONTRACT:
        assert run_visible_checks(row, namespace).endswith("visible checks passed\n")


def test_visible_checks_leave_nothing_behind_but_their_own_name() -> None:
    namespace = solved()
    before = set(namespace)
    for row in CONTRACT:
        run_visible_checks(row, namespace)
    assert all(name.startswith("check_") for name in set(namespace) - before)


# -------------------------------------------------------------------------- the model solutions


@pytest.fixture(scope="module")
def model() -> dict[str, Any]:
    return solved()


def blobs(dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    y = np.repeat(np.arange(4), 20)
    centres = 3 * np.random.default_rng(0).normal(size=(4, 5))
    return (centres[y] + np.random.default_rng(1).normal(size=(80, 5))).astype(dtype), y


@pytest.mark.parametrize("optimizer", ["momentum", "rmsprop", "adam"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("batch_size", [32, 100])
def test_training_learns_blobs(model: dict[str, Any], optimizer: str, dtype: type, batch_size: int) -> None:
    x, y = blobs(dtype)
    params, history = model["train"](x, y, 16, 4, batch_size=batch_size, optimizer=optimizer)
    assert len(history) == 50
    assert model["mlp_loss_and_grads"](params, x, y)[0] < 0.25 * math.log(4)
    assert history[-1] < 0.25 * math.log(4)


def test_training_refuses_an_unknown_optimizer(model: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="'sdg'"):
        model["train"](*blobs(), 8, 4, optimizer="sdg")


@pytest.mark.parametrize("shape", [(), (1,), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_optimisers_keep_shape_and_dtype(model: dict[str, Any], shape: tuple[int, ...], dtype: type) -> None:
    a = np.full(shape, 0.5, dtype=dtype)
    results = [
        model["sgd_step"](a, a, 0.1),
        *model["momentum_step"](a, a, a, 0.1),
        *model["rmsprop_step"](a, a, a, 0.1),
        *model["adam_step"](a, a, a, a, 1),
    ]
    assert {(np.shape(result), result.dtype) for result in results} == {(shape, np.dtype(dtype))}
    assert np.all(a == 0.5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_extreme_logits_give_exact_results(model: dict[str, Any], dtype: type) -> None:
    logits = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]], dtype=dtype)
    log_probs = model["log_softmax"](logits)
    assert log_probs[0].tolist() == [0.0, -2e4, -1e4]
    loss, dlogits = model["softmax_cross_entropy"](logits, np.array([1, 0]))
    assert loss == pytest.approx((2e4 + math.log(3)) / 2, rel=1e-6)
    np.testing.assert_allclose(dlogits, np.array([[1, -1, 0], [-2 / 3, 1 / 3, 1 / 3]]) / 2, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_probability_zero_costs_much_but_not_everything(model: dict[str, Any], dtype: type) -> None:
    probs = np.array([[0.0, 1.0]], dtype=dtype)
    assert 20 < model["cross_entropy"](probs, np.array([[1.0, 0.0]], dtype=dtype)) < np.inf
    assert 20 < model["sparse_cross_entropy"](probs, np.array([0])) < np.inf


# ------------------------------------------------------------------------- the gradient checker


def test_gradient_checker_names_the_worst_entry_and_a_constant_factor(model: dict[str, Any]) -> None:
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    with pytest.raises(AssertionError, match=r"dW is wrong in 4 of 4 entries[\s\S]*0\.5 times what"):
        model["gradient_check"](lambda v: np.sum(v**2), x, x, name="dW")
    wrong = 2 * x
    wrong[1, 0] *= 1.0001
    with pytest.raises(AssertionError, match=r"wrong in 1 of 4 entries[\s\S]*Worst at \[1, 0\]"):
        model["gradient_check"](lambda v: np.sum(v**2), x, wrong)


def test_gradient_checker_accepts_a_right_gradient_whatever_its_scale(
    model: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.random.default_rng(0).normal(size=(3, 2))
    for scale in (1e-6, 1.0, 1e6):
        model["gradient_check"](lambda v, s=scale: s * np.sum(np.sin(v)), x, scale * np.cos(x), name="dx")
    assert capsys.readouterr().out.count("dx: 6 entries agree with finite differences") == 3


def test_gradient_checker_refuses_a_wrong_shape_and_warns_of_a_kink(model: dict[str, Any]) -> None:
    x = np.array([1.0, 2.0])
    with pytest.raises(AssertionError, match=r"same shape as x, \(2,\); yours has \(1, 2\)"):
        model["gradient_check"](np.sum, x, np.ones((1, 2)))
    with pytest.raises(AssertionError, match="kink"):
        model["gradient_check"](lambda v: np.sum(np.maximum(v, 0)), np.array([0.0005, 2.0]), np.ones(2))


# ------------------------------------------------------------------- the numbers worked by hand


def test_worked_numbers_are_right(model: dict[str, Any]) -> None:
    worked, gradient = CELLS["worked-softmax"].source, CELLS["logit-gradient"].source
    z = np.log([6.0, 3.0, 1.0])
    assert model["softmax"](z) == pytest.approx([0.6, 0.3, 0.1])
    assert f"{np.sum(1 / (1 + np.exp(-z))):.3f}" in worked
    assert all(f"{value:.3f}" in worked for value in (z[0], z[1], 6 / 7))
    for shift in (0.1, 0.0, -0.1):
        shifted = z + np.array([shift, 0, 0])
        loss, dlogits = model["softmax_cross_entropy"](shifted[None], np.array([0]))
        assert f"{np.exp(shifted[0]):.4f}" in gradient
        assert f"{loss:.4f}" in gradient
        if shift == 0:
            assert dlogits[0] == pytest.approx([-0.4, 0.3, 0.1])


def test_worked_steps_of_adam_are_right(model: dict[str, Any]) -> None:
    text = CELLS["adam_step-intro"].source
    param, m, v = model["adam_step"](0.0, 1.0, 0.0, 0.0, 1, lr=0.1)
    assert (param, m, v) == pytest.approx((-0.1, 0.1, 0.001))
    param, m, v = model["adam_step"](param, -1.0, m, v, 2, lr=0.1)
    assert all(number in text for number in (f"{param:.4f}", f"{m:.2f}", f"{v:.6f}", f"{m / 0.19:.4f}"))
