"""Files with the names that Canvas, Moodle or Blackboard gave them → what each person handed in.

Which system wrote the names is decided once, by all of them and by the system of the table that says who is who. The
system writes the start of a name and the student its end. So a name is read from its start, and what a student calls a
file never says whose it is. The forms are those of the systems' own sources: Canvas's ``lib/content_zipper.rb``,
Moodle's ``mod/assign/classes/downloader.php``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Literal

from autograder.base import AutograderError, printable
from autograder.course import Assignment
from autograder.submission.choosing import candidates, choose, with_work
from autograder.submission.file_names import is_called, is_notebook, is_script, one_form
from autograder.submission.members import Member

System = Literal["", "canvas", "moodle", "blackboard"]
"""Which learning management system; empty where it is not known."""

MAX_READINGS = 20
"""Ways in which one name is read at most."""

MAX_NAMED = 5
"""Files of one person that are left out and named; of more, how many."""

# Canvas: name[_LATE]_user_file_original, as "Download Submissions" writes them; a name has a _ in it rarely.
_CANVAS = re.compile(r"(?P<end>(?P<late>_LATE)?)_(?P<user>[0-9]+)(?=_[0-9]+_.)")
"""Where a name ends: the first such place is the system's."""
_CANVAS_FILE = re.compile(r"_[0-9]+_(?P<file>.+)", re.DOTALL)
_CANVAS_TYPED = re.compile(r".*(?P<end>)_[0-9A-Za-z]+_(?P<kind>text|link)\.html", re.DOTALL)
_CANVAS_ANONYMOUS = re.compile(r"(?:LATE_)?(?P<end>)anon_[0-9A-Za-z]+_[0-9]+_.+", re.DOTALL)
_ATTEMPT = re.compile(r"-(?P<attempt>[0-9]{1,6})(?=\.ipynb$)|(?<=\.ipynb)-(?P<later>[0-9]{1,6})(?=\.)", re.IGNORECASE)
# Moodle: "Full name_participant_assignsubmission_file/original": the whole folder's name is the system's …
_MOODLE_FOLDER = re.compile(
    r"(?P<name>.+?)(?:_(?P<user>[0-9]+))?_assign(?:submission|feedback)_(?P<kind>[a-z]+)_?", re.DOTALL
)
_MOODLE_NUMBERED = re.compile(r"(?P<name>.+)_(?P<user>[0-9]+)_assignsubmission_(?P<kind>[a-z]+)_?", re.DOTALL)
# … or flat, where the first place that can be the participant's number is it.
_MOODLE_FLAT = re.compile(r"_(?P<user>[0-9]+)_assignsubmission_(?P<kind>[a-z]+)(?=_.)")
_MOODLE = re.compile(r".+?(?P<end>)_assign(?:submission|feedback)_[a-z]", re.DOTALL)
"""How every name of Moodle's begins, of files, texts written online and comments."""
# Blackboard: "Assignment_username_attempt_2026-11-29-23-59-00_original", and one text for each attempt.
_BLACKBOARD = re.compile(
    r"(?P<before>.+?)(?P<end>)_attempt_(?P<when>[0-9]{4}(?:-[0-9]{2}){5})(?:_(?P<file>.+)|(?P<about>\.txt))", re.DOTALL
)


@dataclass
class Upload:
    """What one person handed in.

    Attributes:
        who: What tells the person from others of the same source.
        name: What the system calls the person; empty where the source has ids, or names of accounts.
        number: The system's number or account of the person; empty where the source has ids.
        late: Whether the system says so.
        doubles: Other ways to read the names, as (name, number): a person of exactly that name and number may claim it.
        files: What reads each file, by the name that it is kept under: of a class, not all are in memory at once.
        note: What is to be said beside that it is taken, such as what is left out; usually empty.
    """

    who: str
    name: str = ""
    number: str = ""
    late: bool = False
    doubles: tuple[tuple[str, str], ...] = ()
    files: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    note: str = ""


@dataclass
class _Heap:
    """All files of one person, before it is known which count.

    Attributes:
        upload: Whose they are.
        found: Each member, by the file's own name, which may have folders, and by the attempt: the highest counts.
    """

    upload: Upload
    found: dict[str, tuple[int, Member]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Reading:
    """How a member's name is read: whose it is and the file's own name, or why it is not taken."""

    name: str = ""
    number: str = ""
    late: bool = False
    order: int = 0
    file: str = ""
    doubles: tuple[tuple[str, str], ...] = ()
    why: str = ""


def uploads_of(
    source: Path,
    members: Iterable[Member],
    assignment: Assignment,
    roster: System,
    accounts: Collection[str],
    refused: list[tuple[str, str]],
) -> Iterator[Upload]:
    """What was handed in, by person, each with one notebook.

    Args:
        source: Where the members are from, for messages.
        members: The files.
        assignment: What was handed in for.
        roster: The system whose table says who is who; empty where there is none.
        accounts: The names of accounts that the table has; Blackboard's names hold one.
        refused: Takes what is not taken, and why.

    Raises:
        AutograderError: The names are not those of the roster's system.
    """
    sound = []
    for member in members:
        if member.why:
            refused.append((printable(member.name), member.why))
        else:
            sound.append(member)
    system = system_of([each.name for each in sound], roster, source)
    heaps: dict[str, _Heap] = {}
    titles = [found["before"] for each in sound if (found := _BLACKBOARD.fullmatch(_last(each.name)))]
    for member in sound:
        read = _read_name(member.name, system, accounts, titles)
        if read.why:
            refused.append((printable(member.name), read.why))
        elif read.file.lower().endswith(".zip"):
            why = "a zip file inside the zip file is not opened; hand in the notebook itself"
            refused.append((printable(member.name), why))
        else:
            who = f"{read.name}\0{read.number}"
            heap = heaps.setdefault(who, _Heap(Upload(who, read.name, read.number, read.late, read.doubles)))
            heap.upload.doubles = tuple(dict.fromkeys((*heap.upload.doubles, *read.doubles)))
            heap.upload.late |= read.late
            file = read.file
            while file in heap.found:
                file = f"another/{file}"
            if file:  # Blackboard says something of each attempt in a file of its own
                heap.found[file] = read.order, member
    for heap in heaps.values():
        if _sort_out(heap, assignment, refused):
            yield heap.upload


def system_of(names: Sequence[str], roster: System, source: Path) -> System:
    """The system that gave these names: one that explains all that any of them explains.

    A system writes the start of every name, so it explains all names of its own files, whatever their students chose.
    Where more than one does, it is the one whose part of a name ends first.

    Raises:
        AutograderError: None does, or not the one whose table says who is who.
    """
    explained = explained_by(names)
    every = set().union(*explained.values())
    possible = [system for system, those in explained.items() if every and those.keys() == every]
    if not every:
        return roster
    if roster and roster not in possible:
        odd = printable(min(every - explained[roster].keys()))
        raise AutograderError(
            f"{source}: the table of who is who is {roster.title()}'s, and not all names in the zip file are, such as "
            f"{odd}. Give the table of the system that the zip file is from"
        )
    first = [system for system in possible if all(_ends_first(system, explained, name) for name in every)]
    if not roster and len(first) != 1:
        (one, theirs), (other, others) = sorted(explained.items(), key=lambda each: not each[1])[:2]
        raise AutograderError(
            f"{source}: some of its names are {one.title()}'s ({printable(min(theirs))}), others {other.title()}'s "
            f"({printable(min(others, default='none'))}), so nobody can say whose they are. Collect what each system "
            "gave by itself"
        )
    return roster or first[0]


def _ends_first(system: System, explained: dict[System, dict[str, int]], name: str) -> bool:
    return explained[system][name] == min(those[name] for those in explained.values() if name in those)


def explained_by(names: Iterable[str]) -> dict[System, dict[str, int]]:
    """Those of these names that each system can have given, and where its part of them ends."""
    explained: dict[System, dict[str, int]] = {"canvas": {}, "moodle": {}, "blackboard": {}}
    for name in names:
        folders = PurePosixPath(name).parts[:-1]
        last = _last(name)
        # Only Moodle writes folders; around the others' files they are from who packed them again.
        if any(_MOODLE_FOLDER.fullmatch(each) for each in folders):
            explained["moodle"][name] = 0
            continue
        if found := _canvas_end(last) or _CANVAS_TYPED.fullmatch(last) or _CANVAS_ANONYMOUS.fullmatch(last):
            explained["canvas"][name] = found.start("end")
        if found := _MOODLE.match(last):
            explained["moodle"][name] = found.start("end")
        if found := _BLACKBOARD.fullmatch(last):
            explained["blackboard"][name] = found.start("end")
    return explained


def _canvas_end(name: str) -> re.Match[str] | None:
    """Where a person's name ends in one of Canvas's; it may be empty, where it has no letter."""
    return _CANVAS.search(name, 0 if name.startswith("_") else 1)


def _last(name: str) -> str:
    return PurePosixPath(name).name


def _read_name(member: str, system: System, accounts: Collection[str], titles: Sequence[str]) -> _Reading:
    """Who handed in a member and when in the order of attempts, and the file's own name."""
    found: _Reading | None = None
    if system == "canvas":
        found = _of_canvas(_last(member))
    elif system == "moodle":
        found = _of_moodle(member)
    elif system == "blackboard":
        found = _of_blackboard(_last(member), accounts, titles)
    if found is not None:
        return found
    expected = {
        "canvas": "not Canvas's, such as lovelaceada_101_9001_week2.ipynb",
        "moodle": "not Moodle's, such as Ada Lovelace_101_assignsubmission_file/week2.ipynb",
        "blackboard": "not Blackboard's, such as Week 2_ada_attempt_2026-11-29-23-59-00_week2.ipynb",
    }
    whose = expected.get(system, "neither Canvas's nor Moodle's nor Blackboard's")
    return _Reading(why=f"its name is {whose}")


def _of_canvas(name: str) -> _Reading | None:
    ends = [*islice(_CANVAS.finditer(name, 0 if name.startswith("_") else 1), MAX_READINGS)]
    if not ends:
        if typed := _CANVAS_TYPED.fullmatch(name):
            what = "a text that was typed into Canvas" if typed["kind"] == "text" else "a web address"
            return _Reading(why=f"it is {what}, not a notebook")
        if _CANVAS_ANONYMOUS.fullmatch(name):
            return _Reading(why=ANONYMOUS)
        return None
    first, *others = ends
    found = _CANVAS_FILE.fullmatch(name, first.end())
    if found is None:
        return None
    # Files of one attempt have numbers of their own; the attempt alone is what they share.
    attempt = _ATTEMPT.search(found["file"])
    return _Reading(
        name[: first.start()],
        first["user"],
        bool(first["late"]),
        int(attempt["attempt"] or attempt["later"]) if attempt else 0,
        _ATTEMPT.sub("", found["file"]) if attempt else found["file"],
        tuple((name[: each.start()], each["user"]) for each in others),
    )


ANONYMOUS = "Canvas gave no name, since it is graded anonymously; show the names there, and download it again"


def _of_moodle(member: str) -> _Reading | None:
    parts = PurePosixPath(member).parts
    for at, part in enumerate(parts[:-1]):
        if found := _MOODLE_NUMBERED.fullmatch(part):
            if found["kind"] != "file":
                return _Reading(why=_typed(found["kind"]))
            return _Reading(found["name"], found["user"], file="/".join(parts[at + 1 :]))
        if _MOODLE_FOLDER.fullmatch(part):
            return _Reading(why="Moodle gave no number, as for a team that is no group; say whose it is")
    name = parts[-1] if parts else ""
    ends = [*islice(_MOODLE_FLAT.finditer(name, 1), MAX_READINGS)]
    if not ends:
        unnumbered = "Moodle gave no number, as for a team that is no group; say whose it is"
        return _Reading(why=unnumbered) if _MOODLE.match(name) else None
    if ends[0]["kind"] != "file":
        return _Reading(why=_typed(ends[0]["kind"]))
    (owner, number), *others = [(name[: end.start()], end["user"]) for end in ends]
    return _Reading(owner, number, file=name[ends[0].end() + 1 :], doubles=tuple(others))


def _typed(kind: str) -> str:
    what = "a text that was typed into Moodle" if kind == "onlinetext" else f"of Moodle's {kind}"
    return f"it is {what}, not a file that was handed in"


def _of_blackboard(name: str, accounts: Collection[str], titles: Sequence[str]) -> _Reading | None:
    found = _BLACKBOARD.fullmatch(name)
    if found is None:
        return None
    before = found["before"]
    # Neither the assignment's title nor an account's name need be without a _.
    places = [at for at, letter in enumerate(before) if letter == "_"]
    known = {one_form(account) for account in accounts}
    fitting = [at for at in places if one_form(before[at + 1 :]) in known]
    if len(fitting) > 1:
        fitting = [at for at in fitting if all(each.startswith(before[: at + 1]) for each in titles)] or fitting
    if len(fitting) > 1:
        names = ", ".join(sorted(before[at + 1 :] for at in fitting))
        return _Reading(why=f"its name can be read as that of more than one account: {names}")
    at = fitting[0] if fitting else before.rfind("_")
    order = int(found["when"].replace("-", ""))
    return _Reading("", one_form(before[at + 1 :]), order=order, file=found["file"] or "")


def _sort_out(heap: _Heap, assignment: Assignment, refused: list[tuple[str, str]]) -> bool:
    """Say of each of a person's files whether it counts; whether there is a notebook."""
    if assignment.parts:
        return _sort_out_several(heap, assignment, refused)
    upload, name = heap.upload, f"{assignment.notebook}.ipynb"
    who = printable(f"{upload.name or upload.number}")
    notebooks = {file: member for file, (_, member) in heap.found.items() if is_notebook(file)}
    notebooks |= _scripts(heap, assignment, alone=not notebooks)
    if not notebooks:
        refused.append((who, f"there is no notebook: expected {name}, found {_listed(heap.found) or 'no file'}"))
        return False
    reading = {file: member.read for file, member in notebooks.items()}
    newest = max(heap.found[file][0] for file in notebooks)
    latest = [file for file in notebooks if heap.found[file][0] == newest]
    called = [file for file in latest if is_called(file, assignment.notebook)]
    note = ""
    if len(notebooks) == 1:
        (chosen,) = notebooks
    elif called or len(latest) == 1:
        preferred = next((file for file in called if _last(file) == name), (called or latest)[0])
        choice = choose(reading, assignment, preferred)
        chosen, note = choice.name, choice.note
    elif len(worked := with_work(reading, assignment)) == 1:
        chosen = worked[0]
        note = f"There is more than one notebook: {printable(_last(chosen))} alone has answers in it, and counts."
    else:
        said = f"there are {len(notebooks)} notebooks, none of which is called {name}: {_listed(notebooks)}"
        refused.append((who, said))
        return False
    upload.files[f"{assignment.notebook}.py" if is_script(chosen) else name] = notebooks.pop(chosen).read
    rest = []
    for file, (order, member) in sorted(heap.found.items(), key=lambda each: -each[1][0]):
        kept = _as_allowed(_last(file), assignment)
        if file == chosen:
            continue
        if file in notebooks and _last(file) == _last(chosen) and order == heap.found[chosen][0]:
            refused.append((printable(member.name), f"the same person handed in another file called {_last(file)}"))
        elif kept and kept not in upload.files:
            upload.files[kept] = member.read
        else:
            rest.append(file)
    left = f"left out, since the assignment does not ask for it: {_listed(rest)}" if rest else ""
    upload.note = "; ".join(filter(None, (note.rstrip("."), left)))
    return True


def _scripts(heap: _Heap, assignment: Assignment, *, alone: bool) -> dict[str, Member]:
    """The Python scripts that may be what was to be handed in: those of its name, or the only one, if it is alone."""
    found = {
        file: member
        for file, (_, member) in heap.found.items()
        if is_script(file) and _last(file) not in assignment.files
    }
    called = {file: member for file, member in found.items() if is_called(_last(file), assignment.notebook)}
    return called or (found if alone and len(found) == 1 else {})


def _sort_out_several(heap: _Heap, assignment: Assignment, refused: list[tuple[str, str]]) -> bool:
    """As ``_sort_out``, where there may be a notebook for each of the assignment's; of each the newest counts."""
    upload, left = heap.upload, dict(heap.found)
    notes = []
    for each in assignment.parts:
        reading = {file: member.read for file, (_, member) in left.items() if is_notebook(file)}
        reading = candidates(reading, each)
        if not reading:
            continue
        newest = max(left[file][0] for file in reading)
        choice = choose({file: read for file, read in reading.items() if left[file][0] == newest}, each)
        notes.append(choice.note.rstrip("."))
        upload.files[f"{each.notebook}.ipynb"] = left.pop(choice.name)[1].read
    if not upload.files:
        expected = " and ".join(f"{name}.ipynb" for name in assignment.names_of_notebooks)
        said = f"there is no notebook: expected {expected}, found {_listed(heap.found) or 'no file'}"
        refused.append((printable(upload.name or upload.number), said))
        return False
    rest = []
    for file, (_, member) in sorted(left.items(), key=lambda each: -each[1][0]):
        kept = _as_allowed(_last(file), assignment)
        if kept and kept not in upload.files:
            upload.files[kept] = member.read
        else:
            rest.append(file)
    notes.append(f"left out, since the assignment does not ask for it: {_listed(rest)}" if rest else "")
    upload.note = "; ".join(filter(None, notes))
    return True


def _as_allowed(file: str, assignment: Assignment) -> str:
    """The name under which the assignment knows a file; empty where it does not."""
    return next((name for name in assignment.files if one_form(name) == one_form(file)), "")


def _listed(files: Collection[str]) -> str:
    names = [printable(_last(file)) for file in files]
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
