"""Many submissions: the pool, the Dask fleet, watch, the exchange, nbgrader, JupyterLab, the doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograder.base import on_demand

if TYPE_CHECKING:
    from autograder.operations.doctor import examine
    from autograder.operations.exchange import collect_from_exchange
    from autograder.operations.fleet import Scheduler
    from autograder.operations.grade_class import Result, Status, grade_assignment, trouble
    from autograder.operations.lab import become, check_port, configured, lab_command, prepare
    from autograder.operations.nbgrader_configuration import nbgrader_config
    from autograder.operations.pool import cores, processes
    from autograder.operations.watching import watch

__all__ = [
    "Result",
    "Scheduler",
    "Status",
    "become",
    "check_port",
    "collect_from_exchange",
    "configured",
    "cores",
    "examine",
    "grade_assignment",
    "lab_command",
    "nbgrader_config",
    "prepare",
    "processes",
    "trouble",
    "watch",
]

__getattr__ = on_demand(
    __name__,
    {
        "doctor": ("examine",),
        "exchange": ("collect_from_exchange",),
        "fleet": ("Scheduler",),
        "grade_class": (
            "Result",
            "Status",
            "grade_assignment",
            "trouble",
        ),
        "lab": (
            "become",
            "check_port",
            "configured",
            "lab_command",
            "prepare",
        ),
        "nbgrader_configuration": ("nbgrader_config",),
        "pool": (
            "cores",
            "processes",
        ),
        "watching": ("watch",),
    },
)
