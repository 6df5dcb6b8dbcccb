"""Many submissions: the pool, the Dask fleet, watch, the exchange, nbgrader, JupyterLab, the doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograder.base import on_demand

if TYPE_CHECKING:
    from autograder.operations.canvas import Push, link_comments, page_comments, push_to_canvas
    from autograder.operations.closed import how_open, unshared
    from autograder.operations.collecting import collect_from
    from autograder.operations.doctor import Finding, examine
    from autograder.operations.exchange import released_exchange
    from autograder.operations.exchange_access import exchange_troubles
    from autograder.operations.fleet import Scheduler
    from autograder.operations.grade_class import grade_assignment
    from autograder.operations.gradescope import (
        COURSE_FOLDER,
        HOME,
        grade_for_gradescope,
        only_assignment,
        place_in,
        try_for_gradescope,
    )
    from autograder.operations.hub import HubWritten, write_hub
    from autograder.operations.lab import become, check_port, configured, lab_command, prepare, prepare_lab
    from autograder.operations.nbgrader_configuration import (
        CONFIGURED,
        NBGRADER_CONFIG,
        nbgrader_config,
        runs_by_itself,
    )
    from autograder.operations.one_notebook import (
        CheckedHandIn,
        assignment_of,
        check_hand_in,
        checked_hand_in,
        part_of,
        unchecked_hand_in,
    )
    from autograder.operations.pool import cores, processes
    from autograder.operations.pushing import Change, Comment, Left, Mark, Plan, There, is_same, plan
    from autograder.operations.storing import Result, Status, store_grade
    from autograder.operations.watching import watch

__all__ = [
    "CONFIGURED",
    "COURSE_FOLDER",
    "HOME",
    "NBGRADER_CONFIG",
    "Change",
    "CheckedHandIn",
    "Comment",
    "Finding",
    "HubWritten",
    "Left",
    "Mark",
    "Plan",
    "Push",
    "Result",
    "Scheduler",
    "Status",
    "There",
    "assignment_of",
    "become",
    "check_hand_in",
    "check_port",
    "checked_hand_in",
    "collect_from",
    "configured",
    "cores",
    "examine",
    "exchange_troubles",
    "grade_assignment",
    "grade_for_gradescope",
    "how_open",
    "is_same",
    "lab_command",
    "link_comments",
    "nbgrader_config",
    "only_assignment",
    "page_comments",
    "part_of",
    "place_in",
    "plan",
    "prepare",
    "prepare_lab",
    "processes",
    "push_to_canvas",
    "released_exchange",
    "runs_by_itself",
    "store_grade",
    "try_for_gradescope",
    "unchecked_hand_in",
    "unshared",
    "watch",
    "write_hub",
]

__getattr__ = on_demand(
    __name__,
    {
        "canvas": (
            "Push",
            "link_comments",
            "page_comments",
            "push_to_canvas",
        ),
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
        "gradescope": (
            "COURSE_FOLDER",
            "HOME",
            "grade_for_gradescope",
            "only_assignment",
            "place_in",
            "try_for_gradescope",
        ),
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
            "CheckedHandIn",
            "assignment_of",
            "check_hand_in",
            "checked_hand_in",
            "unchecked_hand_in",
            "part_of",
        ),
        "pool": (
            "cores",
            "processes",
        ),
        "pushing": (
            "Change",
            "Comment",
            "Left",
            "Mark",
            "Plan",
            "There",
            "is_same",
            "plan",
        ),
        "storing": (
            "Result",
            "Status",
            "store_grade",
        ),
        "watching": ("watch",),
    },
)
