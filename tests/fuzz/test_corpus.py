"""What earlier searches kept, and well-formed input, through every target."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.sandbox.inside import wire
from tests.fuzz.corpus import FOLDER, kept
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import TARGETS, frames, seeds

MAX_CORPUS = 300_000


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_that_was_kept_is_handled(name):
    for data in [*kept(name), *seeds(name)]:
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
@given(st.binary(max_size=200), st.randoms(use_true_random=False))
def test_bytes_by_chance_are_handled(name, data, chance):
    TARGETS[name](data)
    sent = chance.choice([*kept(name), *seeds(name)])
    TARGETS[name](sent[: chance.randrange(len(sent))] + data)


def test_the_corpus_is_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MAX_CORPUS


def test_the_trees_of_a_hostile_process_cross_the_wall():
    """So that they reach what looks at replies: otherwise the searches would stop at the decoder."""
    crossed, chance = 0, random.Random(1)
    for data in seeds("replies"):
        for tree in frames(data):
            try:
                wire.encode(mutated(tree, chance))
            except wire.WireError:
                continue
            crossed += 1
    assert crossed > 50
