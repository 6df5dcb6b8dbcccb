"""Many submissions: the pool, the Dask fleet, watch, the exchange, nbgrader, JupyterLab, the doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograder.base import on_demand

if TYPE_CHECKING:
    from autograder.operations.closed import how_open, unshared
    from autograder.operations.collecting import collect_from
    from autograder.operations.doctor import Finding, examine
    from autograder.operations.exchange import released_exchange
    from autograder.operations.exchange_access import exchange_troubles
    from autograder.operations.fleet import Scheduler
    from autograder.operations.grade_class import grade_assignment
    from autograder.operations.hub import HubWritten, write_hub
    from autograder.operations.lab import become, check_port, configured, lab_command, prepare, prepare_lab
    from autograder.operations.nbgrader_configuration import (
        CONFIGURED,
        NBGRADER_CONFIG,
        nbgrader_config,
        runs_by_itself,
    )
    from autograder.operations.one_notebook import assignment_of, check_notebook, part_of
    from autograder.operations.pool import cores, processes
    from autograder.operations.storing import Result, Status, store_grade
    from autograder.operations.watching import watch

__all__ = [
    "CONFIGURED",
    "NBGRADER_CONFIG",
    "Finding",
    "HubWritten",
    "Result",
    "Scheduler",
    "Status",
    "assignment_of",
    "become",
    "check_notebook",
    "check_port",
    "collect_from",
    "configured",
    "cores",
    "examine",
    "exchange_troubles",
    "grade_assignment",
    "how_open",
    "lab_command",
    "nbgrader_config",
    "part_of",
    "prepare",
    "prepare_lab",
    "processes",
    "released_exchange",
    "runs_by_itself",
    "store_grade",
    "unshared",
    "watch",
    "write_hub",
]

__getattr__ = on_demand(
    __name__,
    {
        "closed": (
            "how_open",
            "unshared",
        ),
        "collecting": ("collect_from",),
        "doctor": (
            "Finding",
            "examine",
        ),
        "exchange": ("released_exchange",),
        "exchange_access": ("exchange_troubles",),
        "fleet": ("Scheduler",),
        "grade_class": ("grade_assignment",),
        "hub": (
            "HubWritten",
            "write_hub",
        ),
        "lab": (
            "become",
            "check_port",
            "configured",
            "lab_command",
            "prepare",
            "prepare_lab",
        ),
        "nbgrader_configuration": (
            "CONFIGURED",
            "NBGRADER_CONFIG",
            "nbgrader_config",
            "runs_by_itself",
        ),
        "one_notebook": (
            "assignment_of",
            "check_notebook",
            "part_of",
        ),
        "pool": (
            "cores",
            "processes",
        ),
        "storing": (
            "Result",
            "Status",
            "store_grade",
        ),
        "watching": ("watch",),
    },
)
