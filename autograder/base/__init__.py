"""What every room stands on: errors, text made safe, names, files written whole, the shell of a page."""

from autograder.base.errors import (
    AutograderError,
    CheckError,
    ConfigError,
    GradebookError,
    RefusedError,
    ReleaseError,
    SandboxError,
    Stopped,
    SubmissionError,
    Wrong,
)
from autograder.base.faces import on_demand
from autograder.base.files import replace_file, write_atomically, write_bytes_atomically
from autograder.base.names import closest, did_you_mean, shown
from autograder.base.pages import coded, drawn, page, template
from autograder.base.text import one_line, plain, printable, visible, without_host_paths

__all__ = [
    "AutograderError",
    "CheckError",
    "ConfigError",
    "GradebookError",
    "RefusedError",
    "ReleaseError",
    "SandboxError",
    "Stopped",
    "SubmissionError",
    "Wrong",
    "closest",
    "coded",
    "did_you_mean",
    "drawn",
    "on_demand",
    "one_line",
    "page",
    "plain",
    "printable",
    "replace_file",
    "shown",
    "template",
    "visible",
    "without_host_paths",
    "write_atomically",
    "write_bytes_atomically",
]
