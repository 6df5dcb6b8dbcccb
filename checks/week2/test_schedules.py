"""Learning-rate schedules."""

from collections.abc import Callable, Iterable

import numpy as np

from autograder.checking import Answer, Draw, Reference, Student, agree, check, precise

LARGE = 2e5
"""What rates are multiplied with that no limit on the way may cut off."""


def rates(schedule: Callable[[int], Answer], times: Iterable[int]) -> np.ndarray:
    """The student's rates at several times, each checked to be a number of float64's precision."""
    return np.array([precise(schedule(time)).scalar() for time in times])


@check("step_decay", weight=2, hint="The exponent is ⌊epoch / every⌋: `epoch // every` rounds down.")
def test_step_decay_in_stairs(student: Student, reference: Reference, draw: Draw) -> None:
    """step_decay is flat within a stair and halves after every 10 epochs unless told otherwise."""
    lr0, epochs = float(draw.uniform(0.1, 0.9)), [0, 1, 9, 10, 19, 20, 47]
    desired = [reference.step_decay(lr0, epoch) for epoch in epochs]
    agree(rates(lambda epoch: student.step_decay(lr0, epoch), epochs), desired, what="the list of rates")


@check("step_decay", weight=2, hint="Use the arguments `factor` and `every`, not 0.5 and 10.")
def test_step_decay_with_other_settings(student: Student, reference: Reference, draw: Draw) -> None:
    """step_decay uses the factor and the length of a stair that it is given."""
    lr0, factor, epochs = float(draw.uniform(0.1, 0.9)), float(draw.uniform(0.15, 0.4)), [0, 2, 3, 5, 6, 13]
    desired = [reference.step_decay(lr0, epoch, factor, 3) for epoch in epochs]
    agree(rates(lambda e: student.step_decay(lr0, e, factor, 3), epochs), desired, what="the list of rates")
    by_name = rates(lambda e: student.step_decay(lr0, e, every=3, factor=factor), epochs)
    agree(by_name, desired, what="the list of rates")
    epochs = [0, 119, 120, 137]
    desired = [reference.step_decay(LARGE * lr0, epoch, factor, 120) for epoch in epochs]
    mine = rates(lambda e: student.step_decay(LARGE * lr0, e, factor, 120), epochs)
    agree(mine, desired, what="the list of rates")


@check("step_decay", weight=3, hint="exponential_decay is lr0·exp(−rate·epoch): mind the sign and the rate.")
def test_exponential_decay(student: Student, reference: Reference, draw: Draw) -> None:
    """exponential_decay falls from lr0 by the same share in every epoch."""
    lr0, epochs = float(draw.uniform(0.1, 0.9)), [0, 1, 2, 7, 20]
    slow, fast = (float(rate) for rate in draw.uniform([0.02, 0.2], [0.1, 0.5]))
    desired = [reference.exponential_decay(lr0, epoch, slow) for epoch in epochs]
    agree(rates(lambda e: student.exponential_decay(lr0, e, slow), epochs), desired, what="the list of rates")
    desired = [reference.exponential_decay(2.0 * lr0, epoch, fast) for epoch in epochs]
    mine = rates(lambda e: student.exponential_decay(2.0 * lr0, e, rate=fast), epochs)
    agree(mine, desired, what="the list of rates")
    desired = [reference.exponential_decay(LARGE * lr0, epoch, 0.02) for epoch in (0, 150)]
    mine = rates(lambda e: student.exponential_decay(LARGE * lr0, e, 0.02), (0, 150))
    agree(mine, desired, what="the list of rates")


@check("step_decay", weight=2, hint="lr_min + (lr0 − lr_min)·(1 + cos(π·step / total_steps)) / 2.")
def test_cosine_decay_on_the_way(student: Student, reference: Reference, draw: Draw) -> None:
    """cosine_decay follows half a cosine from lr0 down to lr_min."""
    lr0, lr_min, steps = float(draw.uniform(0.3, 0.9)), float(draw.uniform(0.01, 0.1)), [0, 1, 3, 6, 8, 11]
    desired = [reference.cosine_decay(lr0, step, 12, lr_min) for step in steps]
    agree(rates(lambda s: student.cosine_decay(lr0, s, 12, lr_min), steps), desired, what="the list of rates")
    by_name = rates(lambda s: student.cosine_decay(lr0, s, total_steps=12, lr_min=lr_min), steps)
    agree(by_name, desired, what="the list of rates")


@check("step_decay", hint="Past total_steps the cosine would rise again: the rate stays at lr_min from there on.")
def test_cosine_decay_at_and_after_the_end(student: Student, reference: Reference, draw: Draw) -> None:
    """cosine_decay is at lr_min, 0 unless told otherwise, at total_steps and stays there."""
    lr0, lr_min, steps = float(draw.uniform(0.3, 0.9)), float(draw.uniform(0.01, 0.1)), [2, 7, 8, 13, 14, 40]
    desired = [reference.cosine_decay(lr0, step, 7, lr_min) for step in steps]
    agree(rates(lambda s: student.cosine_decay(lr0, s, 7, lr_min), steps), desired, what="the list of rates")
    high, low, late = LARGE * lr0, LARGE * lr_min, [0, 99, 130, 150, 151]
    desired = [reference.cosine_decay(high, step, 150, low) for step in late]
    agree(rates(lambda s: student.cosine_decay(high, s, 150, low), late), desired, what="the list of rates")
    desired = [reference.cosine_decay(lr0, step, 7) for step in steps]
    agree(rates(lambda s: student.cosine_decay(lr0, s, 7), steps), desired, what="the list of rates")
