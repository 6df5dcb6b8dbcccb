"""The Knowledge Check of an assignment: written once in plain text, given out as a notebook and as Canvas's QTI.

The text is in text2qti's format (github.com/gpoore/text2qti), which people can read and write, and is parsed by it.
Here are our own demands on it: one right answer for each question, and for each choice an explanation.
"""

from __future__ import annotations

import base64
import html
import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autograder.base import FOR_ALL, ConfigError, make_folder, write_output
from autograder.course import Course, notebook_text

FOLDER = "quizzes"
NAME = "knowledge-check"

_ABOUT = """\
# {title}

{description}

Run the cell below first, then each of the others (*Shift-Enter*): questions appear. Click on a choice, or move between
the choices of a question with the arrow keys: what is said then tells why it is right or wrong. Nothing that you choose
here is stored or sent.
"""
_SET_UP = """\
import base64
import json

from IPython.display import Javascript, display

try:
    from jupyterquiz import display_quiz
except ModuleNotFoundError:
    raise ModuleNotFoundError("Run `%pip install jupyterquiz` in a cell of its own, then this cell again.") from None


# There are no formulas here: without the first line, jupyterquiz may fetch MathJax from the network. The second leaves
# the arrow keys to a question's choices, where JupyterLab would move between cells.
IN_THE_BROWSER = Javascript(\"\"\"
if (window.MathJax && !window.MathJax.typeset) window.MathJax.typeset = () => {};
window.addEventListener("keydown", (event) => {
  if (event.key.startsWith("Arrow") && event.target.closest(".Quiz")) event.stopPropagation();
}, true);
\"\"\")
display(IN_THE_BROWSER)


def ask(packed):
    \"\"\"Show questions. They are packed so that nobody reads an answer by accident.\"\"\"
    display_quiz(json.loads(base64.b64decode(packed)), max_width=760)
"""


@dataclass(frozen=True)
class Choice:
    """A choice and why it is right or wrong, in HTML."""

    text: str
    correct: bool
    why: str


@dataclass(frozen=True)
class Question:
    """A question with its choices, in HTML; the title is plain text."""

    title: str
    text: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Section:
    """The questions on one objective."""

    title: str
    text: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Quiz:
    """A Knowledge Check.

    Attributes:
        title: Its title.
        description: What it is for, plain text.
        sections: The questions by objective.
        parsed: As text2qti read it.
    """

    title: str
    description: str
    sections: tuple[Section, ...]
    parsed: Any

    @property
    def questions(self) -> tuple[Question, ...]:
        """All questions in their order."""
        return tuple(question for section in self.sections for question in section.questions)


@dataclass(frozen=True)
class QuizWritten:
    """A Knowledge Check that was written: how many questions it has, and the students' notebook."""

    questions: int
    notebook: Path


def write_quiz(course: Course, assignment: str, package: Path | None = None) -> QuizWritten:
    """Write the students' notebook of an assignment's Knowledge Check, and the package for Canvas where one is named.

    Raises:
        ConfigError: There is no such quiz, or it has a mistake.
        AutograderError: A file could not be written.
    """
    found = read_quiz(quiz_file(course, assignment))
    name = f"{assignment}-{NAME}"
    notebook = course.root / "release" / name / f"{name}.ipynb"
    make_folder(notebook.parent)
    write_output(notebook, quiz_notebook(found), mode=FOR_ALL)
    if package is not None:
        write_output(package, quiz_qti(found))
    return QuizWritten(len(found.questions), notebook)


def quiz_file(course: Course, assignment: str) -> Path:
    """Where the text of an assignment's Knowledge Check lies."""
    return course.root / FOLDER / f"{assignment}.txt"


def read_quiz(path: Path) -> Quiz:
    """The Knowledge Check in a file.

    Raises:
        ConfigError: There is no such file, it is not in text2qti's format, or a question is not as it has to be; the
            message names the line.
    """
    try:
        from text2qti.config import Config
        from text2qti.err import Text2qtiError
        from text2qti.quiz import Quiz as Parsed
        from text2qti.quiz import TextRegion
    except ModuleNotFoundError as error:
        raise ConfigError("a Knowledge Check needs text2qti: pip install 'notebook-autograder[quiz]'") from error
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        # Its defaults, and nobody's own file of them: code in a quiz is not run.
        parsed = Parsed(text, config=Config(), source_name=path.name)
    except Text2qtiError as error:
        raise ConfigError(_told(str(error), path)) from error
    mistakes: list[str] = []
    sections: list[tuple[Any, list[Question]]] = []
    for each in parsed.questions_and_delims:
        if isinstance(each, TextRegion):
            sections.append((each, []))
        elif not hasattr(each, "choices"):
            mistakes.append(f"{path}: groups of questions have no place in a Knowledge Check; take GROUP out")
        elif not sections:
            place = _place(path, text, each.question_raw)
            mistakes.append(f"{place}: a `Text title:` has to come before the first question")
            break
        else:
            sections[-1][1].append(_question(each, path, text, mistakes))
    titles = Counter(question.title for _, questions in sections for question in questions)
    mistakes += [f"{path}: two questions are called {title!r}" for title, count in titles.items() if count > 1]
    if not titles:
        mistakes.append(f"{path}: there is no question in it")
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return Quiz(
        title=parsed.title_raw or path.stem,
        description=parsed.description_raw or "",
        sections=tuple(
            Section(each.title_raw or "", each.text_raw or "", tuple(questions)) for each, questions in sections
        ),
        parsed=parsed,
    )


def quiz_notebook(quiz: Quiz) -> str:
    """The students' notebook, as the text of its file: the same for the same quiz, without outputs.

    It needs jupyterquiz where it is run, and no network.
    """
    cells = [
        _cell("about", "markdown", _ABOUT.format(title=quiz.title, description=quiz.description)),
        _cell("set-up", "code", _SET_UP),
    ]
    for number, section in enumerate(quiz.sections, start=1):
        cells.append(_cell(f"section-{number}", "markdown", f"## {section.title}\n\n{section.text}"))
        packed = base64.b64encode(json.dumps([_asked(each) for each in section.questions]).encode()).decode()
        lines = "\n".join(f'    "{line}"' for line in textwrap.wrap(packed, 100))
        source = f"ask(\n{lines}\n)"
        cells.append(_cell(f"questions-{number}", "code", source, {"jupyter": {"source_hidden": True}}))
    return notebook_text(
        {
            "cells": cells,
            "metadata": {
                "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
                "language_info": {"name": "python"},
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def quiz_qti(quiz: Quiz) -> bytes:
    """The quiz as a QTI 1.2 package, a zip file that Canvas imports, explanations included."""
    from text2qti.qti import QTI

    return bytes(QTI(quiz.parsed).zip_bytes())


def _question(parsed: Any, path: Path, text: str, mistakes: list[str]) -> Question:
    """A question, and what is wrong with it noted."""
    where = _place(path, text, parsed.question_raw)
    title = parsed.title_raw or ""
    if not title:
        mistakes.append(f"{where}: a `Title:` has to stand above the question")
    if parsed.type != "multiple_choice_question":
        mistakes.append(f"{where}: expected a question with choices a), b), … of which one, as *a), is right")
    elif len(parsed.choices) < 3:
        mistakes.append(f"{where}: {title!r} has {len(parsed.choices)} choices; expected at least 3")
    for each in parsed.choices:
        if not each.feedback_raw:
            mistakes.append(
                f"{_place(path, text, each.choice_raw, after=parsed.question_raw)}: the choice {each.choice_raw!r} has "
                "no explanation; say below it why it is right or wrong, in a line that begins with `... `"
            )
    mistakes += _shown_by_one_alone(parsed, path, text)
    choices = (
        Choice(_inline(each.choice_html_xml), bool(each.correct), _inline(each.feedback_html_xml))
        for each in parsed.choices
    )
    return Question(title, _inline(parsed.question_html_xml), tuple(choices))


def _shown_by_one_alone(parsed: Any, path: Path, text: str) -> Iterator[str]:
    """What either the notebook or Canvas alone would show of a question."""
    pieces = [(parsed.question_raw, parsed.question_html_xml, "")]
    for each in parsed.choices:
        pieces.append((each.choice_raw, each.choice_html_xml, parsed.question_raw))
        pieces.append((each.feedback_raw, each.feedback_html_xml, each.choice_raw))
    for said, shown, after in pieces:
        if "<img" in html.unescape(shown or ""):
            yield (
                f"{_place(path, text, said, after)}: the notebook can show neither formulas nor pictures in a "
                "question: write a formula with Unicode letters, as in f(0) = ½, or put it into the text above"
            )
    for said in (parsed.feedback_raw, parsed.correct_feedback_raw, parsed.incorrect_feedback_raw):
        if said:
            yield (
                f"{_place(path, text, said, parsed.question_raw)}: Canvas alone would show what is said of the whole "
                "question; say it below the choices that it is about"
            )


def _place(path: Path, text: str, said: str, after: str = "") -> str:
    """The file and the line in which something is said; text2qti's own numbers are of the lines after it."""
    begins = text.find(after.splitlines()[0]) + len(after.splitlines()[0]) if after else 0
    found = text.find(said.splitlines()[0] if said else "", begins)
    return f"{path}, line {text.count(chr(10), 0, found) + 1}" if found >= 0 else str(path)


def _asked(question: Question) -> dict[str, Any]:
    """The question as jupyterquiz takes it."""
    return {
        "question": f"<b>{html.escape(question.title)}.</b> {question.text}",
        "type": "multiple_choice",
        "answers": [
            {"answer": choice["text"], "correct": choice["correct"], "feedback": choice["why"]}
            for choice in asdict(question)["choices"]
        ],
    }


def _inline(escaped: str | None) -> str:
    """The HTML that text2qti escapes for XML, without the paragraph around a single one."""
    text = html.unescape(escaped or "")
    single = re.fullmatch(r"<p>(.*)</p>", text, re.DOTALL)
    return single[1] if single and "<p>" not in single[1] else text


def _told(said: str, path: Path) -> str:
    """A message of text2qti's with the file's path and the line as our messages have them."""
    found = re.match(r'In ".*" on lines? ([\d-]+):\s*(.*)', said, re.DOTALL)
    return f"{path}, line {found[1]}: {found[2].strip()}" if found else f"{path}: {said}"


def _cell(identity: str, kind: str, source: str, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": identity, "metadata": metadata or {}, "source": source.strip()}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
