"""Runs a submission: the jail, the warm workers, the wire, and what runs inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograder.base import on_demand

if TYPE_CHECKING:
    from autograder.sandbox.choosing import Choice, chosen
    from autograder.sandbox.inside import (
        calls,
        confine,
        kinds,
        protocol,
        repeatable,
        tables,
        wire,
    )
    from autograder.sandbox.inside.mirrors import Mirrors
    from autograder.sandbox.inside.objects import OF_NAMES, generator_state, known_as, random_state
    from autograder.sandbox.inside.operands import (
        Sent,
        Taken,
        within,
    )
    from autograder.sandbox.inside.operations import (
        BINARY,
        COMPARISONS,
        DUNDER,
        INPLACE,
        OPERATIONS,
        REFLECTED,
    )
    from autograder.sandbox.inside.protocol import (
        Answered,
        AnsweredOutside,
        Refused,
        ThrewOutside,
    )
    from autograder.sandbox.inside.wire import (
        Opaque,
        Ref,
    )
    from autograder.sandbox.jail import (
        NOT_PROMISED,
        bubblewrap_version,
        find_bubblewrap,
    )
    from autograder.sandbox.kind import Kind
    from autograder.sandbox.outputs import passive_outputs
    from autograder.sandbox.probing import (
        probe,
        probed,
        require,
    )
    from autograder.sandbox.runs import (
        CellRun,
        Role,
    )
    from autograder.sandbox.session import Session
    from autograder.sandbox.turns import turn
    from autograder.sandbox.visible import site_entries
    from autograder.sandbox.worker import Worker

__all__ = [
    "BINARY",
    "COMPARISONS",
    "DUNDER",
    "INPLACE",
    "NOT_PROMISED",
    "OF_NAMES",
    "OPERATIONS",
    "REFLECTED",
    "Answered",
    "AnsweredOutside",
    "CellRun",
    "Choice",
    "Kind",
    "Mirrors",
    "Opaque",
    "Ref",
    "Refused",
    "Role",
    "Sent",
    "Session",
    "Taken",
    "ThrewOutside",
    "Worker",
    "bubblewrap_version",
    "calls",
    "chosen",
    "confine",
    "find_bubblewrap",
    "generator_state",
    "kinds",
    "known_as",
    "passive_outputs",
    "probe",
    "probed",
    "protocol",
    "random_state",
    "repeatable",
    "require",
    "site_entries",
    "tables",
    "turn",
    "wire",
    "within",
]

_WITHOUT_DATA = frozenset({"Choice", "Kind", "chosen", "confine", "CellRun", "Role", "passive_outputs"})
"""What is asked for where no data crosses into this process: NumPy takes longer to import than all of these."""


def __getattr__(name: str) -> Any:
    if name not in _WITHOUT_DATA:
        # From here on, what crosses is made with what is installed.
        import autograder.sandbox.libraries  # noqa: F401
    return _inside(name)


_inside = on_demand(
    __name__,
    {
        "choosing": ("Choice", "chosen"),
        "inside.": (
            "calls",
            "confine",
            "kinds",
            "protocol",
            "repeatable",
            "tables",
            "wire",
        ),
        "inside.objects": ("OF_NAMES", "generator_state", "known_as", "random_state"),
        "inside.mirrors": ("Mirrors",),
        "inside.operands": (
            "Sent",
            "Taken",
            "within",
        ),
        "inside.operations": (
            "BINARY",
            "COMPARISONS",
            "DUNDER",
            "INPLACE",
            "OPERATIONS",
            "REFLECTED",
        ),
        "inside.protocol": (
            "Answered",
            "AnsweredOutside",
            "Refused",
            "ThrewOutside",
        ),
        "inside.wire": (
            "Opaque",
            "Ref",
        ),
        "jail": (
            "NOT_PROMISED",
            "bubblewrap_version",
            "find_bubblewrap",
        ),
        "kind": ("Kind",),
        "outputs": ("passive_outputs",),
        "probing": (
            "probe",
            "probed",
            "require",
        ),
        "runs": (
            "CellRun",
            "Role",
        ),
        "session": ("Session",),
        "turns": ("turn",),
        "visible": ("site_entries",),
        "worker": ("Worker",),
    },
)
