"""What a student reads of a mistake in Week 2: what would mislead is not there."""

from pathlib import Path

import numpy as np
import pytest

from autograder.checking import Loopback
from autograder.course import load_course
from autograder.grading import RowResult, Suite, advice
from autograder.grading.hints import looked_into, told

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def suite():
    with Suite(load_course(ROOT).assignment("week2")) as suite:
        yield suite


@pytest.fixture(scope="module")
def read(suite):
    """What is read of a row whose function is this code, all others being right: reasons with what is advised."""

    def texts(row: str, code: str, only: str = "") -> list[str]:
        names = {**vars(suite.reference._module), "np": np}
        exec(code, names)
        checks = told(
            looked_into(suite.run([each for each in suite.rows()[row] if only in each.name], Loopback(names))),
            lambda cause: cause,
        )
        result = RowResult(row, f"test_{row}", 1.0, checks)
        failed = [check for check in checks if check.outcome == "failed"]
        return [f"{each.reason} {advised.text if (advised := advice(result, each)) else ''}".strip() for each in failed]

    return texts


ADAM = """
def adam_step(param, grad, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
"""


TRAIN = """
def train(x, y, hidden_size, num_classes, epochs=50, batch_size=32, lr=1e-2, optimizer="adam", seed=0):
    rng = np.random.default_rng(seed)
    params = {
        "W1": rng.normal(size=(x.shape[1], hidden_size)), "b1": np.zeros(hidden_size),
        "W2": rng.normal(size=(hidden_size, num_classes)), "b2": np.zeros(num_classes),
    }
    memory, history, low, t = {key: {} for key in params}, [], np.inf, 0
    for _ in range(epochs):
        losses = []
        for start in range(0, len(x), batch_size):
            ORDER
            loss, grads = mlp_loss_and_grads(params, x[chosen], y[chosen])
            losses.append(loss)
            if loss < low:
                low, best = loss, dict(params)
            params = {key: sgd_step(params[key], grads[key], lr) for key in params}
        history.append(np.mean(losses))
    return RETURNED, history
"""
SGD = "uses_the_optimizer[sgd]"
ONE_ORDER = "order = rng.permutation(len(x)) if start == 0 else order; chosen = order[start : start + batch_size]"
REPLACED = "chosen = rng.integers(len(x), size=min(batch_size, len(x) - start))"


def test_a_damped_momentum_is_told_by_its_velocity(read):
    code = """
def momentum_step(param, grad, velocity, lr, beta=0.9):
    velocity = beta * velocity + (1 - beta) * grad
    return param - lr * velocity, velocity
"""
    first, second, *_ = read("momentum_step", code)
    assert first.startswith("`velocity`:")
    assert "Every entry is 10 times too small." in first
    assert second.startswith("`velocity after step 1`:")


@pytest.mark.parametrize(
    "step",
    [
        "lr * np.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (np.sqrt(v) + eps)",
        "lr * m / (1 - beta1**t) / np.sqrt((v + eps) / (1 - beta2**t))",
        "lr * m / (1 - beta1**t) / np.sqrt(v / (1 - beta2**t) + eps)",
    ],
)
def test_an_eps_in_another_place_is_told_by_where_it_belongs_alone(read, step):
    said = read("adam_step", f"{ADAM}    return param - {step}, m, v")
    assert any("eps is added to the root of the corrected v" in each for each in said)
    assert not any("t = 1" in each or "1 − beta1**t" in each or "Use the arguments" in each for each in said)


def test_a_missing_bias_correction_is_told_by_the_correction(read):
    first, *_ = read("adam_step", f"{ADAM}    return param - lr * m / (np.sqrt(v) + eps), m, v")
    assert "At t = 1 the corrections are" in first


@pytest.mark.parametrize(
    ("row", "code", "swapped"),
    [
        ("sgd_step", "def sgd_step(g, p, lr): return p - lr * g", "`param` and `grad`"),
        (
            "cross_entropy",
            "def cross_entropy(t, p): return -np.mean(np.sum(t * np.log(np.maximum(p, 1e-30)), axis=-1))",
            "`probs` and `targets`",
        ),
        ("linear_forward", "def linear_forward(x, c, M): return x @ M + c, (x, M)", "`W` and `b`"),
        ("one_hot", "def one_hot(labels, num_classes): return np.zeros((len(labels), num_classes))", ""),
        ("sgd_step", "def sgd_step(p, g, lr): return p + lr * g", ""),
        ("momentum_step", "def momentum_step(p, g, v, lr, beta=0.9): return p, beta * (v + g)", ""),
    ],
)
def test_arguments_that_are_taken_for_each_other_are_told_and_no_others(read, row, code, swapped):
    first, *others = read(row, code)
    assert ("in each other's place it is right" in first) == bool(swapped)
    assert f"With {swapped}" in first or not swapped
    assert not any("each other's place" in each for each in others)


def test_a_changed_argument_is_named_and_no_hint_speaks_of_one_that_was_not(suite, read):
    in_place = (
        "def softmax(z):\n    z -= z.max(-1, keepdims=True)\n    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)"
    )
    (changed,) = read("softmax", in_place)
    assert changed.startswith("`softmax` changed its argument `logits` in place, as `logits -= …`")
    hints = [f"{check.hint} {check.if_small}" for check in suite.checks]
    assert not [hint for hint in hints if "caller" in hint or "-=" in hint or "*=" in hint or "in place" in hint]


@pytest.mark.parametrize(
    ("order", "returned", "told"),
    [
        (REPLACED, "params", "some examples came more than once and others not at all: draw one order"),
        (ONE_ORDER, "best", "the parameters after 3 of 4 steps: take all of them, and return what the last one gives"),
    ],
)
def test_a_training_with_replacement_and_the_best_parameters_are_told_by_name(read, order, returned, told):
    said = read("train", TRAIN.replace("ORDER", order).replace("RETURNED", returned), SGD)
    assert any(each.endswith("into batches.") or "not the best on the way." in each for each in said if told in each)
    other = "not the best" if order == REPLACED else "came more than once"
    assert not any(other in each for each in said)


def test_a_training_of_one_other_mistake_is_told_neither(read):
    said = " ".join(
        read("train", TRAIN.replace("ORDER", ONE_ORDER).replace("RETURNED", "{**params, 'b2': best['b2']}"))
    )
    assert "steps: take all" not in said
    assert "came more than once" not in said
