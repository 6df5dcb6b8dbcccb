"""Softmax, one-hot labels and the cross-entropies."""

from collections.abc import Mapping
from functools import lru_cache, partial

import numpy as np

from autograder.checking import (
    Draw,
    Halves,
    Reference,
    Student,
    agree,
    check,
    fail_unless,
    halves,
    matches,
    right,
    telling,
    which_half,
)
from autograder.numerics import Slope, projections

TINY = 1e-11
"""What a small constant on the way may leave of a result that is 0, as for a single class."""


def large_logits(draw: Draw, *shape: int) -> np.ndarray:
    """Logits of either sign and of all sizes up to 1e4, the largest that there are."""
    return np.asarray(draw.uniform(-1e4, 1e4, size=shape))


def far_apart(draw: Draw, *offsets: float) -> np.ndarray:
    """Rows of three ordinary logits, each row moved as a whole by its share of almost 1e4."""
    return np.asarray(9.9e3 * np.array(offsets)[:, np.newaxis] + draw.normal(size=(len(offsets), 3)))


def single_logits(draw: Draw) -> list[np.ndarray]:
    """Float32 logits, ordinary ones, one of them 0, and large ones: float32's exponential overflows at 89."""
    ordinary = draw.normal(size=(4, 6))
    ordinary[1, 2] = 0.0
    return [ordinary.astype(np.float32), large_logits(draw, 4, 6).astype(np.float32)]


# softmax


@check("softmax", weight=3, hint="exp(z) / Σ exp(z), the sum taken along the last axis with keepdims=True.")
def test_softmax_of_a_batch(student: Student, reference: Reference, draw: Draw) -> None:
    """Each row of a batch becomes its class probabilities."""
    matches(student.softmax, reference.softmax, 2.0 * draw.normal(size=(5, 3)))
    matches(student.softmax, reference.softmax, 2.0 * draw.normal(size=(2, 6)))


@check("softmax", weight=2, hint="Use axis=-1, so that one row alone, of shape (C,), works like a batch.")
def test_softmax_of_one_row(student: Student, reference: Reference, draw: Draw) -> None:
    """A single row works, as shape (C,) and as shape (1, C), and so does a single class."""
    matches(student.softmax, reference.softmax, draw.normal(size=5))
    matches(student.softmax, reference.softmax, draw.normal(size=(1, 4)))
    matches(student.softmax, reference.softmax, draw.normal(size=(3, 1)))


@check(
    "softmax",
    weight=3,
    hint="Subtract each row's own maximum before you exponentiate: nothing can overflow then.",
)
def test_softmax_of_large_logits(student: Student, reference: Reference, draw: Draw) -> None:
    """Logits of ±1e4 give finite and right probabilities, each row by itself."""
    matches(student.softmax, reference.softmax, large_logits(draw, 6, 4))
    matches(student.softmax, reference.softmax, far_apart(draw, 1, -1, 0, -1, 1))


@check(
    "softmax",
    hint="Let the arithmetic take the dtype that comes in; don't round and don't convert to integers.",
)
def test_softmax_of_float32(student: Student, reference: Reference, draw: Draw) -> None:
    """float32 logits work, those of ±1e4 too."""
    for logits in single_logits(draw):
        matches(student.softmax, reference.softmax, logits)


@check("softmax")
def test_softmax_leaves_its_input_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """The result is right and the input is unchanged."""
    matches(student.softmax, reference.softmax, draw.normal(size=(3, 5))).unchanged()


# log_softmax


@check("log_softmax", weight=2, hint="z − log Σ exp(z), the sum taken along the last axis with keepdims=True.")
def test_log_softmax_of_a_batch(student: Student, reference: Reference, draw: Draw) -> None:
    """Each row of a batch becomes its log-probabilities."""
    matches(student.log_softmax, reference.log_softmax, 2.0 * draw.normal(size=(6, 4)))
    matches(student.log_softmax, reference.log_softmax, 2.0 * draw.normal(size=(2, 5)))


@check("log_softmax", hint="Use axis=-1, so that one row alone, of shape (C,), works like a batch.")
def test_log_softmax_of_one_row(student: Student, reference: Reference, draw: Draw) -> None:
    """A single row works, as shape (C,) and as shape (1, C), and so does a single class."""
    matches(student.log_softmax, reference.log_softmax, draw.normal(size=6))
    matches(student.log_softmax, reference.log_softmax, draw.normal(size=(1, 3)))
    agree(student.log_softmax(draw.normal(size=(4, 1))), np.zeros((4, 1)), noise=TINY)


@check(
    "log_softmax",
    weight=2,
    hint="log of a probability that underflowed to 0 is lost: take z − max − log Σ exp(z − max).",
)
def test_log_softmax_of_large_logits(student: Student, reference: Reference, draw: Draw) -> None:
    """Logits of ±1e4 give exact log-probabilities, not only finite ones."""
    matches(student.log_softmax, reference.log_softmax, large_logits(draw, 5, 4))
    matches(student.log_softmax, reference.log_softmax, far_apart(draw, -1, 1, 0, -1))


@check("log_softmax", hint="Let the arithmetic take the dtype that comes in.")
def test_log_softmax_of_float32(student: Student, reference: Reference, draw: Draw) -> None:
    """float32 logits work, those of ±1e4 too."""
    for logits in single_logits(draw):
        matches(student.log_softmax, reference.log_softmax, logits)


@check("log_softmax")
def test_log_softmax_leaves_its_input_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """The result is right and the input is unchanged."""
    matches(student.log_softmax, reference.log_softmax, draw.normal(size=(3, 6))).unchanged()


# one_hot


@check("one_hot", weight=2, hint="Row i is 0 everywhere but at column labels[i].")
def test_one_hot_rows(student: Student, reference: Reference, draw: Draw) -> None:
    """Each label becomes a row with a single 1 in its column; the labels stay unchanged."""
    matches(student.one_hot, reference.one_hot, draw.permutation([0, 1, 2, 3, 4, 2, 0]), 5).unchanged()
    matches(student.one_hot, reference.one_hot, draw.permutation([0, 1, 2]), 3 + 1).unchanged()


@check(
    "one_hot",
    hint="The number of columns is num_classes, also when some classes don't occur among the labels.",
)
def test_one_hot_has_a_column_for_every_class(student: Student, reference: Reference, draw: Draw) -> None:
    """Classes that don't occur have their columns too; one example and one class work."""
    matches(student.one_hot, reference.one_hot, draw.permutation([1, 3, 3, 1]), 7)
    matches(student.one_hot, reference.one_hot, np.array([2]), 5)
    matches(student.one_hot, reference.one_hot, np.array([0, 0, 0]), 1)
    matches(student.one_hot, reference.one_hot, np.array([3, 104, 60]), 107)


@check("one_hot", hint="np.zeros makes float64 unless a dtype says otherwise; a comparison makes bool.")
def test_one_hot_gives_float64(student: Student, reference: Reference, draw: Draw) -> None:
    """The rows are right and float64."""
    answer = matches(student.one_hot, reference.one_hot, draw.permutation([0, 2, 1, 2, 3]), 4)
    fail_unless(answer.dtype == np.float64, f"The rows should be float64; yours are {answer.dtype}.")


# cross_entropy


def probabilities(draw: Draw, n: int, c: int) -> np.ndarray:
    """Rows of probabilities of shape (n, c), none below 0.01 or so."""
    raw = draw.uniform(0.1, 1.0, size=(n, c))
    return np.asarray(raw / raw.sum(axis=1, keepdims=True))


def hot(labels: np.ndarray, c: int) -> np.ndarray:
    """One-hot rows of the labels."""
    return np.asarray(np.eye(c)[labels])


FLOOR = -np.log(1e-12)
"""The loss of an example whose class has probability 0, where 1e-12 keeps the logarithm finite."""


def large_enough(loss: float, of_the_others: float = 0.0) -> None:
    """See that a loss is finite, and what an example adds to it whose true class has probability 0."""
    fail_unless(bool(np.isfinite(loss)), "The loss is not finite where the true class has probability 0.")
    fail_unless(
        loss - of_the_others > FLOOR - 0.1,
        "The loss is too small where the true class has probability 0: a floor of at most 1e-12 gives more.",
    )


@check("cross_entropy", weight=3, hint="Sum −y·log p over the classes, then take the mean over the N examples.")
def test_cross_entropy_of_one_hot_targets(student: Student, reference: Reference, draw: Draw) -> None:
    """The mean cross-entropy of a batch with one-hot targets."""
    for n, c in [(5, 3), (2, 4)]:
        targets = hot(c - 1 - draw.permutation(n) % c, c)
        matches(student.cross_entropy, reference.cross_entropy, probabilities(draw, n, c), targets)


@check("cross_entropy", weight=3, hint="Weigh every class's log-probability by its target; don't take argmax.")
def test_cross_entropy_of_soft_targets(student: Student, reference: Reference, draw: Draw) -> None:
    """Soft targets, where every class has its share."""
    for n, c in [(6, 4), (3, 5)]:
        targets = probabilities(draw, n, c)
        matches(student.cross_entropy, reference.cross_entropy, probabilities(draw, n, c), targets)


@check(
    "cross_entropy",
    hint="Whatever keeps log finite must be tiny (1e-12 or less), or small probabilities come out wrong.",
)
def test_cross_entropy_of_one_example(student: Student, reference: Reference, draw: Draw) -> None:
    """A single example, and a probability as small as 1e-6."""
    matches(student.cross_entropy, reference.cross_entropy, probabilities(draw, 1, 4), hot(np.array([2]), 4))
    small = np.array([[1e-6, 0.25, 0.75 - 1e-6]])
    matches(student.cross_entropy, reference.cross_entropy, small, hot(np.array([0]), 3))


@check(
    "cross_entropy",
    weight=2,
    hint="log 0 is −∞, and 0·(−∞) is NaN: put a floor of 1e-12 or less under the probabilities.",
)
def test_cross_entropy_where_a_probability_is_0(student: Student, reference: Reference, draw: Draw) -> None:
    """A probability of 0 adds nothing where the target is 0, and a large finite loss where it is 1."""
    probs, targets = probabilities(draw, 5, 4), hot(np.array([3, 0, 1, 2, 3]), 4)
    probs[:2, 1:3] = 0.0
    matches(student.cross_entropy, reference.cross_entropy, probs, targets)
    probs[4, 3] = 0.0
    loss = student.cross_entropy(probs, targets).scalar()
    large_enough(5 * loss, 4 * reference.cross_entropy(probs[:4], targets[:4]))
    large_enough(student.cross_entropy(probs[4:], targets[4:]).scalar())


@check("cross_entropy", hint="Let the arithmetic take the dtype that comes in.")
def test_cross_entropy_of_float32(student: Student, reference: Reference, draw: Draw) -> None:
    """float32 probabilities and targets work, and so does a float32 probability of 0."""
    probs, targets = probabilities(draw, 4, 6), hot(np.array([5, 0, 2, 3]), 6)
    single = probs.astype(np.float32), targets.astype(np.float32)
    matches(student.cross_entropy, reference.cross_entropy, *single)
    probs[1, 2:4] = 0.0
    matches(student.cross_entropy, reference.cross_entropy, probs.astype(np.float32), single[1])
    probs[3, 3] = 0.0
    large_enough(student.cross_entropy(probs[3:].astype(np.float32), single[1][3:]).scalar())


@check("cross_entropy")
def test_cross_entropy_leaves_its_inputs_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """The loss is right and the inputs are unchanged."""
    probs, targets = probabilities(draw, 3, 5), hot(np.array([4, 1, 0]), 5)
    probs[0, 2] = 0.0
    matches(student.cross_entropy, reference.cross_entropy, probs, targets).unchanged()


# sparse_cross_entropy


@check(
    "sparse_cross_entropy",
    weight=3,
    hint="Pick each example's own probability, probs[np.arange(N), labels], then take the mean.",
)
def test_sparse_cross_entropy_of_a_batch(student: Student, reference: Reference, draw: Draw) -> None:
    """The mean cross-entropy of a batch with integer labels."""
    for n, c in [(6, 3), (2, 5)]:
        labels = draw.integers(c, size=n)
        matches(student.sparse_cross_entropy, reference.sparse_cross_entropy, probabilities(draw, n, c), labels)
    # No example is of the last class, and not every one of the others occurs.
    few = draw.permutation([0, 2, 2, 3])
    matches(student.sparse_cross_entropy, reference.sparse_cross_entropy, probabilities(draw, 4, 6), few)


@check(
    "sparse_cross_entropy",
    hint="Whatever keeps log finite must be tiny (1e-12 or less), or small probabilities come out wrong.",
)
def test_sparse_cross_entropy_of_one_example(student: Student, reference: Reference, draw: Draw) -> None:
    """A single example, and a probability as small as 1e-6."""
    of = student.sparse_cross_entropy, reference.sparse_cross_entropy
    matches(*of, probabilities(draw, 1, 4), np.array([3]))
    matches(*of, np.array([[0.25, 0.75 - 1e-6, 1e-6]]), np.array([2]))


@check(
    "sparse_cross_entropy",
    hint="log 0 is −∞: put a floor of 1e-12 or less under the probabilities.",
)
def test_sparse_cross_entropy_where_a_probability_is_0(student: Student, reference: Reference, draw: Draw) -> None:
    """A probability of 0 adds a large finite loss for the true class, and nothing for another."""
    probs, labels = probabilities(draw, 5, 4), np.array([2, 0, 3, 1, 1])
    probs[:2, 1] = 0.0
    matches(student.sparse_cross_entropy, reference.sparse_cross_entropy, probs, labels)
    probs[4, 1] = 0.0
    loss = student.sparse_cross_entropy(probs, labels).scalar()
    large_enough(5 * loss, 4 * reference.sparse_cross_entropy(probs[:4], labels[:4]))
    large_enough(student.sparse_cross_entropy(probs[4:], labels[4:]).scalar())


@check("sparse_cross_entropy", hint="Let the arithmetic take the dtype that comes in.")
def test_sparse_cross_entropy_of_float32(student: Student, reference: Reference, draw: Draw) -> None:
    """float32 probabilities work, and the inputs are unchanged."""
    probs, labels = probabilities(draw, 3, 6), np.array([5, 0, 2])
    probs[1, 3] = 0.0
    of = student.sparse_cross_entropy, reference.sparse_cross_entropy
    matches(*of, probs, labels).unchanged()
    matches(*of, probs.astype(np.float32), labels).unchanged()
    probs[2, 2] = 0.0
    large_enough(student.sparse_cross_entropy(probs[2:].astype(np.float32), labels[2:]).scalar())


# softmax_cross_entropy


def of_the_logits(student: Student, reference: Reference, draw: Draw) -> Halves:
    """Which half is wrong: the loss, or its gradient."""

    def look() -> Halves:
        logits, labels = draw.normal(size=(4, 3)), draw.integers(3, size=4)

        def loss(point: Mapping[str, np.ndarray]) -> float:
            return student.softmax_cross_entropy(point["dlogits"], labels).unpack("loss", "dlogits")[0].scalar()

        own, dlogits = student.softmax_cross_entropy(logits, labels).unpack("loss", "dlogits")
        desired, gradient = reference.softmax_cross_entropy(logits, labels)
        of = loss, {"dlogits": logits}, {"dlogits": dlogits}, {"dlogits": gradient}
        return halves(*of, forward_right=right(own, desired), named="loss", examples=4)

    return which_half(student, "softmax_cross_entropy", look)


@check(
    "softmax_cross_entropy",
    weight=2,
    hint="The loss is the mean over the batch of −log_softmax(logits) at each example's label.",
)
def test_softmax_cross_entropy_loss(student: Student, reference: Reference, draw: Draw) -> None:
    """The loss of a batch of logits."""
    # The last is the shape that `of_the_logits` looks at: whoever is wrong there alone is wrong here too.
    for n, c in [(5, 3), (2, 6), (4, 3)]:
        logits, labels = 2.0 * draw.normal(size=(n, c)), draw.integers(c, size=n)
        loss, _ = student.softmax_cross_entropy(logits, labels).unpack("loss", "dlogits")
        agree(loss, reference.softmax_cross_entropy(logits, labels)[0], what="loss")
    # No example is of the last class, and not every one of the others occurs.
    of = student.softmax_cross_entropy, reference.softmax_cross_entropy
    matches(*of, draw.normal(size=(4, 6)), draw.permutation([0, 2, 2, 3]), parts=("loss", None))


@check(
    "softmax_cross_entropy",
    weight=2,
    hint="dlogits is (softmax(logits) − one_hot(labels)) / N: the 1/N comes from the mean.",
)
def test_softmax_cross_entropy_gradient(student: Student, reference: Reference, draw: Draw) -> None:
    """The gradient of the mean loss with respect to the logits."""
    for n, c in [(6, 4), (3, 5)]:
        logits, labels = 2.0 * draw.normal(size=(n, c)), draw.integers(c, size=n)
        _, dlogits = student.softmax_cross_entropy(logits, labels).unpack("loss", "dlogits")
        with telling(partial(of_the_logits, student, reference, draw)):
            agree(dlogits, reference.softmax_cross_entropy(logits, labels)[1], what="dlogits")
    of = student.softmax_cross_entropy, reference.softmax_cross_entropy
    matches(*of, draw.normal(size=(4, 6)), draw.permutation([0, 2, 2, 3]), parts=(None, "dlogits"))


@lru_cache(maxsize=64)
def logit_slopes(reference: Reference, seed: int) -> tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, Slope]]]:
    """Logits, labels, and how the loss changes along three directions; worked out once for a seed."""
    draw = np.random.default_rng(seed)
    logits, labels = draw.normal(size=(4, 3)), draw.integers(3, size=4)

    def loss(moved: np.ndarray) -> float:
        return float(reference.softmax_cross_entropy(moved, labels)[0])

    return logits, labels, projections(loss, logits, draw, 3)


@check(
    "softmax_cross_entropy",
    hint="Change one logit a little and see how your loss changes: that is what dlogits says.",
)
def test_softmax_cross_entropy_gradient_by_finite_differences(
    student: Student, reference: Reference, draw: Draw
) -> None:
    """The gradient says how your own loss changes with each logit (finite differences)."""
    logits, labels, slopes = logit_slopes(reference, int(draw.integers(2**32)))
    _, dlogits = student.softmax_cross_entropy(logits, labels).unpack("loss", "dlogits")
    with telling(partial(of_the_logits, student, reference, draw), credit=True):
        for direction, slope in slopes:
            with np.errstate(all="ignore"):
                mine = float(np.sum(direction * dlogits.array((4, 3))))
            agree(mine, slope.value, what="dlogits along a random direction", noise=slope.error)


@check(
    "softmax_cross_entropy",
    weight=2,
    hint="Don't take the logarithm of a probability: log_softmax gives the loss without under- or overflow.",
)
def test_softmax_cross_entropy_of_large_logits(student: Student, reference: Reference, draw: Draw) -> None:
    """Logits of ±1e4 give the exact loss and gradient."""
    of = student.softmax_cross_entropy, reference.softmax_cross_entropy
    matches(*of, large_logits(draw, 6, 4), np.array([3, 0, 1, 2, 0, 1]), parts=("loss", "dlogits"))
    offsets = far_apart(draw, -1, 1, 0, -1, 1)
    matches(*of, offsets, np.array([0, 1, 2, 2, 0]), parts=("loss", "dlogits"))


@check(
    "softmax_cross_entropy",
    hint="Nothing may depend on N or C being larger than 1, and nothing on the dtype.",
)
def test_softmax_cross_entropy_of_one_row_one_class_and_float32(
    student: Student, reference: Reference, draw: Draw
) -> None:
    """A single example, a single class, and float32 logits work."""
    of = student.softmax_cross_entropy, reference.softmax_cross_entropy
    matches(*of, draw.normal(size=(1, 4)), np.array([2]), parts=("loss", "dlogits"))
    of_one_class = student.softmax_cross_entropy(draw.normal(size=(3, 1)), np.array([0, 0, 0]))
    loss, dlogits = of_one_class.unpack("loss", "dlogits")
    agree(loss, 0.0, what="loss", noise=TINY)
    agree(dlogits, np.zeros((3, 1)), what="dlogits", noise=TINY)
    for single in single_logits(draw):
        matches(*of, single, np.array([1, 3, 0, 2]), parts=("loss", "dlogits"))


@check("softmax_cross_entropy")
def test_softmax_cross_entropy_leaves_its_inputs_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """The results are right and the inputs are unchanged."""
    of = student.softmax_cross_entropy, reference.softmax_cross_entropy
    matches(*of, draw.normal(size=(3, 5)), np.array([4, 0, 2]), parts=("loss", "dlogits")).unchanged()
