"""The command that has a learning management system hold the gradebook's grades."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from autograder.base import ConfigError
from autograder.cli.command import OURS, AssignmentName, CourseFolder, app, open_assignment
from autograder.cli.printing import print_plan, progress, say, say_error, say_warning, waiting


class Comments(StrEnum):
    """What is posted below a submission."""

    none = "none"
    page = "page"
    link = "link"


systems = typer.Typer(
    help="Have a learning management system hold the gradebook's grades, by its interface.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(systems, name="push")


@systems.command()
def canvas(
    assignment: AssignmentName,
    yes: Annotated[bool, typer.Option("--yes", help="Send what is listed. Without it nothing is changed.")] = False,
    comments: Annotated[
        Comments,
        typer.Option(help="What to post below each submission: the feedback page as a file, a link to it, or nothing."),
    ] = Comments.none,
    link: Annotated[
        str, typer.Option(metavar="URL", help="The link for `--comments link`, with {student} where the id stands.")
    ] = "",
    canvas_assignment: Annotated[
        str, typer.Option(metavar="TITLE", help="Its title or number in Canvas, where the title is another one there.")
    ] = "",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write over grades, too, that a person set there; they are listed.")
    ] = False,
    course: CourseFolder = None,
) -> None:
    """Have an assignment in Canvas hold the grades of the gradebook: say what would change there, or change it.

    CANVAS_URL is the address of Canvas and CANVAS_TOKEN a token of yours, both in the environment; `canvas_course` in
    gradebook_config.yaml is the course's number there. What was stopped on the way is gone on with by the same command.
    """
    if bool(link) != (comments is Comments.link):
        raise typer.BadParameter("--link is for --comments link, which needs it")
    try:
        from autograder.operations import link_comments, page_comments, push_to_canvas
    except ModuleNotFoundError as error:
        raise ConfigError("a push to Canvas needs canvasapi: pip install 'notebook-autograder[canvas]'") from error
    from autograder.feedback import is_published
    from autograder.reports import scores_of

    opened, chosen = open_assignment(course, assignment)
    grades = scores_of(opened, chosen)
    students = [each.student for each in grades]
    posted = {}
    if comments is Comments.page:
        posted = page_comments(opened, chosen, students)
    elif comments is Comments.link:
        posted = link_comments(chosen, link, students)
    with contextlib.ExitStack() as stack:
        with waiting("Asking Canvas"):
            found = stack.enter_context(
                push_to_canvas(
                    opened,
                    chosen,
                    grades,
                    os.environ,
                    called=canvas_assignment,
                    comments=posted,
                    overwrite=overwrite,
                )
            )
        print_plan(found.plan, found.title, found.ids)
        if found.seen_at_once and found.plan.changes and not is_published(chosen, datetime.now(UTC)):
            say_warning(
                f"{chosen.name} is not published in gradebook_config.yaml, and students see these grades in Canvas at "
                "once; its policy *Manually* for posting grades keeps them back"
            )
        if not found.plan.changes:
            return
        if not yes:
            say("Nothing was changed in Canvas; --yes sends this.")
            return
        with progress() as (started, advance):
            missing = found.send(started, lambda count: [advance() for _ in range(count)])
    for each in missing:
        say_error(each)
    if missing:
        raise typer.Exit(OURS)
    say(f"Sent: {found.title!r} in Canvas holds what the gradebook does.")
