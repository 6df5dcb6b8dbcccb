"""The master notebook of Week 3: its form, and what its visible checks accept and refuse."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.preprocessors import ClearSolutions

from tests.visible_checks import printed_by, ran

MASTER = Path(__file__).parents[2] / "source" / "week3" / "week3.ipynb"
NOTEBOOK = nbformat.read(MASTER, as_version=4)
CELLS = {cell.id: cell for cell in NOTEBOOK.cells}

CONTRACT: dict[str, tuple[int, str]] = {
    "linear": (10, "Linear(W, b)"),
    "relu": (5, "ReLU()"),
    "dropout": (10, "Dropout(p, rng)"),
    "batch_norm": (20, "BatchNorm(gamma, beta, momentum=0.1, eps=1e-05)"),
    "conv2d": (20, "Conv2D(W, b, stride=1, padding=0)"),
    "momentum": (5, "Momentum(lr, beta=0.9)"),
    "adam": (10, "Adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08)"),
    "sequential": (8, "Sequential(layers)"),
    "fit": (7, "train_step(model, optimizer, x, labels)"),
}
ANY_LAYER = ("forward(x)", "backward(dout)", "params()", "grads()", "set_params(values)", "train()", "eval()")

rows = pytest.mark.parametrize("row", CONTRACT)


def solved() -> dict[str, Any]:
    """A namespace in which the tools and the model solutions have run."""
    return ran(CELLS, ("setup", "check-tools", "gradient-check", "layer", *CONTRACT))


def run_visible_checks(row: str, namespace: dict[str, Any]) -> str:
    return printed_by(CELLS[f"test_{row}"], namespace)


def arguments(function: ast.FunctionDef, *, method: bool) -> str:
    return ast.unparse(function.args).removeprefix("self").removeprefix(", ") if method else ast.unparse(function.args)


def signature(row: str) -> str:
    """How the row's class is made, or its function called."""
    node = ast.parse(CELLS[row].source).body[0]
    if isinstance(node, ast.FunctionDef):
        return f"{node.name}({arguments(node, method=False)})"
    assert isinstance(node, ast.ClassDef)
    made = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
    return f"{node.name}({''.join(arguments(each, method=True) for each in made)})"


# The form


def test_points_are_the_contracts_and_sum_to_one_hundred() -> None:
    points = {cell.id: cell.metadata.nbgrader.points for cell in NOTEBOOK.cells if cell.metadata.nbgrader.grade}
    assert points == {f"test_{row}": worth for row, (worth, _) in CONTRACT.items()} | {"reflection": 5}
    assert sum(points.values()) == 100


@rows
def test_a_row_is_an_introduction_then_a_solution_cell_then_its_test_cell(row: str) -> None:
    order = [cell.id for cell in NOTEBOOK.cells]
    at = order.index(row)
    assert order[at - 1 : at + 2] == [f"{row}-intro", row, f"test_{row}"]
    assert CELLS[f"{row}-intro"].source.splitlines()[0].endswith(f"({CONTRACT[row][0]} points)")
    solution, test = (CELLS[name].metadata.nbgrader for name in (row, f"test_{row}"))
    assert (solution.solution, solution.grade, solution.locked) == (True, False, False)
    assert (test.solution, test.grade, test.locked) == (False, True, True)


@rows
def test_a_row_defines_what_the_contract_says(row: str) -> None:
    assert signature(row) == CONTRACT[row][1]


def test_a_layer_has_the_methods_of_the_table() -> None:
    (node,) = (each for each in ast.parse(CELLS["layer"].source).body if getattr(each, "name", "") == "Layer")
    assert isinstance(node, ast.ClassDef)
    own = {f"{each.name}({arguments(each, method=True)})" for each in node.body if isinstance(each, ast.FunctionDef)}
    assert own | {"forward(x)", "backward(dout)"} == set(ANY_LAYER)
    assert all(f"`{method}`" in CELLS["part-1"].source for method in ANY_LAYER)


def test_the_opening_table_states_the_points_of_each_part() -> None:
    stated = [int(points) for points in re.findall(r"(?m)^\| \d · .* \| (\d+) \|$", CELLS["about"].source)]
    actual: list[float] = []
    for cell in NOTEBOOK.cells:
        if re.fullmatch(r"part-\d", cell.id):
            actual.append(0)
        if actual:
            actual[-1] += cell.metadata.nbgrader.get("points", 0)
    assert stated == actual


def test_the_file_is_what_nbformat_writes_without_outputs_or_other_metadata() -> None:
    assert MASTER.read_text(encoding="utf-8") == nbformat.writes(NOTEBOOK) + "\n"
    MetadataValidator().validate_nb(nbformat.read(MASTER, as_version=4))
    for cell in NOTEBOOK.cells:
        assert cell.id == cell.metadata.nbgrader.grade_id
        assert {"nbgrader"} <= set(cell.metadata) <= {"nbgrader", "tags"}
        assert cell.metadata.nbgrader.locked != cell.metadata.nbgrader.solution
        assert not cell.get("outputs")


def test_only_figures_only_show() -> None:
    tagged = {cell.id for cell in NOTEBOOK.cells if cell.metadata.get("tags") == ["only-shows"]}
    assert tagged == {cell.id for cell in NOTEBOOK.cells if cell.id.startswith("figure-")}
    assert len(tagged) == 6


def test_no_line_of_a_solution_occurs_in_a_cell_that_students_see() -> None:
    seen = "\n".join(cell.source for cell in NOTEBOOK.cells if cell.metadata.nbgrader.locked)
    for row in CONTRACT:
        for body in re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", CELLS[row].source, re.DOTALL):
            for line in body.splitlines():
                if len(line.strip()) > 32:
                    assert line.strip() not in seen, row


def test_the_release_keeps_signatures_and_docstrings_and_clears_the_rest() -> None:
    released, _ = ClearSolutions().preprocess(nbformat.read(MASTER, as_version=4), {})
    for row in CONTRACT:
        source = next(cell.source for cell in released.cells if cell.id == row)
        tree = ast.parse(source)
        assert all(ast.get_docstring(node) for node in tree.body)
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for function in functions:
            body = function.body[ast.get_docstring(function) is not None :]
            assert [ast.unparse(statement) for statement in body] == ["raise NotImplementedError()"]


# The visible checks


@rows
def test_the_model_solution_passes_its_visible_checks(row: str) -> None:
    assert run_visible_checks(row, solved()).endswith("visible checks passed\n")


MISTAKES = [
    ("linear", "self.x.T @ dout", "self.x.T @ dout / len(dout)"),
    ("linear", "self.x = x", "Linear.x = x"),
    ("linear", "return dout @ self.W.T", "return dout @ self.W.T, self.dW, self.db"),
    ("relu", "self.positive, dout, 0", "dout > 0, dout, 0"),
    ("relu", "self.positive = x > 0", "ReLU.positive = x > 0"),
    ("dropout", ">= self.p", "< self.p"),
    ("dropout", " / (1 - self.p)", " * 1.0"),
    ("dropout", "if self.training:", "if True:"),
    ("batch_norm", "np.var(x, axis=0)", "np.var(x, axis=0, ddof=1)"),
    ("batch_norm", "self.of_batch = self.training", "self.of_batch = True"),
    ("batch_norm", " - stretch", ""),
    ("batch_norm", "np.ones(len(gamma))", "np.zeros(len(gamma))"),
    ("conv2d", "dpadded[place] +=", "dpadded[place] ="),
    ("conv2d", "self.W[:, :, k, l])\n        return", "self.W[:, :, -k - 1, -l - 1])\n        return"),
    ("conv2d", "(0, 0), sides, sides", "(0, 0), sides, (0, 2 * self.padding)"),
    ("momentum", "self.beta * v + grad", "self.beta * v + (1 - self.beta) * grad"),
    ("adam", "        self.t += 1\n", "        self.t += len(params)\n"),
    ("adam", "mean / (np.sqrt(square) + self.eps)", "mean / np.sqrt(square + self.eps)"),
    ("sequential", "reversed(self.layers)", "self.layers"),
    ("sequential", "            layer.eval()", "            layer.training = False"),
    ("fit", "    model.eval()\n", ""),
    ("fit", "total += len(chosen) * ", "total += len(x) / 3 * "),
    ("fit", "labels[chosen])", "labels[start : start + batch_size])"),
]


@pytest.mark.parametrize(("row", "right", "wrong"), MISTAKES)
def test_visible_checks_catch_a_common_slip_and_say_what_is_wrong(row: str, right: str, wrong: str) -> None:
    assert right in CELLS[row].source
    namespace = solved()
    exec(CELLS[row].source.replace(right, wrong), namespace)
    with pytest.raises((AssertionError, ValueError)) as caught:
        run_visible_checks(row, namespace)
    assert len(str(caught.value)) > 20


# The numbers worked by hand


def test_the_worked_convolution_is_right() -> None:
    names, text = solved(), CELLS["worked-convolution"].source
    layer = names["Conv2D"](np.array([[[[1.0, -1.0], [2.0, 0.0]]]]), np.array([0.5]))
    out = layer.forward(np.array([[[[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]]]]))
    dx = layer.backward(np.array([[[[1.0, 10.0]]]]))
    assert out.ravel().tolist() == [-0.5, 4.5]
    for array in (dx, layer.dW):
        lines = [" & ".join(f"{number:g}" for number in line) for line in array[0, 0]]
        assert " \\\\ ".join(lines) in text
    assert layer.db == 11


def test_the_network_learns_to_tell_strokes_apart() -> None:
    names = solved()
    exec(CELLS["make-strokes"].source, names)
    model, rng = names["make_network"](np.random.default_rng(12)), np.random.default_rng(13)
    history = names["fit"](model, names["Adam"](lr=5e-3), names["seen_x"], names["seen_y"], 5, 40, rng)
    guesses = np.argmax(model.forward(names["new_x"]), axis=1)
    assert history[-1] < 0.5 * history[0]
    assert np.mean(guesses == names["new_y"]) > 0.8
