"""The command itself: its options that several commands share, how it opens a course, and how it ends."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autograder import __version__
from autograder.base import AutograderError, ConfigError, is_the_machines, machine_says, visible
from autograder.cli.printing import say_error, say_warning

if TYPE_CHECKING:
    from autograder.course import Assignment, Course
    from autograder.sandbox import Kind

OURS, USAGE, BELOW = 1, 2, 3
"""How the command ends where something of ours failed, for wrong usage or configuration, and below a threshold."""

_OF_A_COURSE = ("submitted", "autograded", "source", "source_with_tests", "release", "solutions")
"""Where a course keeps notebooks."""

_CI = ("GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "CIRCLECI", "BUILDKITE", "TF_BUILD", "BITBUCKET_BUILD_NUMBER")
"""What the systems set in the environment of a job."""

app = typer.Typer(
    help="Coursework in Jupyter notebooks that grades itself.\n\nStart with `autograder demo`: it makes a course with "
    "a class of submissions, grades it and says where to look. In a course's folder, `release` makes what students "
    "get, `grade` grades what they submitted, `feedback` writes what they read.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Sandbox(StrEnum):
    """Where a student's code runs."""

    bubblewrap = "bubblewrap"
    landlock = "landlock"
    auto = "auto"
    none = "none"


AssignmentName = Annotated[str, typer.Argument(metavar="ASSIGNMENT", help="The assignment's name, such as week2.")]
CourseFolder = Annotated[
    Path | None,
    typer.Option(
        "--course",
        metavar="DIR",
        help="The course's folder; otherwise the one that AUTOGRADER_COURSE names, else the nearest one from here "
        "upwards that holds gradebook_config.yaml.",
    ),
]
SandboxChoice = Annotated[
    Sandbox | None,
    typer.Option(
        help="What keeps the students' code, whatever gradebook_config.yaml says: `landlock` is for machines that "
        "forbid user namespaces and gives less (docs/operators.md); `auto` takes bubblewrap where it "
        "holds, else landlock; `none` runs it unprotected, as you."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]
Jobs = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Processes that grade at once; one for each core by default."),
]


def main() -> None:
    """Run the command; errors of ours and of the course's are printed, never a traceback."""
    for library in ("OPENBLAS", "OMP", "MKL"):
        # As in the sandbox: how many threads share a sum decides its last digits, and waiting threads take time.
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        # A locale such as C has no ✓: nothing that is said here may end in an error for that.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=SPELT)
    try:
        app()
    except AutograderError as error:
        say_error(str(error))
        sys.exit(USAGE if isinstance(error, ConfigError) else OURS)
    except KeyboardInterrupt:
        say_error("stopped. What was graded is kept; the same command goes on from there.")
        sys.exit(130)
    except BrokenPipeError:
        _give_up_output()
        sys.exit(OURS)
    except OSError as error:
        if not is_the_machines(error):
            raise
        _give_up_output()
        say_error(f"{machine_says(error)}.")
        sys.exit(OURS)


SPELT = "autograder.spelt"
_SPELLINGS = {"✓": "+", "✗": "x", "…": "...", "–": "-", "—": "-", "’": "'", "·": "*", "←": "<-", "±": "+-", "−": "-"}


def _spelt(error: UnicodeError) -> tuple[str | bytes, int]:
    """What stands for characters that an encoding does not have: signs of ours in other words, others as escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(
        _SPELLINGS.get(each) or each.encode("ascii", "backslashreplace").decode("ascii")
        for each in error.object[error.start : error.end]
    ), error.end


codecs.register_error(SPELT, _spelt)


def _give_up_output() -> None:
    """Let what is still to be printed go nowhere, so that it fails no more while Python ends."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _version(asked: bool) -> None:
    if asked:
        print(f"autograder {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


def open_course(folder: Path | None, *, runs_code: bool = False) -> Course:
    """The course in a folder, else the one that the environment names, or the nearest one around where one stands.

    Where nbgrader's own commands would run submissions of it outside any sandbox, that is said on standard error.

    Args:
        folder: What ``--course`` says.
        runs_code: Whether the command runs the course's own code, of which nbgrader_config.py is a part. Otherwise that
            file is only looked for.
    """
    from autograder.course import chosen_course, load_course
    from autograder.operations import runs_by_itself

    course = load_course(chosen_course(folder))
    if said := runs_by_itself(course.root, load=runs_code):
        say_warning(visible(said))
    return course


def open_course_for(handed_in: Path, folder: Path | None, *, warns: bool = True) -> Course:
    """As ``open_course``, for a hand-in that is to be checked, which may have brought a course along.

    Args:
        handed_in: The notebook or the folder.
        folder: What ``--course`` says.
        warns: Whether to say where nbgrader's own commands would run submissions outside any sandbox.

    Raises:
        ConfigError: The course was not named, and the hand-in lies in it, but not where a course keeps notebooks.
    """
    from autograder.course import COURSE_VARIABLE, chosen_course, load_course

    root = chosen_course(folder)
    path = handed_in.resolve()
    is_named = folder is not None or bool(os.environ.get(COURSE_VARIABLE))
    inside = path.relative_to(root).parts if path.is_relative_to(root) else None
    # A person who stands in their course's folder means that course; a job of a CI system stands wherever it was put.
    means_it = Path.cwd() == root and inside is not None and inside[:1] and inside[0] in _OF_A_COURSE
    if not is_named and inside is not None and (not means_it or any(os.environ.get(each) for each in _CI)):
        raise ConfigError(
            f"{handed_in} lies below a gradebook_config.yaml, which may have been handed in with it. Name the course "
            f"that it is to be checked by: --course DIR, which is `--course {root}` where that is your own"
        )
    return open_course(root, runs_code=True) if warns else load_course(root)


def open_assignment(folder: Path | None, name: str, *, runs_code: bool = False) -> tuple[Course, Assignment]:
    """The course in a folder, or the nearest one, and its assignment of this name."""
    course = open_course(folder, runs_code=runs_code)
    return course, course.assignment(name)


def kept_in(choice: Sandbox | None, course: Course) -> Kind:
    """The kind of sandbox that was chosen, or the course's.

    Raises:
        SandboxError: That is left to the machine, and no kind holds here.
    """
    from autograder.sandbox import chosen

    return chosen(choice.value if choice else course.sandbox)
