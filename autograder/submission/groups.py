"""Students who hand in together: whose hand-in counts for whom."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path

from autograder.base import printable
from autograder.course import Assignment
from autograder.submission.folders import SubmittedFolder, id_problem, submissions


def hand_ins(
    course_root: Path,
    assignment: Assignment,
    students: Collection[str] | None = None,
    *,
    timezone: tzinfo | None = None,
) -> list[SubmittedFolder]:
    """What counts of what lies in ``submitted/`` for an assignment, in the order of the students' ids.

    As ``submissions``; but of what the members of a group handed in the newest counts, and for each of them.

    Args:
        course_root: The course's folder.
        assignment: The assignment.
        students: Only these; whoever of them has submitted nothing, and nobody of the group either, is listed with that
            problem.
        timezone: As for ``submissions``.
    """
    wanted = None
    if students is not None:
        wanted = {member for student in students for member in assignment.members_with(student)}
    listed = submissions(course_root, assignment.name, wanted, timezone=timezone, due=assignment.due)
    grouped = {member for members in assignment.groups.values() for member in members}
    found = [each for each in listed if each.student not in grouped]
    for name, members in assignment.groups.items():
        found += _of_group(name, members, [each for each in listed if each.student in members])
    if students is not None:
        # What is refused for its name goes by that name made safe to print.
        found = [each for each in found if each.student in students or (each.problem and _whose(each) in students)]
    return sorted(found, key=lambda each: each.student)


def _whose(folder: SubmittedFolder) -> str:
    return folder.folder.parent.name


def _of_group(name: str, members: Sequence[str], theirs: Sequence[SubmittedFolder]) -> Iterator[SubmittedFolder]:
    """What counts for each member of a group, of what its members handed in."""
    sound = [each for each in theirs if not each.problem]
    if not sound:
        yield from theirs
        return
    # One without a time may be of any time: one that has a time is known to be the newest of those.
    newest = max(sound, key=lambda each: (each.timestamp or "", each.student))
    for member in members:
        note = "" if member == newest.student else f"handed in by {newest.student}, for the group {printable(name)}"
        note = "; ".join(filter(None, (newest.note, note)))
        problem = f"{member!a} is no student's id: {wrong}" if (wrong := id_problem(member)) else ""
        yield replace(newest, student=printable(member) if problem else member, note=note, problem=problem)
