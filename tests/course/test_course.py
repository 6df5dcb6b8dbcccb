"""The course's configuration and its masters: what they say, and what is said of every mistake in them."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autograder.base import ConfigError
from autograder.course import (
    Assignment,
    Course,
    LatePolicy,
    Limits,
    Row,
    chosen_course,
    find_course,
    load_course,
    without_magics,
)
from autograder.grading import assignment_digest
from tests.courses import CONFIG, cell, make_course, notebook, solved, write

REPOSITORY = Path(__file__).parents[2]


def load(root: Path, config: str) -> Course:
    return load_course(make_course(root, config=config))


def mistakes(root: Path, config: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(root, config)
    return str(caught.value)


def line_of(config: str, text: str) -> int:
    return 1 + config[: config.index(text)].count("\n")


class TestFinding:
    def test_the_nearest_parent_with_a_configuration_is_the_course(self, course_root: Path):
        assert find_course(course_root / "source/warmup") == course_root.resolve()

    def test_a_file_inside_the_course_is_a_place_to_start_from(self, course_root: Path):
        assert find_course(course_root / "source/warmup/warmup.ipynb") == course_root.resolve()

    def test_outside_a_course_the_message_gives_the_ways_in(self, tmp_path: Path):
        with pytest.raises(ConfigError, match=r"no gradebook_config.yaml in .*--course DIR.*autograder demo"):
            find_course(tmp_path)

    def test_a_configuration_with_the_wrong_suffix_is_named(self, tmp_path: Path):
        (tmp_path / "gradebook_config.yml").write_text("")
        with pytest.raises(ConfigError, match=r"\.yml should be called gradebook_config\.yaml"):
            find_course(tmp_path)

    def test_the_course_is_the_one_that_is_named_then_the_environments_then_the_one_around(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        named, other, around = (make_course(tmp_path / name) for name in ("named", "other", "around"))
        monkeypatch.chdir(around / "source")
        assert chosen_course() == around
        monkeypatch.setenv("AUTOGRADER_COURSE", str(other))
        assert chosen_course() == other
        assert chosen_course(named) == named
        monkeypatch.setenv("AUTOGRADER_COURSE", str(tmp_path))
        with pytest.raises(ConfigError, match=r"AUTOGRADER_COURSE names .* holds no gradebook_config.yaml"):
            chosen_course()

    @pytest.mark.parametrize(
        "place",
        [
            "course/submitted/ada/warmup",
            "course/submitted/ada/warmup/deeper/still",
            "course/submitted/.replaced/ada",
            "course/autograded/ada/warmup",
            "course/feedback/ada/warmup",
            "exchange/tiny/inbound/ada",
            "exchange/tiny/outbound/warmup",
            "exchange",
            "cache/ada+warmup+2026-11-29 23:59:00.000000 UTC",
            "zips/Ada Lovelace_4711_assignsubmission_file_",
            "zips/lovelaceada_LATE_12345_67890_warmup/warmup",
            "zips/warmup_ada_attempt_2026-11-29-23-59-00_warmup",
            "zips/stamped/warmup",
        ],
    )
    def test_a_course_among_what_students_hand_in_is_refused_however_it_is_come_upon(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
    ):
        make_course(tmp_path / "course")
        for name in ("inbound", "outbound"):
            (tmp_path / "exchange/tiny" / name).mkdir(parents=True)
        planted = make_course(tmp_path / place)
        (tmp_path / "zips/stamped").mkdir(parents=True, exist_ok=True)
        (tmp_path / "zips/stamped/timestamp.txt").write_text("2026-11-29 23:59:00 UTC")
        link = tmp_path / "innocent"
        link.symlink_to(planted)
        monkeypatch.setenv("AUTOGRADER_COURSE", str(planted))
        for come_upon in (
            lambda: load_course(planted),
            lambda: load_course(link),
            lambda: find_course(planted / "source"),
            lambda: chosen_course(planted),
            chosen_course,
        ):
            with pytest.raises(ConfigError, match="is no course to run"):
                come_upon()

    def test_a_course_behind_a_link_from_a_courses_folder_of_hand_ins_is_refused_where_one_stands(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        course = make_course(tmp_path / "course")
        make_course(tmp_path / "disk/ada/warmup")
        (course / "submitted").symlink_to(tmp_path / "disk")
        way = course / "submitted/ada/warmup"
        monkeypatch.chdir(way)
        monkeypatch.setenv("PWD", str(way))
        with pytest.raises(ConfigError, match=r"submitted, where the course in .* keeps what students hand in"):
            chosen_course()
        with pytest.raises(ConfigError, match="is no course to run"):
            load_course(way)

    def test_standing_in_a_submission_of_ones_own_course_finds_that_course(self, course_root: Path):
        folder = course_root / "submitted/ada/warmup"
        folder.mkdir(parents=True)
        assert find_course(folder) == course_root

    def test_a_course_inside_another_has_to_be_named(self, course_root: Path):
        inner = make_course(course_root / "inbox/unpacked")
        with pytest.raises(ConfigError, match=r"lies inside another course, .*name it: --course"):
            find_course(inner)
        assert chosen_course(inner) == inner
        assert find_course(make_course(course_root / "demo")) == course_root / "demo"

    @pytest.mark.parametrize("opened", [".", "gradebook_config.yaml"])
    def test_a_course_that_everybody_can_write_has_to_be_named(self, course_root: Path, opened: str):
        (course_root / opened).chmod(0o777)
        with pytest.raises(ConfigError, match="everybody on this machine can write to"):
            find_course(course_root / "source")
        assert chosen_course(course_root) == course_root

    @pytest.mark.skipif(os.geteuid() != 0, reason="NEEDS ROOT: another user's file cannot be made without it")
    def test_a_course_of_another_users_has_to_be_named(self, course_root: Path):
        os.chown(course_root / "gradebook_config.yaml", 4711, -1)
        with pytest.raises(ConfigError, match=r"belongs to another user \(number 4711\)"):
            find_course(course_root)
        assert chosen_course(course_root) == course_root

    def test_checks_among_what_students_hand_in_are_refused(self, course_root: Path):
        (course_root / "submitted/ada").mkdir(parents=True)
        (course_root / "checks/warmup").rename(course_root / "submitted/ada/checks")
        (course_root / "checks/warmup").symlink_to(course_root / "submitted/ada/checks")
        with pytest.raises(ConfigError, match=r"warmup\.checks: expected a folder of the course's own"):
            load_course(course_root)


class TestCourse:
    def test_everything_in_the_file_is_in_the_course(self, course_root: Path):
        course = load_course(course_root)
        warmup = course.assignment("warmup")
        assert (course.name, course.timezone.key) == ("tiny", "America/New_York")
        assert course.database == f"sqlite:///{course_root.resolve()}/gradebook.db"
        assert (warmup.title, warmup.seed, warmup.allowed_imports) == ("Warm-up", 7, ("numpy",))
        assert warmup.late == LatePolicy(15, 10, 50)
        assert warmup.master == course_root.resolve() / "source/warmup/warmup.ipynb"
        assert warmup.release == course_root.resolve() / "release/warmup/warmup.ipynb"
        assert warmup.checks == course_root.resolve() / "checks/warmup"
        assert warmup.solutions == course_root.resolve() / "solutions/warmup"

    def test_rows_points_and_functions_come_from_the_master(self, warmup: Assignment):
        assert warmup.rows == (
            Row("scale", "test_scale", 4.0, ("scale",), "scale"),
            Row("centre", "test_centre", 6.0, ("centre",), "centre"),
        )
        assert warmup.manual == {"why": 2.0}
        assert warmup.max_score == 12.0

    def test_a_due_date_is_the_last_second_of_its_minute_in_the_courses_zone(self, warmup: Assignment):
        assert warmup.due is not None
        assert warmup.due.astimezone(UTC) == datetime(2026, 11, 30, 4, 59, 59, tzinfo=UTC)

    def test_of_a_time_that_the_clocks_show_twice_the_later_counts(self, tmp_path: Path):
        course = load(tmp_path, CONFIG.replace("2026-11-29 23:59", "2026-11-01 01:30"))
        due = course.assignment("warmup").due
        assert due is not None
        assert due.astimezone(UTC) == datetime(2026, 11, 1, 6, 30, 59, tzinfo=UTC)

    def test_an_assignment_needs_nothing_but_its_name(self, tmp_path: Path):
        course = load(tmp_path, "name: tiny\ntimezone: UTC\nassignments:\n  warmup: {}\n")
        warmup = course.assignment("warmup")
        assert (warmup.title, warmup.due, warmup.limits, warmup.late) == (
            "warmup",
            None,
            Limits(),
            LatePolicy(),
        )

    def test_an_assignments_limits_override_the_courses_one_by_one(self, tmp_path: Path):
        course = load(tmp_path, CONFIG + "limits: {memory_mb: 512, cell_seconds: 9}\n")
        limits = course.assignment("warmup").limits
        assert (limits.memory_mb, limits.cell_seconds, limits.processes) == (512, 1.0, Limits().processes)

    def test_a_key_whose_values_are_all_commented_out_counts_as_absent(self, tmp_path: Path):
        assert load(tmp_path, CONFIG + "limits:\n  # memory_mb: 512\n").assignment("warmup")

    def test_a_postgresql_url_goes_through_with_the_driver_that_the_extra_installs(self, tmp_path: Path):
        course = load(tmp_path, CONFIG + "database: postgresql://grader@db/course\n")
        assert course.database == "postgresql+psycopg://grader@db/course"

    def test_a_name_that_yaml_takes_for_a_number_is_still_a_name(self, tmp_path: Path):
        write(tmp_path / "source/2024/notes.ipynb", solved())
        assert load(tmp_path, CONFIG + "  2024: {}\n").assignment("2024").notebook == "notes"

    def test_an_unknown_assignment_is_answered_with_the_nearest(self, course_root: Path):
        with pytest.raises(ConfigError, match=r"no assignment 'warmap' in .*did you mean 'warmup'"):
            load_course(course_root).assignment("warmap")

    def test_release_checks_and_solutions_may_still_be_missing(self, tmp_path: Path):
        write(tmp_path / "source/warmup/warmup.ipynb", solved())
        (tmp_path / "gradebook_config.yaml").write_text(CONFIG)
        assert not load_course(tmp_path).assignment("warmup").release.exists()

    def test_of_several_notebooks_the_key_names_the_master(self, tmp_path: Path):
        write(tmp_path / "source/warmup/extra.ipynb", notebook())
        course = load(tmp_path, CONFIG + "    notebook: warmup.ipynb\n")
        assert course.assignment("warmup").notebook == "warmup"

    def test_importing_the_module_leaves_the_heavy_libraries_alone(self):
        heavy = "{'pydantic', 'nbformat', 'nbgrader', 'numpy', 'sqlalchemy'}"
        code = f"import sys, autograder.course, autograder.submission; print({heavy} & {{*sys.modules}})"
        done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
        assert done.stdout.strip() == "set()", done.stderr

    def test_this_repositorys_own_course_is_due_on_a_sunday_a_minute_to_midnight_eastern(self):
        week2 = load_course(REPOSITORY).assignment("week2")
        assert week2.due is not None
        assert week2.due.strftime("%A %H:%M %Z") == "Sunday 23:59 EST"
        assert week2.max_score == 100


WRITTEN = (
    *("0123", "007", "0o17", "0x1f", "0b11", "1e3", "1.50", "1_000", "+7", "-0", ".5", ".inf", ".NaN", "e5"),
    *("no", "Yes", "on", "OFF", "y", "true", "null", "~", "=", "<<", "12:30", "190:20:30", "!!int&7"),
    *("2026-11-29", "2026-11-29T12:00:00Z", "10000000000000000000000000"),
)
"""Ids that YAML takes for something else."""


class TestMistakes:
    """Each names the file, the line, the key, what was expected and the nearest valid name."""

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            (
                "title:",
                "titel:",
                r"warmup\.titel: there is no such key; did you mean 'title'\? expected one of",
            ),
            ("seed: 7", "seed: seven", r"warmup\.seed: expected a whole number, found 'seven'"),
            ("seed: 7", "seed: 7.5", r"warmup\.seed: expected a whole number, found 7.5"),
            ("seed: 7", "seed: -1", r"warmup\.seed: expected a number of at least 0, found -1"),
            ("seed: 7", "seed: yes", r"warmup\.seed: expected a whole number, found true"),
            ("seed: 7", "seed: !!python/name:os.system x", r"warmup\.seed: expected text, a number"),
            ("title: Warm-up", "title: [12]", r"warmup\.title: expected text, found a list; put it in quotes"),
            ("timezone: America/New_York", "timezone: America/NewYork", r"did you mean 'America/New_York'\?"),
            ("timezone: America/New_York", "timezone: New York", r"did you mean 'America/New_York'\?"),
            ("timezone: America/New_York", "timezone: /etc/passwd", r"timezone: there is no time zone"),
            ("2026-11-29 23:59", "Sunday", r"warmup\.due: expected a local date and time such as 2026-11-29"),
            ("2026-11-29 23:59", "2026-11-31 23:59", r"warmup\.due: .*day is out of range"),
            ("2026-11-29 23:59", "2026-11-29T23:59:00Z", r"warmup\.due: expected a local date and time"),
            ("2026-11-29 23:59", "2026-03-08 02:30", r"warmup\.due: .* does not exist in America/New_York"),
            ("2026-11-29 23:59", "23:59", r"warmup\.due: expected a local date and time .*found '23:59'"),
            ("[numpy]", "numpy", r"warmup\.allowed_imports: expected a list such as \[numpy, matplotlib\]"),
            ("[numpy]", "[numpyy]", r"allowed_imports\.0: no installed .*did you mean 'numpy'\?"),
            ("[numpy]", "[math]", r"allowed_imports\.0: math is part of Python"),
            ("[numpy]", "[yaml]", r"allowed_imports\.0: expected the distribution's name, 'PyYAML'"),
            ("[numpy]", "[autograder]", r"allowed_imports\.0: autograder holds the grader itself"),
            ("limits: {cell", "limits: {call_second: 1, cell", r"did you mean 'call_seconds'\?"),
            ("cell_seconds: 1", "cell_seconds: 0", r"cell_seconds: expected a number above 0, found 0"),
            ("cell_seconds: 1", "cell_seconds: .inf", r"cell_seconds: expected a number, found inf"),
            ("max_percent: 50", "max_percent: 150", r"late\.max_percent: expected a number of at most 100"),
            ("late: {g", "late: [1] #", r"warmup\.late: expected keys with values \(grace_minutes, "),
            ("timezone: America/New_York", "# none", r"timezone: this key is missing or has no value"),
            ("name: tiny", "name: ' '", r"name: expected the course's name, found nothing"),
            ("  warmup:", "  ../warmup:", r"\.\./warmup: expected a folder's name"),
        ],
    )
    def test_a_mistake_is_named_with_its_line(self, tmp_path: Path, old: str, new: str, message: str):
        config = CONFIG.replace(old, new)
        said = mistakes(tmp_path, config)
        assert re.search(message, said), said
        missing = new == "# none"
        assert f"gradebook_config.yaml, line {1 if missing else line_of(config, new)}, " in said

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("gradebook.db", "expected a URL such as sqlite:///gradebook.db"),
            ("sqlite://gradebook.db", "three slashes"),
            ("'sqlite:///:memory:'", "expected a file"),
            ("sqlite:///nowhere/gradebook.db", "a folder that exists"),
            ("postgres://u:secret@host/name", "did you mean 'postgresql://'?"),
            ("postgresql://u:secret@host", "expected the database's name at the end"),
            ("postgresql://u:secret@host:port/name", "expected a number for the port"),
            ("postgresql://u:se/cret@host/name", "write %2F for /"),
            ("mysql://u:secret@host/name", "expected a URL such as"),
        ],
    )
    def test_a_bad_database_url_is_explained_without_its_password(self, tmp_path: Path, url: str, message: str):
        said = mistakes(tmp_path, CONFIG + f"database: {url}\n")
        assert message in said
        assert "cret" not in said

    def test_a_key_given_twice_is_named_with_both_lines(self, tmp_path: Path):
        said = mistakes(tmp_path, CONFIG + "    seed: 8\n")
        assert f"line {CONFIG.count(chr(10)) + 1}, assignments.warmup.seed: this key stands here twice" in said
        assert f"the first is on line {line_of(CONFIG, 'seed: 7')}" in said

    def test_a_tab_is_named_with_its_line(self, tmp_path: Path):
        said = mistakes(tmp_path, CONFIG.replace("    seed", "\tseed"))
        assert f"line {line_of(CONFIG, 'seed')}: indented with a tab" in said

    def test_what_is_not_yaml_is_named_with_its_line(self, tmp_path: Path):
        said = mistakes(tmp_path, CONFIG + "limits: [1, 2\n")
        assert re.search(r"gradebook_config.yaml, line \d+: this is not YAML", said)

    @pytest.mark.parametrize("config", ["", "# nothing\n", "- a\n- b\n", "just text\n"])
    def test_a_file_without_keys_is_told_what_was_expected(self, tmp_path: Path, config: str):
        assert "expected keys with values" in mistakes(tmp_path, config)

    def test_a_file_that_is_not_utf_8_is_told_so(self, course_root: Path):
        (course_root / "gradebook_config.yaml").write_bytes(b"name: tiny\n# caf\xe9\n")
        with pytest.raises(ConfigError, match="line 2: this is not UTF-8"):
            load_course(course_root)

    def test_an_alias_that_holds_itself_is_no_endless_loop(self, tmp_path: Path):
        assert "an alias that holds itself" in mistakes(tmp_path, CONFIG + "limits: &l {memory_mb: *l}\n")

    @pytest.mark.parametrize(
        ("added", "said"),
        [
            (
                f"database: sqlite:///{'x' * 5000}\n",
                "database: expected a file in a folder that exists: File name too long",
            ),
            (
                f"limits: {{memory_mb: 0x{'f' * 5000}}}\n",
                "memory_mb: expected a number of at most 100 digits, found '0xfff",
            ),
            ('    checks: "a\\0"\n', "checks: a NUL character, which no name or text has"),
            (f"    solutions: {'x' * 5000}\n", "solutions: expected a folder inside the course, found 'xxx"),
        ],
        ids=["database", "number", "nul", "folder"],
    )
    def test_what_no_file_system_and_no_printer_takes_is_told_as_any_other_mistake(
        self, tmp_path: Path, added: str, said: str
    ):
        told = mistakes(tmp_path, CONFIG + added)
        assert said in told
        assert len(told) < 500

    def test_all_mistakes_are_told_at_once(self, tmp_path: Path):
        config = CONFIG.replace("title:", "titel:").replace("New_York", "Nowhere").replace("23:59", "25:99")
        (tmp_path / "source/other").mkdir(parents=True)
        said = mistakes(tmp_path, config + "  other: {seed: x}\n")
        assert said.startswith("5 mistakes:\n")
        for part in ("warmup.titel", "timezone", "warmup.due", "no notebook in source/other yet", "other.seed"):
            assert part in said

    @pytest.mark.parametrize(
        ("written", "missing"),
        [
            (False, r"line 11, assignments\.warm-up: there is no folder source/warm-up.*did you mean 'warmup'\?"),
            (True, r"line 11, assignments\.warm-up: there is no notebook in source/warm-up yet"),
        ],
    )
    def test_an_assignment_that_is_not_written_yet_stops_nothing_but_itself(
        self, tmp_path: Path, written: bool, missing: str
    ):
        if written:
            (tmp_path / "source/warm-up").mkdir(parents=True)
        course = load(tmp_path, CONFIG + "  warm-up: {due: 2026-12-06 23:59}\n")
        assert course.assignment("warmup").max_score == 12
        with pytest.raises(ConfigError, match=missing):
            course.assignment("warm-up")

    def test_a_mistake_in_the_entry_of_an_unwritten_assignment_is_a_mistake(self, tmp_path: Path):
        said = mistakes(tmp_path, CONFIG + "  later: {seed: x}\n")
        assert "later.seed" in said
        assert "no folder source/later" in said

    @pytest.mark.parametrize(
        ("groups", "message"),
        [
            ("{a: [ada, bob], b: [bob, cy]}", r"groups\.b\.0: 'bob' is in the group 'a' already; leave one out"),
            ("{a: [ada, ada]}", r"groups\.a\.1: 'ada' is in the group 'a' already"),
            ("{a: ada}", r"groups\.a: expected a list of students' ids such as \[ada, bob\], found 'ada'"),
            ("{a: []}", r"groups\.a: expected a list of students' ids"),
            ("{a: ['']}", r"groups\.a\.0: expected a student's id, found nothing"),
            ("[ada, bob]", r"warmup\.groups: expected keys with values"),
        ],
    )
    def test_a_mistake_in_a_group_is_named(self, tmp_path: Path, groups: str, message: str):
        said = mistakes(tmp_path, CONFIG + f"    groups: {groups}\n")
        assert re.search(message, said), said

    def test_members_of_groups_are_read_as_they_are_written(self, tmp_path: Path):
        warmup = load(tmp_path, CONFIG + "    groups: {blue: [0123, no], red: [cy]}\n").assignment("warmup")
        assert warmup.groups == {"blue": ("0123", "no"), "red": ("cy",)}
        assert (warmup.members_with("no"), warmup.members_with("eve")) == (("0123", "no"), ("eve",))

    def test_every_wrong_name_of_a_file_is_told_with_its_line(self, tmp_path: Path):
        names = ["data.npz", "DATA.npz", "../more.npz", ".hidden", "[5]", "data.npz"]
        config = CONFIG + "    files:\n" + "".join(f"      - {name}\n" for name in names)
        said = mistakes(tmp_path, config)
        assert said.startswith("5 mistakes:\n")
        for place, text in enumerate(
            (
                "'DATA.npz' stands here twice (as 'data.npz')",
                "expected a path such as data/points.csv",
                "expected a file that is not hidden",
                "expected text, found a list",
                "'data.npz' stands here twice (as 'data.npz')",
            ),
            start=1,
        ):
            line = line_of(config, "files:") + 1 + place
            assert f"line {line}, assignments.warmup.files.{place}: {text}" in said

    def test_dates_of_people_and_meetings_are_told_with_all_other_mistakes(self, tmp_path: Path):
        config = CONFIG.replace("seed: 7", "seed: x") + (
            "    extensions: {ada: soon}\n"
            "    excused: [[ada]]\n"
            "    activities: [{title: Read, due: never}]\n"
            "sessions: [{title: Lab, begins: '19:00', ends: '18:00', first: 2026-11-02, last: 2026-11-03}]\n"
        )
        said = mistakes(tmp_path, config)
        for part in (
            "warmup.seed: expected a whole number",
            "warmup.extensions.ada: expected a local date and time",
            "warmup.excused.0: expected a student's id",
            "warmup.activities.0.due: expected a local date and time",
            "sessions.0.ends: expected a time after 19:00",
            "sessions.0.last: expected a Monday from 2026-11-02 on",
        ):
            assert part in said

    @pytest.mark.parametrize("written", WRITTEN)
    def test_an_id_or_a_name_is_read_as_it_is_written(self, tmp_path: Path, written: str):
        said = written.replace("&", " ")
        text = said.removeprefix("!!int ")
        config = CONFIG.replace("title: Warm-up", f"title: {said if text not in ('null', '~') else '0x'}")
        key = text if text != "<<" else "'<<'"
        config += f"    excused: [{said}, ada]\n    extensions: {{{key}: 2026-12-24 12:00}}\n    files: [1e3, 0123]\n"
        warmup = load_course(make_course(tmp_path / "course", config=config)).assignment("warmup")
        assert warmup.excused == {text, "ada"}
        assert (list(warmup.extensions), warmup.files) == ([text], ("1e3", "0123"))
        assert warmup.title == (text if text not in ("null", "~") else "0x")

    @pytest.mark.parametrize(
        ("listed", "said"), [("[ada, ]", ""), ("['']", "found nothing"), ("[' ada']", "no space around it")]
    )
    def test_an_id_is_somebodys(self, tmp_path: Path, listed: str, said: str):
        config = CONFIG + f"    excused: {listed}\n"
        if said:
            assert said in mistakes(tmp_path, config)
        else:
            assert load_course(make_course(tmp_path, config=config)).assignment("warmup").excused == {"ada"}

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.text(max_size=200) | st.binary(max_size=100))
    @example("a: *b")
    @example("? [a]\n: 1")
    @example("<<: {a: 1}")
    @example("name: !!int abc\ntimezone: !!bool maybe\nassignments: !!float x")
    def test_whatever_stands_in_the_file_only_a_configuration_error_comes_of_it(
        self, course_root: Path, content: str | bytes
    ):
        raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        (course_root / "gradebook_config.yaml").write_bytes(raw)
        with pytest.raises(ConfigError):
            load_course(course_root)


class TestMaster:
    """What is wrong in a master is told with the notebook and the cell."""

    @pytest.mark.parametrize(("points", "taken"), [(None, 0), ("", 0), (-1, 0), ("2", 2), (3, 3)])
    def test_points_of_nbgraders_first_format_are_taken_as_nbgrader_takes_them(
        self, course_root: Path, points: object, taken: float
    ):
        tree = json.loads((course_root / "source/warmup/warmup.ipynb").read_text())
        marks = next(each["metadata"]["nbgrader"] for each in tree["cells"] if each["id"] == "test_scale")
        del marks["schema_version"], marks["points"]
        marks |= {} if points is None else {"points": points}
        (course_root / "source/warmup/warmup.ipynb").write_text(json.dumps(tree))
        row = load_course(course_root).assignment("warmup").rows[0]
        assert (row.test_id, row.points) == ("test_scale", taken)

    @pytest.mark.parametrize(
        ("number", "changed", "message"),
        [
            (4, cell("", "test_scale", role="test"), "test_scale: expected points of at least 0, found none"),
            (
                4,
                cell("", "test_scale", role="test", points=-1),
                "test_scale: expected points of at least 0, found -1",
            ),
            (7, cell("", "why", role="answer", kind="markdown"), "why: expected points of at least 0, found none"),
            (5, cell("", "scale", role="solution"), "scale: cell 3 has the same grade_id"),
            (3, cell("def scale(:\n", "scale", role="solution"), "no valid Python, line 1"),
            (3, cell("", "", role="solution"), "no grade_id: expected a grade_id"),
            (
                4,
                cell("", "test_scale", role="test", points=1, kind="raw"),
                "test_scale: expected a code cell",
            ),
            (5, cell("def scale(): ...", "centre", role="solution"), "scale is defined by the row scale too"),
        ],
    )
    def test_a_mistake_is_named_with_its_cell(
        self, tmp_path: Path, number: int, changed: dict[str, object], message: str
    ):
        master = solved()
        master["cells"][number - 1] = changed
        with pytest.raises(ConfigError) as caught:
            load_course(make_course(tmp_path, master=master))
        assert message in str(caught.value)
        assert f"source/warmup/warmup.ipynb, cell {number}, " in str(caught.value)

    @pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"cells": 3}', '{"cells": [3]}', "[" * 100_000])
    def test_a_master_that_is_no_notebook_is_a_mistake(self, course_root: Path, content: str):
        (course_root / "source/warmup/warmup.ipynb").write_text(content)
        with pytest.raises(ConfigError, match=r"warmup.ipynb: is not a notebook"):
            load_course(course_root)

    def test_magics_in_a_solution_cell_are_no_mistake(self, tmp_path: Path):
        master = solved()
        master["cells"][2]["source"] = ["%matplotlib inline\n", "def scale(x, factor):\n", "    '\\d'\n"]
        course = load_course(make_course(tmp_path, master=master))
        assert course.assignment("warmup").rows[0].functions == ("scale",)

    @pytest.mark.parametrize(
        ("source", "plain"),
        [
            ("%matplotlib inline\nx = 1", "pass\nx = 1"),
            ("%%time\nx = 1", "pass\nx = 1"),
            ("%%of_the_courses_own\nx = 1", "pass\nx = 1"),
            ("%%of_the_courses_own tag\ngit checkout main\n", "\n\n"),
            ("\n%%writefile x.py\nx = 1", "\n\n"),
            ("%%bash\nls", "\n"),
            ("def f():\n    !touch a\n", "def f():\n    pass\n"),
            ("lines = !ls", "lines = None"),
            ("took = %timeit -o f()", "took = None"),
            ("%time x = f()", "x = f()"),
            ("%time", "pass"),
            ("text = '''\n%d of\nx = %d\n!\n'''", "text = '''\n%d of\nx = %d\n!\n'''"),
        ],
    )
    def test_lines_of_ipython_do_nothing_but_for_what_they_time_and_what_is_a_text(self, source: str, plain: str):
        assert without_magics(source) == plain

    def test_a_solution_cell_may_ask_the_shell(self, tmp_path: Path):
        master = solved()
        master["cells"][2]["source"] = "def scale(x, factor):\n    found = !ls\n    !touch a\n    return x"
        course = load_course(make_course(tmp_path, master=master))
        assert course.assignment("warmup").rows[0].functions == ("scale",)

    def test_all_top_level_functions_of_a_cell_are_the_rows_in_order(self, tmp_path: Path):
        master = solved()
        master["cells"][2]["source"] = "def b():\n    def inner(): ...\ndef a(): ...\nclass C:\n    def m(self): ..."
        course = load_course(make_course(tmp_path, master=master))
        assert course.assignment("warmup").rows[0].functions == ("b", "a", "C")

    def test_a_test_cell_may_have_any_id_and_tests_the_solution_before_it(self, tmp_path: Path):
        master = solved()
        master["cells"][3]["metadata"]["nbgrader"]["grade_id"] = "correct"
        rows = load_course(make_course(tmp_path, master=master)).assignment("warmup").rows
        assert rows[0] == Row("correct", "correct", 4.0, ("scale",), "scale")

    def test_a_solution_cell_may_have_any_number_of_test_cells(self, tmp_path: Path):
        master = solved()
        master["cells"][4:4] = [cell("", "again", role="test", points=1), cell("", "once_more", role="test", points=0)]
        rows = load_course(make_course(tmp_path, master=master)).assignment("warmup").rows
        assert [(row.name, row.points, row.solution) for row in rows] == [
            ("scale", 4.0, "scale"),
            ("again", 1.0, "scale"),
            ("once_more", 0.0, "scale"),
            ("centre", 6.0, "centre"),
        ]

    def test_a_test_cell_after_several_solutions_tests_them_all(self, tmp_path: Path):
        master = solved()
        del master["cells"][3]
        master["cells"][4]["metadata"]["nbgrader"]["grade_id"] = "both"
        rows = load_course(make_course(tmp_path, master=master)).assignment("warmup").rows
        assert rows == (Row("both", "both", 6.0, ("scale", "centre"), "centre"),)

    def test_a_test_cell_needs_no_solution_cell(self, tmp_path: Path):
        master = notebook(cell("", "alone", role="test", points=1))
        rows = load_course(make_course(tmp_path, master=master)).assignment("warmup").rows
        assert rows == (Row("alone", "alone", 1.0, ()),)

    def test_points_may_be_the_text_of_a_number_as_nbgrader_takes_them(self, tmp_path: Path):
        master = solved()
        master["cells"][3]["metadata"]["nbgrader"]["points"] = "2.5"
        assert load_course(make_course(tmp_path, master=master)).assignment("warmup").rows[0].points == 2.5


class TestDigest:
    def test_it_is_the_same_for_the_same_course_elsewhere(self, course_root: Path, tmp_path: Path):
        digests = {
            assignment_digest(load_course(root).assignment("warmup"))
            for root in (course_root, make_course(tmp_path / "elsewhere"))
        }
        assert len(digests) == 1

    @pytest.mark.parametrize(
        "name",
        [
            "source/warmup/warmup.ipynb",
            "release/warmup/warmup.ipynb",
            "solutions/warmup/__init__.py",
            "solutions/warmup/more.py",
            "checks/warmup/test_warmup.py",
            "checks/warmup/conftest.py",
            "checks/warmup/helpers/drawing.py",
            "checks/warmup/data/values.csv",
            "solutions/warmup/data/table.npy",
        ],
    )
    def test_it_changes_with_every_file_that_decides(self, course_root: Path, warmup: Assignment, name: str):
        before = assignment_digest(warmup)
        path = course_root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(" ")
        assert assignment_digest(warmup) != before

    def test_it_changes_with_what_a_link_leads_to(self, course_root: Path, warmup: Assignment):
        shared = course_root / "shared"
        shared.mkdir()
        (warmup.checks / "shared").symlink_to(shared, target_is_directory=True)
        before = assignment_digest(warmup)
        (shared / "helper.py").write_text("")
        assert assignment_digest(warmup) != before

    @pytest.mark.parametrize(
        ("old", "new"), [("seed: 7", "seed: 8"), ("[numpy]", "[]"), ("cell_seconds: 1", "cell_seconds: 3")]
    )
    def test_it_changes_with_every_setting_that_decides(self, tmp_path: Path, old: str, new: str):
        before, after = (
            assignment_digest(load(tmp_path, config).assignment("warmup"))
            for config in (CONFIG, CONFIG.replace(old, new))
        )
        assert before != after

    @pytest.mark.parametrize(
        "name",
        [
            "solutions/warmup/__pycache__/x.pyc",
            "checks/warmup/.ipynb_checkpoints/x",
            "gradebook.db",
        ],
    )
    def test_it_does_not_change_with_caches(self, course_root: Path, warmup: Assignment, name: str):
        before = assignment_digest(warmup)
        (course_root / name).parent.mkdir(exist_ok=True)
        (course_root / name).write_text("x")
        assert assignment_digest(warmup) == before

    def test_title_and_due_date_decide_no_grade(self, tmp_path: Path):
        changed = CONFIG.replace("Warm-up", "Another").replace("2026-11-29", "2026-12-01")
        digests = {assignment_digest(load(tmp_path, config).assignment("warmup")) for config in (CONFIG, changed)}
        assert len(digests) == 1


@pytest.mark.parametrize(("name", "decides"), [("helper.py", True), ("words.txt", True), ("other.txt", False)])
def test_the_digest_changes_with_what_test_cells_may_read_beside_the_master(tmp_path: Path, name: str, decides: bool):
    master = solved()
    master["cells"][3]["source"] = "assert open('words.txt').read()"
    warmup = load_course(make_course(tmp_path, master=master)).assignment("warmup")
    before = assignment_digest(warmup)
    (warmup.master.parent / name).write_text("new")
    assert (assignment_digest(warmup) != before) == decides
