"""Runs a submission: the jail, the warm workers, the wire, and what runs inside."""

from autograder.sandbox.inside import calls, confine, kinds, protocol, repeatable, tables, wire
from autograder.sandbox.inside.protocol import Answered, Refused
from autograder.sandbox.inside.wire import Opaque, Ref
from autograder.sandbox.jail import NOT_PROMISED, Kind, bubblewrap_version, find_bubblewrap
from autograder.sandbox.libraries import rebuild_with_them
from autograder.sandbox.outputs import passive_outputs
from autograder.sandbox.probing import probe, probed, require
from autograder.sandbox.runs import CellRun, Role
from autograder.sandbox.session import Session
from autograder.sandbox.turns import one_at_a_time
from autograder.sandbox.visible import site_entries
from autograder.sandbox.worker import Worker

rebuild_with_them()

__all__ = [
    "NOT_PROMISED",
    "Answered",
    "CellRun",
    "Kind",
    "Opaque",
    "Ref",
    "Refused",
    "Role",
    "Session",
    "Worker",
    "bubblewrap_version",
    "calls",
    "confine",
    "find_bubblewrap",
    "kinds",
    "one_at_a_time",
    "passive_outputs",
    "probe",
    "probed",
    "protocol",
    "rebuild_with_them",
    "repeatable",
    "require",
    "site_entries",
    "tables",
    "wire",
]
