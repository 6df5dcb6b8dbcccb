"""One run of libFuzzer on one target: ``python -m tests.fuzz.search TARGET OPTION…``. ``fuzz.py`` is the way to it."""

import contextlib
import random
import sys

import atheris

with atheris.instrument_imports(include=["autograder", "tests.fuzz.targets", "tests.fuzz.behind_tests"]):
    from tests.fuzz.targets import FRAMED, TARGETS, frames

from autograder.sandbox.inside import wire
from tests.fuzz.mutations import mutated


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Bytes changed blindly, by libFuzzer, or as the trees that they hold: half of the time each."""
    chance = random.Random(seed)
    if chance.random() < 0.5:
        return bytes(atheris.Mutate(data, most))
    with contextlib.suppress(wire.WireError):
        if sys.argv[1] not in FRAMED:
            return wire.encode(mutated(wire.decode(data), chance))[:most]
        trees = frames(data)
        if trees:
            place = chance.randrange(len(trees))
            trees[place] = mutated(trees[place], chance)
            payloads = map(wire.encode, trees)
            return b"".join(len(payload).to_bytes(4, "little") + payload for payload in payloads)[:most]
    return bytes(atheris.Mutate(data, most))


if __name__ == "__main__":
    # The first is what libFuzzer starts its helpers with, through a shell.
    command = f"{sys.executable} -m tests.fuzz.search {sys.argv[1]}"
    atheris.Setup([command, *sys.argv[2:]], TARGETS[sys.argv[1]], custom_mutator=mutate)
    atheris.Fuzz()
