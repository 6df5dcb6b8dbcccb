"""Runs a submission: the jail, the warm workers, the wire, and what runs inside."""

from autograder.sandbox.inside import calls, confine, protocol, same, wire
from autograder.sandbox.inside.protocol import Answered, Refused
from autograder.sandbox.inside.wire import Opaque, Ref
from autograder.sandbox.jail import GIVES_NOT, Kind, find_bubblewrap
from autograder.sandbox.probing import held, probe, require
from autograder.sandbox.runs import CellRun
from autograder.sandbox.visible import site_entries
from autograder.sandbox.worker import Session, Worker

__all__ = [
    "GIVES_NOT",
    "Answered",
    "CellRun",
    "Kind",
    "Opaque",
    "Ref",
    "Refused",
    "Session",
    "Worker",
    "calls",
    "confine",
    "find_bubblewrap",
    "held",
    "probe",
    "protocol",
    "require",
    "same",
    "site_entries",
    "wire",
]
