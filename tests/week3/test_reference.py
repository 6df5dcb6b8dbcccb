"""The reference of Week 3 against PyTorch's values."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.references import load

ROOT = Path(__file__).parents[2]
TORCH = json.loads((ROOT / "tests/week3/reference_values/torch_values.json").read_text(encoding="utf-8"))


week3 = load("week3", "reference_of_week3_under_test")


def close(actual: Any, desired: Any, relative: float = 1e-11) -> None:
    """Entry by entry, with a floor for what cancels: 1e-13 of the largest entry."""
    desired = np.asarray(desired, dtype=np.float64)
    assert np.shape(actual) == desired.shape
    np.testing.assert_allclose(actual, desired, rtol=relative, atol=1e-13 * np.max(np.abs(desired), initial=0.0))


def arrays(case: dict[str, Any], *keys: str) -> list[np.ndarray]:
    return [np.asarray(case[key]) for key in keys]


def agree_there_and_back(layer: Any, x: np.ndarray, dout: np.ndarray, wanted: dict[str, Any]) -> None:
    close(layer.forward(x), wanted["out"])
    close(layer.backward(dout), wanted["dx"])
    for name in layer.names:
        close(getattr(layer, f"d{name}"), wanted[f"d{name}"])


@pytest.mark.parametrize("case", TORCH["linear"], ids=["batch", "one row"])
def test_the_linear_layer_agrees_with_pytorch_there_and_back(case):
    W, b, x, dout = arrays(case, "W", "b", "x", "dout")
    agree_there_and_back(week3.Linear(W, b), x, dout, case)


@pytest.mark.parametrize("case", TORCH["conv2d"], ids=["plain", "stride 2", "stride 3"])
def test_the_convolution_agrees_with_pytorch_there_and_back(case):
    W, b, x, dout = arrays(case, "W", "b", "x", "dout")
    agree_there_and_back(week3.Conv2D(W, b, case["stride"], case["padding"]), x, dout, case)


@pytest.mark.parametrize("case", TORCH["batch_norm"], ids=["defaults", "other settings"])
def test_batch_normalisation_agrees_with_pytorch_in_both_modes(case):
    gamma, beta, batches, dout = arrays(case, "gamma", "beta", "batches", "dout")
    momentum, n, count = case["momentum"], batches.shape[1], len(batches)
    layer = week3.BatchNorm(gamma, beta, momentum=momentum, eps=case["eps"])
    for batch in batches[:-1]:
        layer.forward(batch)
    agree_there_and_back(layer, batches[-1], dout, case)
    close(layer.running_mean, case["running_mean"])
    # What is left of the first 1 is in both; the rest has 1/N here and 1/(N − 1) there.
    left = (1 - momentum) ** count
    close((layer.running_var - left) * n / (n - 1) + left, case["running_var"])
    layer.running_var = np.asarray(case["running_var"])
    layer.eval()
    agree_there_and_back(layer, batches[0], dout, case["in_use"])


def test_dropout_in_use_and_the_rectifier_agree_with_pytorch():
    case = TORCH["in_use"]
    x, dout = arrays(case, "x", "dout")
    dropout = week3.Dropout(0.4, np.random.default_rng(0))
    dropout.eval()
    agree_there_and_back(dropout, x, dout, case["dropout"])
    agree_there_and_back(week3.ReLU(), x, dout, case["relu"])


@pytest.mark.parametrize("case", TORCH["optimizers"], ids=["momentum", "adam", "adam with other settings"])
def test_optimisers_follow_pytorch_step_by_step(case):
    optimizer, params = getattr(week3, case["optimizer"])(**({"lr": 1e-3} | case["settings"])), case["params"]
    for grads, path in zip(case["steps"], case["path"], strict=True):
        params = optimizer.step(params, grads)
        for actual, desired in zip(params, path, strict=True):
            close(actual, desired)


def test_a_network_for_pictures_learns_as_pytorchs_does():
    case = TORCH["network"]
    W0, b0, W1, b1, gamma, beta, W2, b2 = map(np.asarray, case["params"])
    model = week3.Sequential(
        [
            week3.Conv2D(W0, b0, stride=2, padding=1),
            week3.ReLU(),
            week3.Flatten(),
            week3.Linear(W1, b1),
            week3.ReLU(),
            week3.BatchNorm(gamma, beta),
            week3.Linear(W2, b2),
        ]
    )
    optimizer = week3.Adam(lr=case["lr"])
    for loss in case["losses"]:
        close(week3.train_step(model, optimizer, *arrays(case, "x", "labels")), loss, relative=1e-9)
    for actual, desired in zip(model.params(), case["end"], strict=True):
        close(actual, desired, relative=1e-7)


def test_a_fit_is_its_steps_in_the_drawn_order():
    rng = np.random.default_rng(0)
    W, b, x, labels = rng.normal(size=(2, 3)), rng.normal(size=3), rng.normal(size=(5, 2)), rng.integers(3, size=5)
    models = [week3.Sequential([week3.Linear(W, b)]) for _ in range(2)]
    history = week3.fit(models[0], week3.Momentum(0.1), x, labels, 2, 2, np.random.default_rng(4))
    optimizer, order, expected = week3.Momentum(0.1), np.random.default_rng(4), []
    for _ in range(2):
        numbers = order.permutation(5)
        losses = [week3.train_step(models[1], optimizer, x[at], labels[at]) for at in np.split(numbers, [2, 4])]
        expected.append(np.dot(losses, [2, 2, 1]) / 5)
    assert history == pytest.approx(expected, rel=1e-12)
    assert all(map(np.array_equal, models[0].params(), models[1].params()))
    assert not models[0].training
