"""Finite differences with honest error bars, that say where they cannot be trusted."""

import numpy as np
import pytest
import scipy.differentiate
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autograder.checking import compare, gradient, projections, tolerances
from autograder.checking.numerics import along
from tests.networks import softmax_cross_entropy

# Analytic around the real line, so that Im f(x + 1e-30·i)/1e-30 is f'(x) to the last digit (Squire and Trapp,
# "Using complex variables to estimate derivatives of real functions", SIAM Review 40(1), 1998).
SMOOTH = {
    "exponential": lambda x, a: np.exp(a * x),
    "wave": lambda x, a: np.sin(10 * a * x),
    "fast wave": lambda x, a: np.sin(100 * a * x),
    "resonance": lambda x, a: 1 / (1 + (a * x) ** 2),
    "cubic": lambda x, a: a * x**3 - x,
    "logarithm": lambda x, a: np.log(x * x + a * a + 1e-3),
    "saturating": lambda x, a: np.tanh(5 * a * x),
    "on a plateau": lambda x, a: 1e6 + np.sin(a * x),
    "power": lambda x, a: (x * x + 1) ** (a / 2),
}


def exact(f, x):
    return f(np.complex128(x + 1e-30j)).imag / 1e-30


@pytest.mark.parametrize("family", SMOOTH.values(), ids=SMOOTH)
def test_error_bars_are_honest(family):
    rng = np.random.default_rng(1)
    untrusted = 0
    for _ in range(150):
        a, x = float(rng.normal()), float(rng.normal() * 10 ** rng.uniform(-2, 1))

        def f(x, a=a):
            return family(x, a)

        slope = along(f, x, 1.0)
        untrusted += not slope.trusted
        assert not slope.trusted or abs(slope.value - exact(f, x)) <= slope.error, (a, x, slope)
    assert untrusted <= 2


@given(st.floats(-30, 30), st.integers(-3000, 3000), st.sampled_from(sorted(SMOOTH)))
@settings(max_examples=100)
@example(0.0, 0, "wave")
def test_a_trusted_slope_is_within_its_bar(x, thousandths, name):
    a = thousandths / 1000

    def f(x):
        return SMOOTH[name](x, a)

    slope = along(f, x, 1.0)
    # The allowance is for the exact value: the complex step rounds, too.
    assert not slope.trusted or abs(slope.value - exact(f, x)) <= slope.error + 1e-13 * abs(slope.value)


def test_bars_overlap_those_of_scipy():
    rng = np.random.default_rng(2)
    for name in ("exponential", "wave", "resonance", "logarithm", "saturating", "power"):
        a, points = float(rng.normal()), rng.normal(size=20)

        def f(x, a=a, name=name):
            return SMOOTH[name](x, a)

        found = scipy.differentiate.derivative(f, points, initial_step=0.01)
        ours = [along(f, x, 1.0) for x in points]
        assert all(slope.trusted for slope in ours)
        apart = np.abs(found.df - [slope.value for slope in ours])
        assert np.all(apart <= found.error + [slope.error for slope in ours])


def test_the_bar_of_an_ordinary_function_is_small():
    slope = along(np.exp, 0.3, 1.0)
    assert slope.error < 1e-10 * slope.value


def test_a_wave_that_the_first_ladder_takes_for_a_constant_is_seen_by_the_others():
    slope = along(lambda x: np.sin(400 * np.pi * x), 0.0, 1.0)
    assert slope.trusted
    assert abs(slope.value - 400 * np.pi) <= slope.error < 0.02


@pytest.mark.parametrize("frequency", [1.0, 30.0, 300.0, 1e3, 1e4, 1e5])
def test_a_slope_is_trusted_only_with_a_small_bar(frequency):
    slope = along(lambda x: np.sin(frequency * x), 0.1 / frequency, 1.0)
    assert not slope.trusted or slope.error < 1.1e-5 * abs(slope.value)
    assert slope.trusted == (frequency <= 1e3)


# Kinks


def test_a_kink_at_the_point_is_not_trusted():
    assert not along(lambda x: np.maximum(x, 0.0), 0.0, 1.0).trusted
    assert not along(np.abs, 0.0, 1.0).trusted
    assert not gradient(lambda x: np.sum(np.maximum(x, 0.0) ** 2 + np.abs(x)), np.array([1.0, 0.0])).trusted[1]


@pytest.mark.parametrize("distance", [-1e-2, 1e-3, -1e-3, 3e-4, -3e-4])
def test_a_kink_farther_off_is_stepped_around(distance):
    slope = along(lambda x: np.sin(x) + np.maximum(x - distance, 0.0), 0.0, 1.0)
    assert slope.trusted
    assert abs(slope.value - (2.0 if distance < 0 else 1.0)) <= slope.error < 1e-6


def test_a_kink_anywhere_near_is_either_stepped_around_or_not_trusted():
    rng = np.random.default_rng(3)
    false = 0
    for _ in range(1000):
        distance = float(rng.choice([-1, 1]) * 10 ** rng.uniform(-9, -1.5))
        jump, smooth = 10 ** rng.uniform(-3, 1), rng.normal()

        def f(x, distance=distance, jump=jump, smooth=smooth):
            return np.sin(x) + smooth * x + jump * np.maximum(x - distance, 0.0)

        slope = along(f, 0.0, 1.0)
        right = 1 + smooth + (jump if distance < 0 else 0)
        false += slope.trusted and abs(slope.value - right) > slope.error
    assert false == 0


def test_a_step_is_not_trusted():
    assert not along(lambda x: float(x >= 0.0), 0.0, 1.0).trusted


def test_a_pole_and_the_edge_of_a_domain_are_not_trusted():
    assert not along(lambda x: 1 / x, 0.0, 1.0).trusted
    assert not along(np.sqrt, 0.0, 1.0).trusted


def test_the_edge_of_a_domain_is_stepped_around():
    slope = along(np.log, 1e-3, 1.0)
    assert slope.trusted
    assert abs(slope.value - 1e3) <= slope.error < 1e-1


def test_where_the_function_is_not_finite_nothing_is_trusted():
    found = gradient(lambda x: np.sum(x) * np.nan, np.ones(3))
    assert not found.trusted.any()
    assert np.all(found.error == np.inf)


# Noise


def test_float32_functions_have_wide_and_honest_bars():
    rng = np.random.default_rng(4)
    for _ in range(30):
        logits, labels = rng.normal(size=(5, 4)), rng.integers(0, 4, 5)
        found = gradient(lambda z, labels=labels: softmax_cross_entropy(z.astype(np.float32), labels)[0], logits)
        off = np.abs(found.value - softmax_cross_entropy(logits, labels)[1])
        assert found.trusted.all()
        assert np.all(off <= found.error)
        assert found.error.max() < 1e-3


def test_cancellation_shows_in_the_bar():
    slope = along(lambda x: (1e8 + np.cos(x)) - 1e8, 1.0, 1.0)
    assert slope.trusted
    assert abs(slope.value + np.sin(1.0)) <= slope.error < 1e-2
    assert slope.error > 1e-6


def test_what_is_all_noise_is_not_trusted():
    rng = np.random.default_rng(5)
    assert not along(lambda x: 1e-3 * x + rng.normal(), 0.0, 1.0).trusted


def test_a_gradient_of_zero_is_found_and_trusted():
    found = gradient(lambda x: 2.3 + 0 * x[0], np.ones(4))
    assert found.trusted.all()
    assert np.all(np.abs(found.value) <= found.error)
    assert np.all(found.error < 1e-11)


# The interface


@pytest.mark.parametrize("shape", [(), (1,), (3, 2), (2, 1, 3), (0,), (0, 3)])
def test_results_have_the_shape_of_the_point(shape):
    found = gradient(lambda x: np.sum(x**2), np.ones(shape))
    for part, kind in ((found.value, np.float64), (found.error, np.float64), (found.trusted, np.bool_)):
        assert part.shape == shape
        assert part.dtype == kind
    np.testing.assert_allclose(found.value, 2.0, rtol=1e-10)


def test_the_point_is_not_changed_even_by_a_function_that_changes_its_argument():
    x = np.array([1.0, 2.0, 3.0])

    def f(x):
        x *= x
        return x.sum()

    found = gradient(f, x)
    np.testing.assert_array_equal(x, [1.0, 2.0, 3.0])
    np.testing.assert_allclose(found.value, [2.0, 4.0, 6.0], rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_the_size_of_the_function_does_not_matter(scale):
    found = gradient(lambda x: scale * np.sum(np.sin(x)), np.array([0.5, 1.0, -2.0]))
    assert found.trusted.all()
    assert np.all(np.abs(found.value - scale * np.cos([0.5, 1.0, -2.0])) <= found.error)
    assert np.all(found.error < 1e-9 * scale)


def test_large_entries_take_large_steps():
    found = gradient(lambda x: np.sum(np.log(x)), np.array([1.0, 1e6, 1e12]))
    assert found.trusted.all()
    assert np.all(np.abs(found.value * [1.0, 1e6, 1e12] - 1) < 1e-3)


def test_any_scalar_is_taken_and_an_array_is_not():
    for scalar in (float, np.float32, np.float64, np.asarray):
        assert gradient(lambda x, scalar=scalar: scalar(x[0]), np.ones(1)).trusted.all()
    with pytest.raises(ValueError, match=r"scalar, not an array of shape \(1,\)"):
        gradient(lambda x: x, np.ones(1))


def test_what_the_function_raises_comes_through():
    def f(x):
        raise KeyError("W1")

    with pytest.raises(KeyError):
        gradient(f, np.ones(2))


def test_a_smooth_gradient_takes_ten_evaluations_an_entry():
    calls = []
    gradient(lambda x: calls.append(1) or np.sum(np.exp(x)), np.linspace(-1, 1, 30))
    assert len(calls) == 30 * 10 + 8


def test_the_same_point_gives_the_same_result():
    first, second = (gradient(lambda x: np.sum(np.sin(x)), np.arange(5.0)) for _ in range(2))
    np.testing.assert_array_equal(first.value, second.value)
    np.testing.assert_array_equal(first.error, second.error)


def test_a_direction_is_taken_with_its_length():
    x, direction = np.array([0.3, -1.2]), np.array([3.0, 4.0])
    slope = along(lambda x: np.sum(np.exp(x)), x, direction)
    assert slope.trusted
    assert abs(slope.value - np.exp(x) @ direction) <= slope.error


@pytest.mark.parametrize("length", [1e-4, 1.0, 1e4])
def test_the_steps_are_as_long_whatever_the_direction_is(length):
    x = np.array([0.3, -1.2])
    slope = along(lambda x: np.sum(np.exp(x)), x, length * np.array([0.6, 0.8]))
    assert slope.trusted
    assert slope.error < 1e-8 * abs(slope.value)


@pytest.mark.parametrize("direction", [[0.0, 0.0], [np.nan, 1.0], [1.0], 1.0])
def test_a_direction_that_is_none_is_refused(direction):
    with pytest.raises(ValueError, match="direction"):
        along(np.sum, np.ones(2), direction)


# Gradients of networks


def network(params, x, labels, decay=0.0):
    hidden = x @ params["W1"] + params["b1"]
    active = np.maximum(hidden, 0)
    loss, dlogits = softmax_cross_entropy(active @ params["W2"] + params["b2"], labels)
    dhidden = (dlogits @ params["W2"].T) * (hidden > 0)
    loss += decay / 2 * sum(np.sum(params[name] ** 2) for name in ("W1", "W2"))
    return loss, {
        "W1": x.T @ dhidden + decay * params["W1"],
        "b1": dhidden.sum(axis=0),
        "W2": active.T @ dlogits + decay * params["W2"],
        "b2": dlogits.sum(axis=0),
    }


def drawn_network(rng, N, D, H, C):
    params = {
        "W1": rng.normal(size=(D, H)) * D**-0.5,
        "b1": rng.normal(size=H) / 10,
        "W2": rng.normal(size=(H, C)) * H**-0.5,
        "b2": rng.normal(size=C) / 10,
    }
    return params, rng.normal(size=(N, D)), rng.integers(0, C, N)


def agrees(claimed, found):
    relative, floor = tolerances(single=False)
    return compare(claimed, found.value, relative=relative, noise=found.error, floor=floor).ok


def test_no_right_gradient_of_200_is_called_wrong():
    rng = np.random.default_rng(6)
    for _ in range(200):
        N, C = rng.integers(2, 7, 2)
        logits, labels = rng.normal(size=(N, C)) * 10 ** rng.uniform(-1, 1), rng.integers(0, C, N)
        found = gradient(lambda z, labels=labels: softmax_cross_entropy(z, labels)[0], logits)
        assert found.trusted.all()
        assert agrees(softmax_cross_entropy(logits, labels)[1], found)


def test_one_entry_off_by_a_hundredth_of_a_percent_is_found():
    rng = np.random.default_rng(7)
    for _ in range(40):
        logits, labels = rng.normal(size=(5, 4)), rng.integers(0, 4, 5)
        claimed = softmax_cross_entropy(logits, labels)[1]
        claimed[int(rng.integers(5)), int(rng.integers(4))] *= 1.0001
        assert not agrees(claimed, gradient(lambda z, labels=labels: softmax_cross_entropy(z, labels)[0], logits))


def test_a_weight_decay_wrong_by_two_is_found():
    rng = np.random.default_rng(8)
    for _ in range(10):
        params, x, labels = drawn_network(rng, 6, 4, 5, 3)
        right = network(params, x, labels, 1e-4)[1]["W1"]

        def loss(W1, params=params, x=x, labels=labels):
            return network({**params, "W1": W1}, x, labels, 1e-4)[0]

        found = gradient(loss, params["W1"])
        assert found.trusted.all()
        assert agrees(right, found)
        assert not agrees(right + 1e-4 * params["W1"], found)


@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
def test_a_network_with_kinks_is_differentiated_in_every_parameter(name):
    rng = np.random.default_rng(9)
    for _ in range(10):
        params, x, labels = drawn_network(rng, 7, 4, 5, 3)

        def loss(value, params=params, x=x, labels=labels):
            return network({**params, name: value}, x, labels)[0]

        found = gradient(loss, params[name])
        assert np.all(
            np.abs(found.value - network(params, x, labels)[1][name])[found.trusted] <= found.error[found.trusted]
        )
        assert agrees(network(params, x, labels)[1][name], found)
        assert found.trusted.mean() > 0.9


def test_a_network_at_a_kink_is_not_trusted_where_it_matters():
    params, x, labels = drawn_network(np.random.default_rng(10), 7, 4, 5, 3)
    params["b1"][2] -= (x @ params["W1"] + params["b1"])[3, 2]
    found = gradient(lambda b1: network({**params, "b1": b1}, x, labels)[0], params["b1"])
    assert found.trusted.tolist() == [True, True, False, True, True]


def test_projections_see_a_mistake_in_one_entry_of_thousands():
    rng = np.random.default_rng(11)
    params, x, labels = drawn_network(rng, 40, 50, 64, 10)
    right = network(params, x, labels)[1]["W1"]
    wrong = right.copy()
    wrong[3, 4] = -2 * wrong[3, 4]
    seen = projections(lambda W1: network({**params, "W1": W1}, x, labels)[0], params["W1"], rng, 8)
    trusted = [(direction, slope) for direction, slope in seen if slope.trusted]
    assert len(trusted) >= 6
    for direction, slope in trusted:
        assert set(np.unique(direction)) == {-1.0, 1.0}
        assert abs(np.sum(right * direction) - slope.value) <= slope.error
        assert abs(np.sum(wrong * direction) - slope.value) > slope.error


def test_directions_come_from_the_generator():
    first, second = (projections(np.sum, np.ones((4, 3)), np.random.default_rng(0), 3) for _ in range(2))
    for (direction, slope), (same, again) in zip(first, second, strict=True):
        np.testing.assert_array_equal(direction, same)
        assert slope == again
