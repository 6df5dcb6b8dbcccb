"""What every room stands on: errors and causes, text made safe, names, files written whole, the shell of a page."""

from autograder.base.causes import Cause, CellEnd, Half, cause_from_tree, cause_tree, said
from autograder.base.errors import (
    AutograderError,
    CheckError,
    ConfigError,
    GradebookError,
    NoGradebookError,
    RefusedError,
    ReleaseError,
    SandboxError,
    Stopped,
    SubmissionError,
    Wrong,
    wrong,
)
from autograder.base.faces import on_demand
from autograder.base.files import (
    FOR_ALL,
    make_closed_file,
    make_closed_folder,
    make_folder,
    replace_file,
    write_atomically,
    write_bytes_atomically,
    write_output,
)
from autograder.base.machine import is_the_machines, machine_says
from autograder.base.names import closest, did_you_mean, shown
from autograder.base.pages import coded, drawn, page, template
from autograder.base.pictures import MAX_PIXELS, MAX_PIXELS_IN_ALL, pixels_of
from autograder.base.reasons import common_reason, half_text, reason
from autograder.base.text import one_line, plain, printable, visible, without_host_paths

__all__ = [
    "FOR_ALL",
    "MAX_PIXELS",
    "MAX_PIXELS_IN_ALL",
    "AutograderError",
    "Cause",
    "CellEnd",
    "CheckError",
    "ConfigError",
    "GradebookError",
    "Half",
    "NoGradebookError",
    "RefusedError",
    "ReleaseError",
    "SandboxError",
    "Stopped",
    "SubmissionError",
    "Wrong",
    "cause_from_tree",
    "cause_tree",
    "closest",
    "coded",
    "common_reason",
    "did_you_mean",
    "drawn",
    "half_text",
    "is_the_machines",
    "machine_says",
    "make_closed_file",
    "make_closed_folder",
    "make_folder",
    "on_demand",
    "one_line",
    "page",
    "pixels_of",
    "plain",
    "printable",
    "reason",
    "replace_file",
    "said",
    "shown",
    "template",
    "visible",
    "without_host_paths",
    "write_atomically",
    "write_bytes_atomically",
    "write_output",
    "wrong",
]
