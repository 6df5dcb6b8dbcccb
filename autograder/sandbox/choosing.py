"""Which kind of sandbox submissions run in, where a course leaves that to the machine."""

from __future__ import annotations

import functools
from typing import Literal

from autograder.base import SandboxError
from autograder.sandbox.kind import Kind

Choice = Literal["bubblewrap", "landlock", "auto", "none"]
"""What a course or a command asks for: a kind by its name, or ``auto``, the first of the two that holds here."""


def chosen(choice: Choice) -> Kind:
    """The kind of sandbox that a choice comes to on this machine.

    Returns:
        The kind by its name. For ``auto``: bubblewrap where it holds, else Landlock; each is tried for real, once a
        process, and what it blocks is probed as before any grading.

    Raises:
        SandboxError: ``auto``, and neither of them holds here; the message says why of each. ``auto`` never comes to
            no sandbox at all.
    """
    return _that_holds() if choice == "auto" else choice


@functools.cache
def _that_holds() -> Kind:
    # Who only asks which kind it is does not import all that runs submissions.
    from autograder.sandbox.probing import probed
    from autograder.sandbox.worker import Worker

    why: list[str] = []
    kinds: tuple[Kind, ...] = ("bubblewrap", "landlock")
    for kind in kinds:
        try:
            probed(Worker(kind, ("numpy",))).close()
        except SandboxError as error:
            why.append(f"  - {kind}: {' '.join(str(error).split())}")
            continue
        return kind
    raise SandboxError(
        "\n".join(["`sandbox: auto` found no sandbox that holds on this machine, so nothing is graded:", *why])
    )
