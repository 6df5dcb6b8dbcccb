"""Scores into the tables of Canvas, Moodle and Blackboard: matched by their ids, and nothing else changed."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.base import AutograderError
from autograder.course import load_course
from autograder.gradebook import HeldGrade
from autograder.reports import filled_in, people_of
from autograder.reports.lms import Filled
from tests.courses import make_course

CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Warm-up (4711),Essay (4712),Current Score\r\n"
    ",,,,,Manual Posting,,\r\n"
    "    Points Possible,,,,,12.00,10.00,(read only)\r\n"
    '"Lovelace, Ada",101,u1,ada,A,,7,58.3\r\n'
    '"Byron, Bob",102,u2,bob,A,3,8,\r\n'
    '"Xi, Cyd",103,u3,cyd,B,,,\r\n'
    '"Student, Test",104,,d6,A,,,\r\n'
)
MOODLE = (
    "Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,Grade can be changed,Feedback comments\n"
    'Participant 11,Ada Lovelace,ada,ada@example.org,Submitted,,"12,00",Yes,\n'
    'Participant 12,Bob Byron,bob,bob@example.org,Submitted,"3,00","12,00",Yes,good\n'
)
BLACKBOARD = (
    '"Last Name"\t"First Name"\t"Username"\t"Student ID"\t"Last Access"\t"Warm-up [Total Pts: 12 Score] |99"\n'
    '"Lovelace"\t"Ada"\t"ada"\t"1"\t"2026-11-20"\t""\n'
    '"Byron"\t"Bob"\t"bob"\t"2"\t""\t"5"\n'
)


@pytest.fixture(scope="module")
def warmup(tmp_path_factory):
    return load_course(make_course(tmp_path_factory.mktemp("course") / "course")).assignment("warmup")


def held(student: str, score: float, *, waiting: bool = False) -> HeldGrade:
    return HeldGrade(student, None, {}, score, 0.0, score, 12.0, waiting)


CLASS = [held("ada", 10.5), held("bob", 9), held("dan", 1)]


def table(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "exported.csv"
    path.write_bytes(text.encode(encoding))
    return path


def cells(filled: Filled, delimiter: str = ",", encoding: str = "utf-8") -> list[list[str]]:
    return list(csv.reader(io.StringIO(filled.content.decode(encoding)), delimiter=delimiter))


def test_canvas_gets_its_own_lines_back_with_the_one_column_filled_in(tmp_path, warmup):
    filled = filled_in("canvas", table(tmp_path, CANVAS), CLASS, warmup)
    assert cells(filled) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Warm-up (4711)"],
        ["", "", "", "", "", "Manual Posting"],
        ["    Points Possible", "", "", "", "", "12.00"],
        ["Lovelace, Ada", "101", "u1", "ada", "A", "10.5"],
        ["Byron, Bob", "102", "u2", "bob", "A", "9"],
        ["Xi, Cyd", "103", "u3", "cyd", "B", ""],
        ["Student, Test", "104", "", "d6", "A", ""],
    ]
    assert filled.content.count(b"\r\n") == 7
    assert (filled.column, filled.matched, filled.unknown) == ("Warm-up (4711)", 2, ("dan",))
    assert filled.unmatched == ("line 6: cyd",)


def test_moodle_keeps_every_column_and_its_comma(tmp_path, warmup):
    filled = filled_in("moodle", table(tmp_path, MOODLE), CLASS, warmup)
    assert [row[5] for row in cells(filled)] == ["Grade", "10,5", "9"]
    assert cells(filled)[2][8] == "good"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_blackboard_is_written_as_it_was_read(tmp_path, warmup, encoding):
    filled = filled_in("blackboard", table(tmp_path, BLACKBOARD, encoding), CLASS, warmup)
    rows = cells(filled, "\t", encoding)
    assert rows[0] == ["Last Name", "First Name", "Username", "Student ID", "Warm-up [Total Pts: 12 Score] |99"]
    assert [row[-1] for row in rows[1:]] == ["10.5", "9"]
    assert filled.content[:2] == BLACKBOARD.encode(encoding)[:2]


def test_the_column_that_holds_the_ids_is_found_or_named(tmp_path, warmup):
    by_sis = [held("u1", 1), held("u2", 2)]
    assert filled_in("canvas", table(tmp_path, CANVAS), by_sis, warmup).matched == 2
    assert filled_in("canvas", table(tmp_path, CANVAS), [held("101", 3)], warmup, match="ID").matched == 1


def test_who_waits_for_a_person_is_left_as_it_was_and_listed(tmp_path, warmup):
    filled = filled_in("canvas", table(tmp_path, CANVAS), [held("bob", 9, waiting=True)], warmup)
    assert cells(filled)[4][5] == "3"
    assert (filled.waiting, filled.matched) == (("bob",), 0)


def test_an_address_that_would_be_a_formula_costs_nobody_the_export(tmp_path, warmup):
    """Students write their own addresses in Moodle; an import there goes by the identifier alone."""
    text = MOODLE.replace("ada@", "=ada@")
    assert text != MOODLE
    filled = filled_in("moodle", table(tmp_path, text), CLASS, warmup)
    assert filled.matched == filled_in("moodle", table(tmp_path, MOODLE), CLASS, warmup).matched
    assert any(cell.startswith("'=ada@") for row in cells(filled) for cell in row)


def test_who_is_called_as_the_line_of_points_is_a_student_all_the_same(tmp_path, warmup):
    text = CANVAS.replace('"Byron, Bob"', "Points Possible")
    assert text != CANVAS
    assert filled_in("canvas", table(tmp_path, text), CLASS, warmup).matched == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("Section", "Group"), "there is no column 'Section'"),
        (
            ("Warm-up (4711)", "Warmth (4711)"),
            "no column is 'Warm-up'; name one with --column. There are: 'Warmth (4711)'",
        ),
        (("Essay (4712)", "Warm-up (4712)"), "more than one column is 'Warm-up'"),
        (("12.00", "100.00"), "line 3: Warm-up (4711) has 100 points there, and 12 here"),
        (("u2,bob", "u2,ada"), "lines 4 and 5: ada is there twice"),
        (("ada", "eve"), ""),
        (("u1,ada", "u1,=ada"), "line 4: '=ada' in SIS Login ID would be a formula"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(tmp_path, warmup, change, said):
    path = table(tmp_path, CANVAS.replace(*change))
    if not said:
        assert filled_in("canvas", path, CLASS, warmup).unknown == ("ada", "dan")
        return
    with pytest.raises(AutograderError) as caught:
        filled_in("canvas", path, CLASS, warmup)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_table_of_another_course_is_refused(tmp_path, warmup):
    with pytest.raises(AutograderError, match="Is it the table of another course"):
        filled_in("canvas", table(tmp_path, CANVAS), [held("nobody", 1)], warmup)


@pytest.mark.parametrize("score", [-1.0, 12.5])
def test_a_score_out_of_range_is_refused(tmp_path, warmup, score):
    with pytest.raises(AutograderError, match=r"line 4: ada has .* points, out of the range of 0 to 12"):
        filled_in("canvas", table(tmp_path, CANVAS), [held("ada", score)], warmup)


def test_a_grade_that_is_locked_in_moodle_is_named(tmp_path, warmup):
    locked = MOODLE.replace('"12,00",Yes,good', '"12,00",No,good')
    with pytest.raises(AutograderError, match="line 3: the grade of bob cannot be changed there"):
        filled_in("moodle", table(tmp_path, locked), CLASS, warmup)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\x80\x81", b"PK\x03\x04", b"Student;ID\n"])
def test_what_is_no_table_is_refused(tmp_path, warmup, content):
    path = tmp_path / "exported.csv"
    path.write_bytes(content)
    with pytest.raises(AutograderError, match=r"exported\.csv"):
        filled_in("canvas", path, CLASS, warmup)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(name=TEXTS, section=TEXTS, student=st.sampled_from(["ada", "bob", "cyd"]), score=st.floats(0, 12))
def test_whatever_the_names_are_the_ids_stay_and_no_cell_is_a_formula(
    warmup, tmp_path_factory, name, section, student, score
):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["Student", "ID", "SIS Login ID", "Section", "Warm-up (4711)"])
    writer.writerow([name, "7", student, section, ""])
    path = table(tmp_path_factory.mktemp("canvas"), out.getvalue())
    if name.strip() in ("", "Student, Test"):
        # Such a line is no student's.
        return
    filled = filled_in("canvas", path, [held(student, score)], warmup)
    for row in cells(filled)[1:]:
        assert row[1:3] == ["7", student]
        assert not any(cell.lstrip(" '\"\t\r\n").startswith(("=", "+", "@")) and cell[:1] != "'" for cell in row)
        if filled.matched:
            assert abs(float(row[4]) - score) < 1e-4


def test_a_withheld_late_penalty_is_in_the_score(tmp_path, warmup):
    late = replace(held("ada", 10), raw_score=10, late_penalty=2, score=8)
    assert cells(filled_in("canvas", table(tmp_path, CANVAS), [late], warmup))[3][5] == "8"


def test_who_is_excused_is_EX_for_canvas_whether_or_not_they_handed_in(tmp_path, warmup):
    excusing = replace(warmup, excused=frozenset({"ada", "cyd"}))
    filled = filled_in("canvas", table(tmp_path, CANVAS), CLASS, excusing)
    assert [row[5] for row in cells(filled)[3:]] == ["EX", "9", "EX", ""]
    assert (filled.excused, filled.unmatched) == (("ada", "cyd"), ())


@pytest.mark.parametrize(
    ("system", "exported", "delimiter"), [("moodle", MOODLE, ","), ("blackboard", BLACKBOARD, "\t")]
)
def test_who_is_excused_is_left_as_they_were_elsewhere(tmp_path, warmup, system, exported, delimiter):
    excusing = replace(warmup, excused=frozenset({"bob"}))
    filled = filled_in(system, table(tmp_path, exported), CLASS, excusing)
    was = next(row for row in csv.reader(io.StringIO(exported), delimiter=delimiter) if "bob" in row)
    assert any(row[-1] == was[-1] or row == was for row in cells(filled, delimiter) if "bob" in row)
    assert filled.excused == ("bob",)


# Every form that the systems' sources write

SPLIT = (
    "LastName,FirstName,ID,SIS User ID,SIS Login ID,Integration ID,Root Account,Section,Notes,Warm-up (4711),Score\r\n"
    ",,,,,,,,,Manual Posting (scores hidden from instructors),\r\n"
    "    Points Possible,,,,,,,,,12.00,(read only)\r\n"
    ",Ada,101,u1,ada,i1,school.edu,A and B,,N/A,\r\n"
    'Byron,Bob,102,u2,bob,i2,school.edu,A,"=1",3,\r\n'
    "Student,Test,104,,deadbeef,,school.edu,A,,,\r\n"
)
GERMAN = (
    "ID,Vollständiger Name,ID-Nummer,E-Mail-Adresse,Status,Bewertung,Bestwertung,Bewertung kann geändert werden,"
    "Zuletzt geändert (Bewertung)\n"
    'Teilnehmer/in11,Ada Lovelace,ada,,Zur Bewertung abgegeben,,"12,00",Ja,-\n'
    'Teilnehmer/in12,Bob Byron,bob,,Keine Abgabe,"3,50","12,00",Ja,"Freitag, 27. November 2026, 10:00"\n'
)
# Of no language, with a team, a marker and a state of marking, as a site may show them.
UNKNOWN = (
    "Qx,Qy,Qz,Qu,Qs,Qt,Qm,Qg,Qmax,Qw,Qc,Qd,Ql,Qf\n"
    "Wer 11,Ada Lovelace,ada,1234,aa,Red,Mo,-,12.00,xx,vo,-,-,\n"
    "Wer 12,Bob Byron,bob,1235,ab,Red,Mo,3.00,12.00,yy,vo,-,2026,ok\n"
)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_canvas_with_names_apart_is_filled_in_whatever_parts_the_columns(tmp_path, warmup, separator, encoding):
    rows = list(csv.reader(io.StringIO(SPLIT)))
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\r\n").writerows(rows)
    path = table(tmp_path, out.getvalue(), encoding)
    filled = filled_in("canvas", path, CLASS, warmup)
    lines = cells(filled, separator, encoding)
    assert lines[0] == [*rows[0][:8], "Warm-up (4711)"]
    assert [line[-1] for line in lines[1:]] == [rows[1][9], "12.00", "10.5", "9", ""]
    assert (filled.matched, filled.unmatched) == (2, ())
    people = people_of(path, ["ada", "bob"])
    assert [(each.student, each.numbers) for each in people] == [("ada", {"101"}), ("bob", {"102"})]
    assert people[1].names == {"byronbob", "bobbyron"}


@pytest.mark.parametrize(("exported", "place"), [(GERMAN, 5), (UNKNOWN, 7)])
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_worksheet_of_moodles_is_read_in_any_language(tmp_path, warmup, exported, place, separator):
    out = io.StringIO()
    rows = list(csv.reader(io.StringIO(exported)))
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows(rows)
    path = table(tmp_path, out.getvalue(), "utf-8-sig")
    filled = cells(filled_in("moodle", path, CLASS, warmup), separator, "utf-8-sig")
    score = "10,5" if "," in rows[1][place + 1] else "10.5"
    assert [row[place] for row in filled[1:]] == [score, "9"]
    assert [row[:place] + row[place + 1 :] for row in filled] == [row[:place] + row[place + 1 :] for row in rows]
    people = people_of(path, ["ada", "bob"])
    assert [(each.student, each.numbers) for each in people] == [("ada", {"11"}), ("bob", {"12"})]
    assert "adalovelace" in people[0].names


def test_a_grade_that_is_locked_is_named_in_the_worksheets_own_language(tmp_path, warmup):
    locked = GERMAN.replace('"3,50","12,00",Ja', '"3,50","12,00",Nein')
    with pytest.raises(AutograderError, match="line 3: the grade of bob cannot be changed there"):
        filled_in("moodle", table(tmp_path, locked), CLASS, warmup)


@pytest.mark.parametrize(
    "change",
    [
        ("12,00", "gut"),  # a scale in the place of points
        ("Teilnehmer/in12", "Teilnehmer/in11"),
        ("Teilnehmer/in12", "Student 12"),
        ('"3,50"', '"13,50"'),
    ],
)
def test_a_worksheet_whose_columns_cannot_be_told_is_refused_with_what_was_expected(tmp_path, warmup, change):
    path = table(tmp_path, GERMAN.replace(*change))
    with pytest.raises(AutograderError) as caught:
        filled_in("moodle", path, CLASS, warmup)
    for said in (
        "line 1: this is no table of Moodle's",
        "found ID, Vollständiger Name",
        "expected Identifier, Full name",
    ):
        assert said in str(caught.value)


def test_where_nobody_is_known_a_column_of_unknown_words_is_not_guessed_at(tmp_path):
    path = table(tmp_path, UNKNOWN)
    with pytest.raises(AutograderError, match=r"which column holds the students' ids\? Name one with --match"):
        people_of(path, [])
    assert [each.student for each in people_of(path, [], match="Qz")] == ["ada", "bob"]
    assert [each.student for each in people_of(table(tmp_path, GERMAN), [])] == ["ada", "bob"]


@pytest.mark.parametrize(
    "header",
    [
        '"Last Name"\t"First Name"\t"Username"\t"Student ID"\t"Last Access"\t"Availability"\t'
        '"Warm-up [Total Pts: up to 12 Score] |99"',
        '"Nachname"\t"Vorname"\t"Benutzername"\t"Matrikelnr"\t"Da"\t"Warm-up [Gesamtpunkte: 12,0 Punkte] |99"',
    ],
)
def test_blackboards_table_is_read_in_any_language(tmp_path, warmup, header):
    path = table(
        tmp_path, header + '\n"Lovelace"\t"Ada"\t"Ada"\t"1"' + '\t""' * (header.count("\t") - 3) + "\n", "utf-16"
    )
    filled = filled_in("blackboard", path, [held("Ada", 10.5)], warmup)
    assert cells(filled, "\t", "utf-16")[1] == ["Lovelace", "Ada", "Ada", "1", "10.5"]
    (ada,) = people_of(path, ["Ada"])
    assert (ada.system, ada.numbers, ada.names) == ("blackboard", {"ada"}, frozenset())


@pytest.mark.parametrize("written", ["ADA", "jos\u00e9", "jose\u0301", "Jos\u00c9"])
def test_an_id_is_known_in_whatever_form_its_letters_are(tmp_path, warmup, written):
    path = table(tmp_path, CANVAS.replace("u1,ada", f"u1,{written}"))
    filled = filled_in("canvas", path, [held("jos\u00e9", 7), held("ada", 8)], warmup)
    assert cells(filled)[3][5] == ("8" if written == "ADA" else "7")
    both = [held("ada", 7), held("Ada", 8)]
    assert filled_in("canvas", table(tmp_path, CANVAS), both, warmup).unknown == ("Ada",)


@given(
    words=st.lists(st.text("абвгде ÄÖÜ()/", min_size=1, max_size=9), min_size=9, max_size=9, unique=True),
    grades=st.lists(st.none() | st.floats(0, 12), min_size=2, max_size=5),
    comma=st.booleans(),
)
@settings(max_examples=30)
def test_no_word_of_a_worksheet_matters(warmup, tmp_path_factory, words, grades, comma):
    def shown(number):
        return f"{number:.2f}".replace(".", "," if comma else ".")

    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(words)
    for number, grade in enumerate(grades, 20):
        was = "" if grade is None else shown(grade)
        writer.writerow([f"P {number}", f"N {number}", f"s{number}", "", "sent", was, shown(12), "yes", "-"])
    path = table(tmp_path_factory.mktemp("moodle"), out.getvalue())
    filled = filled_in("moodle", path, [held(f"s{number}", 1.5) for number in range(20, 20 + len(grades))], warmup)
    assert {row[5] for row in cells(filled)[1:]} == {"1,5" if comma else "1.5"}
