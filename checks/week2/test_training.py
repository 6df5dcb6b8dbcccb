"""Mini-batches and the training loop.

A student's first weights are their own, so nothing can be compared with the reference's training. But the
same seed gives the same first weights: training at a rate of almost 0 shows them, and from there every step
is determined wherever the order of the examples makes no difference.
"""

from collections.abc import Iterator, Sequence
from itertools import permutations, product

import numpy as np
import pytest

from autograder.checking import Answer, Draw, Reference, Student, agree, check, fail_unless, precise

# minibatches


def examples(draw: Draw, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (n, 3) and labels (n,), each label once, so that it says which example this is."""
    return draw.normal(size=(n, 3)), draw.permutation(n)


def batches(answer: Answer, x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """What ``minibatches`` yields: rows of x, and as many integer labels, for each batch."""
    seen = []
    for item in answer.items(len(x) + 1):
        xb, yb = (part.array() for part in item.unpack("xb", "yb"))
        fail_unless(yb.dtype.kind in "iu", f"The labels should stay integers; they came back as {yb.dtype}.")
        fail_unless(
            yb.ndim == 1 and xb.shape == (len(yb), *x.shape[1:]),
            f"xb should have the shape (n, {x.shape[1]}) and yb (n,); they have {xb.shape} and {yb.shape}.",
        )
        fail_unless(bool(np.all((yb >= 0) & (yb < len(x)))), "There are labels that were never given.")
        seen.append((xb, yb.astype(np.int64)))
    fail_unless(bool(seen), "There was no batch at all.")
    return seen


def order(seen: list[tuple[np.ndarray, np.ndarray]], y: np.ndarray) -> np.ndarray:
    """The examples' numbers in the order in which their labels came."""
    labels = np.concatenate([yb for _, yb in seen])
    fail_unless(np.array_equal(np.sort(labels), np.sort(y)), "Some labels came twice or not at all in one epoch.")
    return np.asarray(np.argsort(y)[labels])


@check("minibatches", weight=3, hint="Draw one order and index x and y with it: `x[chosen], y[chosen]`.")
def test_minibatches_give_every_pair_once(student: Student, draw: Draw) -> None:
    """Every example comes once, with its label, in batches of the size asked; the last may be smaller."""
    for n, batch_size in [(11, 4), (6, 2), (4, 9), (5, 1), (2, 3), (130, 120)]:
        x, y = examples(draw, n)
        x[:2] *= 2e4
        seen = batches(student.minibatches(x, y, batch_size, student.rng(n)), x)
        sizes = [len(yb) for _, yb in seen]
        fail_unless(
            sizes == [min(batch_size, n - start) for start in range(0, n, batch_size)],
            f"{n} examples in batches of {batch_size} came as batches of {', '.join(map(str, sizes))}.",
        )
        rows = np.concatenate([xb for xb, _ in seen])
        fail_unless(np.array_equal(rows, x[order(seen, y)]), "Inputs and labels came apart: rows have other labels.")


@check("minibatches", weight=2, hint="Shuffle the examples before you cut them into batches, not the batches.")
def test_minibatches_shuffle_examples(student: Student, draw: Draw) -> None:
    """The examples are shuffled, not only the batches."""
    n, batch_size = 24, 4
    x, y = examples(draw, n)
    seen = order(batches(student.minibatches(x, y, batch_size, student.rng(2)), x), y)
    fail_unless(not np.array_equal(seen, np.arange(n)), "The examples came in the order of the rows.")
    apart = np.diff(seen) % n
    fail_unless(
        np.mean((apart == 1) | (apart == n - 1)) < 0.5,
        "Most neighbours among the examples stayed neighbours.",
    )
    members = [set(seen[start : start + batch_size].tolist()) for start in range(0, n, batch_size)]
    blocks = [set(range(start, start + batch_size)) for start in range(0, n, batch_size)]
    fail_unless(
        sum(batch in blocks for batch in members) < 3,
        "Each batch holds the same examples as without shuffling.",
    )


@check(
    "minibatches",
    weight=2,
    hint="Take the order from the generator that is passed: `rng.permutation(len(x))`.",
)
def test_minibatches_draw_their_order_from_rng(student: Student, draw: Draw) -> None:
    """The order comes from rng: the same state, the same order; the next epoch and another seed, another."""
    x, y = examples(draw, 20)

    def epoch(rng: Answer) -> np.ndarray:
        return order(batches(student.minibatches(x, y, 6, rng), x), y)

    rng = student.rng(5)
    first, second, again, other = epoch(rng), epoch(rng), epoch(student.rng(5)), epoch(student.rng(6))
    fail_unless(np.array_equal(first, again), "Two generators in the same state gave different orders.")
    fail_unless(not np.array_equal(first, second), "A second epoch with the same generator came in the same order.")
    fail_unless(not np.array_equal(first, other), "Generators with different seeds gave the same order.")


@check("minibatches")
def test_minibatches_leave_their_inputs_alone(student: Student, draw: Draw) -> None:
    """Shuffled batches hold the right examples, float32 ones too, and x and y are unchanged."""
    x, y = examples(draw, 9)
    x[0, 0], x[1] = 0.0, 2e4 * x[1]
    x = x.astype(np.float32)
    answer = student.minibatches(x, y, 4, student.rng(1))
    seen = batches(answer, x)
    answer.unchanged()
    rows, numbers = np.concatenate([xb for xb, _ in seen]), order(seen, y)
    fail_unless(np.array_equal(rows, x[numbers]), "Inputs and labels came apart: rows have other labels.")
    fail_unless(not np.array_equal(numbers, np.arange(9)), "The examples came in the order of the rows.")


# train

KEYS = ("W1", "b1", "W2", "b2")
OPTIMIZERS = ("sgd", "momentum", "rmsprop", "adam")
ALMOST_0 = 1e-300
"""A learning rate that moves nothing, so that what comes back are the first weights."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """No warnings from the reference where a student's parameters overflow it."""
    with np.errstate(all="ignore"):
        yield


Params = dict[str, np.ndarray]
Batch = tuple[np.ndarray, np.ndarray]


def results(answer: Answer, d: int, h: int, c: int) -> tuple[Params, Answer]:
    """The trained parameters, with the keys, shapes and precision that they should have, and the history."""
    params, history = answer.unpack("params", "history")
    shapes = {"W1": (d, h), "b1": (h,), "W2": (h, c), "b2": (c,)}
    entries = params.entries(*KEYS)
    arrays = {key: precise(entries[key]).array(shapes[key]).astype(np.float64) for key in KEYS}
    for key, array in arrays.items():
        fail_unless(bool(np.all(np.isfinite(array))), f"params['{key}'] has NaN or infinite entries.")
        fail_unless(bool(np.all(np.abs(array) <= 100)), f"params['{key}'] has entries beyond ±100.")
    return arrays, history


def losses(history: Answer, epochs: int) -> np.ndarray:
    """The history as numbers, one for each epoch."""
    entries = [precise(entry.named(f"`history[{i}]`")).scalar() for i, entry in enumerate(history.items(epochs + 1))]
    fail_unless(
        len(entries) == epochs,
        f"history should have one entry for each of {epochs} epochs; it has {len(entries)}.",
    )
    return np.array(entries)


def steps(
    reference: Reference,
    params: Params,
    path: Sequence[Batch],
    optimizer: str,
    lr: float,
    on_the_way: list[Params] | None = None,
) -> tuple[Params, list[float]]:
    """The parameters after a step of the optimiser for each batch, and each batch's loss before its step.

    ``on_the_way`` gets the parameters before each step.
    """
    states = {"sgd": 0, "momentum": 1, "rmsprop": 1, "adam": 2}[optimizer]
    memory: dict[str, Sequence[np.ndarray]] = {key: [np.zeros_like(params[key])] * states for key in KEYS}
    seen, now = [], dict(params)
    for t, (xb, yb) in enumerate(path, start=1):
        if on_the_way is not None:
            on_the_way.append(dict(now))
        loss, grads = reference.mlp_loss_and_grads(now, xb, yb)
        seen.append(loss)
        for key in KEYS:
            count = (t,) if optimizer == "adam" else ()
            step = getattr(reference, f"{optimizer}_step")
            result = step(now[key], grads[key], *memory[key], *count, lr)
            now[key], *memory[key] = result if isinstance(result, tuple) else (result,)
    return now, seen


def same(actual: Params, desired: Params, when: str) -> None:
    """Compare parameters, to float32's accuracy: what the loop does wrong shows in the first digits."""
    for key in KEYS:
        agree(actual[key], desired[key], what=f"params['{key}'] {when}", noise=1e-8, single=True)


def alike(actual: Params, desired: Params) -> bool:
    """Whether parameters are the same but for round-off."""
    return all(np.allclose(actual[key], desired[key], rtol=1e-4, atol=1e-6) for key in KEYS)


def not_earlier(end: Params, on_the_way: Sequence[Params]) -> None:
    """Say so where parameters that are wrong are right for an earlier step than the last."""
    for done, params in enumerate(on_the_way):
        # What a step hardly moved is no earlier one.
        if done and alike(end, params) and not alike(params, on_the_way[done - 1]):
            fail_unless(
                False,
                f"What came back are the parameters after {done} of {len(on_the_way)} steps: take all of "
                "them, and return what the last one gives, not the best on the way.",
                says_all=True,
            )


def not_with_replacement(student: Student, reference: Reference) -> None:
    """Say so where an epoch does not take each example once; looked for where the parameters came out wrong."""
    x, y, lr = np.array([[1.0, -0.5], [-0.3, 0.8], [0.4, 1.1]]), np.array([2, 0, 1]), 0.5
    settings = {"epochs": 1, "batch_size": 1, "optimizer": "sgd"}
    found = []
    for seed in (51, 52, 53, 54):
        start, _ = results(student.train(x, y, 6, 3, lr=ALMOST_0, seed=seed, **settings), 2, 6, 3)
        end, _ = results(student.train(x, y, 6, 3, lr=lr, seed=seed, **settings), 2, 6, 3)
        found.append(
            [
                order
                for order in product(range(3), repeat=3)
                if alike(end, steps(reference, start, [(x[i : i + 1], y[i : i + 1]) for i in order], "sgd", lr)[0])
            ]
        )
    if all(found) and any(all(len(set(order)) < 3 for order in orders) for orders in found):
        fail_unless(
            False,
            "In one epoch some examples came more than once and others not at all: draw one order of all examples for "
            "an epoch, and cut it into batches.",
            says_all=True,
        )


def rings(draw: Draw, n: int) -> Batch:
    """Three classes that no straight lines part: a disc, and the two halves of a ring around it."""
    y = draw.permutation(np.arange(n) % 3)
    radius = np.where(y == 0, draw.uniform(0.0, 0.5, n), draw.uniform(1.2, 1.8, n))
    angle = draw.uniform(0.15, np.pi - 0.15, n) * np.where(y == 2, -1.0, 1.0)
    angle = np.where(y == 0, 2.0 * angle, angle)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), y


@check(
    "train",
    weight=3,
    hint="Start from small random weights, shuffle in each epoch, and step after each batch.",
)
def test_train_learns_at_its_defaults(student: Student, reference: Reference, draw: Draw) -> None:
    """With its defaults, train learns a problem that needs the hidden layer, and history shows it."""
    x, y = rings(draw, 190)
    params, history = results(student.train(x, y, 24, 3), 2, 24, 3)
    hidden, _ = reference.relu_forward(reference.linear_forward(x, params["W1"], params["b1"])[0])
    logits, _ = reference.linear_forward(hidden, params["W2"], params["b2"])
    right = np.mean(np.argmax(logits, axis=1) == y)
    fail_unless(right > 0.97, "After 50 epochs the network is still wrong on too many of its own training examples.")
    seen = losses(history, 50)
    fail_unless(bool(seen[-1] < 0.15 * seen[0]), "The last epoch's loss in history is not well below the first one's.")


@check("train", hint='The defaults are epochs=50, batch_size=32, lr=1e-2, optimizer="adam" and seed=0.')
def test_train_has_the_defaults_asked_for(student: Student, reference: Reference, draw: Draw) -> None:
    """Leaving the settings out is the same as giving their default values."""
    x, y = rings(draw, 36)
    settings = {"epochs": 50, "batch_size": 32, "lr": 1e-2, "optimizer": "adam", "seed": 0}
    params, history = results(student.train(x, y, 14, 3), 2, 14, 3)
    explicit, _ = results(student.train(x, y, 14, 3, **settings), 2, 14, 3)
    same(params, explicit, "without settings")
    seen = losses(history, 50)
    end, _ = reference.mlp_loss_and_grads(params, x, y)
    fail_unless(bool(seen[-1] < 0.9 * seen[0]) and end < 0.9 * seen[0], "With its defaults, train did not learn.")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@check(
    "train",
    hint="One memory for each parameter, zeros at the start, kept over all epochs; the step's own defaults.",
)
def test_train_uses_the_optimizer(student: Student, reference: Reference, draw: Draw, optimizer: str) -> None:
    """With optimizer="{optimizer}" the parameters take this optimiser's steps, at the rate given."""
    x, y = rings(draw, 40)
    lr = {"sgd": 0.4, "momentum": 0.1, "rmsprop": 0.03, "adam": 0.05}[optimizer]
    settings = {"epochs": 4, "batch_size": 64, "seed": 3}
    start, _ = results(student.train(x, y, 6, 4, lr=ALMOST_0, optimizer="sgd", **settings), 2, 6, 4)
    end, _ = results(student.train(x, y, 6, 4, lr=lr, optimizer=optimizer, **settings), 2, 6, 4)
    on_the_way: list[Params] = []
    desired, _ = steps(reference, start, [(x, y)] * 4, optimizer, lr, on_the_way)
    try:
        same(end, desired, f"after 4 epochs of {optimizer}")
    except AssertionError:
        not_earlier(end, on_the_way)
        not_with_replacement(student, reference)
        raise
    if optimizer == "sgd":
        # Inputs of thousands, at a rate at which the weights stay what they are in size.
        far, slow = 4e3 * x, 1e-5
        end, _ = results(student.train(far, y, 6, 4, lr=slow, optimizer=optimizer, **settings), 2, 6, 4)
        desired, _ = steps(reference, start, [(far, y)] * 4, optimizer, slow)
        same(end, desired, "after 4 epochs of sgd with large inputs")


def copies(draw: Draw) -> tuple[Batch, list[Batch]]:
    """Seven copies of one example, and its batches of an epoch in threes: their order makes no difference."""
    x, y = np.repeat(draw.normal(size=(1, 3)), 7, axis=0), np.full(7, 2)
    return (x, y), [(x[:3], y[:3]), (x[:3], y[:3]), (x[:1], y[:1])]


@check(
    "train",
    weight=2,
    hint="One step for each batch, the smaller last one too; Adam's t counts steps from 1, not epochs.",
)
def test_train_steps_once_for_each_batch(student: Student, reference: Reference, draw: Draw) -> None:
    """Each batch, the smaller last one too, gives one step; Adam's t counts steps."""
    (x, y), path = copies(draw)
    settings = {"epochs": 2, "batch_size": 3, "optimizer": "adam", "seed": 11}
    start, _ = results(student.train(x, y, 5, 4, lr=ALMOST_0, **settings), 3, 5, 4)
    end, _ = results(student.train(x, y, 5, 4, lr=0.03, **settings), 3, 5, 4)
    on_the_way: list[Params] = []
    desired, _ = steps(reference, start, path * 2, "adam", 0.03, on_the_way)
    try:
        same(end, desired, "after 2 epochs of 3 batches")
    except AssertionError:
        not_earlier(end, on_the_way)
        raise
    # More of everything than is usual, one thing at a time; and a class whose number is the largest need not occur.
    many = np.repeat(x[:1], 130, axis=0), np.zeros(130, dtype=np.int64)
    few = many[0][:3], many[1][:3]
    for (inputs, labels), batches_, h, c, epochs, size in [
        (many, [many], 3, 2, 1, 130),
        (few, [few], 110, 2, 1, 3),
        (few, [few], 2, 105, 1, 3),
        (few, [few], 2, 3, 101, 3),
    ]:
        settings = {"epochs": epochs, "batch_size": size, "optimizer": "sgd", "seed": 4}
        start, _ = results(student.train(inputs, labels, h, c, lr=ALMOST_0, **settings), 3, h, c)
        end, _ = results(student.train(inputs, labels, h, c, lr=0.05, **settings), 3, h, c)
        desired, _ = steps(reference, start, batches_ * epochs, "sgd", 0.05)
        same(end, desired, f"after {epochs} epochs of {len(labels)} examples in batches of {size}")


@check(
    "train",
    weight=2,
    hint="history gets one number an epoch: the mean loss over its examples, or over its batches.",
)
def test_train_history_is_the_mean_loss_of_each_epoch(student: Student, reference: Reference, draw: Draw) -> None:
    """An entry of history is the mean of the training loss over its epoch."""
    (x, y), path = copies(draw)
    settings = {"epochs": 3, "batch_size": 3, "optimizer": "sgd", "seed": 12}
    start, _ = results(student.train(x, y, 5, 4, lr=ALMOST_0, **settings), 3, 5, 4)
    _, history = results(student.train(x, y, 5, 4, lr=0.05, **settings), 3, 5, 4)
    seen = losses(history, 3)
    _, each = steps(reference, start, [*(path * 3), path[0]], "sgd", 0.05)
    epochs = np.array(each[:-1]).reshape(3, 3)
    over_examples, over_batches = epochs @ np.array([3.0, 3.0, 1.0]) / 7.0, epochs.mean(axis=1)
    at_the_end = np.array(each[3::3])
    if not any(np.allclose(seen, wanted, rtol=1e-4, atol=0.0) for wanted in (over_batches, at_the_end)):
        agree(seen, over_examples, what="history", single=True)


@check("train", hint="Call minibatches in every epoch, with the generator that the seed made.")
def test_train_shuffles(student: Student, reference: Reference, draw: Draw) -> None:
    """The examples come in a random order, not in the order of the rows."""
    n, c = 11, 14
    x, classes = np.zeros((n, 2)), draw.permutation(c)
    y, absent = classes[:n], classes[n:]
    for seed in (1, 2):
        settings = {"epochs": 1, "batch_size": 1, "optimizer": "sgd", "seed": seed}
        start, _ = results(student.train(x, y, 5, c, lr=ALMOST_0, **settings), 2, 5, c)
        end, _ = results(student.train(x, y, 5, c, lr=0.5, **settings), 2, 5, c)
        fail_unless(
            bool(np.all(end["b2"][absent] < start["b2"][absent])),
            "One epoch should lower the bias of each class that does not occur.",
        )
        in_rows, _ = steps(reference, start, [(x[i : i + 1], y[i : i + 1]) for i in range(n)], "sgd", 0.5)
        fail_unless(
            not np.allclose(end["b2"], in_rows["b2"], rtol=1e-3, atol=1e-3),
            "The examples were used in the order in which they came.",
        )


@check("train", hint="Call minibatches inside the loop over the epochs, always with the same generator.")
def test_train_shuffles_anew_in_every_epoch(student: Student, reference: Reference, draw: Draw) -> None:
    """Each epoch has an order of its own, not that of the epoch before or of the rows."""
    x, y, lr = draw.normal(size=(3, 2)), draw.permutation(3), 0.5
    orders = list(permutations(range(3)))

    def epoch(params: Params, order: Sequence[int]) -> Params:
        return steps(reference, params, [(x[i : i + 1], y[i : i + 1]) for i in order], "sgd", lr)[0]

    # A new order is by chance one of the two that are looked for in 11 of 36 trainings: in all of 16 hardly ever.
    for seed in range(31, 47):
        settings = {"epochs": 2, "batch_size": 1, "optimizer": "sgd", "seed": seed}
        start, _ = results(student.train(x, y, 12, 3, lr=ALMOST_0, **settings), 2, 12, 3)
        end, _ = results(student.train(x, y, 12, 3, lr=lr, **settings), 2, 12, 3)
        between = {first: epoch(start, first) for first in orders}
        ways = [
            second not in (first, orders[0])
            for first, second in product(orders, repeat=2)
            if alike(end, epoch(between[first], second))
        ]
        if not ways:
            fail_unless(
                not any(alike(end, params) for params in between.values()),
                "What came back are the parameters after 1 of 2 epochs: go through all of them, and return what the "
                "last one gives, not the best on the way.",
                says_all=True,
            )
            not_with_replacement(student, reference)
        fail_unless(bool(ways), "Two epochs of three examples, one at a time, did not end where six such steps lead.")
        if all(ways):
            return
    fail_unless(False, "The second epoch always came in the order of the first one, or in that of the rows.")


@check(
    "train",
    weight=2,
    hint="One np.random.default_rng(seed) for the first weights and for the order of the examples.",
)
def test_train_depends_on_its_seed_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """The same seed gives the same parameters and history, another seed gives others."""
    x, y = rings(draw, 20)
    settings = {"epochs": 8, "batch_size": 6, "lr": 0.05}
    first, history = results(student.train(x, y, 12, 3, seed=107, **settings), 2, 12, 3)
    other, _ = results(student.train(x, y, 12, 3, seed=208, **settings), 2, 12, 3)
    again, same_history = results(student.train(x, y, 12, 3, seed=107, **settings), 2, 12, 3)
    same(again, first, "when trained again with the same seed")
    seen = losses(history, 8)
    agree(losses(same_history, 8), seen, what="history when trained again", single=True)
    fail_unless(
        any(not np.allclose(first[key], other[key], rtol=1e-3, atol=1e-3) for key in KEYS),
        "Two different seeds gave the same parameters.",
    )
    start, _ = results(student.train(x, y, 12, 3, seed=107, **{**settings, "lr": ALMOST_0}), 2, 12, 3)
    before, _ = reference.mlp_loss_and_grads(start, x, y)
    after, _ = reference.mlp_loss_and_grads(first, x, y)
    fail_unless(after < 0.95 * before, "After 8 epochs the loss is not well below that of the first weights.")


@check("train")
def test_train_leaves_its_inputs_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """Training works, for float32 inputs too, and leaves x and y unchanged."""
    x, y = rings(draw, 10)
    x = x.astype(np.float32)
    settings = {"epochs": 20, "batch_size": 4, "optimizer": "adam", "seed": 5}
    start, _ = results(student.train(x, y, 12, 3, lr=ALMOST_0, **settings), 2, 12, 3)
    end, _ = results(student.train(x, y, 12, 3, lr=0.03, **settings).unchanged(), 2, 12, 3)
    before, _ = reference.mlp_loss_and_grads(start, x, y)
    after, _ = reference.mlp_loss_and_grads(end, x, y)
    fail_unless(after < 0.95 * before, "Training did not make the loss much smaller.")
    x[0, 0], x[1] = 0.0, 200.0 * x[1]
    settings = {"epochs": 1, "batch_size": 16, "optimizer": "sgd", "seed": 6}
    start, _ = results(student.train(x, y, 12, 3, lr=ALMOST_0, **settings), 2, 12, 3)
    end, _ = results(student.train(x, y, 12, 3, lr=1e-4, **settings), 2, 12, 3)
    desired, _ = steps(reference, start, [(x, y)], "sgd", 1e-4)
    same(end, desired, "after a step with large float32 inputs")
