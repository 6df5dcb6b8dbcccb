"""nbgrader's exchange as students can fill it, whose accounts may write there: what is collected, and what is told.

Entries belong to users of their own, numbers that no account has, as they do where an exchange is shared by machines.
"""

import fcntl
import json
import logging
import os
import shutil
import signal
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from autograder.base import AutograderError
from autograder.course import Course, load_course
from autograder.gradebook import held_grades, open_gradebook, write_page
from autograder.operations import collect_from, nbgrader_config, watch
from autograder.submission import Collected, Look, Terms, collect_arrivals, submissions
from tests.courses import CONFIG, make_course, solved, untouched, write

REPOSITORY = Path(__file__).parents[2]
WITH_FILES = CONFIG.replace("    allowed_imports", "    files: [data.csv]\n    allowed_imports")
HIDDEN = "a-hidden-word"
ADA, BOB, CYD, MAL = 44001, 44002, 44003, 44666
LONG_AGO = "2026-01-02 03:04:05.000000 UTC"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="LEFT OUT: files of several users can be made by root alone. Run these tests as root"
)


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f} UTC"


@dataclass
class Exchange:
    """A course, its exchange, and the numbers of accounts that were given away."""

    course: Course
    folder: Path
    last: int = 45_000
    stamps: dict[str, str] = field(default_factory=dict)

    @property
    def inbound(self) -> Path:
        return self.folder / "tiny/inbound"

    def put(
        self, student: str, tree: Any = None, *, uid: int = 0, stamp: str = "", name: str = "", secret: str = "s"
    ) -> Path:
        """An entry, as nbgrader's submit makes them; of an account of its own where none is given."""
        uid = uid or self.fresh()
        stamp = stamp or now()
        path = self.inbound / (name or f"{student}+warmup+{stamp}+{os.urandom(6).hex()}")
        write(path / "warmup.ipynb", tree or solved())
        (path / "timestamp.txt").write_text(stamp)
        (path / "submission_secret.txt").write_text(secret)
        self.stamps[student] = stamp
        give(path, uid)
        return path

    def fresh(self) -> int:
        self.last += 1
        return self.last

    def collect(self, **terms: Any) -> list[Collected]:
        return self.look(**terms).results

    def look(self, **terms: Any) -> Look:
        warmup = self.course.assignment("warmup")
        return collect_arrivals(self.course, warmup, self.folder, terms=Terms(**terms), known=())

    def submitted(self, student: str) -> Any:
        return json.loads((self.course.root / f"submitted/{student}/warmup/warmup.ipynb").read_text())


def give(path: Path, uid: int) -> None:
    """Give an entry and all in it to an account."""
    for each in (path, *(path.rglob("*") if not path.is_symlink() else ())):
        os.chown(each, uid, uid, follow_symlinks=False)
    if not path.is_symlink():
        path.chmod(0o777)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def make_exchange(base: Path) -> Exchange:
    root = make_course(base / "course", config=WITH_FILES)
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    (root / "secret.txt").write_text(HIDDEN)
    exchange = Exchange(load_course(root), base / "exchange")
    exchange.inbound.mkdir(parents=True)
    exchange.folder.chmod(0o777)
    exchange.inbound.chmod(0o733)
    return exchange


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return make_exchange(tmp_path)


def half() -> Any:
    tree = solved()
    tree["cells"][2]["source"] = "def scale(x, factor): return 2 * x * factor"
    return tree


def in_place_of_the_notebook(exchange: Exchange, student: str, target: Path | str) -> None:
    path = exchange.put(student, untouched())
    (path / "warmup.ipynb").unlink()
    (path / "warmup.ipynb").symlink_to(target)
    give(path, path.stat().st_uid)


def attack(exchange: Exchange) -> dict[str, str]:
    """Fill the exchange with attacks; by whom each is told, and what it is told for."""
    root = exchange.course.root
    in_place_of_the_notebook(exchange, "l-master", root / "source/warmup/warmup.ipynb")
    in_place_of_the_notebook(exchange, "l-other", root / "submitted/ada/warmup/warmup.ipynb")
    in_place_of_the_notebook(exchange, "l-zero", "/dev/zero")
    in_place_of_the_notebook(exchange, "l-nothing", "nowhere")
    for student, target in (("l-file", root / "secret.txt"), ("l-time", "/dev/zero")):
        path = exchange.put(student)
        name = "data.csv" if student == "l-file" else "timestamp.txt"
        (path / name).unlink(missing_ok=True)
        (path / name).symlink_to(target)
    path = exchange.put("l-folder")
    (path / "more").symlink_to(root / "solutions")
    give(path, exchange.last)
    entry = exchange.inbound / f"l-entry+warmup+{now()}+x"
    entry.symlink_to(root / "submitted/ada/warmup")
    os.link(root / "secret.txt", exchange.put("h-theirs") / "data.csv")
    path = exchange.put("h-own")
    os.link(path / "warmup.ipynb", path / "data.csv")
    os.mkfifo(exchange.put("p-pipe") / "a.pipe")
    os.mknod(exchange.put("p-device") / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    with socket.socket(socket.AF_UNIX) as listening:
        place = os.open(exchange.put("p-socket"), os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{place}/socket")
        os.close(place)
    for student in ("p-device", "p-pipe", "p-socket", "h-own"):
        (path,) = exchange.inbound.glob(f"{student}+*")
        give(path, path.stat().st_uid)
    path = exchange.put("b-large")
    with (path / "x.bin").open("wb") as file:
        file.truncate(2**40)
    give(path, exchange.last)
    path = exchange.put("b-many")
    for number in range(1_001):
        (path / f"{number}.txt").touch()
    give(path, exchange.last)
    path = exchange.put("b-deep")
    path.joinpath(*"abcdefgh").mkdir(parents=True)
    give(path, exchange.last)
    exchange.put("n-time", name="n-time+warmup+notatime+x")
    exchange.put("n-none", name="n-none+warmup")
    exchange.put("n-year", name="n-year+warmup+0001-01-01 00:00:00 +2359+x")
    for name in ("..", ".", "", ".hidden", "*", "a*", "<b>", "a\nb", " ada", "ada ", "x" * 200, "ö" * 101):
        exchange.put("", name=f"{name}+warmup+2026-11-20 10:00:00 UTC+x")
    exchange.put("n-bytes").rename(exchange.inbound / "n\udcff+warmup+2026-11-20 10:00:00 UTC+x")
    (exchange.inbound / f"n-plain+warmup+{now()}+x").write_text("a file")
    exchange.put("f-ada", untouched(), uid=MAL, name=f"ada+warmup+{now()}+forged")
    path = exchange.put("bob", untouched(), uid=BOB)
    write(path / "warmup.ipynb", half())
    os.chown(path / "warmup.ipynb", MAL, MAL)
    return {
        "l-master": "warmup.ipynb is a symbolic link",
        "l-other": "warmup.ipynb is a symbolic link",
        "l-zero": "warmup.ipynb is a symbolic link",
        "l-nothing": "warmup.ipynb is a symbolic link",
        "l-file": "data.csv is a symbolic link",
        "l-time": "timestamp.txt is a symbolic link",
        "l-folder": "more is a symbolic link",
        "h-theirs": "data.csv belongs to the account 0, and the folder to the account ",
        "h-own": "is a hard link: the same file has 2 names",
        "p-pipe": "a.pipe is a named pipe",
        "p-device": "zero is a device",
        "p-socket": "socket is a socket",
        "b-large": "it is too large: with x.bin",
        "b-many": "there are more than 1,000 files and folders in it",
        "b-deep": "it has more than 6 folders in each other",
        "ada": f"it belongs to the account number {MAL}",
        "bob": f"warmup.ipynb belongs to the account {MAL}, and the folder to the account {BOB}",
    }


@dataclass(frozen=True)
class Aftermath:
    """What became of an exchange full of attacks, with honest students between them, and what was to be told."""

    exchange: Exchange
    results: list[Collected]
    honest: dict[str, str]
    told: dict[str, str]


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    """The attacks, collected as `autograder collect` does it."""
    exchange = make_exchange(tmp_path_factory.mktemp("exchange"))
    exchange.put("ada", solved(), uid=ADA)
    exchange.put("bob", half(), uid=BOB)
    honest = {student: exchange.stamps[student] for student in ("ada", "bob")}
    told = attack(exchange)
    exchange.put("cyd", untouched(), uid=CYD)
    honest["cyd"] = exchange.stamps["cyd"]
    results = collect_from(exchange.course, exchange.course.assignment("warmup"), exchange.folder)
    return Aftermath(exchange, results, honest, told)


def test_of_an_exchange_full_of_attacks_what_is_honest_is_collected_and_nothing_else(aftermath: Aftermath) -> None:
    course = aftermath.exchange.course
    taken = {each.who for each in aftermath.results if each.status != "not taken"}
    assert taken == {"ada", "bob", "cyd"}
    assert {each.name for each in (course.root / "submitted").iterdir() if each.name[0] != "."} == taken
    assert [aftermath.exchange.submitted(each) for each in ("ada", "bob", "cyd")] == [solved(), half(), untouched()]


def test_between_attacks_honest_times_are_those_of_handing_in(aftermath: Aftermath) -> None:
    found = submissions(aftermath.exchange.course.root, "warmup")
    times = {each.student: datetime.fromisoformat(each.timestamp or "") for each in found}
    assert times == {
        student: datetime.fromisoformat(stamp.replace(" UTC", "+00:00")) for student, stamp in aftermath.honest.items()
    }


def test_each_attack_is_told_to_a_person_with_its_reason(aftermath: Aftermath) -> None:
    refused = [each for each in aftermath.results if each.status == "not taken"]
    for student, why in aftermath.told.items():
        assert any(each.who == student and why in each.why for each in refused), (student, why, refused)
    others = " ".join(each.who for each in refused)
    for name in ("l-entry", "n-time", "n-none", "n-year", "n-plain", ".hidden", "n\\udcff", "xxxx", "a\\nb", "öööö"):
        assert name in others


def test_nothing_that_a_link_leads_to_is_anywhere_below_submitted(aftermath: Aftermath) -> None:
    for path in (aftermath.exchange.course.root / "submitted").rglob("*"):
        assert stat.S_ISDIR(path.lstat().st_mode) or stat.S_ISREG(path.lstat().st_mode)
        assert not path.is_file() or HIDDEN not in path.read_text()


def test_a_forged_one_is_kept_aside_with_who_did_it(aftermath: Aftermath) -> None:
    (kept,) = (aftermath.exchange.course.root / "submitted/.put-aside" / f"account-{MAL}").iterdir()
    assert json.loads((kept / "handed-in/warmup.ipynb").read_text()) == untouched()
    assert "handed in for ada, warmup" in (kept / "why.txt").read_text()


def test_an_exchange_full_of_attacks_is_left_as_it_is_and_collected_again_with_the_same_result(
    aftermath: Aftermath,
) -> None:
    before = names(aftermath.exchange.inbound)
    course = aftermath.exchange.course
    again = collect_from(course, course.assignment("warmup"), aftermath.exchange.folder)
    assert names(aftermath.exchange.inbound) == before
    assert [each for each in again if each.status == "not taken"] == [
        each for each in aftermath.results if each.status == "not taken"
    ]
    assert {each.who for each in again if each.status == "unchanged"} == {"ada", "bob", "cyd"}


# Whose it is


def statuses(results: list[Collected]) -> set[tuple[str, str]]:
    return {(each.who, each.status) for each in results}


def test_what_is_replaced_is_kept_with_its_date(exchange: Exchange) -> None:
    exchange.put("ada", half(), uid=ADA)
    first = exchange.stamps["ada"]
    exchange.collect()
    exchange.put("ada", solved(), uid=ADA)
    assert statuses(exchange.collect()) == {("ada", "newer")}
    assert exchange.submitted("ada") == solved()
    (kept,) = (exchange.course.root / "submitted/.replaced/ada").iterdir()
    assert json.loads((kept / "warmup.ipynb").read_text()) == half()
    assert (kept / "timestamp.txt").read_text() == first


def test_where_the_id_is_an_accounts_name_the_account_has_to_own_it(exchange: Exchange) -> None:
    daemon, games = 1, 5  # accounts that every Debian has
    exchange.put("daemon", solved(), uid=daemon)
    exchange.put("daemon", untouched(), uid=games)
    exchange.put("games", untouched(), uid=MAL)
    results = exchange.collect()
    assert statuses(results) == {("daemon", "new"), ("daemon", "not taken"), ("games", "not taken")}
    assert any("it belongs to the account games, and not to the account daemon" in each.why for each in results)
    assert exchange.submitted("daemon") == solved()


def test_another_students_account_hands_in_for_nobody(exchange: Exchange) -> None:
    games = 5
    exchange.put("games", uid=games)
    exchange.put("vic", untouched(), uid=games)
    results = exchange.collect()
    assert statuses(results) == {("games", "new"), ("vic", "not taken")}
    assert any("the account games, which is another student's" in each.why for each in results)


def test_an_account_without_a_name_has_one_id_as_soon_as_there_are_two_accounts(exchange: Exchange) -> None:
    """Even of somebody who has not handed in yet, and whichever is looked at first."""
    exchange.put("mal", uid=MAL)
    exchange.put("ada", untouched(), uid=MAL)
    assert statuses(exchange.collect()) == {("mal", "new"), ("ada", "new")}, "it may be one that all share"
    exchange.put("ada", solved(), uid=ADA)
    results = exchange.collect()
    assert ("ada", "newer") in statuses(results)
    assert any(f"the account number {MAL}, which hands in as mal" in each.why for each in results)
    assert exchange.submitted("ada") == solved()


def test_who_hands_in_without_a_secret_keeps_nobodys_feedback_back(exchange: Exchange) -> None:
    """nbgrader's release_feedback ends at a student who has none, and whoever comes later in it has no feedback."""
    (exchange.put("ada") / "submission_secret.txt").unlink()
    (exchange.put("bob") / "submission_secret.txt").write_bytes(bytes(5_000))
    exchange.put("cyd", secret="their own")
    warmup = exchange.course.assignment("warmup")
    assert {each.status for each in exchange.collect()} == {"new"}
    assert {each.status for each in exchange.collect()} == {"unchanged"}
    found = []
    for student in ("ada", "bob", "cyd"):
        write_page(exchange.course, warmup, student, "a page")
        found.append((exchange.course.root / f"feedback/{student}/warmup/submission_secret.txt").read_text())
    assert found[2] == "their own"
    assert min(map(len, found[:2])) >= 64
    assert len(set(found)) == 3


def test_the_numbers_that_an_account_has_beside_its_own_are_one_account(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has subordinate ids can write files as any of them, and so would be as many new students."""
    (tmp_path / "subuid").write_text(f"{MAL}:300000:65536\n0:500000:65536\nbroken:x\n")
    monkeypatch.setattr("autograder.submission.owners.SUBORDINATE", tmp_path / "subuid")
    exchange.put("ada", uid=ADA)
    for number in range(5):
        exchange.put(f"new{number}", uid=300_000 + number)
    exchange.put("own", uid=MAL)
    exchange.put("bob", uid=500_001)
    exchange.put("cyd", uid=500_002)
    results = exchange.collect()
    taken = {each.who for each in results if each.status != "not taken"}
    assert taken == {"ada", "new0", "bob", "cyd"}
    told = [each.why for each in results if each.who == "new1"]
    assert f"it belongs to the account number {MAL}, which hands in as new0" in told[0]


def test_whoever_came_first_in_a_name_keeps_it_also_when_the_exchange_was_emptied(exchange: Exchange) -> None:
    exchange.put("ada", solved(), uid=ADA)
    (first,) = exchange.collect()
    assert "came first in this name" in first.why, "what is taken on trust is said"
    shutil.rmtree(exchange.inbound)
    exchange.inbound.mkdir()
    exchange.put("ada", untouched(), uid=MAL)
    assert {each.status for each in exchange.collect()} == {"not taken"}
    assert exchange.submitted("ada") == solved()


@pytest.mark.parametrize("alike", ["JOSÉ", "jose\u0301", "\uff4a\uff4f\uff53é"])
def test_an_id_that_reads_as_one_that_is_there_is_not_taken(exchange: Exchange, alike: str) -> None:
    exchange.put("josé", solved(), uid=ADA)
    exchange.put(alike, untouched(), uid=MAL)
    assert ("josé", "new") in statuses(exchange.collect()), "who came first is not kept out"
    assert {each.status for each in exchange.collect() if each.who != "josé"} == {"not taken"}
    assert not (exchange.course.root / "submitted" / alike).exists()
    exchange.put("josé", half(), uid=ADA)
    assert ("josé", "newer") in statuses(exchange.collect())


def test_one_account_that_all_share_hands_in_for_all(exchange: Exchange) -> None:
    for student in ("ada", "bob", "cyd"):
        exchange.put(student, uid=1_000_000)
    assert statuses(exchange.collect()) == {("ada", "new"), ("bob", "new"), ("cyd", "new")}


def test_where_accounts_are_no_persons_the_course_can_say_so(exchange: Exchange) -> None:
    exchange.put("ada", uid=ADA)
    exchange.put("bob", uid=ADA)
    exchange.put("ada", half(), uid=BOB)
    assert statuses(exchange.collect(check_owner=False)) == {("ada", "new"), ("bob", "new")}
    assert exchange.submitted("ada") == half()


def test_who_keeps_the_course_hands_in_for_anybody(exchange: Exchange) -> None:
    daemon = exchange.put("daemon")
    give(daemon, 0)
    exchange.put("mal", uid=MAL)
    assert statuses(exchange.collect()) == {("daemon", "new"), ("mal", "new")}


def test_a_wave_of_forged_ones_crowds_nobody_out_and_is_told_in_bounds(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.submission.from_exchange.MAX_LISTED", 20)
    exchange.put("ada", solved(), uid=ADA)
    for number in range(150):
        path = exchange.inbound / f"ada+warmup+2026-12-01 00:00:00.{number:06} UTC+x"
        path.mkdir()
        give(path, MAL)
    results = exchange.collect()
    assert exchange.submitted("ada") == solved()
    assert len(results) == 22
    assert any("more entries of the exchange were not taken" in each.why for each in results)


def test_what_one_account_can_have_kept_aside_is_bounded(exchange: Exchange) -> None:
    exchange.put("ada", solved(), uid=ADA)
    for number in range(12):
        exchange.put("ada", untouched(), uid=MAL, secret=f"{number}")
    exchange.collect()
    assert len(list((exchange.course.root / f"submitted/.put-aside/account-{MAL}").iterdir())) == 10


def test_what_is_read_of_one_account_without_being_taken_is_bounded_and_told(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files without a byte on the disk, which are read to their end before what is wrong with the entry."""
    monkeypatch.setattr("autograder.submission.inbound.MAX_WASTED", 2**20)
    exchange.put("ada", solved(), uid=ADA)
    for number in range(5):
        path = exchange.put("mal", uid=MAL, secret=f"{number}")
        with (path / "a.bin").open("wb") as file:
            file.truncate(2**20)
        os.mkfifo(path / "z.pipe")
        give(path, MAL)
    whys = [each.why for each in exchange.collect() if each.who == "mal"]
    assert sum("z.pipe is a named pipe" in why for why in whys) == 1
    assert sum("no more was looked at" in why for why in whys) == 4
    assert exchange.submitted("ada") == solved()


def test_what_is_kept_aside_of_all_accounts_together_is_bounded(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.submission.from_exchange.MAX_PUT_ASIDE_BYTES", 1)
    exchange.put("ada", solved(), uid=ADA)
    for account in (MAL, BOB):
        exchange.put("ada", untouched(), uid=account)
    exchange.collect()
    exchange.collect()
    aside = exchange.course.root / "submitted/.put-aside"
    assert len([each for account in aside.iterdir() for each in account.iterdir()]) == 1


def test_an_inbound_folder_of_a_students_is_not_collected_from(exchange: Exchange) -> None:
    exchange.put("ada")
    os.chown(exchange.folder / "tiny", MAL, MAL)
    with pytest.raises(AutograderError, match=f"belongs to the account {MAL}, which is not the course's"):
        exchange.collect()


def test_a_link_in_the_place_of_the_inbound_folder_is_not_followed(exchange: Exchange, tmp_path: Path) -> None:
    exchange.inbound.rename(tmp_path / "elsewhere")
    exchange.inbound.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AutograderError, match="it is a link, or no folder"):
        exchange.collect()


# When it was handed in


def handed_in(exchange: Exchange, student: str) -> datetime:
    (found,) = submissions(exchange.course.root, "warmup", [student])
    return datetime.fromisoformat(found.timestamp or "")


def test_a_time_before_the_folders_own_does_not_count_and_is_told(exchange: Exchange) -> None:
    begun = datetime.now(UTC) - timedelta(seconds=1)
    path = exchange.put("late", stamp=LONG_AGO)
    os.utime(path, (0, 0))
    os.utime(path / "warmup.ipynb", (0, 0))
    (result,) = exchange.collect()
    assert f"handed in at {LONG_AGO}" in result.why
    assert handed_in(exchange, "late") > begun
    assert exchange.collect()[0].status == "unchanged"


@pytest.mark.parametrize("end", ["UTC+AbC_-123456", "UTC", "+0000+AbC", "+0000", "GMT+8"])
def test_a_time_is_read_whatever_word_stands_behind_it(exchange: Exchange, end: str) -> None:
    stamp = now().removesuffix("UTC")
    exchange.put("ada+eve", name=f"ada+eve+warmup+{stamp}{end}")
    assert statuses(exchange.collect()) == {("ada+eve", "new")}
    assert handed_in(exchange, "ada+eve") == datetime.fromisoformat(f"{stamp.strip()}+00:00")


def test_what_somebody_holds_on_to_is_not_waited_for(exchange: Exchange) -> None:
    path = exchange.put("ada", uid=ADA) / "warmup.ipynb"
    os.chown(path, 0, 0)
    file = os.open(path, os.O_RDWR)
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    os.chown(path, ADA, ADA)
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    try:
        (result,) = exchange.collect()
    finally:
        os.close(file)
        signal.signal(signal.SIGIO, before)
    assert result.why.endswith("warmup.ipynb cannot be read: Resource temporarily unavailable")


def test_a_time_to_come_does_not_count_either_so_the_next_one_is_newer(exchange: Exchange) -> None:
    exchange.put("ada", half(), uid=ADA, stamp="2099-01-01 00:00:00 UTC")
    exchange.collect()
    assert handed_in(exchange, "ada") <= datetime.now(UTC)
    exchange.put("ada", solved(), uid=ADA)
    assert statuses(exchange.collect()) == {("ada", "newer")}
    assert exchange.submitted("ada") == solved()


def test_what_was_collected_is_not_changed_by_what_is_written_over_it(exchange: Exchange) -> None:
    path = exchange.put("ada", half(), uid=ADA)
    exchange.collect()
    write(path / "warmup.ipynb", solved())
    assert statuses(exchange.collect()) == {("ada", "unchanged")}
    assert exchange.submitted("ada") == half()


def test_what_was_touched_and_not_changed_keeps_its_time(exchange: Exchange) -> None:
    path = exchange.put("ada", solved(), uid=ADA)
    exchange.collect()
    stamp = exchange.course.root / "submitted/ada/warmup/timestamp.txt"
    stamp.write_text(LONG_AGO)  # as if an hour lay between
    path.chmod(0o755)
    assert statuses(exchange.collect()) == {("ada", "unchanged")}
    assert stamp.read_text() == LONG_AGO


def test_what_an_instructor_mended_in_submitted_stays(exchange: Exchange) -> None:
    exchange.put("ada", half(), uid=ADA)
    exchange.collect()
    write(exchange.course.root / "submitted/ada/warmup/warmup.ipynb", solved())
    assert statuses(exchange.collect()) == {("ada", "unchanged")}
    assert exchange.submitted("ada") == solved()


def test_before_a_due_date_the_newest_in_time_is_wanted_and_what_it_replaces_is_kept(exchange: Exchange) -> None:
    exchange.put("ada", half(), uid=ADA)
    exchange.collect()
    exchange.put("ada", solved(), uid=ADA)
    due = datetime.now(UTC)
    exchange.put("ada", untouched(), uid=ADA)
    exchange.collect()
    assert exchange.submitted("ada") == untouched()
    assert statuses(exchange.collect(before=due)) == {("ada", "newer")}
    assert exchange.submitted("ada") == solved()
    assert len(list((exchange.course.root / "submitted/.replaced/ada").iterdir())) == 2


# One entry in the way of the others


def test_after_one_that_cannot_be_taken_the_newest_that_can_is(exchange: Exchange) -> None:
    exchange.put("ada", solved(), uid=ADA)
    os.mkfifo(exchange.put("ada", untouched(), uid=ADA) / "pipe")
    assert statuses(exchange.collect()) == {("ada", "new"), ("ada", "not taken")}
    assert exchange.submitted("ada") == solved()


def test_what_changes_between_the_look_and_the_copy_is_not_followed(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file becomes a link, and the entry another one, after each was looked at and before it is opened."""
    file, entry = exchange.put("mal", uid=MAL), exchange.put("ada", uid=ADA)
    real, root = os.open, exchange.course.root

    def swapping(path: Any, *words: Any, **options: Any) -> int:
        if path == "warmup.ipynb" and not (file / path).is_symlink():
            (file / path).unlink()
            (file / path).symlink_to(root / "source/warmup/warmup.ipynb")
        if path == entry.name and not entry.is_symlink():
            entry.rename(entry.with_name("elsewhere"))
            entry.symlink_to(root / "source/warmup")
        return real(path, *words, **options)

    monkeypatch.setattr(os, "open", swapping)
    results = exchange.collect()
    monkeypatch.undo()
    assert {(each.who, each.status) for each in results} == {("mal", "not taken"), ("ada", "not taken")}
    assert not (root / "submitted/mal").exists()


def test_as_an_ordinary_user_what_is_closed_is_told_and_the_others_are_collected(tmp_path_factory: Any) -> None:
    base = Path("/tmp") / f"exchange-{os.getpid()}"
    keeper = 44_999
    try:
        exchange = make_exchange(base)
        exchange.put("ada", uid=ADA)
        closed, inside = exchange.put("mal", uid=MAL), exchange.put("cyd", uid=CYD)
        closed.chmod(0o000)
        (inside / "warmup.ipynb").chmod(0o000)
        for path in (base, exchange.folder, exchange.folder / "tiny", exchange.inbound):
            os.chown(path, keeper, keeper)
        for path in (exchange.course.root, *exchange.course.root.rglob("*")):
            os.chown(path, keeper, keeper)
        (base / "report").touch()
        os.chown(base / "report", keeper, keeper)
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setgid(keeper)
                os.setuid(keeper)
                report = sorted(f"{each.who} {each.status} {each.why}" for each in exchange.collect())
                (base / "report").write_text(json.dumps(report))
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        ada, cyd, mal = json.loads((base / "report").read_text())
        assert ada.startswith("ada new")
        assert cyd.endswith("warmup.ipynb cannot be read: Permission denied")
        assert mal.endswith("it cannot be read: Permission denied")
    finally:
        shutil.rmtree(base, ignore_errors=True)


def test_so_much_is_kept_that_a_flood_ends_and_says_so(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.submission.placing.MAX_REPLACED", 2)
    for number in range(4):
        exchange.put("ada", half(), uid=ADA, secret=f"{number}")
        last = exchange.collect()
    assert any("earlier ones" in each.why for each in last if each.status == "not taken")
    assert len(list((exchange.course.root / "submitted/.replaced/ada").iterdir())) == 2


# The other ways in


def test_nbgraders_collect_goes_through_the_same_reader(
    exchange: Exchange, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `nbgrader collect` and the formgrader's button find it, by the course's configuration."""
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.exchange import ExchangeError, ExchangeFactory

    root = exchange.course.root
    exchange.put("ada", solved(), uid=ADA)
    exchange.put("ada", untouched(), uid=MAL)
    in_place_of_the_notebook(exchange, "l-master", root / "source/warmup/warmup.ipynb")
    with open_gradebook(exchange.course):
        pass
    monkeypatch.setenv("PATH", os.environ["PATH"])  # which the configuration adds to
    config = nbgrader_config(root)
    config.Exchange.root = str(exchange.folder)
    coursedir = CourseDirectory(config=config, assignment_id="warmup")
    collect = ExchangeFactory(config=config).Collect(coursedir=coursedir)
    collect.log = logging.getLogger("tests.exchange")
    with pytest.raises(ExchangeError, match="2 of the exchange's entries for warmup were not taken"):
        collect.start()
    assert "warmup.ipynb is a symbolic link" in caplog.text
    assert f"it belongs to the account number {MAL}" in caplog.text
    assert exchange.submitted("ada") == solved()
    assert not (root / "submitted/l-master").exists()


@pytest.mark.sandbox
def test_watch_grades_the_honest_ones_of_an_exchange_full_of_attacks(exchange: Exchange) -> None:
    exchange.put("ada", solved(), uid=ADA)
    exchange.put("ada", untouched(), uid=MAL)
    exchange.put("bob", half(), uid=BOB)
    in_place_of_the_notebook(exchange, "l-master", exchange.course.root / "source/warmup/warmup.ipynb")
    exchange.put("n-time", name="n-time+warmup+notatime+x")
    said: list[tuple[str, str]] = []
    told = lambda student, what: said.append((student, what))  # noqa: E731
    warmup = exchange.course.assignment("warmup")
    watch(exchange.course, warmup, jobs=1, once=True, exchange=exchange.folder, told=told)
    with open_gradebook(exchange.course, create=False) as gradebook:
        scores = {each.student: each.raw_score for each in held_grades(gradebook, warmup)}
    assert scores == {"ada": 10, "bob": 6}
    assert sum(what.startswith("not taken: ") for _, what in said) == 3
    assert not (exchange.course.root / "feedback/l-master").exists()


def watched_once(exchange: Exchange) -> list[tuple[str, str]]:
    said: list[tuple[str, str]] = []
    told = lambda student, what: said.append((student, what))  # noqa: E731
    warmup = exchange.course.assignment("warmup")
    watch(exchange.course, warmup, jobs=1, once=True, exchange=exchange.folder, told=told)
    return [each for each in said if not each[1].startswith("new: ")]


@pytest.mark.sandbox
@pytest.mark.parametrize("counts", ["last", pytest.param("best", marks=pytest.mark.thorough)])
def test_a_notebook_handed_in_again_unchanged_gets_its_feedback_under_the_new_secret(
    tmp_path: Path, counts: str
) -> None:
    exchange = make_exchange(tmp_path)
    config = exchange.course.root / "gradebook_config.yaml"
    config.write_text(config.read_text().replace("    seed: 7\n", f"    seed: 7\n    attempts: {{counts: {counts}}}\n"))
    exchange.course = load_course(exchange.course.root)
    told = exchange.folder / "tiny/feedback"
    exchange.put("ada", solved(), uid=ADA, secret="first")
    watched_once(exchange)
    if counts == "best":
        exchange.put("ada", half(), uid=ADA, secret="worse")
        watched_once(exchange)
        exchange.put("ada", half(), uid=ADA, secret="worse again")
    else:
        exchange.put("ada", solved(), uid=ADA, secret="second")
    before = names(told)
    ((student, what),) = [each for each in watched_once(exchange) if not each[1].startswith("newer: ")]
    assert (student, what) == ("ada", "handed in once more, unchanged; feedback and released")
    assert len(names(told)) == len(before) + 1
    assert watched_once(exchange) == []
    with open_gradebook(exchange.course, create=False) as gradebook:
        (held,) = held_grades(gradebook, exchange.course.assignment("warmup"))
    assert held.raw_score == 10


def test_what_is_collected_belongs_to_the_course_alone_whatever_its_modes_were(exchange: Exchange) -> None:
    entry = exchange.put("ada", uid=ADA)
    (entry / "more").mkdir()
    (entry / "more/notes.txt").write_text("mine")
    give(entry, ADA)
    for path in (entry, *entry.rglob("*")):
        path.chmod(0o6777 if path.is_file() else 0o3777)
    exchange.collect()
    collected = [path.lstat() for path in (exchange.course.root / "submitted/ada").rglob("*")]
    assert len(collected) == 6
    assert {stat.S_IMODE(each.st_mode) for each in collected} == {0o600, 0o700}
    assert {each.st_uid for each in collected} == {os.geteuid()}
