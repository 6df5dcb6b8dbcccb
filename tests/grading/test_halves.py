"""Which half is wrong: the forward pass or its gradient, told of the real Week 2, and what that is worth."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from autograder.base import Half, Wrong
from autograder.checking import Halves, Loopback, Student, halves, telling, which_half
from autograder.checking.gradient_halves import EVALUATIONS
from autograder.course import load_course
from autograder.grading import Suite

ROOT = Path(__file__).parents[2]
OWN = "(finite differences)"


@pytest.fixture(scope="module")
def suite():
    with Suite(load_course(ROOT).assignment("week2")) as suite:
        yield suite


@pytest.fixture(scope="module")
def right():
    """The functions of the solved master notebook."""
    cells = json.loads((ROOT / "source/week2/week2.ipynb").read_text(encoding="utf-8"))["cells"]
    marks = [cell["metadata"].get("nbgrader", {}) for cell in cells]
    code = ["".join(c["source"]) for c, m in zip(cells, marks, strict=True) if m.get("solution") and not m.get("grade")]
    names = {"np": np}
    for source in code:
        exec(source, names)
    return names


def checked(suite, right, row: str, source: str) -> dict[str, tuple[str, str]]:
    """Outcome and reason of a row's checks, by title, for the right functions with these in place of some."""
    names = dict(right)
    exec(source, names)
    calls = Loopback(names)
    verdicts = suite.run(suite.rows()[row], calls)
    return {verdict.result.title: (verdict.result.outcome, verdict.result.reason) for verdict in verdicts}


def own(found) -> str:
    """The outcome of the check of the student's gradient against their own forward pass."""
    return next(outcome for title, (outcome, _) in found.items() if OWN in title and "own" in title)


def reasons(found) -> str:
    return "\n".join(reason for _, reason in found.values())


CROSS_ENTROPY = """
def softmax_cross_entropy(logits, labels):
    n = np.arange(len(labels))
    loss = -np.FORWARD(log_softmax(logits)[n, labels])
    dlogits = softmax(logits)
    dlogits[n, labels] -= 1
    return loss, BACKWARD
"""


def cross_entropy(forward: str, backward: str) -> str:
    return CROSS_ENTROPY.replace("FORWARD", forward).replace("BACKWARD", backward)


def test_a_gradient_that_misses_1_over_n_is_named_with_the_loss_said_to_be_right(suite, right):
    found = checked(suite, right, "softmax_cross_entropy", cross_entropy("mean", "dlogits"))
    assert own(found) == "failed"
    told = "Your loss is right, so the mistake is in the backward pass. The factor is N, the number of examples"
    assert told in reasons(found)


def test_a_flipped_sign_and_a_factor_of_2_are_named(suite, right):
    assert "The sign is flipped." in reasons(
        checked(suite, right, "softmax_cross_entropy", cross_entropy("mean", "-dlogits / len(labels)"))
    )
    assert "Every entry is 2 times too large." in reasons(
        checked(suite, right, "softmax_cross_entropy", cross_entropy("mean", "2 * dlogits / len(labels)"))
    )


def test_the_gradient_of_a_wrong_loss_has_its_part_of_the_credit_and_the_loss_is_named(suite, right):
    found = checked(suite, right, "softmax_cross_entropy", cross_entropy("sum", "dlogits"))
    assert own(found) == "passed"
    assert sum(outcome == "passed" for outcome, _ in found.values()) == 1
    assert "It is how your own loss changes, though: mend the forward pass first." in reasons(found)


def test_where_both_halves_are_wrong_the_feedback_says_so_and_where_they_part(suite, right):
    found = checked(suite, right, "softmax_cross_entropy", cross_entropy("sum", "3 * dlogits"))
    assert own(found) == "failed"
    told = "Your loss is wrong too, and this is not how it changes either. Beside yours, dlogits: 12 of 12 entries are"
    assert told in reasons(found)
    assert "Every entry is 3 times too large." in reasons(found)


@pytest.mark.parametrize(
    "source",
    [
        "def softmax_cross_entropy(logits, labels):\n    raise NotImplementedError",
        "def softmax_cross_entropy(logits, labels):\n    return 0.0, np.zeros_like(logits)",
        "def softmax_cross_entropy(logits, labels):\n    return np.mean(logits), np.full_like(logits, 1 / logits.size)",
        "def softmax_cross_entropy(logits, labels):\n    n, d = len(labels), np.zeros_like(logits)\n"
        "    d[np.arange(n), labels] = -1 / n\n    return -logits[np.arange(n), labels].mean(), d",
        "def softmax_cross_entropy(logits, labels):\n    return np.mean(logits**2), 2 * logits / logits.size",
        CROSS_ENTROPY.replace("FORWARD", "mean").replace("BACKWARD", "0 * dlogits"),
    ],
    ids=["a stub", "zeros", "a mean of the logits", "a linear loss", "a sum of squares", "no gradient"],
)
def test_a_trivial_forward_pass_or_a_zero_gradient_has_no_credit(suite, right, source):
    found = checked(suite, right, "softmax_cross_entropy", source)
    assert {outcome for title, (outcome, _) in found.items() if "loss of a batch of logits" not in title} == {"failed"}


@pytest.mark.parametrize(
    ("row", "source"),
    [
        (
            "linear_backward",
            "def linear_forward(x, W, b): return 0.0 * (x @ W + b), (x, W)\n"
            "def linear_backward(dout, cache): return tuple(0.0 * g for g in "
            "(dout @ cache[1].T, cache[0].T @ dout, dout.sum(axis=0)))",
        ),
        (
            "linear_backward",
            "def linear_forward(x, W, b): return 0.0 * (x @ W) + b, (x, W)\n"
            "def linear_backward(dout, cache): return 0.0 * (dout @ cache[1].T), 0.0 * (cache[0].T @ dout), "
            "dout.sum(axis=0)",
        ),
        ("relu_forward", "def relu_forward(x): return x, x\ndef relu_backward(dout, cache): return dout"),
        ("relu_forward", "def relu_forward(x): return 0 * x, x\ndef relu_backward(dout, cache): return 0 * dout"),
        (
            "mlp_loss_and_grads",
            "def mlp_loss_and_grads(params, x, labels): return 0.0, {k: 0.0 * v for k, v in params.items()}",
        ),
        (
            "mlp_loss_and_grads",
            "def mlp_loss_and_grads(params, x, labels):\n"
            "    return sum(np.sum(v**2) for v in params.values()), {k: 2 * v for k, v in params.items()}",
        ),
    ],
)
def test_no_row_gives_points_for_a_trivial_forward_pass_and_its_gradient(suite, right, row, source):
    assert own(checked(suite, right, row, source)) == "failed"


def test_a_layer_whose_forward_pass_is_off_by_a_factor_keeps_the_credit_for_its_backward_pass(suite, right):
    doubled = (
        "def linear_forward(x, W, b): return 2 * (x @ W + b), (x, W)\n"
        "def linear_backward(dout, cache):\n    x, W = cache\n"
        "    return 2 * dout @ W.T, 2 * x.T @ dout, 2 * dout.sum(axis=0)"
    )
    found = checked(suite, right, "linear_backward", doubled)
    assert own(found) == "passed"
    assert "It is how your own `linear_forward` changes, though: mend the forward pass first." in reasons(found)


def test_a_mean_in_place_of_a_sum_is_named_with_the_array_that_has_it(suite, right):
    mean = "def linear_backward(dout, cache): return dout @ cache[1].T, cache[0].T @ dout, dout.mean(axis=0)"
    told = (
        "Your `linear_forward` is right, so the mistake is in the backward pass, in db alone. "
        "The factor is 1/N, N being the number of examples: a mean stands where a sum belongs."
    )
    assert told in reasons(checked(suite, right, "linear_backward", mean))


def test_a_network_without_its_mask_is_told_which_parameters_are_wrong(suite, right):
    unmasked = """
def mlp_loss_and_grads(params, x, labels):
    a, cache1 = linear_forward(x, params["W1"], params["b1"])
    h, _ = relu_forward(a)
    logits, cache2 = linear_forward(h, params["W2"], params["b2"])
    loss, dlogits = softmax_cross_entropy(logits, labels)
    dh, dW2, db2 = linear_backward(dlogits, cache2)
    _, dW1, db1 = linear_backward(dh, cache1)
    return loss, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
"""
    found = checked(suite, right, "mlp_loss_and_grads", unmasked)
    assert "Your loss is right, so the mistake is in the backward pass, in W1 and b1 alone." in reasons(found)


def test_a_shape_or_a_dtype_is_told_before_anything_else(suite, right):
    for backward, told in [
        ("dlogits.T / len(labels)", "should have the shape (6, 4), but its shape is (4, 6)."),
        ("(dlogits / len(labels)).astype(complex)", "should hold real numbers, but its dtype is complex128."),
    ]:
        reason = checked(suite, right, "softmax_cross_entropy", cross_entropy("mean", backward))[
            "The gradient of the mean loss with respect to the logits."
        ][1]
        assert told in reason


def test_a_right_gradient_is_not_differentiated(suite, right):
    calls = []
    names = dict(right)
    names["softmax_cross_entropy"] = lambda *given: calls.append(given) or right["softmax_cross_entropy"](*given)
    suite.run(suite.rows()["softmax_cross_entropy"], Loopback(names))
    assert len(calls) < 25


@pytest.mark.parametrize("row", ["softmax_cross_entropy", "linear_backward", "relu_forward", "mlp_loss_and_grads"])
def test_a_wrong_gradient_is_differentiated_once_for_a_row_in_a_bounded_number_of_calls(suite, right, row):
    last = {"relu_forward": "relu_backward"}.get(row, row)
    calls = []
    names = dict(right)

    def counted(name):
        def function(*given):
            calls.append(name)
            result = right[name](*given)
            if name != last:
                return result
            if isinstance(result, np.ndarray):
                return result + 1
            loss, grads = result[0], result[1]
            if isinstance(grads, dict):
                return loss, {key: value + 1 for key, value in grads.items()}
            return (loss, grads + 1) if len(result) == 2 else tuple(part + 1 for part in result)

        return function

    (functions,) = (each.functions for each in suite.assignment.rows if each.name == row)
    for name in (*functions, "linear_forward"):
        names[name] = counted(name)
    outcomes = {verdict.result.outcome for verdict in suite.run(suite.rows()[row], Loopback(names))}
    assert "failed" in outcomes
    assert 100 < len(calls) < EVALUATIONS + 60


def student() -> Student:
    return Student(Loopback({"same": lambda array: array}))


def of_a_square(forward, **settings) -> Halves:
    x = np.array([0.5, -1.0, 2.0])
    gradients = {"x": student().same(2 * x)}
    return halves(forward, {"x": x}, gradients, {"x": 2 * x}, named="loss", examples=3, **settings)


def test_nothing_is_said_of_a_forward_pass_that_is_too_rough_to_be_differentiated():
    rough = of_a_square(lambda point: float(np.round(np.sum(point["x"] ** 2), 3)), forward_right=False)
    assert rough == Halves()


def test_a_forward_pass_that_is_slow_is_called_three_times_and_no_more():
    calls = []

    def slow(point) -> float:
        calls.append(time.sleep(0.06))
        return float(np.sum(point["x"] ** 2))

    assert of_a_square(slow, forward_right=False) == Halves()
    assert len(calls) == 3


def test_nothing_is_said_where_the_forward_pass_fails_on_the_way():
    def fails() -> Halves:
        raise Wrong("no number")

    assert which_half(student(), "row", fails) == Halves()


def test_a_row_is_looked_at_once():
    looks = []
    one = student()
    for _ in range(3):
        which_half(one, "row", lambda: looks.append(1) or Halves())
    assert len(looks) == 1


def test_what_is_said_stands_behind_what_was_wrong():
    with (
        pytest.raises(Wrong, match=r"^dx is off\. Your loss is right, so the mistake is in the backward pass\.$"),
        telling(lambda: Halves(Half("backward", "loss"), True)),
    ):
        raise Wrong("dx is off.")
    with telling(lambda: Halves(Half("backward", "loss"), True), credit=True):
        raise Wrong("dx is off.")


@pytest.mark.parametrize(
    ("row", "function", "point", "forward"),
    [
        (
            "softmax_cross_entropy",
            "softmax_cross_entropy",
            "arguments[0].shape == (4, 3)",
            "The loss of a batch of logits.",
        ),
        ("mlp_loss_and_grads", "mlp_loss_and_grads", "arguments[1].shape == (5, 2)", "The loss of a batch."),
        ("relu_forward", "relu_forward", "arguments[0].shape == (4, 3)", "relu_forward keeps what is positive"),
        ("linear_forward", "linear_forward", "arguments[0].shape == (5, 2)", "The outputs for a batch."),
    ],
)
def test_who_is_wrong_only_where_the_halves_are_looked_at_fails_a_check_of_the_forward_pass(
    suite, right, row, function, point, forward
):
    """Otherwise a wrong gradient could have credit by a forward pass that is wrong in the same way there alone."""
    source = (
        f"right_one = {function}\ndef {function}(*arguments):\n    result, rest = right_one(*arguments)\n"
        f"    return (result * 4 if {point} else result), rest"
    )
    found = checked(suite, right, row, source)
    assert [outcome for title, (outcome, _) in found.items() if title.startswith(forward)] == ["failed"]
