"""Attackers among honest students, on a machine where everybody has an account: nothing of the honest ones changes.

Two courses have the same honest students. In one of them somebody attacks, by everything that lies between a student's
hand and the wall: the exchange, collecting, watching, pages, tables. The other one says what it is like without.
"""

import csv
import io
import json
import re
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import hubs
from tests.courses import CONFIG, cell, make_course, mistaken, solved, write
from tests.hostile.hogs import HOGS
from tests.hubs import Machine

EXCHANGE = "/srv/exchange"
HONEST = {"ada": solved(), "bob": mistaken()}
HIDDEN = "a-hidden-word"
ATTACKED, QUIET = "tiny", "calm"
"""Names of one length: a page of one course differs from the other's in nothing else."""

pytestmark = [pytest.mark.sandbox, pytest.mark.thorough]


@dataclass
class Term:
    """What the commands said, by course and command."""

    machine: Machine
    said: dict[tuple[str, str], str] = field(default_factory=dict)
    status: dict[tuple[str, str], int] = field(default_factory=dict)

    def root(self, course: str) -> Path:
        return self.machine.root / f"home/prof/{course}"

    def does(self, course: str, *words: str) -> None:
        done = self.machine.tries("prof", *words, cwd=f"/home/prof/{course}")
        self.said[course, words[1]] = done.stdout + done.stderr
        self.status[course, words[1]] = done.returncode


@pytest.fixture(scope="module")
def term(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Term]:
    for program in ("unshare", "nsenter", "setpriv", "useradd", "ip"):
        if shutil.which(program) is None:
            hubs.missing(f"NEEDS {program}: apt-get install util-linux passwd iproute2")
    with hubs.machine(tmp_path_factory.mktemp("machine")) as machine:
        for name in ("prof", *HONEST, "mal"):
            machine.does("root", "useradd", "--create-home", name)
        machine.does("root", "mkdir", "-m", "777", EXCHANGE)
        term = Term(machine)
        for course in (QUIET, ATTACKED):
            set_up(term, course)
            if course == ATTACKED:
                attack(term, "before")
            for name, tree in HONEST.items():
                submit(machine, course, name, tree)
            if course == ATTACKED:
                attack(term, "after")
        for course in (QUIET, ATTACKED):
            walked(term, course)
        yield term


def set_up(term: Term, course: str) -> None:
    config = CONFIG.replace("name: tiny", f"name: {course}\nexchange: {EXCHANGE}")
    root = make_course(term.root(course), config=config.replace("    due: 2026-11-29 23:59\n", ""))
    shutil.copy(hubs.REPOSITORY / "nbgrader_config.py", root)
    (root / "secret.txt").write_text(HIDDEN)
    term.machine.does("root", "chown", "-R", "prof", f"/home/prof/{course}")
    term.machine.does("root", "chmod", "-R", "go=", f"/home/prof/{course}")
    term.machine.does("prof", "nbgrader", "release_assignment", "warmup", cwd=f"/home/prof/{course}")


def submit(machine: Machine, course: str, name: str, tree: Any) -> None:
    """Hand in by nbgrader's own command."""
    home = f"/home/{name}/{course}"
    write(machine.root / home[1:] / "warmup/warmup.ipynb", tree)
    machine.does("root", "chown", "-R", name, home)
    options = (f"--course={course}", f"--Exchange.root={EXCHANGE}")
    machine.does(name, "nbgrader", "submit", "warmup", *options, cwd=home)


ATTACK = r"""
import json, os, sys
inbound, when, *files = sys.argv[1:]
right, long, hungry = (json.load(open(file)) for file in files)
number = 0
def entry(student, tree=right, stamp="2026-11-20 10:00:00.000000 UTC", name="", link=""):
    global number
    number += 1
    path = os.path.join(inbound, name or f"{student}+warmup+{stamp}+{when}{number}")
    os.mkdir(path)
    os.chmod(path, 0o777)
    if link:
        os.symlink(link, path + "/warmup.ipynb")
    else:
        json.dump(tree, open(path + "/warmup.ipynb", "w"))
    open(path + "/timestamp.txt", "w").write(stamp)
    return path
for student in ("ada", "bob"):
    entry(student, json.loads(json.dumps(right).replace("factor", "nothing")), "2030-01-01 00:00:00.000000 UTC")
    entry(student, name=f"{student}+warmup+notatime+x{when}")
entry("l1" + when, link="/home/prof/tiny/source/warmup/warmup.ipynb")
entry("l2" + when, link="/home/prof/tiny/submitted/ada/warmup/warmup.ipynb")
entry("l3" + when, link="/home/prof/tiny/secret.txt")
entry("l4" + when, link="/dev/zero")
os.mkfifo(entry("p" + when) + "/pipe")
open(entry("b" + when) + "/large", "wb").truncate(2**40)
entry("y" + when, stamp="0001-01-01 00:00:00 UTC")
os.chmod(entry("c" + when), 0)
os.symlink("/home/prof/tiny/submitted/ada/warmup", os.path.join(inbound, f"e{when}+warmup+2026-11-20 10:00:00 UTC+x"))
entry("mal", long if when == "before" else hungry, stamp="9999-12-31 23:59:59 UTC")
"""


def attack(term: Term, when: str) -> None:
    """What mal does, from an account that may write to the exchange as everybody may."""
    long, hungry = solved(), solved()
    long["cells"][2:2] = [cell(" \n" * 50_000 + "x = 1"), cell("~" * 20_000, "tildes", kind="markdown")]
    hungry["cells"][2:2] = [cell(HOGS["processes"]), cell(" \n" * 50_000), cell("print('\x1b[2J=1+1' * 99)")]
    files = []
    for name, tree in (("right", solved()), ("long", long), ("hungry", hungry)):
        files.append(f"/home/mal/{name}.json")
        write(term.machine.root / files[-1][1:], tree).chmod(0o644)
    program = str(hubs.PROGRAMS / "python")
    term.machine.does("mal", program, "-c", ATTACK, f"{EXCHANGE}/{ATTACKED}/inbound", when, *files)


def walked(term: Term, course: str) -> None:
    term.does(course, "autograder", "collect", "warmup", EXCHANGE)
    term.does(course, "autograder", "grade", "warmup", "--jobs", "2")
    for words in (
        ("feedback", "warmup"),
        ("export", "warmup", "--output", "scores.csv"),
        ("report", "warmup", "--output", "report.html"),
    ):
        term.does(course, "autograder", *words)
    term.does(course, "autograder", "watch", "warmup", "--exchange", EXCHANGE, "--once", "--jobs", "2")
    term.does(course, "nbgrader", "collect", "warmup")
    term.does(course, "nbgrader", "generate_feedback", "warmup", "--force")
    term.does(course, "nbgrader", "release_feedback", "warmup")
    for name in HONEST:
        options = (f"--course={course}", f"--Exchange.root={EXCHANGE}")
        home = f"/home/{name}/{course}"
        term.said[course, name] = term.machine.does(name, "nbgrader", "fetch_feedback", "warmup", *options, cwd=home)


def scores(term: Term, course: str) -> dict[str, dict[str, str]]:
    table = (term.root(course) / "scores.csv").read_text()
    return {each["student"]: each for each in csv.DictReader(io.StringIO(table))}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_students_grade_is_the_same_with_attackers_and_without(term: Term, name: str) -> None:
    calm, attacked = (scores(term, course)[name] for course in (QUIET, ATTACKED))
    assert attacked["score"] == calm["score"]
    assert float(calm["score"]) == {"ada": 10, "bob": 6}[name]


@pytest.mark.parametrize("name", HONEST)
def test_what_an_honest_student_handed_in_and_when_is_theirs(term: Term, name: str) -> None:
    for course in (QUIET, ATTACKED):
        folder = term.root(course) / f"submitted/{name}/warmup"
        assert json.loads((folder / "warmup.ipynb").read_text()) == HONEST[name]
        (entry,) = (
            path
            for path in (term.machine.root / f"srv/exchange/{course}/inbound").glob(f"{name}+*")
            if path.stat().st_uid == (term.machine.root / f"home/{name}").stat().st_uid
        )
        assert (folder / "timestamp.txt").read_text() == (entry / "timestamp.txt").read_text()


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_students_page_is_the_same_but_for_the_time(term: Term, name: str) -> None:
    def page(course: str) -> str:
        html = (term.root(course) / f"feedback/{name}/warmup/warmup.html").read_text()
        return re.sub(r"\d{4}-\d\d-\d\d[ T][\d:.]+|\d\d:\d\d", "TIME", html.replace(course, "COURSE"))

    assert page(ATTACKED) == page(QUIET)


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_student_fetches_their_feedback_from_the_exchange(term: Term, name: str) -> None:
    for course in (QUIET, ATTACKED):
        found = list((term.machine.root / f"home/{name}/{course}/warmup/feedback").rglob("warmup.html"))
        assert len(found) == 1


def test_every_command_ends_and_says_what_was_not_taken(term: Term) -> None:
    assert {words: code for words, code in term.status.items() if words[0] == QUIET and code} == {}
    for command in ("grade", "feedback", "export", "report", "watch", "generate_feedback", "release_feedback"):
        assert term.status[ATTACKED, command] == 0, term.said[ATTACKED, command]
    told = term.said[ATTACKED, "collect"]
    others = "l1before", "l2after", "l3before", "l4after", "pbefore", "bafter", "cbefore", "eafter"
    for student in (*HONEST, *others):
        assert student in told


def test_nothing_of_the_courses_is_where_a_student_reads(term: Term) -> None:
    for path in term.root(ATTACKED).glob("submitted/**/*"):
        mode = path.lstat().st_mode
        assert stat.S_ISDIR(mode) or stat.S_ISREG(mode)
    for folder in ("submitted", "autograded", "feedback"):
        for path in term.root(ATTACKED).glob(f"{folder}/*/warmup/*"):
            assert HIDDEN.encode() not in path.read_bytes()


def test_no_word_of_an_attacker_moves_the_instructors_terminal(term: Term) -> None:
    assert not any("\x1b" in said for said in term.said.values())
