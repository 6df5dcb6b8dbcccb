"""The documents, tried out: commands are run, snippets are checks, and whatever they name is there."""

import ast
import importlib
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import typer
import yaml
from jsonschema import Draft202012Validator

import autograder
from autograder.authoring import lint_course, release
from autograder.authoring.gradient_proofs import claims_of, refuted
from autograder.base import Cause, CellEnd, ConfigError, Half, causes, reason
from autograder.cli import app
from autograder.course import CONFIG_NAME, Limits, load_course
from tests import canvas_server
from tests import commands as programs
from tests.commands import AUTOGRADER, NBGRADER
from tests.courses import CONFIG, SCALE, cell, make_course, notebook, solved, submit, write

REPOSITORY = Path(autograder.__file__).parents[1]
DOCS = REPOSITORY / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *REPOSITORY.glob("*.md")])
PROGRAMS = Path(sys.executable).parent

QUICKSTART = Path(str(find_spec("nbgrader").origin)).parent / "docs/source/user_guide/source/ps1"  # type: ignore[union-attr]
"""The assignment of the course that `nbgrader quickstart` makes."""

STARTS_IN_A_COURSE = (
    "canvas.md",
    "ci.md",
    "feedback.md",
    "formgrader.md",
    "grading.md",
    "operators.md",
    "releasing.md",
    "writing-checks.md",
)
"""Pages whose commands are typed in a course's folder; those of the others in a clone of this repository."""

STARTS_WITH_NOTHING = ("tutorial.md",)
"""Pages whose reader has installed the package, and stands in a folder of their own."""

ENDS_WITH = {
    # The page says that every check must fail there.
    "pytest checks/week2 --submission release/week2/week2.ipynb": 1,
    # The two checks of the tiny course let mutants through.
    "autograder audit week2 --output audit.html": 1,
}


# Reading the pages


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str


@cache
def blocks(page: Path, *languages: str) -> tuple[Block, ...]:
    found = re.findall(r"^( *)```(\w+)\n(.*?)^\1```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return tuple(Block(name, textwrap.dedent(text)) for _, name, text in found if name in languages)


def commands(page: Path) -> list[str]:
    """What a reader of the page types, in order, without the comments behind."""
    lines = [
        line.removeprefix("$ ")
        for block in blocks(page, "console", "bash")
        for line in block.text.splitlines()
        if block.language == "bash" or line.startswith("$ ")
    ]
    return [typed for line in lines if (typed := re.sub(r"(^|\s+)#.*", "", line).strip())]


TAKES_MINUTES = ("canvas.md", "ci.md", "container.md", "feedback.md", "grading.md", "tutorial.md", "writing-checks.md")
"""Pages whose commands `make thorough` types: what they do is tried in part elsewhere, and `make test` parses them."""


def those(pages: list[Path], *languages: str, thorough: tuple[str, ...] = ()) -> list[Any]:
    """Parameters: the pages that have such blocks."""
    return [
        pytest.param(page, id=page.name, marks=pytest.mark.thorough if page.name in thorough else ())
        for page in pages
        if blocks(page, *languages)
    ]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^( *)```.*?^\1```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


# Commands


def is_a_make_target(command: str) -> bool:
    targets = re.search(r"^\.PHONY:(.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    return targets is not None and set(command.split()[1:]) <= set(targets[1].split())


def is_a_program_here(command: str) -> bool:
    return (PROGRAMS / command.split()[0]).exists()


def is_where_make_installs(command: str) -> bool:
    makefile = (REPOSITORY / "Makefile").read_text()
    return command.split()[1].removesuffix("/bin/activate") in re.findall(r"^VENV \?= (.+)$", makefile, re.MULTILINE)


def is_of_our_image(command: str) -> bool:
    """Whether a container is made of what is here, and has no option that tools/container_profiles.py does not try."""
    tried = (REPOSITORY / "tools/container_profiles.py").read_text(encoding="utf-8")
    options = [word for word in command.split() if word.startswith("--") and word not in ("--rm", "--sandbox")]
    own = "build" in command.split() and (REPOSITORY / "Containerfile").is_file()
    return own or (" autograder " in command and all(f'"{option}"' in tried for option in options))


NOT_RUN: dict[str, tuple[str, Callable[[str], bool]]] = {
    "make ": ("installs from the network, or runs these very tests", is_a_make_target),
    "autograder lab": ("serves until somebody stops it", is_a_program_here),
    ". .venv": ("the tests have their environment already", is_where_make_installs),
    "git clone ": ("needs the network", lambda command: command.split()[0] == "git"),
    "podman ": ("needs an engine for containers, and an image", is_of_our_image),
    "pip install ": ("installs from the network", is_a_program_here),
    "python -m pip install ": ("installs from the network", is_a_program_here),
}
"""Beginnings of commands that cannot run in a test: why, and what is looked at instead."""


def not_run(command: str) -> Callable[[str], bool] | None:
    return next((look for start, (_, look) in NOT_RUN.items() if f"{command} ".startswith(start)), None)


def small_week2(root: Path) -> Path:
    """The tiny course with its assignment called week2, and a class that has submitted."""
    # Without the tight limits: a loaded machine is no reason to refuse a release.
    make_course(root, config=re.sub(r"(?m)^    limits: .*\n", "", CONFIG.replace("warmup", "week2")))
    for folder in ("source", "release", "solutions", "checks"):
        (root / folder / "warmup").rename(root / folder / "week2")
    for folder in ("source", "release"):
        (root / folder / "week2/warmup.ipynb").rename(root / folder / "week2/week2.ipynb")
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    for folder in ("quizzes", "overviews"):
        shutil.copytree(REPOSITORY / folder, root / folder)
    mistaken = solved()
    mistaken["cells"][2]["source"] = SCALE.replace("x * factor", "x + factor")
    for student, tree in {"ada": solved(), "bob": mistaken}.items():
        submit(root, student, tree, assignment="week2", timestamp="2026-11-28 12:00:00 UTC")
    return root


def clone(root: Path) -> Path:
    """What a clone of this repository has of its course."""
    root.mkdir(parents=True)
    for name in ("gradebook_config.yaml", "nbgrader_config.py"):
        shutil.copy(REPOSITORY / name, root)
    ignored = shutil.ignore_patterns(".*", "__pycache__")
    for name in ("source", "release", "solutions", "checks", "quizzes", "overviews", "docs/examples"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=ignored)
    return root


class Reader:
    """Somebody who types what a page says, one command after the other."""

    def __init__(self, folder: Path, demo: Path, small: Path | None) -> None:
        self.folder = folder
        self.demo = demo
        self.small = small
        self.typed: set[str] = set()

    def types(self, command: str) -> None:
        """Type a command; one that the page has twice gives the second time what it gave the first."""
        if command in self.typed and not command.startswith("cd "):
            return
        self.typed.add(command)
        look = not_run(command)
        if look is not None:
            assert look(command), command
        elif command.startswith("cd "):
            self.folder = (self.folder / command.removeprefix("cd ")).resolve(strict=True)
        elif command.startswith("autograder demo"):
            # Made once for all pages, of fewer students.
            options = command.split()[2:]
            folder = options[0] if options and not options[0].startswith("-") else "demo"
            shutil.copytree(self.demo, self.folder / folder)
        elif command.startswith("autograder init") and self.small is not None:
            done = typed(command, self.folder)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            # The page goes on with a week2, which its reader has written meanwhile.
            shutil.copytree(self.small, self.folder / command.split()[2], dirs_exist_ok=True)
        elif command.startswith("nbgrader quickstart "):
            # It takes nbgrader a minute to copy this.
            shutil.copytree(QUICKSTART, self.folder / command.split()[2] / "source/ps1")
        else:
            # The tiny course has other rows.
            done = typed(command.replace("week2 softmax", "week2 scale"), self.folder)
            assert done.returncode == ENDS_WITH.get(command, 0), f"{command}\n{done.stdout}\n{done.stderr}"


def typed(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What a command does in a folder; one of ours or of nbgrader's alone on its line needs no shell."""
    program, *words = shlex.split(command)
    code = {"autograder": AUTOGRADER, "nbgrader": NBGRADER}.get(program)
    if code is None or re.search(r"[^\w\s./=:'{}-]", command):
        return run(command, folder)
    return programs.run(
        f"import os\nos.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[:1]})\n{code}",
        program,
        *words,
        cwd=folder,
        environment=environment_of(folder),
    )


def environment_of(folder: Path) -> dict[str, str]:
    return os.environ | {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-ec", command],
        cwd=folder,
        env=environment_of(folder),
        preexec_fn=on_one_processor,
        capture_output=True,
        text=True,
        check=False,
    )


def on_one_processor() -> None:
    """Have `autograder grade` start one process, which is enough for two submissions."""
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[os.getpid() % len(processors)]})


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `autograder demo` makes, of one student."""
    folder = clone(tmp_path_factory.mktemp("demo") / "autograder")
    done = run("autograder demo --students 1", folder)
    assert done.returncode == 0, done.stderr
    return folder / "demo"


@pytest.mark.sandbox
@pytest.mark.long
@pytest.mark.parametrize("page", those(PAGES, "console", "bash", thorough=TAKES_MINUTES))
def test_every_command_of_a_page_can_be_typed_in_order(page: Path, tmp_path: Path, request: Any) -> None:
    small = small_week2(tmp_path / "small")
    if page.name in STARTS_WITH_NOTHING:
        folder = tmp_path
    else:
        folder = small if page.name in STARTS_IN_A_COURSE else clone(tmp_path / "autograder")
    canvas = in_canvas(folder, page, request) if page.name == "canvas.md" else None
    wants_demo = any(command.startswith("autograder demo") for command in commands(page))
    demo = request.getfixturevalue("demo") if wants_demo else tmp_path
    reader = Reader(folder, demo, None if page.name in STARTS_WITH_NOTHING else small)
    for command in commands(page):
        reader.types(command)
    if canvas is not None:
        assert {len(each.comments) for each in canvas.held.values() if each.score is not None} == {2}


def in_canvas(course: Path, page: Path, request: Any) -> canvas_server.Canvas:
    """Have the tiny course in a Canvas, as the page says that its reader does, and no answer wait for a person."""
    canvas: canvas_server.Canvas = request.getfixturevalue("canvas")
    for path in course.glob("submitted/*/week2/week2.ipynb"):
        path.write_text(path.read_text(encoding="utf-8").replace("Because.", "YOUR ANSWER HERE"), encoding="utf-8")
    canvas.enroll("ada", "bob")
    (configured,) = blocks(page, "yaml")
    config = course / CONFIG_NAME
    config.write_text(config.read_text(encoding="utf-8") + configured.text, encoding="utf-8")
    patch = request.getfixturevalue("monkeypatch")
    for name, value in {"CANVAS_URL": canvas.address, "CANVAS_TOKEN": canvas_server.TOKEN}.items():
        patch.setenv(name, value)
    return canvas


@pytest.fixture
def canvas() -> Iterator[canvas_server.Canvas]:
    with canvas_server.serving() as served:
        yield served


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_are_of_a_kind_that_is_tried_here(page: Path) -> None:
    languages = re.findall(r"^ *```(\w*)$", page.read_text(encoding="utf-8"), re.MULTILINE)[::2]
    assert set(languages) <= {"console", "bash", "yaml", "python", "text", ""}


def test_nothing_that_could_run_hides_behind_a_command_that_is_not_run() -> None:
    typed = [command for page in PAGES for command in commands(page)]
    assert [command for command in typed if not_run(command) and not is_bare(command)] == []


OURS = [
    pytest.param(words, id=f"{page.name}-{' '.join(words)}")
    for page in PAGES
    for command in commands(page)
    for words in {tuple(shlex.split(each)[1:]) for each in re.findall(r"\bautograder [^|;&<>()]+", command)}
    if not re.search(r"(^|\s)(podman|pip|git) ", command)
]
"""The words behind `autograder` of every such command of the pages."""


@pytest.mark.parametrize("words", dict.fromkeys(OURS))
def test_every_command_of_a_page_is_one_that_there_is(words: tuple[str, ...]) -> None:
    """With options and arguments of its own; what it does is for the tests that type it."""
    command: Any = typer.main.get_command(app)
    rest = [word for word in words if word not in ("--help", "--version")]
    while hasattr(command, "commands") and rest:
        command = command.commands[rest.pop(0)]
    command.make_parser(typer.Context(command)).parse_args(rest)


def is_bare(command: str) -> bool:
    """Whether nothing that could run hides behind a command that is not run."""
    return not re.search(r"[;&|]", command)


# Snippets


@pytest.fixture
def checks_of_the_page(tmp_path: Path) -> Path:
    """This repository's course with the checks of docs/writing-checks.md in the place of its own."""
    root = clone(tmp_path / "autograder")
    folder = root / "checks/week2"
    shutil.rmtree(folder)
    folder.mkdir()
    snippets = [block.text for block in blocks(DOCS / "writing-checks.md", "python") if not is_of_the_reference(block)]
    (folder / "test_page.py").write_text("\n\n".join(snippets), encoding="utf-8")
    return root


def is_of_the_reference(block: Block) -> bool:
    return "import Claim" in block.text


def test_the_gradients_that_the_page_claims_are_proved(tmp_path: Path) -> None:
    root = clone(tmp_path / "autograder")
    (snippet,) = filter(is_of_the_reference, blocks(DOCS / "writing-checks.md", "python"))
    (root / "solutions/week2/gradients.py").write_text(snippet.text, encoding="utf-8")
    claims = claims_of(load_course(root).assignment("week2"))
    assert claims is not None
    assert refuted(claims, 1) == (("softmax_cross_entropy: dlogits",), [])


def outcomes(root: Path, options: str = "") -> dict[str, int]:
    """How many checks passed, failed, or could not be run."""
    last = run(f"pytest -q checks/week2 {options} || true", root).stdout.splitlines()[-1]
    return {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|error)", last)}


def test_the_checks_of_the_page_pass_for_the_reference(checks_of_the_page: Path) -> None:
    counted = outcomes(checks_of_the_page)
    assert set(counted) == {"passed"}
    assert counted["passed"] >= 5


@pytest.mark.sandbox
@pytest.mark.thorough
def test_the_checks_of_the_page_fail_for_a_stub(checks_of_the_page: Path) -> None:
    assert set(outcomes(checks_of_the_page, "--submission release/week2/week2.ipynb")) == {"failed"}


@pytest.mark.parametrize("page", those(PAGES, "yaml"))
def test_configurations_are_loaded(page: Path, tmp_path: Path) -> None:
    root = small_week2(tmp_path / "course")
    config = root / "gradebook_config.yaml"
    whole = config.read_text(encoding="utf-8")
    for block in blocks(page, "yaml"):
        keys = yaml.safe_load(block.text)
        others = [part for part in re.split(r"(?m)^(?=\w)", whole) if part.partition(":")[0] not in keys]
        config.write_text(("" if "name" in keys else "".join(others)) + block.text, encoding="utf-8")
        assert load_course(root).assignments


def test_the_example_cells_of_a_master_run() -> None:
    names: dict[str, Any] = {"np": np}
    for block in blocks(DOCS / "course.md", "python"):
        exec(compile(block.text, "cell", "exec"), names)
    assert names["softmax"](np.zeros(4)).tolist() == [0.25] * 4


@pytest.mark.sandbox
def test_the_recipes_can_be_released(tmp_path: Path) -> None:
    """The solved master has full marks in every one of them, and a stub in none."""
    found = [block.text for block in blocks(DOCS / "recipes.md", "python")]
    cells = [cell("import numpy as np", "setup", role="locked")]
    for number, (solution, test) in enumerate(zip(found[::2], found[1::2], strict=True)):
        cells += [cell(solution, f"r{number}", role="solution"), cell(test, f"test_r{number}", role="test", points=1)]
    write(tmp_path / "source/recipes/recipes.ipynb", notebook(*cells))
    (tmp_path / "gradebook_config.yaml").write_text(
        "name: tiny\ntimezone: UTC\nassignments:\n  recipes: {allowed_imports: [numpy, matplotlib, pandas]}\n"
    )
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()\n")
    tmp_path.chmod(0o700)
    release(load_course(tmp_path), "recipes")
    assert len(load_course(tmp_path).assignment("recipes").rows) == len(found) // 2 > 5
    assert not lint_course(tmp_path)


def test_the_site_is_built_without_a_warning_and_asks_no_other_host(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", DOCS, tmp_path / "site"]
    done = subprocess.run([*words, "-d", tmp_path / "doctrees"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert {"index.html", "tutorial.html", "search.html", "commands.html"} <= {page.name for page in pages}
    asked = {
        f"{page.name}: {address}"
        for page in pages
        for address in re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"(https?:[^\"]+)", page.read_text("utf-8"))
    }
    assert not asked
    assert "softmax" in (tmp_path / "site/searchindex.js").read_text("utf-8")


@pytest.fixture(scope="module")
def reference() -> Iterator[tuple[Any, Any]]:
    """The modules that write the reference's pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)
        yield importlib.import_module("reference_pages"), importlib.import_module("json_schemas")


def test_every_command_is_in_the_reference(reference: tuple[Any, Any]) -> None:
    text = reference[0].commands()
    for name in ("init", "new", "import", "lint", "release", "grade", "check", "audit", "watch", "demo", "hub"):
        assert f"\n## {name}\n" in text


def test_every_key_of_the_configuration_is_told_of_in_the_reference(reference: tuple[Any, Any]) -> None:
    rows = re.findall(r"(?m)^\| `(\w+)` \| (.+?) \| (.+?) \| (.*?) ?\|$", reference[0].configuration())
    assert {"name", "timezone", "due", "late", "percent_per_day", "partial", "memory_mb"} <= {key for key, *_ in rows}
    assert not [key for key, *cells in rows if not all(cell.strip() for cell in cells)]


@pytest.mark.sandbox
def test_what_commands_print_as_json_is_as_the_reference_says(reference: tuple[Any, Any], tmp_path: Path) -> None:
    root = small_week2(tmp_path / "course")
    root.chmod(0o700)
    (tmp_path / "theirs").mkdir()
    shutil.copy(root / "source/week2/week2.ipynb", tmp_path / "theirs/warmup.ipynb")
    for command in (
        "lint",
        "grade week2",
        "check submitted/bob/week2/week2.ipynb --course .",
        "check submitted/bob --course . --assignment week2 --threshold 50% --for-students",
        "history bob",
        "explain bob week2 scale",
        "audit week2 --row scale --limit 3",
        "import ../theirs --dry-run",
    ):
        done = typed(f"autograder {command} --json", root)
        assert done.returncode == (command.startswith("audit")), done.stderr
        schema = reference[1].schemas()[command.split()[0]]
        Draft202012Validator.check_schema(schema)
        printed = json.loads(done.stdout)
        assert [error.message for error in Draft202012Validator(schema).iter_errors(printed)] == []
        assert printed or command == "lint"


def test_what_a_course_may_import_stands_in_the_reference() -> None:
    """Everything that the documents and the courses here import is public, and all that is public is there."""
    page = (DOCS / "reference/python.md").read_text(encoding="utf-8")
    public = re.findall(r":: (autograder(?:\.\w+)*)\.(\w+)", page)
    for module, name in public:
        assert hasattr(importlib.import_module(module), name), f"{module}.{name}"
    sources = [block.text for each in PAGES for block in blocks(each, "python")]
    sources += [
        each.read_text("utf-8") for folder in ("checks", "solutions") for each in REPOSITORY.glob(f"{folder}/**/*.py")
    ]
    used = {
        (node.module, name.name)
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("autograder")
        for name in node.names
    }
    assert used <= set(public)


# What is named is there


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


WRITTEN_FOR_THE_SITE = frozenset(
    line.removeprefix("/") for line in (REPOSITORY / ".gitignore").read_text().splitlines() if line.startswith("/docs/")
)
"""Pages that are made from the code as the site is built, and not kept."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", prose(page)):
        link = "".join(target)
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        to = (page.parent / path).resolve() if path else page
        if str(to.relative_to(REPOSITORY)) in WRITTEN_FOR_THE_SITE:
            continue  # where the site is built, Sphinx looks at it
        assert to.exists(), link
        assert not anchor or anchor in headings(to), link


def test_the_tests_that_security_rests_on_exist() -> None:
    named = re.findall(r"`((?:\w+/)*test_\w+\.py)::(test_\w+)`", (DOCS / "security.md").read_text(encoding="utf-8"))
    assert named
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not any(
            re.search(rf"^ *def {test}\(", path.read_text(encoding="utf-8"), re.MULTILINE)
            for path in (REPOSITORY / "tests").rglob(file)
        )
    ]
    assert missing == []


def said() -> Iterator[str]:
    """The texts in the package's code; what varies in them is a null character."""
    for path in (REPOSITORY / "autograder").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values]
                yield "".join(parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def reasons() -> Iterator[str]:
    """What a student may read of a cause, of whatever kind; what varies is a null character."""
    factors = ("", "2 times too large", "the sign is flipped", "transposed", "all zero", "not finite")
    whens = get_args(get_type_hints(Cause, vars(causes))["when"])
    askeds = get_args(get_type_hints(Cause, vars(causes))["asked"])
    known = Cause("said", "\0", "\0", names=("\0", "\0"), type="\0", length=2, shape=(2,), asked_shape=(3,), dtype="\0")
    known = replace(known, wrong=2, total=6, index=(0,), text="\0", where="\0", source="\0", seconds=5.0)
    for kind, asked, when, factor in itertools.product(get_args(causes.Kind), askeds, whens, factors):
        cause = replace(known, kind=kind, asked=asked, when=when, factor=factor)
        yield from (reason(cause), reason(replace(cause, exception="\0")), reason(replace(cause, again=True)))
        yield from (reason(replace(cause, shape=None)), reason(replace(cause, shape=None, length=None, type="None")))
        yield reason(replace(cause, type="", source=""))
    for status, defines in itertools.product(("raised", "syntax", "timeout", "died", "skipped"), (True, False)):
        yield reason(replace(known, kind="missing", cell=CellEnd(status, defines, "\0", "\0", 1, "\0", defines)))
    for mend, factor, near in itertools.product(("backward", "forward", "both"), ("", "N", "1/N"), (True, False)):
        yield reason(replace(known, half=Half(mend, "\0", ("\0",), factor, near)))


def test_every_sentence_explained_to_students_is_one_that_the_grader_says() -> None:
    texts = {*said(), *reasons()}
    text = " ".join(prose(DOCS / "students.md").partition("## What the sentences mean")[2].split())
    quoted = re.findall(r"\*\*\"(.+?)\"\*\*", text)
    assert quoted
    for sentence in quoted:
        for piece in re.split(r"`f`|`…`|…| are ", sentence):
            fixed = piece.strip(" `.,;:[]()")
            assert not fixed or any(fixed in each for each in texts), fixed


def test_students_are_told_the_limits_that_hold() -> None:
    rows = dict(re.findall(r"^\| (.+?) \| (\d+)", prose(DOCS / "students.md"), re.MULTILINE))
    told = sorted(float(number) for number in rows.values())
    assert told == sorted(map(float, asdict(load_course(REPOSITORY).assignment("week2").limits).values()))


def test_the_limits_said_to_hold_without_a_key_are_the_defaults() -> None:
    (example,) = blocks(DOCS / "course.md", "yaml")
    assert yaml.safe_load(example.text)["limits"] == asdict(Limits())


@pytest.mark.parametrize(
    "place", ["", "limits", "assignments.week2", "assignments.week2.late", "assignments.week2.attempts"]
)
def test_every_key_of_the_configuration_is_explained(place: str, tmp_path: Path) -> None:
    root = small_week2(tmp_path / "course")
    tree = yaml.safe_load((root / "gradebook_config.yaml").read_text(encoding="utf-8")) | {"limits": {}}
    inner = tree
    for part in filter(None, place.split(".")):
        inner = inner.setdefault(part, {})
    inner["nonsense"] = 1
    write(root / CONFIG_NAME, json.loads(json.dumps(tree, default=str)))
    with pytest.raises(ConfigError, match="expected one of: ") as refused:
        load_course(root)
    keys = re.findall(r"nonsense: .*expected one of: (.+)", str(refused.value))[0].split(", ")
    page = (DOCS / "course.md").read_text(encoding="utf-8")
    assert [
        each for each in keys if not re.search(rf"`(\w+\.)?{each}[`.]|`{each}`|^  {each}: ", page, re.MULTILINE)
    ] == []
