"""What counts as right, and what a student is told where it is not."""

import re
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from autograder.base import Wrong
from autograder.checking import Loopback, Reference, Student, compare, matches, tolerances
from autograder.checking.numerics import conditioning, describe
from tests.networks import softmax_cross_entropy

any_float = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)
some_array = arrays.arrays(np.float64, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0), elements=any_float)
magnitudes = st.floats(0.1, 100.0)


def double(actual, desired, noise=0.0):
    relative, floor = tolerances(single=False)
    return compare(actual, desired, relative=relative, noise=noise, floor=floor)


def drawn(seed=0, size=(3, 4)):
    return np.random.default_rng(seed).normal(size=size)


# Right and wrong


@given(some_array)
def test_an_array_equals_itself_whatever_it_holds(values):
    found = compare(values, values.copy(), relative=0.0)
    assert (found.ok, found.worst, found.wrong, found.total) == (True, 0.0, 0, values.size)


@given(some_array, st.data())
def test_any_two_arrays_compare_without_a_warning(desired, data):
    actual = data.draw(arrays.arrays(np.float64, desired.shape, elements=any_float))
    found = compare(actual, desired, relative=1e-6, noise=1e-12, floor=1e-12)
    assert found.ok == (found.wrong == 0)
    assert found.worst >= 0
    assert len(found.index) == (desired.ndim if desired.size else 0)
    assert "\n" not in describe(found, "out", desired.shape)


@given(st.floats(1e-300, 1e300), st.floats(0, 1))
def test_the_relative_tolerance_is_of_the_desired_value(desired, part):
    assert compare(desired * (1 + 0.99e-3 * part), desired, relative=1e-3).ok
    assert not compare(desired * (1 + 1.01e-3 + part), desired, relative=1e-3).ok


def test_noise_is_allowed_entry_by_entry():
    found = compare([1.1, 1.1], [1.0, 1.0], relative=0.0, noise=[0.2, 0.0])
    assert (found.wrong, found.index) == (1, (1,))


def test_the_floor_is_a_share_of_the_largest_entry():
    assert compare([1e6, 1.0], [1e6, 0.0], relative=0.0, floor=1e-6).ok
    assert not compare([1e6, 1.1], [1e6, 0.0], relative=0.0, floor=1e-6).ok


def test_an_infinite_entry_does_not_raise_the_floor():
    assert not compare([np.inf, 1.0], [np.inf, 2.0], relative=1e-6, floor=1e-6).ok


@pytest.mark.parametrize("actual", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_wrong_for_a_number(actual):
    found = double(actual, 1.0, noise=1e300)
    assert not found.ok
    assert found.worst == np.inf


@pytest.mark.parametrize("desired", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_right_only_for_the_same(desired):
    assert double(desired, desired).ok
    assert not double(1.0, desired).ok
    assert not double(-desired if np.isinf(desired) else np.inf, desired).ok


def test_huge_values_of_opposite_sign_are_wrong():
    found = compare([1.7e308], [-1.7e308], relative=1e-6, floor=1e-6)
    assert (found.ok, found.worst) == (False, 2.0)


def test_subnormal_values_are_told_apart():
    assert not compare([1e-310], [2e-310], relative=1e-6).ok


def test_zero_is_wrong_without_bound_where_nothing_is_allowed():
    assert compare([1e-300, 1.0], [0.0, 1.0], relative=1e-6).worst == np.inf


def test_worst_and_index_are_of_a_wrong_entry_when_there_is_one():
    # The first entry is off by twice its size, which its noise allows; the second by 1 %, which nothing does.
    found = compare([3.0, 101.0], [1.0, 100.0], relative=1e-6, noise=[5.0, 0.0])
    assert (found.index, found.wrong) == ((1,), 1)
    assert found.worst == pytest.approx(0.01)


def test_worst_is_relative_to_the_allowance_where_that_is_larger():
    assert compare([1.0], [0.0], relative=0.0, noise=[4.0]).worst == 0.25


def test_integers_and_booleans_compare_as_numbers():
    assert compare(np.array([True, False]), np.array([1, 0], dtype=np.uint8), relative=0.0).ok


@pytest.mark.parametrize("strange", [np.array([1j]), np.array(["1"]), np.array([None]), np.array([b"1"])])
def test_what_is_not_real_is_refused(strange):
    with pytest.raises(TypeError, match="not real"):
        compare(strange, [1.0], relative=0.0)


def test_shapes_do_not_broadcast():
    with pytest.raises(ValueError, match=re.escape("(1,) with one of shape ()")):
        compare([1.0], 1.0, relative=0.0)


@pytest.mark.parametrize("noise", [-1.0, np.nan, np.inf])
def test_noise_that_allows_everything_or_nothing_is_refused(noise):
    with pytest.raises(ValueError, match="noise"):
        compare([1.0], [1.0], relative=0.0, noise=noise)


def test_float64_has_room_for_a_clip_and_none_for_a_thousandth():
    probs = np.array([0.7, 1e-4, 0.2999])
    assert double(np.log(probs + 1e-12), np.log(probs)).ok
    assert not double(1.001 * probs, probs).ok


# Recognised factors


@given(
    arrays.arrays(np.float64, (3, 4), elements=magnitudes | magnitudes.map(lambda x: -x)),
    st.integers(2, 64),
    st.booleans(),
)
def test_integer_factors_are_named(desired, n, flipped):
    sign, prefix = (-1, "the sign is flipped, and it is ") if flipped else (1, "")
    assert double(sign * n * desired, desired).factor == f"{prefix}{n} times too large"
    assert double(sign * desired / n, desired).factor == f"{prefix}{n} times too small"


def test_a_flipped_sign_is_named():
    assert double(-drawn(), drawn()).factor == "the sign is flipped"


def test_a_factor_holds_for_zeros_too():
    desired = np.array([0.0, 1.0, -2.0])
    assert double(3 * desired, desired).factor == "3 times too large"
    assert double(3 * desired + [1.0, 0, 0], desired).factor == ""


def test_a_factor_is_named_through_float32_round_off():
    desired = drawn()
    relative, floor = tolerances(single=True)
    actual = (5 * desired).astype(np.float32)
    assert compare(actual, desired, relative=relative, floor=floor).factor == "5 times too large"


@pytest.mark.parametrize("ratio", [1.5, 65.0, 1 / 65, 7.001, -1.001, 0.99])
def test_other_ratios_are_not_named(ratio):
    assert double(ratio * drawn(), drawn()).factor == ""


def test_a_factor_of_some_entries_is_not_named():
    actual = drawn()
    actual[0] *= 2
    assert double(actual, drawn()).factor == ""


def test_no_factor_is_read_off_entries_that_are_all_noise():
    assert double([3.0, -4.0], [1.0, 1.0], noise=1.5).factor == ""


@given(
    arrays.arrays(np.float64, (3, 4), elements=any_float),
    arrays.arrays(np.float64, (3, 4), elements=magnitudes),
)
def test_a_factor_is_only_named_where_something_is_wrong(actual, desired):
    found = double(actual, desired)
    assert not (found.ok and found.factor)


def test_a_transpose_is_recognised():
    assert double(drawn(size=(4, 4)).T, drawn(size=(4, 4))).factor == "transposed"


def test_a_constant_offset_is_recognised():
    assert double(drawn() + 0.25, drawn()).factor == "off by the same amount everywhere"
    assert double(np.full((3, 4), 1e9), drawn()).factor == ""


def test_zeros_are_recognised():
    assert double(np.zeros((3, 4)), drawn()).factor == "all zero"


def test_a_lone_nan_is_recognised():
    actual = drawn()
    actual[1, 2] = np.nan
    found = double(actual, drawn())
    assert (found.factor, found.index, found.wrong) == ("not finite", (1, 2), 1)


# What the student reads


def test_the_message_says_how_many_how_far_and_where():
    actual = drawn()
    actual[2, 1] *= 1.0145
    assert describe(double(actual, drawn()), "dW", (3, 4)) == (
        "dW: 1 of 12 entries is wrong; the largest relative error is about 0.01, at [2, 1]."
    )


@pytest.mark.parametrize(
    ("actual", "hint"),
    [
        (7 * drawn(size=(3, 3)), "Every entry is 7 times too large."),
        (drawn(size=(3, 3)) / 7, "Every entry is 7 times too small."),
        (-drawn(size=(3, 3)), "The sign is flipped."),
        (-2 * drawn(size=(3, 3)), "The sign is flipped, and it is 2 times too large."),
        (drawn(size=(3, 3)).T, "Its transpose would be right."),
        (drawn(size=(3, 3)) + 1, "Every entry is off by the same amount."),
        (np.zeros((3, 3)), "Every entry is 0."),
    ],
)
def test_the_message_ends_with_the_factor(actual, hint):
    message = describe(double(actual, drawn(size=(3, 3))), "dW", (3, 3))
    assert message.startswith("dW: ")
    assert message.endswith(f". {hint}")


def test_a_scalar_has_no_index():
    assert describe(double(6.0, 2.0), "loss", ()) == (
        "loss is off by a relative error of more than 1. It is 3 times too large."
    )
    assert describe(double(2.000123456, 2.0), "loss", ()) == "loss is off by a relative error of about 1e-4."


def test_nan_is_called_by_its_name():
    assert describe(double(np.nan, 2.0), "loss", ()) == "loss is NaN or infinite."
    message = describe(double([1.0, np.inf], [1.0, 2.0]), "out", (2,))
    assert message == "out: 1 of 2 entries is wrong, and some are NaN or infinite, as at [1]."


def test_what_is_right_is_called_right():
    assert describe(double(2.0, 2.0), "loss", ()) == "loss is right."


SIZES = ["more than 1", "about 1", "about 0.1", "about 0.01", *(f"about 1e-{n}" for n in range(3, 7)), "less than 1e-6"]


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_the_message_shows_the_power_of_ten_of_an_error_up_to_1_and_nothing_more(actual, desired):
    found = compare([actual, 0.0], [desired, 0.0], relative=1e-6)
    if found.ok or found.factor:
        return
    shown = describe(found, "out", (2,)).partition("relative error is ")[2].partition(", at")[0]
    assert shown in SIZES
    if shown == "more than 1":
        assert found.worst > 1
    elif shown == "less than 1e-6":
        assert found.worst < 10**-6.49
    else:
        assert 0.3 <= found.worst / float(shown.removeprefix("about ")) <= 3.2


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3) | st.integers(-70, 70).map(float))
def test_a_message_about_a_number_is_one_of_9_times_258(desired, ratio):
    found = compare(desired * ratio, desired, relative=1e-6)
    if found.ok or not np.isfinite(desired * ratio):
        return
    factors = [f"{n} times too {size}" for n in range(2, 65) for size in ("large", "small")]
    flipped = ["the sign is flipped", *(f"the sign is flipped, and it is {factor}" for factor in factors)]
    known = ["", "transposed", "off by the same amount everywhere", "all zero", *factors, *flipped]
    assert len(known) <= 258
    assert found.factor in known
    error, _, rest = describe(found, "loss", ()).removeprefix("loss is off by a relative error of ").partition(".")
    assert any(f"{error}.{rest}".startswith(f"{size}.") for size in SIZES)


# Conditioning

Pair = namedtuple("Pair", "x y")


def test_noise_has_the_structure_of_the_result():
    def f(params, n):
        return {"W": 2 * params["W"], "n": n}, [float(params["W"].sum()), None, np.arange(3)], "name"

    noise = conditioning(f, ({"W": drawn()}, 3), {}, single=False)
    assert isinstance(noise, tuple)
    assert isinstance(noise[1], list)
    assert noise[0]["W"].shape == (3, 4)
    assert isinstance(noise[1][0], float)
    assert (noise[0]["n"], noise[1][1], noise[1][2], noise[2]) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(("single", "eps"), [(True, 2.0**-23), (False, 2.0**-52)])
def test_noise_of_the_identity_is_32_ulps(single, eps):
    x = drawn()
    noise = conditioning(lambda x: x, (x,), {}, single=single)
    np.testing.assert_allclose(noise, 32 * eps * np.abs(x), rtol=0.51)


def test_noise_grows_with_the_condition():
    x = np.array([1.0])
    noise = conditioning(lambda x: (x + 1e6) - 1e6 + 1e3 * x, (x,), {}, single=True)
    assert noise[0] > 1e3 * 32 * 1e-7


def test_zeros_integers_booleans_and_numbers_do_not_move():
    seen = []

    def f(*args):
        seen.append(args)
        return args[0]

    conditioning(
        f,
        (np.array([0.0, 1.0, np.inf]), np.arange(3), np.array([True]), 0.5, 7, "adam", None),
        {},
        single=True,
    )
    for values, *rest in seen:
        assert values[0] == 0
        assert values[2] == np.inf
        np.testing.assert_array_equal(rest[0], np.arange(3))
        assert rest[1:] == [np.array([True]), 0.5, 7, "adam", None]
    changes = np.array([args[0][1] - 1 for args in seen]) / 2.0**-23
    assert changes[0] == 0
    assert np.all((np.abs(changes[1:]) >= 0.5) & (np.abs(changes[1:]) <= 1))
    assert {-1.0, 1.0} == set(np.sign(changes[1:]))


def test_float32_arrays_reach_the_function_as_float64():
    dtypes = set()

    def f(p, *, cache):
        dtypes.update({p["W"].dtype, cache[0].dtype, cache[1][0].dtype})
        return 0.0

    single = drawn().astype(np.float32)
    conditioning(f, ({"W": single},), {"cache": (single, [single])}, single=True)
    assert dtypes == {np.dtype(np.float64)}


def test_arguments_stay_as_they_are():
    x, rng = drawn(), np.random.default_rng(0)
    state = rng.bit_generator.state

    def f(x, rng):
        x += rng.normal(size=x.shape)
        return x

    conditioning(f, (x, rng), {}, single=False)
    np.testing.assert_array_equal(x, drawn())
    assert rng.bit_generator.state == state


def test_a_generator_gives_every_call_the_same_numbers():
    noise = conditioning(
        lambda x, rng: x + rng.normal(), (np.ones(2),), {"rng": np.random.default_rng(0)}, single=False
    )
    assert np.max(noise) < 1e-13


def test_named_tuples_stay_named():
    noise = conditioning(lambda p: p.x * p.y, (Pair(drawn(), 2.0),), {}, single=False)
    assert noise.shape == (3, 4)


def test_noise_is_the_same_every_time():
    first, second = (conditioning(np.exp, (drawn(),), {}, single=True) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_what_overflows_gets_no_noise():
    x = np.array([np.finfo(np.float64).max, 1.0])
    with np.errstate(over="ignore"):
        noise = conditioning(lambda x: 2 * x, (x,), {}, single=False)
    assert noise[0] == 0
    assert noise[1] > 0


def test_what_the_function_raises_comes_through():
    def f(x):
        raise KeyError("W1")

    with pytest.raises(KeyError):
        conditioning(f, (drawn(),), {}, single=False)


# Float32 answers: right ones pass in another style than the reference's, and a thousandth does not


def linear(x, W, dout):
    return x @ W, dout @ W.T, x.T @ dout, dout.sum(axis=0)


def mlp(params, x, labels):
    hidden = x @ params["W1"] + params["b1"]
    active = np.maximum(hidden, 0)
    loss, dlogits = softmax_cross_entropy(active @ params["W2"] + params["b2"], labels)
    dhidden = (dlogits @ params["W2"].T) * (hidden > 0)
    return loss, x.T @ dhidden, dhidden.sum(axis=0), active.T @ dlogits, dlogits.sum(axis=0)


def backwards(A, B):
    """A @ B, its terms added one by one from the last, which rounds most."""
    out = np.zeros((A.shape[0], B.shape[1]), dtype=A.dtype)
    for k in reversed(range(A.shape[1])):
        out = out + np.outer(A[:, k], B[k])
    return out


def summed(A):
    return backwards(np.ones((1, len(A)), dtype=A.dtype), A)[0]


def student_softmax_cross_entropy(logits, labels):
    n = logits.dtype.type(len(labels))
    largest = logits.max(axis=1, keepdims=True)
    logs = logits - (largest + np.log(np.exp(logits - largest).sum(axis=1, keepdims=True)))
    targets = np.eye(logits.shape[1], dtype=logits.dtype)[labels]
    return -(logs * targets).sum() / n, np.exp(logs) / n - targets / n


def student_linear(x, W, dout):
    return backwards(x, W), backwards(dout, W.T), backwards(x.T, dout), summed(dout)


def student_mlp(params, x, labels):
    hidden = backwards(x, params["W1"]) + params["b1"]
    active = hidden * (hidden > 0)
    loss, dlogits = student_softmax_cross_entropy(backwards(active, params["W2"]) + params["b2"], labels)
    dhidden = backwards(dlogits, params["W2"].T) * (hidden > 0)
    return loss, backwards(x.T, dhidden), summed(dhidden), backwards(active.T, dlogits), summed(dlogits)


def single_case(name, seed, sizes):
    rng = np.random.default_rng(seed)
    N, D, H, C = (int(n) for n in rng.integers(2, sizes))
    labels = rng.integers(0, C, N)

    def n(*size, scale=1.0):
        return (scale * rng.normal(size=size)).astype(np.float32)

    if name == "softmax cross-entropy":
        return softmax_cross_entropy, student_softmax_cross_entropy, (n(N, C), labels)
    if name == "linear":
        return linear, student_linear, (n(N, D), n(D, H), n(N, H))
    if name == "linear that cancels":
        dout = rng.normal(size=(N, H))
        x, dout = n(N, D, scale=1e-3) + np.float32(100), (dout - dout.mean(axis=0)).astype(np.float32)
        return linear, student_linear, (x, n(D, H), dout)
    params = {"W1": n(D, H, scale=D**-0.5), "b1": n(H, scale=0.1), "W2": n(H, C, scale=H**-0.5), "b2": n(C)}
    return mlp, student_mlp, (params, n(N, D), labels)


def in_double(tree):
    if isinstance(tree, dict):
        return {key: in_double(value) for key, value in tree.items()}
    return tree.astype(np.float64) if tree.dtype == np.float32 else tree


SMALL, LARGE = (9, 9, 9, 6), (300, 200, 60, 12)


@pytest.mark.parametrize("name", ["softmax cross-entropy", "linear", "linear that cancels", "mlp"])
@pytest.mark.parametrize(("sizes", "draws"), [(SMALL, 150), (LARGE, 8)], ids=["small", "large"])
def test_float32_answers_in_another_style_are_right(name, sizes, draws):
    relative, floor = tolerances(single=True)
    for seed in range(draws):
        reference, student, args = single_case(name, seed, sizes)
        desired = reference(*map(in_double, args))
        noise = conditioning(reference, args, {}, single=True)
        for a, d, allowed in zip(student(*args), desired, noise, strict=True):
            found = compare(a, d, relative=relative, noise=allowed, floor=floor)
            assert found.ok, (seed, found)


@pytest.mark.parametrize("name", ["softmax cross-entropy", "linear", "mlp"])
def test_answers_wrong_by_a_thousandth_are_not_right_in_float32(name):
    relative, floor = tolerances(single=True)
    for seed in range(8):
        reference, _, args = single_case(name, seed, LARGE)
        desired = reference(*map(in_double, args))
        noise = conditioning(reference, args, {}, single=True)
        for d, allowed in zip(desired, noise, strict=True):
            assert not compare(1.001 * d, d, relative=relative, noise=allowed, floor=floor).ok


def test_a_sum_of_two_terms_that_cancel_has_noise_in_every_entry():
    # Moves of ±1 ulp alone leave the change of v·x₁ − v·x₂ at exactly 0 in three draws of eight.
    dout = np.random.default_rng(0).normal(size=(1, 500)).astype(np.float32)
    noise = conditioning(lambda x, d: x.T @ d, (np.full((2, 40), 100.0), np.vstack([dout, -dout])), {}, single=True)
    assert np.all(noise > 1e-7 * 100 * np.abs(dout))


def test_float64_noise_hides_no_mistake_of_a_millionth():
    reference, _, args = single_case("mlp", 0, LARGE)
    args = tuple(map(in_double, args))
    for d, allowed in zip(reference(*args), conditioning(reference, args, {}, single=False), strict=True):
        assert not double(d * (1 + 3e-6), d, noise=allowed).ok


# Parts of an answer


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            "(x * x + 1, x / 10)",
            "`b`: 3 of 3",
        ),
        ("(x * x + 1, x * 1.1)", "`a`: 3 of 3"),
        ("(x / 2, x / 10)", "`a`: 3 of 3"),
        ("(x * x + 1, x[:2])", "`b` should have the shape (3,)"),
        ("(x, x * x + 1)", "`b`: 3 of 3"),
    ],
)
def test_of_several_parts_that_are_wrong_the_one_is_told_that_says_most(given, told):
    reference = Reference(SimpleNamespace(f=lambda x: (x, x)))
    student = Student(Loopback({"f": eval(f"lambda x: {given}")}))
    with pytest.raises(Wrong) as verdict:
        matches(student.f, reference.f, np.array([1.0, -2.0, 4.0]), parts=("a", "b"))
    assert str(verdict.value).startswith(told)
