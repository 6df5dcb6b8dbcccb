"""Report and submission → the executed notebook: with outputs, a readable result under each test cell, and a summary.

It goes into ``autograded/``, where nbgrader's formgrader, its feedback and JupyterLab show it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from autograder.base import AutograderError
from autograder.course import Assignment, joined, release_of
from autograder.feedback.bounds import Room, kept_code, kept_outputs
from autograder.feedback.inert import MARKDOWN_CHARACTERS, MATHS, MATHS_CHARACTERS, disarm, passive
from autograder.feedback.result import result_output, said_of_all
from autograder.feedback.summary import SUMMARY_ID, summary_cell
from autograder.feedback.text import encodable
from autograder.grading import Report
from autograder.sandbox import CellRun
from autograder.submission import Submission

_KEPT_METADATA = ("nbgrader", "deletable", "editable")


def annotated(submission: Submission, report: Report, assignment: Assignment) -> dict[str, Any]:
    """The executed notebook with its grade explained, as it goes into ``autograded/``.

    Args:
        submission: What was graded.
        report: What came of it; ``report.cells`` are matched by index.
        assignment: What the submission answers; its release tells the course's own prose from the student's.

    Returns:
        A new nbformat 4.5 notebook: the submission's cells with the outputs of the run, a summary as the
        first cell, and under each test cell the row's result as ``text/html`` and ``text/plain``. What is too
        long for a page is cut, and says so.
    """
    # Only the cells' own keys are changed here, and in the end everything is copied.
    notebook = {**submission.notebook, "cells": [dict(cell) for cell in submission.notebook["cells"]]}
    ours = _release_sources(assignment)
    runs = {run.index: run for run in report.cells}
    rows, common = {row.test_id: row for row in report.rows}, said_of_all(report)
    room = Room()
    executed, prose, maths = 0, 5 * MARKDOWN_CHARACTERS, 3 * MATHS_CHARACTERS
    for index, cell in enumerate(notebook["cells"]):
        metadata = cell.get("metadata", {})
        cell["metadata"] = {key: metadata[key] for key in _KEPT_METADATA if key in metadata}
        if cell["cell_type"] == "code":
            run = runs.get(index)
            cell["outputs"] = [] if run is None else kept_outputs(_run_outputs(run), room)
            if ("code", joined(cell["source"])) not in ours:
                cell["source"] = kept_code(joined(cell["source"]), room)
            was_run = run is not None and run.status not in ("skipped", "unrun")
            executed += was_run
            cell["execution_count"] = executed if was_run else None
            row = rows.get(str(metadata.get("nbgrader", {}).get("grade_id", "")))
            if row is not None:
                cell["outputs"].append(result_output(row, common))
        elif (cell["cell_type"], joined(cell["source"])) not in ours:
            kept = disarm(cell, max(prose, 0), min(maths, MATHS_CHARACTERS))
            prose -= len(kept)
            maths -= len(kept) if MATHS.search(kept) else 0
    notes = (*submission.notes, *report.notes)
    notebook["cells"].insert(0, summary_cell(report, assignment, submission.unreadable, notes))
    kernelspec = notebook.get("metadata", {}).get("kernelspec")
    notebook["metadata"] = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    if isinstance(kernelspec, dict):
        notebook["metadata"]["kernelspec"] = {
            key: kernelspec[key] for key in ("display_name", "language", "name") if key in kernelspec
        }
    return encodable(notebook)  # type: ignore[no-any-return]


def told_anew(notebook: Mapping[str, Any], report: Report, assignment: Assignment) -> dict[str, Any]:
    """The notebook that ``annotated`` gave, with its results told anew, as when its student may see more of them.

    Args:
        notebook: The notebook, with its texts joined or in lines.
        report: The report as the student may see it now; its cells are not needed.
        assignment: What was graded.

    Returns:
        A new notebook.
    """
    changed = copy.deepcopy(dict(notebook))
    rows = {row.test_id: row for row in report.rows}
    for cell in changed["cells"]:
        row = rows.get(str(cell["metadata"].get("nbgrader", {}).get("grade_id", "")))
        if cell["cell_type"] == "code" and row is not None:
            # No output of a student's is HTML.
            theirs = [output for output in cell["outputs"] if "text/html" not in output.get("data", {})]
            cell["outputs"] = [*theirs, result_output(row, said_of_all(report))]
    unread = next((check.reason for row in report.rows for check in row.checks if check.name == "readable"), "")
    changed["cells"] = [
        summary_cell(report, assignment, unread, report.notes) if cell.get("id") == SUMMARY_ID else cell
        for cell in changed["cells"]
    ]
    return encodable(changed)  # type: ignore[no-any-return]


def _release_sources(assignment: Assignment) -> frozenset[tuple[str, str]]:
    """Kind and text of each cell of the release: what the course itself wrote; nothing where there is no release."""
    try:
        return frozenset((each.cell.kind, each.cell.source) for each in release_of(assignment).cells)
    except AutograderError:
        return frozenset()


def _run_outputs(run: CellRun) -> list[dict[str, Any]]:
    outputs = [shown for output in run.outputs if (shown := passive(output)) is not None]
    stopped = {
        "timeout": "This cell took too long and was stopped.",
        "died": "This cell ended the Python that ran it.",
        "skipped": "This cell was not run: the time for the whole notebook was used up.",
        "unrun": "As handed in: this cell only shows something, and was not run."
        if outputs
        else "This cell only shows something, and was not run.",
    }.get(run.status)
    if stopped and not any(output["output_type"] == "error" for output in outputs):
        outputs.append({"output_type": "stream", "name": "stderr", "text": stopped + "\n"})
    return outputs
