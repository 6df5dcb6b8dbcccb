"""Layers in a row, and the loop that trains them.

Weights, masks and the order of the examples are all given, so every number is determined and is compared with the
reference's. Networks are made of the layers of earlier rows; where one of these is wrong, a correct one stands in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograder.checking import Answer, Draw, Reference, Student, agree, check, equals, fail_unless

LARGE = 2e4

Make = Callable[[Any], Any]
"""Makes a network or an optimiser of the student's, or of the reference's."""


def rng_of(names: Any, seed: int) -> Any:
    """A generator where the layers are: inside for the student's."""
    return names.rng(seed) if isinstance(names, Student) else np.random.default_rng(seed)


def perceptron(draw: Draw, d: int, m: int, c: int) -> Make:
    """Linear, ReLU, batch normalisation, linear: from d features to c."""
    W1, b1, beta, W2, b2 = (draw.normal(size=size) for size in [(d, m), m, m, (m, c), c])
    gamma = draw.uniform(0.5, 2.0, size=m)

    def make(names: Any) -> Any:
        return names.Sequential(
            [names.Linear(W1, b1), names.ReLU(), names.BatchNorm(gamma, beta), names.Linear(W2, b2)]
        )

    return make


def with_dropout(draw: Draw, d: int, m: int, c: int, seed: int) -> Make:
    """Linear, batch normalisation, ReLU, dropout, linear: both of the layers that have modes."""
    W1, b1, beta, W2, b2 = (draw.normal(size=size) for size in [(d, m), m, m, (m, c), c])
    gamma = draw.uniform(0.5, 2.0, size=m)

    def make(names: Any) -> Any:
        return names.Sequential(
            [
                names.Linear(W1, b1),
                names.BatchNorm(gamma, beta, momentum=0.3),
                names.ReLU(),
                names.Dropout(0.4, rng_of(names, seed)),
                names.Linear(W2, b2),
            ]
        )

    return make


def listed(answer: Answer, wanted: Sequence[np.ndarray], name: str) -> list[Answer]:
    """The arrays of a list that should have as many as the right one."""
    items = answer.items(2 * len(wanted) + 20)
    fail_unless(len(items) == len(wanted), f"{name} should have {len(wanted)} arrays; it has {len(items)}.")
    return items


def agree_on_lists(answer: Answer, wanted: Sequence[np.ndarray], name: str, *, noise: float = 1e-12) -> None:
    """Compare a list of arrays, such as all parameters of a network."""
    for place, (item, array) in enumerate(zip(listed(answer, wanted, name), wanted, strict=True)):
        agree(item, array, what=f"{name}[{place}]", noise=noise)


# sequential


@check("sequential", weight=2, hint="Each layer gets what the one before it gave; the first gets x.")
def test_sequential_outputs(student: Student, reference: Reference, draw: Draw) -> None:
    """The inputs go through all layers in order."""
    for make in (perceptron(draw, 3, 5, 2), with_dropout(draw, 2, 4, 3, 7)):
        ours, theirs = make(student), make(reference)
        d = theirs.params()[0].shape[0]
        for n in (6, 4):
            x = draw.normal(size=(n, d))
            agree(ours.forward(x), theirs.forward(x), what="the outputs", noise=1e-12)


@check("sequential", weight=2, hint="Through the layers in reverse: each gets what the one behind it gave back.")
def test_sequential_gradients(student: Student, reference: Reference, draw: Draw) -> None:
    """The gradient goes back through all layers, and each sets its own."""
    for make in (perceptron(draw, 3, 5, 2), with_dropout(draw, 2, 4, 3, 8)):
        ours, theirs = make(student), make(reference)
        d, c = theirs.params()[0].shape[0], theirs.params()[-1].shape[0]
        for _ in range(2):
            x, dout = draw.normal(size=(6, d)), draw.normal(size=(6, c))
            for layer in (ours, theirs):
                layer.forward(x)
            agree(ours.backward(dout), theirs.backward(dout), what="dx", noise=1e-12)
            agree_on_lists(ours.grads(), theirs.grads(), "grads()")


@check("sequential", weight=2, hint="The lists of all layers one behind the other: flat, in order, gradients alike.")
def test_sequential_lists_its_parameters(student: Student, reference: Reference, draw: Draw) -> None:
    """The parameters of all layers are listed in order, and so are their gradients."""
    make = perceptron(draw, 4, 2, 3)
    ours, theirs = make(student), make(reference)
    agree_on_lists(ours.params(), theirs.params(), "params()")
    x, dout = draw.normal(size=(5, 4)), draw.normal(size=(5, 3))
    for layer in (ours, theirs):
        layer.forward(x)
        layer.backward(dout)
    agree_on_lists(ours.grads(), theirs.grads(), "grads()")
    agree_on_lists(ours.params(), theirs.params(), "params()")


@check(
    "sequential",
    weight=2,
    hint="Each layer takes as many of the values as it has parameters: from where the last one stopped.",
)
def test_sequential_takes_new_parameters(student: Student, reference: Reference, draw: Draw) -> None:
    """New parameters are handed to the layers, and count from then on."""
    make = perceptron(draw, 3, 5, 2)
    ours, theirs = make(student), make(reference)
    x, dout = draw.normal(size=(6, 3)), draw.normal(size=(6, 2))
    for _ in range(2):
        new = [draw.normal(size=param.shape) for param in theirs.params()]
        for layer in (ours, theirs):
            layer.set_params(new)
        agree_on_lists(ours.params(), new, "params()")
        agree(ours.forward(x), theirs.forward(x), what="the outputs after set_params", noise=1e-12)
        agree(ours.backward(dout), theirs.backward(dout), what="dx after set_params", noise=1e-12)


@check("sequential", weight=2, hint="train() and eval() call those of every layer, and set `self.training`.")
def test_sequential_switches_the_mode_of_its_layers(student: Student, reference: Reference, draw: Draw) -> None:
    """All layers are switched to the mode for use, and back."""
    W, b, gamma, beta, x = (draw.normal(size=size) for size in [(3, 2), 2, 2, 2, (5, 3)])

    def at_both_ends(names: Any) -> Any:
        return names.Sequential(
            [names.Dropout(0.3, rng_of(names, 13)), names.Linear(W, b), names.BatchNorm(gamma, beta)]
        )

    for make in (with_dropout(draw, 3, 6, 2, 9), at_both_ends):
        ours, theirs = make(student), make(reference)
        for mode in ("train", "eval", "eval", "train", "eval"):
            for layer in (ours, theirs):
                getattr(layer, mode)()
            agree(ours.forward(x), theirs.forward(x), what=f"the outputs after {mode}()", noise=1e-12)
            equals(ours.attribute("training"), mode == "train")


@check("sequential", weight=2, hint="A Sequential has the methods of a layer, so use nothing of a layer but these.")
def test_sequential_is_a_layer_itself(student: Student, reference: Reference, draw: Draw) -> None:
    """A network within a network works: outputs, gradients, parameters and modes."""
    inner, last = with_dropout(draw, 3, 4, 5, 10), [draw.normal(size=size) for size in [(5, 2), 2]]
    x, dout = draw.normal(size=(6, 3)), draw.normal(size=(6, 2))
    models = [names.Sequential([inner(names), names.ReLU(), names.Linear(*last)]) for names in (student, reference)]
    ours, theirs = models
    agree(ours.forward(x), theirs.forward(x), what="the outputs", noise=1e-12)
    agree(ours.backward(dout), theirs.backward(dout), what="dx", noise=1e-12)
    agree_on_lists(ours.grads(), theirs.grads(), "grads()")
    new = [draw.normal(size=param.shape) for param in theirs.params()]
    for model in models:
        model.set_params(new)
        model.eval()
    agree(ours.forward(x), theirs.forward(x), what="the outputs after eval()", noise=1e-12)
    agree_on_lists(ours.params(), theirs.params(), "params()")


@check("sequential", weight=2, hint="Layers may work on arrays of any shape, and there may be one layer only, or none.")
def test_sequential_of_pictures_and_of_few_layers(student: Student, reference: Reference, draw: Draw) -> None:
    """A network for pictures, one of a single layer, and one of none; nothing that is given changes."""
    W, b, filters, biases = (draw.normal(size=size) for size in [(36, 5), 5, (4, 2, 3, 2), 4])

    def pictures(names: Any) -> Any:
        conv = names.Conv2D(filters, biases, stride=2, padding=1)
        return names.Sequential([conv, names.ReLU(), names.Flatten(), names.Linear(W, b)])

    def single(names: Any) -> Any:
        return names.Sequential([names.Linear(W, b)])

    def none(names: Any) -> Any:
        return names.Sequential([])

    cases: list[tuple[Make, tuple[int, ...], tuple[int, ...]]] = [
        (pictures, (3, 2, 5, 4), (3, 5)),
        (single, (1, 36), (1, 5)),
        (none, (2, 3), (2, 3)),
    ]
    for make, size, out in cases:
        ours, theirs = make(student), make(reference)
        x, dout = draw.normal(size=size).astype(np.float32), draw.normal(size=out).astype(np.float32)
        x.flat[0] = dout.flat[0] = 0.0
        for scale in (np.float32(1.0), np.float32(LARGE)):
            agree(ours.forward(scale * x).unchanged(), theirs.forward(scale * x), what="the outputs", single=True)
            dx = ours.backward(scale * dout).unchanged()
            agree(dx, theirs.backward(scale * dout), what="dx", single=True)
        x, dout = LARGE * draw.normal(size=size), LARGE * draw.normal(size=out)
        agree(ours.forward(x).unchanged(), theirs.forward(x), what="the outputs")
        agree(ours.backward(dout).unchanged(), theirs.backward(dout), what="dx")
        agree_on_lists(ours.grads(), theirs.grads(), "grads()")
        agree_on_lists(ours.params(), theirs.params(), "params()")


# fit


def labelled(draw: Draw, n: int, d: int, c: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (n, d) and labels (n,) of c classes, of which the last need not occur."""
    return draw.normal(size=(n, d)), draw.integers(c, size=n)


@check(
    "fit", weight=2, hint="Forward, loss, backward, then set_params(step(params, grads)); the loss is the one before."
)
def test_train_step_moves_the_parameters(student: Student, reference: Reference, draw: Draw) -> None:
    """Three steps give the losses before each update, and the parameters after it."""
    optimizers: list[Make] = [lambda names: names.Momentum(0.2), lambda names: names.Adam(lr=0.05)]
    for optimizer in optimizers:
        make = perceptron(draw, 3, 5, 4)
        (ours, mine), (theirs, right) = [(make(names), optimizer(names)) for names in (student, reference)]
        for number in range(1, 4):
            x, labels = labelled(draw, 6, 3, 4)
            loss = student.train_step(ours, mine, x, labels).unchanged()
            agree(loss, reference.train_step(theirs, right, x, labels), what=f"the loss of step {number}", noise=1e-10)
            agree_on_lists(ours.params(), theirs.params(), "params()", noise=1e-9)


@check("fit", weight=2, hint="model.train() comes first in train_step; model.eval() comes last in fit.")
def test_the_mode_is_switched_for_learning_and_back(student: Student, reference: Reference, draw: Draw) -> None:
    """A step learns in the mode for learning whatever the mode was, and fit leaves the one for use."""
    make, (x, labels) = with_dropout(draw, 3, 6, 4, 11), labelled(draw, 7, 3, 4)
    (ours, mine), (theirs, right) = [(make(names), names.Momentum(0.1)) for names in (student, reference)]
    for model in (ours, theirs):
        model.eval()
    for _ in range(2):
        loss = student.train_step(ours, mine, x, labels)
        agree(loss, reference.train_step(theirs, right, x, labels), what="the loss", noise=1e-10)
        equals(ours.attribute("training"), True)
        for model in (ours, theirs):
            model.eval()
    history = student.fit(ours, mine, x, labels, 2, 3, student.rng(1))
    wanted = reference.fit(theirs, right, x, labels, 2, 3, np.random.default_rng(1))
    agree_on_lists(history, [np.asarray(each) for each in wanted], "history", noise=1e-10)
    equals(ours.attribute("training"), False)
    agree(ours.forward(x), theirs.forward(x), what="the outputs after fit", noise=1e-9)


@check(
    "fit",
    weight=3,
    hint="order = rng.permutation(len(x)), then slices of it: x[chosen], labels[chosen], the last one smaller.",
)
def test_fit_goes_through_the_data_in_the_drawn_order(student: Student, reference: Reference, draw: Draw) -> None:
    """Each epoch draws one order, and every example counts once, in its batch."""
    for n, epochs, size in [(7, 3, 3), (6, 2, 2), (5, 2, 1), (4, 2, 9), (130, 1, 120)]:
        make, (x, labels) = perceptron(draw, 2, 5, 3), labelled(draw, n, 2, 3)
        (ours, mine), (theirs, right) = [(make(names), names.Momentum(0.05)) for names in (student, reference)]
        rng, own = student.rng(n), np.random.default_rng(n)
        history = student.fit(ours, mine, x, labels, epochs, size, rng).unchanged()
        wanted = reference.fit(theirs, right, x, labels, epochs, size, own)
        if n % size == 0 or size > n:
            agree_on_lists(history, [np.asarray(each) for each in wanted], "history", noise=1e-9)
        agree_on_lists(ours.params(), theirs.params(), "params() after fit", noise=1e-9)
        agree(rng.random(4), own.random(4), what="what the generator draws after fit")


@check("fit", weight=3, hint="The sum of loss·(examples in the batch) over the batches of an epoch, divided by N.")
def test_fit_gives_the_mean_loss_of_each_epoch(student: Student, reference: Reference, draw: Draw) -> None:
    """The history has the mean over the examples of each epoch's losses, as they were before the updates."""
    for n, epochs, size in [(7, 3, 3), (5, 1, 4), (3, 0, 2), (4, 2, 9), (8, 12, 5)]:
        make, (x, labels) = perceptron(draw, 3, 4, 2), labelled(draw, n, 3, 2)
        (ours, mine), (theirs, right) = [(make(names), names.Adam(lr=0.02)) for names in (student, reference)]
        history = student.fit(ours, mine, x, labels, epochs, size, student.rng(3))
        wanted = reference.fit(theirs, right, x, labels, epochs, size, np.random.default_rng(3))
        agree_on_lists(history, [np.asarray(each) for each in wanted], "history", noise=1e-9)
        if epochs:
            # A history may be right without any learning, and must not be.
            agree_on_lists(ours.params(), theirs.params(), "params() after fit", noise=1e-8)


@check("fit", weight=1, hint="fit takes the optimiser and the network as they are, and goes on with them.")
def test_fit_goes_on_where_it_was(student: Student, reference: Reference, draw: Draw) -> None:
    """A second call goes on with the same parameters and the same memory, for float32 inputs too."""
    make, (x, labels) = with_dropout(draw, 3, 4, 2, 12), labelled(draw, 9, 3, 2)
    (ours, mine), (theirs, right) = [(make(names), names.Adam(lr=0.01)) for names in (student, reference)]
    for dtype in (np.float64, np.float64, np.float32):
        inputs, single = x.astype(dtype), dtype is np.float32
        history = student.fit(ours, mine, inputs, labels, 2, 4, student.rng(5))
        wanted = reference.fit(theirs, right, inputs, labels, 2, 4, np.random.default_rng(5))
        for item, value in zip(listed(history, [np.asarray(each) for each in wanted], "history"), wanted, strict=True):
            agree(item, value, what="history", noise=1e-9, single=single)


@check("fit", weight=2, hint="Nothing depends on the size of the inputs, on their dtype, or on the number of epochs.")
def test_fit_with_large_and_float32_inputs(student: Student, reference: Reference, draw: Draw) -> None:
    """Large inputs, float32 with zeros in it, and a hundred epochs work."""
    W, b = draw.normal(size=(3, 4)), draw.normal(size=4)

    def make(names: Any) -> Any:
        return names.Sequential([names.Linear(W, b)])

    x, labels = labelled(draw, 5, 3, 4)
    x[0, 0] = 0.0
    for inputs in (LARGE * x, x.astype(np.float32), (LARGE * x).astype(np.float32)):
        (ours, mine), (theirs, right) = [(make(names), names.Momentum(0.01)) for names in (student, reference)]
        single = inputs.dtype == np.float32
        loss = student.train_step(ours, mine, inputs, labels).unchanged()
        agree(loss, reference.train_step(theirs, right, inputs, labels), what="the loss", single=single)
        history = student.fit(ours, mine, inputs, labels, 2, 3, student.rng(2)).unchanged()
        wanted = reference.fit(theirs, right, inputs, labels, 2, 3, np.random.default_rng(2))
        for item, value in zip(listed(history, [np.asarray(each) for each in wanted], "history"), wanted, strict=True):
            agree(item, value, what="history", noise=1e-9, single=single)
    many = student.fit(ours, mine, x, labels, 102, 5, student.rng(2)).items(200)
    fail_unless(len(many) == 102, f"history of 102 epochs should have 102 numbers; it has {len(many)}.")
