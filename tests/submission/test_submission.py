"""A submitted notebook: what is refused, what cannot be read, and what is put back."""

import base64
import copy
import hashlib
import json
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import nbformat
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autograder.base import AutograderError, RefusedError, SubmissionError
from autograder.course import Assignment, load_course, notebook_text
from autograder.submission import Submission, find_hand_in, read_submission, submissions, unread_submission
from autograder.submission.choosing import find_notebook
from autograder.submission.reading import submitted_digest
from tests.courses import Notebook, cell, notebook, solved, submit, untouched, write

GRADED = ("about", "setup", "scale", "test_scale", "centre", "test_centre", "why")


def read(warmup: Assignment, tree: Any, **options: Any) -> Submission:
    """What comes of a submitted tree or of bytes: always a valid notebook with every cell of the release."""
    path = warmup.master.parents[2] / "submitted/ada/warmup/warmup.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tree if isinstance(tree, bytes) else json.dumps(tree).encode())
    return checked(read_submission(path, warmup, **options))


def checked(submission: Submission) -> Submission:
    tree = submission.notebook
    json.dumps(tree, allow_nan=False, ensure_ascii=False).encode()
    nbformat.validate(nbformat.from_dict(copy.deepcopy(tree)), relax_add_props=False)
    assert (tree["nbformat"], tree["nbformat_minor"]) == (4, 5)
    assert sorted(grade_ids(submission)) == sorted(GRADED)
    assert len({each["id"] for each in tree["cells"]}) == len(tree["cells"])
    points = [each["metadata"].get("nbgrader", {}).get("points") for each in tree["cells"]]
    assert sorted(each for each in points if each is not None) == [2, 4, 6]
    assert all(each["outputs"] == [] for each in tree["cells"] if each["cell_type"] == "code")
    return submission


def grade_ids(submission: Submission) -> list[str]:
    marks = [each["metadata"].get("nbgrader") for each in submission.notebook["cells"]]
    return [each["grade_id"] for each in marks if each]


def sources(submission: Submission) -> list[str]:
    return [each["source"] for each in submission.notebook["cells"]]


def at(submission: Submission, grade_id: str) -> dict[str, Any]:
    found = [
        each
        for each in submission.notebook["cells"]
        if each["metadata"].get("nbgrader", {}).get("grade_id") == grade_id
    ]
    return found[0]


def without(tree: Notebook, *grade_ids: str) -> Notebook:
    kept = [each for each in tree["cells"] if each["id"] not in grade_ids]
    return tree | {"cells": kept}


def changed(tree: Notebook, grade_id: str, **fields: Any) -> Notebook:
    return tree | {"cells": [each | fields if each["id"] == grade_id else each for each in tree["cells"]]}


def png(width: int, height: int) -> str:
    """The beginning of a picture that says that it is so large, encoded."""
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIB", 13, b"IHDR", width, height, 8)).decode()


class TestSound:
    def test_an_untouched_release_comes_back_as_it_is(self, warmup: Assignment):
        submission = read(warmup, untouched())
        assert submission.notebook == untouched()
        assert (submission.notes, submission.unreadable) == ((), "")

    def test_solution_cells_keep_the_students_source_and_nothing_is_noted(self, warmup: Assignment):
        submission = read(warmup, solved())
        assert sources(submission) == [each["source"] for each in solved()["cells"]]
        assert submission.notes == ()

    def test_the_students_own_cells_stay_where_they_stand(self, warmup: Assignment):
        tree = solved()
        tree["cells"].insert(3, cell("x = 1"))
        tree["cells"].insert(0, cell("Notes.", kind="raw"))
        submission = read(warmup, tree)
        assert sources(submission) == [each["source"] for each in tree["cells"]]

    def test_the_students_own_order_is_kept(self, warmup: Assignment):
        tree = solved()
        tree["cells"].reverse()
        assert grade_ids(read(warmup, tree)) == list(reversed(GRADED))

    def test_outputs_and_metadata_of_the_students_are_dropped(self, warmup: Assignment):
        output = {"output_type": "stream", "name": "stdout", "text": "100/100"}
        tree = changed(solved(), "scale", outputs=[output], execution_count=7)
        tree["cells"].append(cell("y = 2") | {"metadata": {"tags": ["hide"], "scrolled": True}, "junk": 1})
        tree["metadata"] |= {"widgets": {"state": {}}, "kernelspec": {"name": "ruby", "display_name": "x"}}
        submission = read(warmup, tree)
        assert at(submission, "scale")["execution_count"] is None
        assert submission.notebook["cells"][-1]["metadata"] == {}
        assert submission.notebook["metadata"] == untouched()["metadata"]

    def test_a_source_in_lines_is_joined(self, warmup: Assignment):
        lines = ["def scale(x, factor):\n", "    return x * factor"]
        assert at(read(warmup, changed(solved(), "scale", source=lines)), "scale")["source"] == "".join(lines)

    def test_pictures_pasted_into_an_answer_are_kept_and_other_attachments_are_not(self, warmup: Assignment):
        attachments = {"a.png": {"image/png": "aGk="}, "b.html": {"text/html": "<script>"}, "c": 3}
        submission = read(warmup, changed(solved(), "why", attachments=attachments))
        assert at(submission, "why")["attachments"] == {"a.png": {"image/png": "aGk="}}

    @pytest.mark.parametrize("sizes", [[(20_000, 20_000)], [(1, 100_000)], [(8_000, 8_000)] * 3])
    def test_attached_pictures_of_a_gigabyte_are_left_out_and_it_is_said(self, warmup: Assignment, sizes: Any):
        attachments = {f"{number}.png": {"image/png": png(*size)} for number, size in enumerate(sizes)}
        submission = read(warmup, changed(solved(), "why", attachments=attachments | {"a.png": {"image/png": "aGk="}}))
        assert len(at(submission, "why")["attachments"]) == len(sizes)
        assert submission.notes == (
            "A picture in the notebook was left out: a picture may have 67 million pixels, and all together 134.",
        )

    @pytest.mark.parametrize("text", ['" onerror="alert(1)', "aGk=\xa0", "a", "\0", ["aG", 3, "k=!"]])
    def test_what_is_attached_and_no_encoded_picture_is_left_out(self, warmup: Assignment, text: Any):
        submission = read(warmup, changed(solved(), "why", attachments={"a.png": {"image/png": text}}))
        assert "attachments" not in at(submission, "why")

    @pytest.mark.parametrize(
        "field",
        [
            b'"nbformat_minor": 1e999',
            b'"nbformat_minor": ' + b"9" * 1_000_000,
            b'"nbformat_minor": 0.' + b"1" * 1_000_000,
            b'"metadata": {"kernelspec": {"name": NaN}, "kernelspec": [1e999, -Infinity]}',
            b'"cells": 7, "cells": []',
            b'"x": {"a": ' + b'"\\ud800\\u0000"' + b"}",
            b'"metadata": {"nbgrader": {"points": 1e999, "points": NaN, "schema_version": 1' + b"0" * 5_000 + b"}}",
            b'"cells": [{"cell_type": "code", "cell_type": "heading", "execution_count": 1e999, "source": "\\udfff",'
            b' "outputs": [{"metadata": {"width": 1e999}}], "metadata": {"nbgrader": {"grade_id": "scale"}}}]',
            b'"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "heading", "level": -1e999, "source": "a"}]}]',
        ],
        ids=range(9),
    )
    def test_no_number_no_nesting_and_no_key_written_twice_raises(self, warmup: Assignment, field: bytes):
        submission = read(warmup, b'{"nbformat": 4, "cells": [], ' + field + b"}")
        assert submission.unreadable == ""
        json.dumps(submission.notebook, allow_nan=False).encode()
        notebook_text(submission.notebook).encode()
        assert set(GRADED) <= set(grade_ids(submission))

    def test_the_digest_is_over_the_submitted_bytes(self, warmup: Assignment):
        content = json.dumps(solved()).encode()
        assert read(warmup, content).digest == hashlib.sha256(content).hexdigest()

    def test_student_and_timestamp_go_through(self, warmup: Assignment):
        submission = read(warmup, solved(), student="ada", timestamp="2026-11-30T04:59:00+00:00")
        assert (submission.student, submission.timestamp) == ("ada", "2026-11-30T04:59:00+00:00")

    def test_two_readings_are_equal_and_share_nothing(self, warmup: Assignment):
        first, second = (read(warmup, without(solved(), "scale")) for _ in range(2))
        assert first == second
        at(first, "test_scale")["metadata"]["nbgrader"]["points"] = 100
        assert at(second, "test_scale")["metadata"]["nbgrader"]["points"] == 4


class TestRepaired:
    def test_a_changed_test_cell_is_restored_with_a_note(self, warmup: Assignment):
        submission = read(warmup, changed(solved(), "test_scale", source="pass"))
        assert at(submission, "test_scale") == untouched()["cells"][3]
        assert submission.notes == ("The visible checks had been changed and were restored: test_scale.",)

    def test_a_changed_read_only_cell_is_restored_with_a_note(self, warmup: Assignment):
        submission = read(warmup, changed(solved(), "setup", source="import os"))
        assert at(submission, "setup")["source"] == "import numpy as np"
        assert submission.notes == ("Read-only cells had been changed and were restored: setup.",)

    def test_spaces_at_the_end_of_a_line_are_no_change_worth_a_note(self, warmup: Assignment):
        assert read(warmup, changed(solved(), "setup", source="\nimport numpy as np  \r\n")).notes == ()

    def test_points_come_from_the_master_whatever_the_student_writes(self, warmup: Assignment):
        tree = solved()
        tree["cells"][3]["metadata"]["nbgrader"]["points"] = 1000
        tree["cells"][2]["metadata"]["nbgrader"] |= {"grade": True, "points": 50}
        assert at(read(warmup, tree), "scale")["metadata"] == untouched()["cells"][2]["metadata"]

    @pytest.mark.parametrize("gone", GRADED)
    def test_a_deleted_cell_comes_back_in_its_place(self, warmup: Assignment, gone: str):
        assert grade_ids(read(warmup, without(solved(), gone))) == list(GRADED)

    def test_deleted_cells_come_back_behind_what_precedes_them_in_the_release(self, warmup: Assignment):
        tree = without(solved(), "test_scale", "centre")
        tree["cells"].reverse()
        assert grade_ids(read(warmup, tree)) == [
            "why",
            "test_centre",
            "scale",
            "test_scale",
            "centre",
            "setup",
            "about",
        ]

    def test_a_deleted_solution_cell_comes_back_empty_so_that_it_overwrites_nothing(self, warmup: Assignment):
        tree = without(solved(), "scale")
        tree["cells"].insert(0, cell("scale = lambda x, factor: x * factor"))
        submission = read(warmup, tree)
        assert at(submission, "scale")["source"] == ""
        assert submission.notes == ("These cells had been deleted and stand empty in their place: scale.",)

    def test_a_deleted_test_cell_is_noted(self, warmup: Assignment):
        submission = read(warmup, without(solved(), "test_scale", "about"))
        assert submission.notes == ("The visible checks had been deleted and were restored: test_scale.",)

    def test_a_notebook_with_none_of_the_cells_is_asked_whether_it_is_the_right_one(self, warmup: Assignment):
        submission = read(warmup, notebook(cell("1 + 1")))
        assert submission.notes == ("None of this assignment's cells is in the notebook: is it the right one?",)
        assert sources(submission)[-1] == "1 + 1"

    def test_of_a_repeated_cell_the_first_keeps_its_part_and_the_others_still_run(self, warmup: Assignment):
        tree = solved()
        tree["cells"].insert(3, copy.deepcopy(tree["cells"][2]) | {"source": "def scale(x, f): return f * x"})
        submission = read(warmup, tree)
        assert at(submission, "scale")["source"] == solved()["cells"][2]["source"]
        assert submission.notebook["cells"][3]["source"] == "def scale(x, f): return f * x"
        assert submission.notebook["cells"][3]["metadata"] == {}
        assert submission.notes == (
            "These cells are there more than once; all but the first run as your own cells: scale.",
        )

    def test_a_grade_id_that_is_not_the_assignments_makes_an_ordinary_cell(self, warmup: Assignment):
        tree = solved()
        tree["cells"].append(cell("z = 3", "test_bonus", role="test", points=50))
        assert read(warmup, tree).notebook["cells"][-1]["metadata"] == {}

    def test_a_solution_cell_turned_into_text_is_code_again(self, warmup: Assignment):
        tree = solved()
        tree["cells"][2] = cell("def scale(x, f): return x", "scale", kind="markdown", role="solution")
        submission = read(warmup, tree)
        assert at(submission, "scale")["cell_type"] == "code"
        assert at(submission, "scale")["source"] == "def scale(x, f): return x"
        assert submission.notes == ("These cells were of another type (code, text) and were restored: scale.",)

    def test_an_answer_turned_into_code_is_text_again(self, warmup: Assignment):
        tree = solved()
        tree["cells"][6] = cell("Because.", "why", role="answer", points=2)
        assert at(read(warmup, tree), "why")["cell_type"] == "markdown"

    def test_cells_whose_metadata_an_editor_dropped_are_known_by_their_ids(self, warmup: Assignment):
        tree = solved()
        for each in tree["cells"]:
            each["metadata"] = {}
        submission = read(warmup, tree)
        assert sources(submission) == [each["source"] for each in solved()["cells"]]
        assert submission.notes == ("These cells had lost their mark and were known by their ids: scale, centre, why.",)

    def test_missing_repeated_and_malformed_ids_are_made_unique(self, warmup: Assignment):
        tree = solved()
        tree["cells"] += [cell("a = 1") | {"id": each} for each in ("same", "same", "scale", "a b", 3, None, "é")]
        del tree["cells"][2]["id"]
        submission = read(warmup, tree)
        ids = [each["id"] for each in submission.notebook["cells"]]
        assert ids == [*GRADED, "same", *(f"cell-{number}" for number in range(1, 7))]
        assert submission == read(warmup, tree)

    @pytest.mark.parametrize("marks", [3, "x", [], {}, {"grade_id": 3}, {"grade_id": ["scale"]}, {"grade_id": {}}])
    def test_strange_metadata_of_nbgrader_makes_an_ordinary_cell(self, warmup: Assignment, marks: Any):
        tree = solved()
        tree["cells"].append(cell("a = 1") | {"metadata": {"nbgrader": marks}})
        assert read(warmup, tree).notebook["cells"][-1]["metadata"] == {}

    @pytest.mark.parametrize("source", [None, 3, {"a": 1}, [1, None], True])
    def test_a_source_that_is_no_text_is_empty(self, warmup: Assignment, source: Any):
        submission = read(warmup, changed(solved(), "scale", source=source))
        assert at(submission, "scale")["source"] == ""

    def test_what_is_no_cell_is_left_out_with_a_note(self, warmup: Assignment):
        tree = solved()
        tree["cells"] += [None, 3, "x", []]
        submission = read(warmup, tree)
        assert len(submission.notebook["cells"]) == len(GRADED)
        assert submission.notes == ("Some of what stands among the cells is no cell; it was left out.",)

    def test_a_cell_of_no_known_type_is_code_where_it_had_outputs(self, warmup: Assignment):
        tree = solved()
        tree["cells"] += [{"source": "a = 1", "outputs": []}, {"cell_type": "heading", "source": "b"}]
        submission = read(warmup, tree)
        assert [each["cell_type"] for each in submission.notebook["cells"][-2:]] == ["code", "raw"]

    def test_lone_surrogates_and_null_characters_are_replaced_with_a_note(self, warmup: Assignment):
        source = json.dumps("a = 'é\ud83d\ude00'\0").replace("a =", "b = '\\udc00'; a =")
        content = json.dumps(changed(solved(), "scale", source="HERE")).replace('"HERE"', source)
        submission = read(warmup, content.encode())
        assert at(submission, "scale")["source"] == "b = '�'; a = 'é😀'"
        assert submission.notes == ("Some characters in the notebook are no text; they were replaced.",)

    def test_a_byte_order_mark_is_no_harm(self, warmup: Assignment):
        content = json.dumps(solved()).encode()
        assert read(warmup, b"\xef\xbb\xbf" + content).notebook == read(warmup, content).notebook

    def test_utf_16_is_read(self, warmup: Assignment):
        content = json.dumps(solved())
        assert read(warmup, content.encode("utf-16")).notebook == read(warmup, content.encode()).notebook

    def test_bytes_that_are_not_utf_8_are_replaced_with_a_note(self, warmup: Assignment):
        content = json.dumps(changed(solved(), "why", source="caf!")).encode().replace(b"caf!", b"caf\xe9")
        submission = read(warmup, content)
        assert at(submission, "why")["source"] == "caf�"
        assert submission.notes == ("The file is not UTF-8 throughout; what could not be read is shown as �.",)

    @pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "9" * 5000, "-" + "9" * 5000])
    def test_numbers_beyond_json_and_python_are_no_harm(self, warmup: Assignment, number: str):
        content = json.dumps(solved() | {"metadata": {"x": "N"}, "nbformat_minor": "N"}).replace('"N"', number)
        assert read(warmup, content.encode()).unreadable == ""

    def test_format_3_is_converted_with_a_note(self, warmup: Assignment):
        sheet = [
            {"cell_type": "heading", "level": 2, "source": ["Title"], "metadata": {}},
            {"cell_type": "heading", "level": 1e300, "source": "Title"},
            {"cell_type": "code", "input": ["a = 1\n", "b = 2"], "outputs": [], "language": "python"},
            {"cell_type": "html", "source": "<b>x</b>"},
            {"cell_type": "markdown", "source": "text"},
        ]
        tree = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": sheet}, 3]}
        submission = read(warmup, tree)
        assert sources(submission)[-5:] == ["## Title", "# Title", "a = 1\nb = 2", "<b>x</b>", "text"]
        assert submission.notes[0] == "The notebook was saved in the old format 3; it was converted."

    @pytest.mark.parametrize("version", ["4", None, 4.0, True])
    def test_a_format_number_that_is_missing_or_odd_is_no_harm(self, warmup: Assignment, version: Any):
        assert read(warmup, solved() | {"nbformat": version}).unreadable == ""

    def test_a_file_of_another_name_is_told_so(self, course_root: Path, warmup: Assignment):
        path = write(course_root / "submitted/ada/warmup/final.ipynb", solved())
        notes = checked(read_submission(path, warmup, student="ada")).notes
        assert notes == ("Your file is called final.ipynb; call it warmup.ipynb. This costs nothing.",)


class TestUnreadable:
    """No exception: the release with a reason that a student understands."""

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "The file is empty."),
            (b" \n\t ", "The file is empty."),
            (json.dumps(solved(), indent=1).encode()[:-20], "The file ends too early, in line "),
            (json.dumps(solved(), indent=1).encode()[:300], "The file ends too early, in line "),
            (b'{\n "cells": [\n  oops\n ]\n}', "The file is not a notebook: line 3 cannot be read"),
            (b"import numpy as np\n", "The file is not a notebook: line 1 cannot be read"),
            (b'{\n<<<<<<< HEAD\n"a": 1\n=======\n>>>>>>> b\n}', "an unresolved Git merge"),
            (b"PK\x03\x04junk", "The file is a zip file, not a notebook."),
            (b"%PDF-1.7", "The file is a PDF, not a notebook."),
            (b"\n<!DOCTYPE html><html>", "The file is a web page, not a notebook."),
            (b"\x89PNG\r\n", "The file is a picture, not a notebook."),
            (b"[]", "it holds other data"),
            (b"null", "it holds other data"),
            (b"{}", "it has no list of cells"),
            (b'{"nbformat": 4, "cells": {}}', "it has no list of cells"),
            (b'{"nbformat": 3, "worksheets": {}}', "expected 4"),
            (b'{"nbformat": 2, "worksheets": []}', "The file is in the notebook format 2; expected 4."),
            (b'{"nbformat": 5, "cells": []}', "The file is in the notebook format 5; expected 4."),
            (b'{"nbformat": NaN, "cells": []}', "The file is in the notebook format nan; expected 4."),
            (b"[" * 100_000, "nested too deeply"),
            (b'{"cells": ' + b'[{"a": ' * 50_000, "nested too deeply"),
            (b"[" + b"[]," * 1_000_001, "far too complex"),
            (
                b'{"nbformat": 4, "cells": [' + b"{}," * 2000 + b"{}]}",
                "The notebook has 2001 cells; the most is 2000.",
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_it_is_the_release_with_a_reason(self, warmup: Assignment, content: bytes, reason: str):
        submission = read(warmup, content)
        assert reason in submission.unreadable
        assert submission.notebook == untouched()

    def test_a_file_that_is_too_large_is_told_how_to_become_smaller(self, warmup: Assignment):
        content = json.dumps(solved()).encode() + b" " * (warmup.limits.notebook_mb * 2**20)
        submission = read(warmup, content)
        assert "The file has 20.0 MB; the most is 20 MB. Clear the outputs" in submission.unreadable

    def test_a_folder_without_a_notebook_can_be_given_the_release_and_the_reason(self, warmup: Assignment):
        submission = checked(unread_submission(warmup, "There is no notebook.", student="ada"))
        assert (submission.unreadable, submission.notebook) == ("There is no notebook.", untouched())


class TestRefused:
    @pytest.mark.parametrize(
        ("make", "kind"),
        [
            (lambda path: path.symlink_to(path.parent / "elsewhere"), "a symbolic link"),
            (lambda path: path.symlink_to("/etc/passwd"), "a symbolic link"),
            (os.mkfifo, "a named pipe"),
            (Path.mkdir, "a folder"),
        ],
    )
    def test_what_is_no_file_is_refused_by_name(
        self, tmp_path: Path, warmup: Assignment, make: Callable[[Path], None], kind: str
    ):
        path = tmp_path / "warmup.ipynb"
        make(path)
        with pytest.raises(RefusedError, match=f"warmup.ipynb is {kind}, not a file"):
            read_submission(path, warmup)

    def test_a_device_is_refused(self, warmup: Assignment):
        with pytest.raises(RefusedError, match="/dev/null is a device, not a file"):
            read_submission(Path("/dev/null"), warmup)

    def test_a_socket_is_refused(self, tmp_path: Path, warmup: Assignment, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(tmp_path)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("warmup.ipynb")
            with pytest.raises(RefusedError, match=r"warmup\.ipynb is a socket, not a file"):
                read_submission(Path("warmup.ipynb"), warmup)

    @pytest.mark.parametrize("name", ["missing.ipynb", "nul\0.ipynb", "line\nbreak.ipynb", "x" * 300])
    def test_what_cannot_be_opened_is_refused_with_a_name_that_can_be_printed(
        self, tmp_path: Path, warmup: Assignment, name: str
    ):
        with pytest.raises(RefusedError) as caught:
            read_submission(tmp_path / name, warmup)
        assert str(caught.value).isprintable()

    def test_a_hard_link_is_refused_among_what_was_submitted(self, course_root: Path, warmup: Assignment):
        path = submit(course_root, "eve")
        path.unlink()
        path.hardlink_to(warmup.master)
        for read_it in (lambda: read_submission(path, warmup, student="eve"), lambda: submitted_digest(path, warmup)):
            with pytest.raises(RefusedError, match=r"warmup.ipynb is a hard link.*put a copy in its place"):
                read_it()

    def test_a_hard_link_is_a_file_where_the_instructor_names_it(self, tmp_path: Path, warmup: Assignment):
        write(tmp_path / "one.ipynb", solved())
        (tmp_path / "two.ipynb").hardlink_to(tmp_path / "one.ipynb")
        assert checked(read_submission(tmp_path / "two.ipynb", warmup)).unreadable == ""


class TestRelease:
    def test_without_a_release_the_message_gives_the_command(self, course_root: Path, warmup: Assignment):
        warmup.release.unlink()
        with pytest.raises(AutograderError, match="warmup has not been released: run `autograder release warmup`"):
            read_submission(submit(course_root, "ada"), warmup)

    def test_a_release_that_does_not_fit_its_master_is_told(self, course_root: Path, warmup: Assignment):
        write(warmup.release, without(untouched(), "test_scale"))
        with pytest.raises(AutograderError, match=r"does not fit warmup.ipynb any more .*: run `autograder release"):
            read_submission(submit(course_root, "ada"), warmup)

    @pytest.mark.parametrize("content", ["", "[]", '{"cells": [3]}', '{"cells": [{"metadata": 3}]}'])
    def test_a_broken_release_is_told(self, course_root: Path, warmup: Assignment, content: str):
        warmup.release.write_text(content)
        with pytest.raises(AutograderError, match=r"run `autograder release warmup`"):
            read_submission(submit(course_root, "ada"), warmup)

    def test_points_of_the_master_win_over_those_of_the_release(self, course_root: Path):
        tree = untouched()
        tree["cells"][3]["metadata"]["nbgrader"]["points"] = 40
        write(course_root / "release/warmup/warmup.ipynb", tree)
        read(load_course(course_root).assignment("warmup"), solved())

    def test_a_release_of_format_4_4_has_no_ids_and_is_given_some(self, course_root: Path, warmup: Assignment):
        tree = untouched() | {"nbformat_minor": 4}
        for each in tree["cells"]:
            del each["id"]
        write(warmup.release, tree)
        read(warmup, solved())


class TestFolder:
    def test_the_notebook_of_the_assignments_name_counts(self, course_root: Path, warmup: Assignment):
        path = submit(course_root, "ada")
        write(path.with_name("another.ipynb"), solved())
        assert find_notebook(path.parent, warmup) == path

    @pytest.mark.parametrize(
        "name", ["final.ipynb", "Warmup.ipynb", "warmup.ipynb.txt", "warmup (1).IPYNB", "warmup.ipynb.json"]
    )
    def test_a_renamed_notebook_is_found_where_it_is_the_only_one(
        self, course_root: Path, warmup: Assignment, name: str
    ):
        path = write(course_root / "submitted/ada/warmup" / name, solved())
        (path.parent / ".ipynb_checkpoints").mkdir()
        assert find_notebook(path.parent, warmup) == path

    def test_of_several_the_one_with_most_of_the_assignments_cells_counts(self, course_root: Path, warmup: Assignment):
        folder = course_root / "submitted/ada/warmup"
        write(folder / "a.ipynb", notebook(cell("1")))
        write(folder / "b.ipynb", without(solved(), "centre"))
        wanted = write(folder / "c.ipynb", solved())
        (folder / "d.ipynb").write_text("{")
        os.mkfifo(folder / "e.ipynb")
        assert find_notebook(folder, warmup) == wanted

    @pytest.mark.parametrize(
        ("trees", "chosen", "said"),
        [
            ({"warmup.ipynb": untouched(), "warmup (1).ipynb": solved()}, "warmup (1).ipynb", "is as it was released"),
            ({"warmup.ipynb": untouched(), "final.ipynb": solved()}, "final.ipynb", "is as it was released"),
            ({"warmup.ipynb": "{", "Copy of warmup.ipynb": solved()}, "Copy of warmup.ipynb", "cannot be read"),
            ({"warmup.ipynb": without(solved(), "why"), "a.ipynb": solved()}, "warmup.ipynb", "a.ipynb, has more"),
            ({"warmup.ipynb": solved(), "a.ipynb": solved()}, "warmup.ipynb", "counts, and not a.ipynb"),
            ({"warmup.ipynb": solved(), "warmup-Copy1.ipynb": untouched()}, "warmup.ipynb", ""),
            ({"warmup.ipynb": untouched(), "a.ipynb": notebook(cell("1 + 1"))}, "warmup.ipynb", ""),
            (
                {"a.ipynb": solved(), "warmup – Kopie.ipynb": without(solved(), "why")},
                "warmup – Kopie.ipynb",
                "a.ipynb",
            ),
            ({"warmup 2.ipynb": untouched(), "warmup copy.ipynb": solved()}, "warmup copy.ipynb", "not warmup 2.ipynb"),
        ],
        ids=range(9),
    )
    def test_of_two_notebooks_an_untouched_one_yields_and_a_line_says_what_counts(
        self, course_root: Path, warmup: Assignment, trees: dict[str, Any], chosen: str, said: str
    ):
        for name, tree in trees.items():
            path = write(course_root / "submitted/ada/warmup" / name, tree)
            path.write_text("{") if tree == "{" else None
        for litter in ("._warmup (3).ipynb", "warmup.ipynb:Zone.Identifier"):
            (path.parent / litter).write_text("x")
        hand_in = find_hand_in(submissions(course_root, "warmup")[0], warmup)
        assert hand_in.notebook == path.parent / chosen
        assert said in hand_in.note
        assert bool(said) == bool(hand_in.note)

    def test_no_notebook_at_all_is_told_to_the_student(self, course_root: Path, warmup: Assignment):
        folder = course_root / "submitted/ada/warmup"
        folder.mkdir(parents=True)
        (folder / "answer\n.pdf").write_text("x")
        with pytest.raises(SubmissionError, match=r"expected warmup.ipynb, found answer\\n.pdf\."):
            find_notebook(folder, warmup)

    def test_a_folder_with_more_files_than_anybody_looks_at_is_told_to_the_student(
        self, course_root: Path, warmup: Assignment, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("autograder.submission.choosing.MAX_ENTRIES", 20)
        path = submit(course_root, "ada")
        for number in range(30):
            (path.parent / f"{number}.txt").touch()
        assert find_notebook(path.parent, warmup) == path
        path.rename(path.with_name("final.ipynb"))
        with pytest.raises(SubmissionError, match="more than 20 other files"):
            find_notebook(path.parent, warmup)

    def test_of_many_huge_notebooks_not_all_are_read(self, course_root: Path, warmup: Assignment):
        small = replace(warmup, limits=replace(warmup.limits, notebook_mb=1))
        folder = course_root / "submitted/ada/warmup"
        wanted = write(folder / "a.ipynb", solved())
        for number in range(9):
            with (folder / f"b{number}.ipynb").open("wb") as file:
                file.truncate(2**20)
        write(folder / "z.ipynb", without(solved(), "centre"))
        assert find_notebook(folder, small) == wanted

    def test_a_folder_that_is_a_link_is_refused(self, tmp_path: Path, warmup: Assignment):
        (tmp_path / "link").symlink_to(tmp_path)
        with pytest.raises(RefusedError, match="link is a symbolic link, not a folder"):
            find_notebook(tmp_path / "link", warmup)


class TestSubmitted:
    def test_students_are_listed_in_order_and_hidden_folders_are_not(self, course_root: Path):
        for student in ("grace", "ada", ".git"):
            submit(course_root, student)
        submit(course_root, "alan", assignment="another")
        assert [each.student for each in submissions(course_root, "warmup")] == ["ada", "grace"]

    def test_a_course_without_submissions_has_none(self, course_root: Path):
        assert submissions(course_root, "warmup") == []

    def test_only_the_students_asked_for_are_listed_and_who_is_missing_is_told(self, course_root: Path):
        for student in ("ada", "grace"):
            submit(course_root, student)
        ada, nobody = submissions(course_root, "warmup", ["nobody", "ada"])
        assert (ada.student, ada.problem) == ("ada", "")
        assert nobody.problem == "nobody has submitted nothing for warmup"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2026-11-29 23:59:00.123456 UTC", "2026-11-29T23:59:00.123456+00:00"),
            ("2026-11-29 23:59:00 UTC\n", "2026-11-29T23:59:00+00:00"),
            ("2026-11-29 23:59:00", "2026-11-29T23:59:00+00:00"),
            ("2026-11-29 23:59:00 EST", "2026-11-30T04:59:00+00:00"),
            ("2026-07-01 12:00:00 EDT", "2026-07-01T16:00:00+00:00"),
            ("2026-11-01 01:30:00 EST", "2026-11-01T06:30:00+00:00"),
            ("2026-11-01 01:30:00 EDT", "2026-11-01T05:30:00+00:00"),
            ("2026-11-29 23:59:00 America/Los_Angeles", "2026-11-30T07:59:00+00:00"),
            ("2026-11-29T23:59:00.5+01:00", "2026-11-29T22:59:00.500000+00:00"),
            ("2026-11-29 23:59:00 -0500", "2026-11-30T04:59:00+00:00"),
        ],
    )
    def test_a_timestamp_of_nbgraders_is_given_in_utc(self, course_root: Path, text: str, expected: str):
        submit(course_root, "ada", timestamp=text)
        (ada,) = submissions(course_root, "warmup", timezone=ZoneInfo("America/New_York"))
        assert (ada.timestamp, ada.note) == (expected, "")

    @pytest.mark.parametrize(
        "text",
        [
            " ",
            "yesterday",
            "2026-13-01 00:00:00",
            "2026-11-29 23:59:00 XYZ",
            "0001-01-01 00:00:00 +23:59",
            "0001-01-01 00:00:00 UTC",
            "0001-01-01 00:00:00 -23:59",
            "9999-12-31 23:59:59 -23:59",
            "9999-12-31 23:59:59 America/New_York",
            "1900-01-01 00:00:00",
            "2099-01-01 00:00:00",
            "9" * 5000,
        ],
    )
    def test_a_malformed_timestamp_counts_as_on_time_with_a_note(self, course_root: Path, text: str):
        submit(course_root, "ada", timestamp=text)
        (ada,) = submissions(course_root, "warmup")
        assert (ada.timestamp, ada.problem) == (None, "")
        assert "timestamp.txt holds no time such as" in ada.note

    def test_a_timestamp_that_is_a_pipe_does_not_hang(self, course_root: Path):
        os.mkfifo(submit(course_root, "ada").parent / "timestamp.txt")
        (ada,) = submissions(course_root, "warmup")
        assert ada.note

    def test_no_timestamp_is_unknown_and_not_odd(self, course_root: Path):
        submit(course_root, "ada")
        (ada,) = submissions(course_root, "warmup")
        assert (ada.timestamp, ada.note) == (None, "")

    def test_links_and_files_in_place_of_folders_are_listed_as_problems(self, course_root: Path):
        submit(course_root, "ada")
        submitted = course_root / "submitted"
        (submitted / "eve").symlink_to(submitted / "ada")
        (submitted / "mallory").mkdir()
        (submitted / "mallory/warmup").symlink_to(submitted / "ada/warmup")
        (submitted / "roster.csv").write_text("ada")
        problems = {each.student: each.problem for each in submissions(course_root, "warmup")}
        assert problems["ada"] == ""
        assert problems["eve"].endswith("eve is a symbolic link, not a folder")
        assert problems["mallory"].endswith("warmup is a symbolic link, not a folder")
        assert problems["roster.csv"].endswith("roster.csv is a file, not a folder")

    @pytest.mark.parametrize(
        "name", ["a\nb", "\x1b[31mred", " ada", "a\u202eb", "back\\slash", "\udcff", "<img onerror=x>", 'a";x', "a&lt;"]
    )
    def test_a_name_that_is_not_safe_to_print_is_a_problem(self, course_root: Path, name: str):
        submit(course_root, name)
        (listed,) = submissions(course_root, "warmup")
        assert "is no student's id" in listed.problem
        assert (listed.student + listed.problem).isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
STRANGE = JSON | st.sampled_from(
    [
        "code",
        "markdown",
        "raw",
        "scale",
        "test_scale",
        "\ud800",
        "a\0b",
        ["a", "\n", 3],
        {"grade_id": "scale"},
        4,
        3,
    ]
)


def places(tree: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [where, *(place for key, value in inner for place in places(value, (*where, key)))]


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """The solved notebook with parts of it dropped, repeated, or replaced by something strange."""
    tree = {"root": draw(st.sampled_from([solved, untouched]))()}
    for _ in range(draw(st.integers(1, 6))):
        *around, key = draw(st.sampled_from(places(tree)[1:]))
        holder: Any = tree
        for part in around:
            holder = holder[part]
        match draw(st.sampled_from(["replace", "drop", "repeat"])):
            case "replace":
                # A later round may change what this one put in, and the strategy keeps what it samples from.
                holder[key] = copy.deepcopy(draw(STRANGE))
            case "drop" if key != "root":
                del holder[key]
            case "repeat" if isinstance(holder, list):
                holder.insert(draw(st.integers(0, len(holder))), copy.deepcopy(holder[key]))
    return tree["root"]


class TestWhatever:
    """Nothing that a student can put into a file raises, or gives an invalid notebook."""

    many = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

    @many
    @given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
    @example(b"\xff\xfe")
    @example(b"\xfe\xff\x00")
    @example(b"\xef\xbb\xbf")
    @example(b'{"a":1}{"b":2}')
    def test_arbitrary_bytes_give_the_release_and_a_reason(self, warmup: Assignment, content: bytes):
        submission = read(warmup, content)
        assert submission.unreadable
        assert submission.unreadable.isprintable()

    @many
    @given(JSON)
    def test_arbitrary_json_gives_a_valid_notebook(self, warmup: Assignment, tree: Any):
        read(warmup, tree)

    @many
    @given(st.fixed_dictionaries({"nbformat": st.sampled_from([3, 4, "x"]), "cells": JSON, "worksheets": JSON}))
    def test_arbitrary_cells_give_a_valid_notebook(self, warmup: Assignment, tree: Any):
        read(warmup, tree)

    @settings(many, max_examples=150)
    @given(mutated())
    def test_a_mutated_notebook_gives_a_valid_notebook(self, warmup: Assignment, tree: Any):
        submission = read(warmup, tree)
        assert all(note.isprintable() for note in submission.notes)

    @many
    @given(st.integers(0, 5000), st.binary(max_size=3))
    def test_a_damaged_file_gives_a_valid_notebook(self, warmup: Assignment, place: int, put: bytes):
        content = json.dumps(solved(), indent=1).encode()
        read(warmup, content[: place % len(content)] + put)
        read(warmup, content[: place % len(content)] + put + content[place % len(content) :])
