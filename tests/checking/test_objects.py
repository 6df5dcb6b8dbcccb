"""Checks of one's own on classes, variables, exceptions, and with functions of the check's own as arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograder.base import Stopped, Wrong
from autograder.checking import Loopback, Student, equals, raises

NOTEBOOK = """
import numpy as np

answer = 42
table = {"a": [1, 2]}

class Linear:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.cache = x
        return x @ self.W + self.b

    def backward(self, dout):
        return dout @ self.W.T, self.cache.T @ dout, dout.sum(axis=0)

    def parameters(self):
        return [self.W, self.b]

    def items(self):
        return 2

class Momentum:
    def __init__(self, rate):
        self.rate, self.velocity = rate, {}

    def step(self, parameters, gradients):
        for name in parameters:
            self.velocity[name] = 0.9 * self.velocity.get(name, 0) - self.rate * gradients[name]
            parameters[name] = parameters[name] + self.velocity[name]
        return parameters

def dropout(x, p, rng):
    return x * (rng.random(x.shape) > p) / (1 - p)

def newton(f, df, x, steps=20):
    for _ in range(steps):
        x = x - f(x) / df(x)
    return x

def root(x):
    if x < 0:
        raise ValueError("x is negative")
    return x ** 0.5

def twice(f, x):
    return f(f(x))

def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)
"""


@pytest.fixture
def student() -> Student:
    names: dict[str, Any] = {}
    exec(NOTEBOOK, names)
    return Student(Loopback(names))


def test_a_layer_keeps_what_its_backward_needs(student: Student):
    W, b, x = np.arange(6.0).reshape(2, 3), np.ones(3), np.array([[1.0, -2.0]])
    layer = student.Linear(W, b)
    assert (layer.forward(x) == x @ W + b).all()
    dx, dW, db = layer.backward(np.ones((1, 3))).unpack("dx", "dW", "db")
    assert (dx == np.ones((1, 3)) @ W.T).all()
    assert (dW == x.T @ np.ones((1, 3))).all()
    assert (db == np.ones(3)).all()


def test_an_optimiser_keeps_its_state_from_step_to_step(student: Student):
    optimiser = student.Momentum(0.1)
    for expected in (-0.1, -0.29):
        moved = optimiser.step({"W": 0.0 if expected == -0.1 else -0.1}, {"W": 1.0})
        assert moved.entries("W")["W"].scalar() == pytest.approx(expected)


def test_an_attribute_of_an_object_is_an_answer(student: Student):
    assert student.Linear(np.eye(2), np.zeros(2)).attribute("W").array((2, 2)).sum() == 2


def test_a_method_that_is_called_as_one_of_an_answers_is_reached_by_its_name(student: Student):
    layer = student.Linear(np.eye(2), np.zeros(2))
    assert [part.array().ndim for part in layer.method("parameters")().unpack("W", "b")] == [2, 1]
    assert layer.method("items")() == 2


def test_an_attribute_that_is_not_there_is_the_students_failure(student: Student):
    with pytest.raises(Stopped, match="AttributeError"):
        student.Linear(np.eye(2), np.zeros(2)).attribute("weights")


def test_dropout_draws_from_the_generator_that_it_is_given(student: Student):
    kept = student.dropout(np.ones(10), 0.5, student.rng(3)).array((10,))
    assert (kept == (np.random.default_rng(3).random(10) > 0.5) * 2).all()


def test_functions_of_the_checks_own_are_asked_outside(student: Student):
    asked: list[float] = []

    def f(x: float) -> float:
        asked.append(x)
        return x * x - 2

    assert student.newton(f, lambda x: 2 * x, 1.0).scalar() == pytest.approx(2**0.5)
    assert len(asked) == 20


def test_a_function_of_the_students_is_an_argument_of_another(student: Student):
    assert student.twice(student.root, 16.0).scalar() == 2


def test_a_variable_is_an_answer(student: Student):
    equals(student.value("answer"), 42)
    equals(student.value("table"), {"a": [1, 2]})


def test_a_variable_that_is_not_there_is_missing(student: Student):
    with pytest.raises(Stopped, match="`nothing` is not defined"):
        student.value("nothing")


def test_an_expected_exception_passes(student: Student):
    raises(ValueError, student.root, -1)
    raises(ValueError, student.root, -1, match="negative")
    raises(RecursionError, student.depth, 10**6)


@pytest.mark.parametrize(
    ("exception", "argument", "match", "said"),
    [
        (ValueError, 4, "", "`root` should raise ValueError here, but it gives a value."),
        (KeyError, -1, "", "`root` should raise KeyError here, but it raises ValueError."),
        (ValueError, -1, "positive", "but its text says something else"),
    ],
)
def test_another_exception_or_none_fails_and_says_so(
    student: Student, exception: type[Exception], argument: float, match: str, said: str
):
    with pytest.raises(Wrong) as verdict:
        raises(exception, student.root, argument, match=match)
    assert said in verdict.value.cause.text
