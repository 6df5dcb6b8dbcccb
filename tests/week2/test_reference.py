"""The reference of Week 2 against PyTorch's values, finite differences and what holds by definition."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.references import load

ROOT = Path(__file__).parents[2]
TORCH = json.loads((ROOT / "tests/week2/reference_values/torch_values.json").read_text(encoding="utf-8"))


week2 = load("week2", "reference_under_test")


def close(actual, desired, relative=1e-12):
    """Entry by entry, with a floor for what cancels: 1e-15 of the largest entry."""
    desired = np.asarray(desired, dtype=np.float64)
    assert np.shape(actual) == desired.shape
    floor = 1e-15 * np.max(np.abs(desired), initial=0.0)
    np.testing.assert_allclose(actual, desired, rtol=relative, atol=floor)


def case_ids(cases):
    return [str(index) for index in range(len(cases))]


def arrays(case, *keys):
    return [np.asarray(case[key]) for key in keys]


finite = st.floats(-1e4, 1e4)
batches = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=finite)


def numeric_gradient(f, x, step=1e-6):
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        grad[index] = (f(up) - f(down)) / (2 * step)
    return grad


# PyTorch


@pytest.mark.parametrize("case", TORCH["softmaxes"], ids=case_ids(TORCH["softmaxes"]))
def test_softmax_and_log_softmax_agree_with_pytorch(case):
    (logits,) = arrays(case, "logits")
    close(week2.softmax(logits), case["softmax"])
    close(week2.log_softmax(logits), case["log_softmax"])


@pytest.mark.parametrize("case", TORCH["cross_entropies"], ids=case_ids(TORCH["cross_entropies"]))
def test_cross_entropies_agree_with_pytorch(case):
    labels, probs, soft, hot = arrays(case, "labels", "probs", "soft_targets", "one_hot")
    close(week2.one_hot(labels, probs.shape[1]), hot)
    close(week2.cross_entropy(probs, hot), case["cross_entropy_one_hot"])
    close(week2.sparse_cross_entropy(probs, labels), case["cross_entropy_one_hot"])
    close(week2.cross_entropy(probs, soft), case["cross_entropy_soft"])


@pytest.mark.parametrize("case", TORCH["cross_entropies"], ids=case_ids(TORCH["cross_entropies"]))
def test_softmax_cross_entropy_and_its_gradient_agree_with_pytorch(case):
    loss, dlogits = week2.softmax_cross_entropy(*arrays(case, "logits", "labels"))
    close(loss, case["loss"])
    close(dlogits, case["dlogits"])


@pytest.mark.parametrize("case", TORCH["layers"], ids=case_ids(TORCH["layers"]))
def test_layers_agree_with_pytorch_forward_and_backward(case):
    x, dout = arrays(case, "x", "dout")
    W, b = arrays(case["params"], "W1", "b1")
    out, cache = week2.linear_forward(x, W, b)
    close(out, case["linear"]["out"])
    for actual, name in zip(week2.linear_backward(dout, cache), ("dx", "dW", "db"), strict=True):
        close(actual, case["linear"][name])
    out, cache = week2.relu_forward(np.asarray(case["relu"]["x"]))
    close(out, case["relu"]["out"])
    close(week2.relu_backward(dout, cache), case["relu"]["dx"])


@pytest.mark.parametrize("case", TORCH["layers"], ids=case_ids(TORCH["layers"]))
def test_the_network_agrees_with_pytorch(case):
    params = {key: np.asarray(value) for key, value in case["params"].items()}
    loss, grads = week2.mlp_loss_and_grads(params, *arrays(case, "x", "labels"))
    close(loss, case["mlp"]["loss"])
    assert grads.keys() == params.keys()
    for key, grad in grads.items():
        close(grad, case["mlp"]["grads"][key])


@pytest.mark.parametrize("case", TORCH["optimizers"], ids=case_ids(TORCH["optimizers"]))
def test_optimizers_follow_pytorch_step_by_step(case):
    param = np.asarray(case["param"])
    zeros = np.zeros_like(param)
    state = {"sgd": (), "momentum": (zeros,), "rmsprop": (zeros,), "adam": (zeros, zeros)}[case["optimizer"]]
    step = getattr(week2, f"{case['optimizer']}_step")
    for t, (grad, expected) in enumerate(zip(np.asarray(case["grads"]), case["path"], strict=True), start=1):
        count = (t,) if case["optimizer"] == "adam" else ()
        result = step(param, grad, *state, *count, **case["settings"])
        param, *state = result if isinstance(result, tuple) else (result,)
        close(param, expected)


def test_schedules_agree_with_pytorch():
    step, exponential, cosine = (TORCH["schedules"][key] for key in ("step", "exponential", "cosine"))
    for epoch, rate in enumerate(step["rates"]):
        close(week2.step_decay(step["lr0"], epoch, step["factor"], step["every"]), rate)
    for epoch, rate in enumerate(exponential["rates"]):
        close(week2.exponential_decay(exponential["lr0"], epoch, exponential["rate"]), rate)
    for count, rate in enumerate(cosine["rates"]):
        close(week2.cosine_decay(cosine["lr0"], count, cosine["total_steps"], cosine["lr_min"]), rate)


# What holds by definition


@given(batches)
def test_softmax_gives_probabilities(logits):
    p = week2.softmax(logits)
    assert p.shape == logits.shape
    assert np.all(p >= 0)
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, rtol=1e-12)


@given(batches, finite)
def test_log_softmax_does_not_see_a_shift_of_all_logits(logits, shift):
    np.testing.assert_allclose(week2.log_softmax(logits + shift), week2.log_softmax(logits), rtol=1e-9, atol=1e-7)


@given(batches)
def test_log_softmax_is_the_logarithm_of_softmax_where_that_is_not_0(logits):
    p = week2.softmax(logits)
    seen = p > 1e-300
    np.testing.assert_allclose(week2.log_softmax(logits)[seen], np.log(p[seen]), rtol=1e-9, atol=1e-12)


@given(batches, st.data())
def test_the_losses_agree_with_each_other(logits, data):
    n, c = logits.shape
    labels = data.draw(hnp.arrays(np.int64, n, elements=st.integers(0, c - 1)))
    logits = logits / 100.0
    loss, dlogits = week2.softmax_cross_entropy(logits, labels)
    probs = week2.softmax(logits)
    np.testing.assert_allclose(week2.sparse_cross_entropy(probs, labels), loss, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(week2.cross_entropy(probs, week2.one_hot(labels, c)), loss, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(dlogits.sum(axis=1), 0.0, atol=1e-12)


def test_the_losses_stay_finite_where_a_probability_is_0():
    probs = np.array([[0.0, 1.0], [0.5, 0.5]])
    labels = np.array([0, 1])
    assert 300 < week2.sparse_cross_entropy(probs, labels) < 400
    assert week2.cross_entropy(probs, week2.one_hot(labels, 2)) == week2.sparse_cross_entropy(probs, labels)


def test_one_hot_gives_float64_rows_also_for_unused_classes():
    rows = week2.one_hot(np.array([2, 0]), 4)
    assert rows.dtype == np.float64
    assert rows.tolist() == [[0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]]


@pytest.mark.parametrize("seed", range(3))
def test_gradients_agree_with_finite_differences(seed):
    rng = np.random.default_rng(seed)
    n, d, h, c = 4, 3, 5, 2
    x, labels = rng.normal(size=(n, d)), rng.integers(c, size=n)
    params = {
        "W1": rng.normal(size=(d, h)),
        "b1": rng.normal(size=h),
        "W2": rng.normal(size=(h, c)),
        "b2": rng.normal(size=c),
    }
    _, grads = week2.mlp_loss_and_grads(params, x, labels)
    for key, value in params.items():
        numeric = numeric_gradient(
            lambda moved, key=key: week2.mlp_loss_and_grads({**params, key: moved}, x, labels)[0], value
        )
        np.testing.assert_allclose(grads[key], numeric, rtol=1e-6, atol=1e-8)


def test_relu_passes_no_gradient_at_exactly_0():
    _, cache = week2.relu_forward(np.array([[-1.0, 0.0, 2.0]]))
    assert week2.relu_backward(np.array([[5.0, 6.0, 7.0]]), cache).tolist() == [[0.0, 0.0, 7.0]]


@given(st.integers(0, 60), st.integers(1, 20), st.floats(0.1, 1.0))
def test_step_decay_is_flat_within_a_stair_and_falls_by_the_factor_between(epoch, every, factor):
    here = week2.step_decay(0.3, epoch, factor, every)
    assert here == week2.step_decay(0.3, epoch - epoch % every, factor, every)
    assert week2.step_decay(0.3, epoch + every, factor, every) == pytest.approx(factor * here, rel=1e-12)


@given(st.integers(1, 100), st.integers(0, 200), st.floats(0.01, 1.0), st.floats(0.0, 0.01))
def test_cosine_decay_falls_from_lr0_to_lr_min_and_stays(total, step, lr0, lr_min):
    rate = week2.cosine_decay(lr0, step, total, lr_min)
    assert week2.cosine_decay(lr0, 0, total, lr_min) == pytest.approx(lr0)
    assert lr_min <= rate <= lr0 * (1 + 1e-12)
    assert week2.cosine_decay(lr0, step + 1, total, lr_min) <= rate
    if step >= total:
        assert rate == lr_min


def test_adam_moves_by_the_learning_rate_at_first_whatever_the_gradients_size():
    for size in (1e-3, 1.0, 1e3):
        param, _, _ = week2.adam_step(np.zeros(2), np.array([size, -size]), np.zeros(2), np.zeros(2), 1, 0.1)
        np.testing.assert_allclose(param, [-0.1, 0.1], rtol=1e-4)


def test_adam_takes_betas_of_0():
    param, m, v = week2.adam_step(1.0, 2.0, 5.0, 7.0, 3, lr=0.5, beta1=0.0, beta2=0.0, eps=0.0)
    assert (float(param), float(m), float(v)) == (0.5, 2.0, 4.0)


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**32))
def test_minibatches_give_every_pair_once_in_batches_of_the_size_asked(n, batch_size, seed):
    x, y = np.arange(3.0 * n).reshape(n, 3), np.arange(n)
    seen = list(week2.minibatches(x, y, batch_size, np.random.default_rng(seed)))
    assert [len(xb) for xb, _ in seen] == [min(batch_size, n - i) for i in range(0, n, batch_size)]
    assert sorted(np.concatenate([yb for _, yb in seen])) == list(range(n))
    for xb, yb in seen:
        assert np.array_equal(xb, x[yb])


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
def test_training_learns_with_every_optimizer_and_repeats_itself(optimizer):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 2))
    y = (np.linalg.norm(x, axis=1) > 1.1).astype(np.int64)
    settings = {"epochs": 40, "batch_size": 8, "lr": 0.02, "optimizer": optimizer}
    params, history = week2.train(x, y, 16, 2, **settings)
    again, same = week2.train(x, y, 16, 2, **settings)
    other, _ = week2.train(x, y, 16, 2, **settings, seed=1)
    assert len(history) == 40
    assert history[-1] < 0.6 * history[0]
    assert history == same
    assert all(np.array_equal(params[key], again[key]) for key in params)
    assert not np.array_equal(params["W1"], other["W1"])


def test_training_names_the_optimizers_there_are():
    with pytest.raises(ValueError, match="'adamw'; it must be one of sgd, momentum, rmsprop, adam"):
        week2.train(np.zeros((2, 2)), np.zeros(2, dtype=np.int64), 2, 2, optimizer="adamw")


# The house's conventions


def inputs():
    rng = np.random.default_rng(11)
    x, labels, hot = rng.normal(size=(5, 3)), rng.integers(3, size=5), np.eye(3)[rng.integers(3, size=5)]
    probs = rng.dirichlet(np.ones(3), size=5)
    params = {
        "W1": rng.normal(size=(3, 4)),
        "b1": rng.normal(size=4),
        "W2": rng.normal(size=(4, 3)),
        "b2": rng.normal(size=3),
    }
    state = tuple(np.abs(rng.normal(size=(5, 3))) for _ in range(3))
    return {
        "softmax": (x,),
        "log_softmax": (x,),
        "one_hot": (labels, 3),
        "cross_entropy": (probs, hot),
        "sparse_cross_entropy": (probs, labels),
        "softmax_cross_entropy": (x, labels),
        "linear_forward": (x, params["W1"], params["b1"]),
        "linear_backward": (x, (probs, params["W1"].T)),
        "relu_forward": (x,),
        "relu_backward": (x, -x),
        "mlp_loss_and_grads": (params, x, labels),
        "sgd_step": (x, probs, 0.1),
        "momentum_step": (x, probs, state[0], 0.1),
        "rmsprop_step": (x, probs, state[0], 0.1),
        "adam_step": (x, probs, state[0], state[1], 2),
    }


def leaves(tree):
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in leaves(value)]
    if isinstance(tree, tuple | list):
        return [leaf for value in tree for leaf in leaves(value)]
    return [tree]


def cast(tree, dtype):
    if isinstance(tree, dict):
        return {key: cast(value, dtype) for key, value in tree.items()}
    if isinstance(tree, tuple):
        return tuple(cast(value, dtype) for value in tree)
    return tree.astype(dtype) if isinstance(tree, np.ndarray) and tree.dtype.kind == "f" else tree


@pytest.mark.parametrize("name", sorted(inputs()))
def test_inputs_stay_as_they_were(name):
    args, untouched = inputs()[name], inputs()[name]
    getattr(week2, name)(*args)
    for after, before in zip(leaves(args), leaves(untouched), strict=True):
        assert np.array_equal(after, before)


@pytest.mark.parametrize("name", sorted(set(inputs()) - {"one_hot", "linear_backward", "relu_backward"}))
def test_float32_inputs_are_computed_in_float64(name):
    function = getattr(week2, name)
    single = cast(inputs()[name], np.float32)
    for actual, desired in zip(leaves(function(*single)), leaves(function(*cast(single, np.float64))), strict=True):
        assert np.asarray(actual).dtype == np.float64
        assert np.array_equal(actual, desired)


def test_the_package_loads_under_any_name():
    other = load("week2", "another_name_of_the_reference")
    assert other.softmax is not week2.softmax
    assert other.softmax([0.0, math.log(3.0)]).tolist() == pytest.approx([0.25, 0.75])


def test_every_function_that_is_exported_is_there():
    assert len(week2.__all__) == 20
    assert all(callable(getattr(week2, name)) for name in week2.__all__)
