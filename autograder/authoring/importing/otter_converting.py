"""A master of otter-assign's → a master of nbgrader's, with a list of what has no counterpart.

Each test case becomes a test cell with the points that Otter gives it, so that a submission has here what it has there;
a question that is all or nothing becomes one test cell. What students answer in words becomes a cell graded by hand.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from autograder.authoring.cells import (
    BEGIN_HIDDEN,
    BEGIN_SOLUTION,
    END_HIDDEN,
    END_SOLUTION,
    Role,
    marks,
    plain_cell,
    python_notebook,
)
from autograder.authoring.importing.otter_blocks import Blocks, Piece, Question, read_blocks
from autograder.authoring.importing.otter_settings import Settings, read_settings_file
from autograder.authoring.importing.otter_solutions import Converted, as_given, with_nbgrader_marks
from autograder.authoring.importing.otter_tests import (
    Looking,
    exception_based,
    in_ok_format,
    looking,
    not_points,
    number_of,
    points_of,
    read_case,
)
from autograder.authoring.importing.reading import NotConverted, SourceNotebook, mistake
from autograder.base import ConfigError, shown
from autograder.course import notebook_text
from autograder.submission import binds, parsed

_SEED = """\
# As Otter does before each cell when it grades.
import random

import numpy

numpy.random.seed({seed})
random.seed({seed})"""

_UNMARKED = "a solution without marks: students get it whole, as from Otter"
_NO_COUNTERPART = "nothing here asks for it"
_PYTHON = "submissions run in the grader's own Python: install what they need beside autograder"
_CLIENT = "Otter's client is not in the notebooks here"
_WHY = {
    "requirements": _PYTHON,
    "overwrite_requirements": _PYTHON,
    "environment": _PYTHON,
    "python_version": _PYTHON,
    "channel_priority_strict": _PYTHON,
    "init_cell": _CLIENT,
    "check_all_cell": _CLIENT,
    "export_cell": _CLIENT,
    "save_environment": _CLIENT,
    "ignore_modules": _CLIENT,
    "variables": _CLIENT,
    "solutions_pdf": "no PDF is made here",
    "template_pdf": "no PDF is made here",
    "run_tests": "`autograder release` always tries the solved master",
    "plugins": "there are no plug-ins of Otter's here",
    "runs_on": "the notebook is for any Jupyter",
    "autograder_files": "files for the grader alone: no submission may read what its student does not have",
    "config_file": "the settings of this file are taken as those of the notebook",
    "seed.student_value": "students have the seed that grading has",
    "tests.files": "tests are cells of the notebook",
    "tests.url_prefix": "tests are cells of the notebook",
    "generate.points_possible": "a score is the sum of the points, and is not scaled",
    "generate.score_threshold": "a score is the sum of the points, and is not made all or nothing",
    "generate.show_hidden": "`visibility` in gradebook_config.yaml says what students see",
    "generate.show_all_public": "`visibility` in gradebook_config.yaml says what students see",
    "generate.grade_from_log": "a submission is always run",
}
_TAKEN = frozenset(
    {
        *("name", "files", "student_files", "show_question_points", "strip_solutions_from_all_cells"),
        *("seed.variable", "seed.autograder_value", "tests.ok_format", "generate.seed", "generate.seed_variable"),
        "config_file",
    }
)
_INSIDE = frozenset({"seed", "tests", "generate"})
"""Settings that hold others."""

_OF_QUESTIONS = {
    "check_cell": "students have the visible tests as cells",
    "export": "no PDF is made here",
}


@dataclass(frozen=True)
class OtterMaster:
    """A master of otter-assign's, converted.

    Attributes:
        notebook: The text of nbgrader's master.
        name: What its settings call the assignment; empty where they do not.
        files: Files beside it that submissions read, as its settings have them.
        made: Files that students make, and hand in along.
        left: What could not be converted, in the notebook's order.
        cells: For each cell of the new master, the one that it comes from, from 1; 0 where there is none.
    """

    notebook: str
    name: str
    files: tuple[str, ...]
    made: tuple[str, ...]
    left: tuple[NotConverted, ...]
    cells: tuple[int, ...] = ()


@dataclass
class _Master:
    """The master that is being made.

    Attributes:
        path: The file that is converted.
        claimed: Ids that belong to a question, each with the question's own.
        cells: Cells so far.
        origins: Where each comes from.
        ids: Ids that are taken.
        left: What could not be converted.
    """

    path: Path
    claimed: dict[str, str]
    cells: list[dict[str, Any]] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    left: list[NotConverted] = field(default_factory=list)

    def id_for(self, wanted: str, of: str) -> str:
        """An id that nothing else has, and by which no test is taken for another question's."""
        candidate, number = wanted, 1
        while candidate in self.ids or any(
            self.claimed.get(each, of) != of for each in (candidate, candidate.removeprefix("test_"))
        ):
            number += 1
            candidate = f"{wanted}_{number}"
        self.ids.add(candidate)
        return candidate

    def add(
        self,
        kind: str,
        source: str,
        role: Role | Literal[""],
        wanted: str = "",
        *,
        of: str = "",
        points: float | None = None,
        piece: Piece | None = None,
    ) -> None:
        """Add a cell.

        Args:
            kind: ``code``, ``markdown`` or ``raw``.
            source: Its text.
            role: ``locked``, ``solution``, ``test``, ``answer``, or empty for one that nothing is graded of.
            wanted: Its id, if that is free.
            of: The id of its question, where it is an answer or a test.
            points: Its points.
            piece: What it comes from.
        """
        metadata: dict[str, Any] = {"tags": list(piece.tags)} if piece is not None and piece.tags else {}
        name = self.id_for(wanted, of) if role else ""
        if role:
            metadata["nbgrader"] = marks(role, name, points)
        place = len(self.cells)
        identity = name if re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) else _hashed(f"{place} {source}")
        made = plain_cell(kind, identity, source, metadata)
        if kind != "code" and piece is not None and piece.attachments:
            made["attachments"] = piece.attachments
        self.cells.append(made)
        self.origins.append(piece.cell if piece is not None else 0)


@dataclass(frozen=True)
class _Seeding:
    """What Otter puts before each code cell when it grades.

    Attributes:
        source: It, as a cell; empty where there is nothing.
        variable: The variable that it sets, where it sets one.
    """

    source: str = ""
    variable: str = ""


def convert(notebook: SourceNotebook) -> OtterMaster:
    """The master of nbgrader's for one of otter-assign's.

    Raises:
        ConfigError: It is for another language than Python, or is not as the format has it; the message has the file,
            the cell and the line.
    """
    path = notebook.path
    if notebook.language not in ("", "python", "ipython", "python3"):
        raise mistake(path, f"is written in {notebook.language}; only masters in Python can be imported")
    blocks = read_blocks(notebook)
    if not blocks.questions:
        text = "there is no question in it: no raw cell begins with `# BEGIN QUESTION`, as otter-assign's format v1 has"
        raise mistake(path, text)
    settings = _with_file(path, blocks.settings)
    names = [_plain(each.name) for each in blocks.questions]
    made = _Master(path, {f"test_{name}": name for name in names} | {name: name for name in names})
    made.left += (NotConverted(0, 0, "", note) for note in notebook.notes)
    made.left += [*blocks.left, *_settings_left(settings)]
    seeding = _seeding(path, settings)
    ok_format = _said(path, settings, "tests", "ok_format", default=True)
    everywhere = _said(path, settings, "strip_solutions_from_all_cells", default=False)
    with_points = _said(path, settings, "show_question_points", default=False)
    known = _known(blocks)
    by = looking(word for part in blocks.parts for each in _pieces(part) for word in re.findall(r"\w+", each.source))
    if ok_format and any(question.of("test") for question in blocks.questions):
        made.add("code", by.source, "locked", "what_code_shows")
    convert_question = functools.partial(
        _convert_question, made, seeding=seeding, by=by if ok_format else None, known=known, with_points=with_points
    )
    for part in blocks.parts:
        if isinstance(part, Question):
            convert_question(part)
        elif part.kind == "code" and everywhere:
            _solution(made, seeding, part, "solution")
        else:
            _given(made, seeding, part, "given")
    return OtterMaster(
        notebook_text(python_notebook(made.cells)),
        str(settings.values.get("name") or ""),
        _names(path, settings, "files"),
        _names(path, settings, "student_files"),
        tuple(sorted(dict.fromkeys(made.left), key=lambda each: (each.cell, each.line))),
        tuple(made.origins),
    )


# Settings


def _with_file(path: Path, settings: Settings) -> Settings:
    """The settings, with those of the file that they name, which count less."""
    name = settings.values.get("config_file")
    if name is None:
        return settings
    cell, line, _ = settings.at("config_file")
    if not isinstance(name, str):
        raise mistake(path, f"expected a file's name, found {shown(name)}", cell=cell, line=line)
    try:
        of_file = read_settings_file(path.parent / name)
    except (ConfigError, ValueError) as error:
        raise mistake(path, f"`config_file`: {error}", cell=cell, line=line) from error
    values, places = of_file.values | settings.values, of_file.places | settings.places
    return Settings(values, places, (*of_file.left, *settings.left))


def _settings_left(settings: Settings) -> Iterator[NotConverted]:
    """The settings of the assignment that have no counterpart."""
    yield from settings.left
    for key, value in settings.values.items():
        if key in _INSIDE and isinstance(value, dict):
            for inner in value:
                place = f"{key}.{inner}"
                if place not in _TAKEN:
                    yield from settings.not_converted(_WHY.get(place, _NO_COUNTERPART), key, str(inner))
        elif key not in _TAKEN and not (key == "generate" and value is True):
            yield from settings.not_converted(_WHY.get(key, _NO_COUNTERPART), key)


def _said(path: Path, settings: Settings, *place: str, default: bool) -> bool:
    value: Any = settings.values
    for part in place:
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return default
    if not isinstance(value, bool):
        cell, line, _ = settings.at(*place)
        raise mistake(path, f"`{'.'.join(place)}`: expected true or false, found {shown(value)}", cell=cell, line=line)
    return value


def _names(path: Path, settings: Settings, key: str) -> tuple[str, ...]:
    value = settings.values.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        cell, line, _ = settings.at(key)
        raise mistake(path, f"`{key}`: expected a list of files, found {shown(value)}", cell=cell, line=line)
    return tuple(value)


def _seeding(path: Path, settings: Settings) -> _Seeding:
    """What Otter puts before each code cell when it grades: a seed, or the variable that holds one."""
    values, generate = settings.values.get("seed"), settings.values.get("generate")
    of_seed = values if isinstance(values, dict) else {}
    of_generate = generate if isinstance(generate, dict) else {}
    if values is not None and not isinstance(values, dict):
        cell, line, _ = settings.at("seed")
        raise mistake(
            path,
            f"`seed`: expected variable, autograder_value and student_value, found {shown(values)}",
            cell=cell,
            line=line,
        )
    variable = of_seed.get("variable") or of_generate.get("seed_variable")
    place = ("seed", "autograder_value") if of_seed.get("variable") else ("generate", "seed")
    seed = of_seed.get("autograder_value") if of_seed.get("variable") else of_generate.get("seed")
    cell, line, _ = settings.at(*place)
    if seed is None:
        return _Seeding()
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise mistake(path, f"`{'.'.join(place)}`: expected a whole number, found {shown(seed)}", cell=cell, line=line)
    if variable is not None:
        if not isinstance(variable, str) or not variable.isidentifier():
            raise mistake(path, f"expected the name of a variable, found {shown(variable)}", cell=cell, line=line)
        return _Seeding(f"{variable} = {seed}", variable)
    return _Seeding(_SEED.format(seed=seed))


def _known(blocks: Blocks) -> frozenset[str]:
    """The names that the notebook's cells bind."""
    pieces = [each for part in blocks.parts for each in _pieces(part) if each.kind == "code"]
    return frozenset[str]().union(*(binds(each.source) for each in pieces), _imported(pieces))


def _pieces(part: Question | Piece) -> list[Piece]:
    return [part] if isinstance(part, Piece) else [piece for _, piece in part.pieces]


def _imported(pieces: Iterable[Piece]) -> set[str]:
    found = set()
    for piece in pieces:
        for node in ast.walk(parsed(piece.source) or ast.Module([], [])):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found |= {(each.asname or each.name).partition(".")[0] for each in node.names}
    return found


# Cells


def _convert_question(
    made: _Master,
    question: Question,
    *,
    seeding: _Seeding,
    by: Looking | None,
    known: frozenset[str],
    with_points: bool,
) -> None:
    """Add the cells of a question."""
    settings = question.settings
    made.left += settings.left
    for key in settings.values:
        if key not in ("name", "manual", "points", "all_or_nothing"):
            made.left += settings.not_converted(
                _OF_QUESTIONS.get(key, "Otter knows no such setting of a question"), key
            )
    manual = _said(made.path, settings, "manual", default=False)
    together = _said(made.path, settings, "all_or_nothing", default=False)
    cases = [read_case(made.path, piece) for piece in question.of("test")]
    points = points_of(made.path, question, cases)
    by_hand = _points_by_hand(made.path, question) if manual else 0.0
    name = _plain(question.name)
    texts = question.of("text")
    written = [each for each in texts if each.kind == "markdown"]
    for piece in texts:
        added = ""
        if with_points and written and piece is written[-1]:
            total = by_hand if manual else round(sum(points), 5) if cases else number_of(settings.values.get("points"))
            added = f"\n\n_Points:_ {1 if total is None else total:g}"
        _given(made, seeding, piece, f"{name}_text", in_question=True, added=added)
    if manual:
        _by_hand(made, seeding, question, name, by_hand, bool(cases))
    else:
        for piece in question.of("prompt"):
            _prompt(made, piece)
        for piece in question.of("solution"):
            _answered(made, seeding, piece, name)
    if not cases:
        if not manual:
            why = "a question without tests that is not graded by hand: it has no points here"
            made.left.append(question.at.left(0, why))
        return
    if seeding.source:
        _seed_before(made, seeding, "\n".join(case.code for case in cases), always=True)
    codes = []
    for number, case in enumerate(cases, 1):
        code, done = in_ok_format(case, by) if by else exception_based(made.path, case, known)
        made.left += done.left
        title = f'"""{_title(question, number, len(cases))}"""'
        codes.append((f"{BEGIN_HIDDEN}\n{code}\n{END_HIDDEN}" if case.hidden else code, title, case))
    if together:
        text = "\n\n".join([f'"""{_title(question, 0, 0)}"""', *(code for code, _, _ in codes)])
        made.add("code", text, "test", f"test_{name}", of=name, points=sum(points), piece=cases[0].piece)
        return
    for number, ((code, title, case), each) in enumerate(zip(codes, points, strict=True), 1):
        test_id = f"test_{name}" if len(cases) == 1 else f"{name}_test_{number}"
        made.add("code", f"{title}\n\n{code}", "test", test_id, of=name, points=each, piece=case.piece)


def _title(question: Question, number: int, of: int) -> str:
    """What students read of a test."""
    name = re.sub(r'["\\]', "'", question.name)
    return f"Question {name}, test {number}." if of > 1 else f"Question {name}."


def _points_by_hand(path: Path, question: Question) -> float:
    said = question.settings.values.get("points")
    points = 0.0 if said is None else number_of(said)
    if points is None:
        cell, line, _ = question.settings.at("points")
        raise mistake(path, f"question {shown(question.name)}: {not_points(said)}", cell=cell, line=line)
    return points


def _by_hand(made: _Master, seeding: _Seeding, question: Question, name: str, points: float, tested: bool) -> None:
    """Add the answers of a question that a person grades: its points stand on the last of them."""
    prompts, solutions = question.of("prompt"), question.of("solution")
    texts = [each for each in solutions if each.kind != "code"]
    asked = [each for each in prompts if each.kind != "code"]
    for piece in prompts:
        if piece.kind == "code":
            _prompt(made, piece)
    codes = [each for each in solutions if each.kind == "code"]
    answers = max(len(texts), len(asked))
    for number, piece in enumerate(codes, 1):
        is_last = number == len(codes) and not answers and not tested
        _answered(made, seeding, piece, name, points=points if is_last else None)
    for number in range(answers):
        prompt = asked[number] if number < len(asked) else None
        solution = texts[number] if number < len(texts) else None
        parts = [_text(made, each) for each in (prompt, solution) if each is not None]
        source = parts[-1]
        if prompt is not None:
            inside = [parts[1]] if solution is not None else []
            source = "\n".join([parts[0], "", BEGIN_SOLUTION, *inside, END_SOLUTION])
        score = points if number == answers - 1 else 0.0
        made.add("markdown", source, "answer", name, of=name, points=score, piece=solution or prompt)
    if not answers and (tested or not codes):
        made.left.append(
            question.at.left(0, "it is graded by hand and asks for no answer in words: a cell for one was added")
        )
        made.add("markdown", "", "answer", name, of=name, points=points, piece=question.at)


def _text(made: _Master, piece: Piece) -> str:
    converted = as_given(made.path, piece)
    made.left += converted.left
    return converted.source


def _prompt(made: _Master, piece: Piece) -> None:
    """Add a cell that students get as it is, and may write in."""
    converted = as_given(made.path, piece)
    made.left += converted.left
    made.add(piece.kind, converted.source, "", piece=piece)


def _answered(made: _Master, seeding: _Seeding, piece: Piece, name: str, *, points: float | None = None) -> None:
    """Add a cell of a solution block."""
    if piece.kind == "code":
        _solution(made, seeding, piece, name, points=points)
        return
    for left in piece.all_left(
        "the solution of a question that is not graded by hand: Otter shows it to nobody who hands in"
    ):
        made.left.append(left)


def _solution(made: _Master, seeding: _Seeding, piece: Piece, name: str, *, points: float | None = None) -> None:
    converted = with_nbgrader_marks(made.path, piece)
    made.left += converted.left
    if not converted.source.strip() and not converted.seeds:
        return
    _seed_before(made, seeding, converted.source)
    if converted.seeds:
        _seeds(made, seeding, piece, converted)
    if not converted.marked and points is None:
        if name == "solution":
            _given_code(made, piece, converted)
            return
        first = next(number for number, line in enumerate(piece.lines) if line.strip())
        made.left.append(piece.left(first, _UNMARKED))
        made.add("code", converted.source, "", piece=piece)
        return
    source = converted.source
    if not converted.marked:
        source = f"{source}\n{BEGIN_SOLUTION}\n{END_SOLUTION}"
    role: Role = "solution" if points is None else "answer"
    made.add("code", source, role, name, of=name, points=points, piece=piece)


def _seeds(made: _Master, seeding: _Seeding, piece: Piece, converted: Converted) -> None:
    """Add the lines that set a seed for a solution, in a locked cell before it."""
    lines = converted.seeds
    if seeding.source:
        lines = tuple(f"# {line}" for line in lines)
        for number, line in enumerate(piece.lines):
            if line.rstrip().endswith("# SEED") and not _same_seed(line, seeding):
                why = "Otter's `seed` counts when it grades, and so it does here; this one stands as a comment"
                made.left.append(piece.left(number, why))
    made.add("code", "\n".join(lines), "locked", "seed", piece=piece)


def _same_seed(line: str, seeding: _Seeding) -> bool:
    seed = re.search(r"\((\d+)\)", line)
    return seed is not None and f"({seed[1]})" in seeding.source


def _given(
    made: _Master, seeding: _Seeding, piece: Piece, name: str, *, in_question: bool = False, added: str = ""
) -> None:
    """Add a cell that is no answer: code is locked, and so is the text of a question."""
    converted = as_given(made.path, piece)
    made.left += converted.left
    if not converted.source.strip():
        return
    if piece.kind == "code":
        _seed_before(made, seeding, converted.source)
        _given_code(made, piece, converted)
    else:
        locked = in_question and piece.kind == "markdown"
        made.add(piece.kind, converted.source + added, "locked" if locked else "", name, piece=piece)


def _given_code(made: _Master, piece: Piece, converted: Converted) -> None:
    made.add("code", converted.source, "locked", "given", piece=piece)


def _seed_before(made: _Master, seeding: _Seeding, source: str, *, always: bool = False) -> None:
    """Add the seed that Otter puts before a code cell, where the cell may notice."""
    if not seeding.source or (made.cells and made.cells[-1]["source"] == seeding.source):
        return
    if seeding.variable:
        words = re.findall(r"\w+", source)
        defines = any(
            isinstance(each, ast.Assign) and seeding.variable in binds(ast.unparse(each))
            for each in (parsed(source) or ast.Module([], [])).body
        )
        wanted = (seeding.variable in words and not defines) or (always and _was_set(made, seeding.variable))
    else:
        tree = parsed(source)
        wanted = always or tree is None or any(isinstance(node, ast.Call) for node in ast.walk(tree))
    if wanted:
        made.add("code", seeding.source, "locked", "seed")


def _was_set(made: _Master, variable: str) -> bool:
    return any(variable in binds(each["source"]) for each in made.cells if each["cell_type"] == "code")


def _plain(name: str) -> str:
    """A name as nbgrader takes it for an id."""
    return re.sub(r"[^\w\-]", "_", name, flags=re.ASCII)


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
