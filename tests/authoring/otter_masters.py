"""Masters of otter-assign's that have every feature of its documented format, and submissions to them.

``tests/authoring/otter_scores.py`` has Otter itself grade them; ``test_otter.py`` compares. The standard library is all
that this needs, since it runs in Otter's environment too.
"""

from __future__ import annotations

from typing import Any

Cell = dict[str, Any]
Notebook = dict[str, Any]


def raw(*lines: str) -> Cell:
    return {"cell_type": "raw", "metadata": {}, "source": "\n".join(lines)}


def text(*lines: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": "\n".join(lines)}


def fenced(*lines: str) -> Cell:
    return text("```otter", *lines, "```")


def code(source: str, value: str = "", printed: str = "") -> Cell:
    """A code cell, with what it showed when it was saved."""
    outputs: list[Any] = []
    if printed:
        outputs.append({"output_type": "stream", "name": "stdout", "text": printed})
    if value:
        shown = {"data": {"text/plain": value}, "execution_count": 1, "metadata": {}}
        outputs.append({"output_type": "execute_result"} | shown)
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": outputs,
        "source": source.strip("\n"),
    }


def question(config: str, *cells: Cell) -> list[Cell]:
    return [raw("# BEGIN QUESTION", *config.strip().splitlines()), *cells, raw("# END QUESTION")]


def solution(*cells: Cell) -> list[Cell]:
    return [raw("# BEGIN SOLUTION"), *cells, raw("# END SOLUTION")]


def prompt(*cells: Cell) -> list[Cell]:
    return [raw("# BEGIN PROMPT"), *cells, raw("# END PROMPT")]


def cases(*cells: Cell) -> list[Cell]:
    return [raw("# BEGIN TESTS"), *cells, raw("# END TESTS")]


def notebook(*cells: Cell) -> Notebook:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    listed = [each | {"id": f"cell-{number}"} for number, each in enumerate(cells)]
    return {"cells": listed, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def in_ok_format() -> Notebook:
    """A master with tests in OK format, a seed before each cell, and every other feature."""
    return notebook(
        raw(
            "# ASSIGNMENT CONFIG",
            "name: squares",
            "init_cell: false",
            "export_cell:",
            "  pdf: false",
            "files:",
            "  - numbers.csv",
            "student_files:",
            "  - answer.txt",
            "generate:",
            "  seed: 42",
            "  show_stdout: true",
            "solutions_pdf: false",
            "config_file: shared.yml",
            "requirements: [numpy]",
        ),
        text("# Squares"),
        code("import numpy as np"),
        code("# IGNORE\nprint('only for whoever writes this')"),
        text("# IGNORE", "", "A note to ourselves."),
        code("# This line is for students.\nscale = 2\nprint(scale)  # IGNORE"),
        *question(
            "name: q1",
            text("**Question 1.** Write `square`."),
            *solution(
                code(
                    "# q1: your function\n"
                    "def square(x):\n"
                    "    y = x * x # SOLUTION NO PROMPT\n"
                    "    return y # SOLUTION\n"
                    "\n"
                    "nine = square(3) # SOLUTION"
                )
            ),
            *cases(
                code("square(1) == 1", "True"),
                code("# HIDDEN\nsquare(-4)", "16"),
                code("nine  # three squared", "9"),
            ),
        ),
        *question(
            "name: q2\npoints: 3",
            text("**Question 2.** The area and the circumference of a circle."),
            *solution(
                code(
                    "# q2: your circle\n"
                    "pi = 3.14\n"
                    "if True:\n"
                    "    # BEGIN SOLUTION\n"
                    "    radius = 3\n"
                    "    area = radius * pi * pi\n"
                    "    # END SOLUTION\n"
                    "    print('A circle with radius', radius, 'has area', area)\n"
                    "\n"
                    "def circumference(r):\n"
                    "    # BEGIN SOLUTION NO PROMPT\n"
                    "    return 2 * pi * r\n"
                    "    # END SOLUTION\n"
                    '    """ # BEGIN PROMPT\n'
                    "    # Next, define a circumference function.\n"
                    "    pass\n"
                    '    """; # END PROMPT'
                )
            ),
            *cases(
                code("round(circumference(1), 2)", "6.28"),
                code(
                    '""" # BEGIN TEST CONFIG\n'
                    "hidden: true\n"
                    "points: 2\n"
                    "success_message: Well done!\n"
                    "failure_message: The circumference is twice the radius times pi.\n"
                    '""" # END TEST CONFIG\n'
                    "around = circumference(10)\n"
                    "round(around, 1)",
                    "62.8",
                ),
                code("for r in range(3):\n    print(round(circumference(r), 2))", "", "0.0\n6.28\n12.56\n"),
            ),
        ),
        *question(
            "name: q3\npoints: [0.5, 1.5, 2]\ncheck_cell: false",
            text("**Question 3.** Draw."),
            *solution(
                code(
                    "# q3: your numbers\n"
                    "np.random.seed(42) # SEED\n"
                    "numbers = np.random.randint(0, 100, size=5) # SOLUTION"
                )
            ),
            *cases(
                code("len(numbers)", "5"),
                code("# HIDDEN\nnumbers.tolist()", "[51, 92, 14, 71, 60]"),
                code("int(max(numbers)) < 100", "True"),
            ),
        ),
        *question(
            "name: q4\npoints: 2\nall_or_nothing: true\nexport: true",
            text("**Question 4.** Both of them."),
            *solution(
                code("# q4: your text\ndef greeting(name): # SOLUTION\n    return f'Hello, {name}' # SOLUTION\n")
            ),
            *cases(
                code("greeting('Ada')", "'Hello, Ada'"),
                code("# HIDDEN\ngreeting('')", "'Hello, '"),
            ),
        ),
        *question(
            "name: q5\nmanual: true\npoints: 4",
            text("**Question 5.** Why?"),
            *prompt(text("_Write two sentences._")),
            *solution(text("**SOLUTION**: Because it is.")),
        ),
        *question(
            "name: q6\nmanual: true\npoints: 1",
            text("**Question 6.** In your own words."),
            *solution(text("**SOLUTION**: In mine.")),
        ),
        *question(
            "name: q7\nmanual: true\npoints: 2",
            text("**Question 7.** Draw a picture."),
            *solution(code("# q7: your picture\npicture = [1, 2, 3] # SOLUTION")),
        ),
        text("Some text between questions."),
        *question(
            "name: q8\npoints: 1",
            text("**Question 8.** Files."),
            *solution(
                code(
                    "# q8: your file\n"
                    "# BEGIN SOLUTION\n"
                    "total = sum(float(line) for line in open('numbers.csv'))\n"
                    "# END SOLUTION"
                )
            ),
            *cases(code("total", "6.0"), code("# HIDDEN\ntype(total)", "<class 'float'>")),
        ),
        *question(
            "name: q8_more\npoints: 1",
            *cases(code("# HIDDEN\nsquare(scale) + total", "10.0")),
        ),
        *question(
            "name: q9",
            text("**Question 9.** Points for one test alone."),
            *solution(code("# q9: your pair\npair = (1, 'two') # SOLUTION\nshown = None # SOLUTION\nunmarked = 1")),
            *cases(
                code('""" # BEGIN TEST CONFIG\npoints: 2\n""" # END TEST CONFIG\npair', "(1, 'two')"),
                code("assert len(pair) == 2"),
                code("shown"),
                code("first, second = pair\nsecond.upper()", "'TWO'"),
            ),
        ),
        *question(
            "name: q10\npoints: 2",
            text("**Question 10.** What a doctest takes for the same."),
            *solution(code("# q10: your flag\nflag = 1 # SOLUTION\nnote = [] # SOLUTION")),
            *cases(
                code("flag", "1"),
                code("note.append(flag)\nfor each in note:\n    copy = list(note)\nlen(copy)", "1"),
                code("# HIDDEN\nif flag:\n    result = str(flag)\nprint(result, end='')", "", "1"),
                code("print(flag)\n", "", "1\n"),
            ),
        ),
    )


def exception_based() -> Notebook:
    """A master whose tests are functions that raise, with a seed in a variable, and fences in place of raw cells."""
    return notebook(
        fenced(
            "# ASSIGNMENT CONFIG",
            "tests:",
            "  ok_format: false",
            "seed:",
            "  variable: rng_seed",
            "  autograder_value: 42",
            "  student_value: 713",
            "export_cell: false",
            "init_cell: false",
            "strip_solutions_from_all_cells: true",
        ),
        code("import numpy as np"),
        code("rng_seed = 42"),
        code("# mine: your number\nhelper = 1\nsecret = 12 # SOLUTION"),
        fenced("# BEGIN QUESTION", "name: walk", "points: 4"),
        text("A random walk."),
        fenced("# BEGIN SOLUTION"),
        code(
            "# walk: your steps\nrng = np.random.default_rng(rng_seed)\nsteps = rng.integers(0, 10, size=4) # SOLUTION"
        ),
        fenced("# END SOLUTION"),
        fenced("# BEGIN TESTS"),
        code("def test_length(steps):\n    assert len(steps) == 4, 'four steps'\n\ntest_length(steps)"),
        code(
            '""" # BEGIN TEST CONFIG\n'
            "points: 1.5\n"
            "hidden: true\n"
            "failure_message: Use rng_seed.\n"
            '""" # END TEST CONFIG\n'
            "def test_values(env):\n"
            '    assert env["np"].array_equal(env["steps"], [0, 7, 6, 4])\n'
            "\n"
            "test_values(globals())"
        ),
        code("def test_secret(secret, nothing):\n    assert secret == 12\n    assert nothing is None"),
        fenced("# END TESTS"),
        fenced("# END QUESTION"),
        text(
            "```otter",
            "# BEGIN QUESTION",
            "name: root",
            "```",
            "",
            "The root.",
            "",
            "```otter",
            "# BEGIN SOLUTION",
            "```",
        ),
        code(
            "# root: your root\n"
            "def root(x):\n"
            "    # BEGIN SOLUTION\n"
            "    if x < 0:\n"
            "        raise ValueError('negative')\n"
            "    return x ** 0.5\n"
            "    # END SOLUTION"
        ),
        text("```otter", "# END SOLUTION", "```", "", "```otter", "# BEGIN TESTS", "```"),
        code("def test_root(root):\n    assert root(9) == 3"),
        code(
            "# HIDDEN\n"
            "def test_negative(root):\n"
            "    try:\n"
            "        root(-1)\n"
            "    except ValueError:\n"
            "        return\n"
            "    raise AssertionError('no ValueError')"
        ),
        text("```otter", "# END TESTS", "```", "", "```otter", "# END QUESTION", "```"),
    )


MASTERS = {"ok": in_ok_format, "exceptions": exception_based}
FILES = {
    "ok": {"numbers.csv": "1\n2\n3\n", "shared.yml": "show_question_points: true\nfiles: [nothing.csv]\n"},
    "exceptions": dict[str, str](),
}


_SQUARE = "def square(x):\n    return x * x\nnine = square(3)"
_CIRCLE = "pi = 3.14\nradius = 3\narea = radius * pi * pi\ndef circumference(r):\n    return 2 * pi * r"
_RIGHT = {
    "q1": _SQUARE,
    "q2": _CIRCLE,
    "q3": "numbers = np.random.randint(0, 100, size=5)",
    "q4": "def greeting(name):\n    return f'Hello, {name}'",
    "q7": "picture = [3, 2, 1]",
    "q8": "total = 6.0",
    "q9": "pair = (1, 'two')\nshown = None",
    "q10": "flag = 1\nnote = []",
}
_MINE = "helper = 1\nsecret = 12"
_STEPS = "rng = np.random.default_rng(rng_seed)\nsteps = rng.integers(0, 10, size=4)"
_ROOT = "def root(x):\n    if x < 0:\n        raise ValueError('negative')\n    return x ** 0.5"

SUBMISSIONS: dict[str, dict[str, dict[str, str]]] = {
    "ok": {
        "right": _RIGHT,
        "untouched": {},
        "half": _RIGHT
        | {
            "q1": "def square(x):\n    return x * abs(x)\nnine = 9",
            "q2": _CIRCLE.replace("2 * pi * r", "6.28"),
            "q3": "numbers = np.arange(5)",
            "q4": "def greeting(name):\n    return f'Hello, {name}' if name else 'Hello'",
            "q8": "total = 6",
            "q9": "pair = (1, 'two', 3)\nshown = 0",
            "q10": "flag = True\nnote = []",
        },
        "wrong": {
            "q1": "def square(x):\n    return x + 1\nnine = 8",
            "q2": "pi = 3\ndef circumference(r):\n    raise ValueError(r)",
            "q3": "numbers = [1]",
            "q4": "def greeting(name):\n    return name",
            "q8": "total = 'six'",
            "q9": "pair = None\nshown = 'x'",
            "q10": "flag = 0\nnote = [1, 2]",
        },
        "prints": {
            "q1": _SQUARE.replace("return", "print(x)\n    return"),
            "q2": _CIRCLE.replace("return", "print('debug')\n    return"),
            "q4": "def greeting(name):\n    print('hi')\n    return f'Hello, {name}'",
        },
        "other-types": _RIGHT
        | {
            "q1": "def square(x):\n    return float(x * x)\nnine = np.int64(9)",
            "q2": _CIRCLE.replace("return 2 * pi * r", "return np.float64(2 * pi * r)"),
            "q3": "numbers = [51, 92, 14, 71, 60]",
            "q4": "greeting = 'Hello, {}'.format",
            "q8": "total = np.float64(6)",
            "q9": "pair = [1, 'two']\nshown = None",
            "q10": "class Loud(list):\n    def append(self, value):\n        print(value)\n        return value\n"
            "flag = 1.0\nnote = Loud([2])",
        },
        "broken": _RIGHT | {"q1": "def square(x)\n    return x", "q9": "pair = (1, 'two')\n1 / 0"},
    },
    "exceptions": {
        "right": {"mine": _MINE, "walk": _STEPS, "root": _ROOT},
        "untouched": {},
        "half": {"walk": "steps = np.array([1, 2, 3, 4])", "root": "def root(x):\n    return abs(x) ** 0.5"},
        "wrong": {"walk": "steps = None", "root": "def root(x):\n    return x"},
        "another-seed": {"mine": _MINE, "walk": "rng_seed = 1\n" + _STEPS, "root": _ROOT},
        "prints": {"mine": _MINE, "walk": _STEPS, "root": _ROOT.replace("return", "print(x)\n    return")},
    },
}
"""What students write, by the first word of the comment that begins the cell; one that is not named is left alone."""


def answered(tree: Notebook, answers: dict[str, str]) -> Notebook:
    """A released notebook, Otter's or ours, with answers written into it."""
    cells = []
    for each in tree["cells"]:
        source = each["source"] if isinstance(each["source"], str) else "".join(each["source"])
        first = source.partition("\n")[0]
        name = first.removeprefix("# ").partition(":")[0]
        if each["cell_type"] == "code" and first.startswith("# ") and name in answers:
            each = each | {"source": f"{first}\n{answers[name]}"}
        cells.append(each)
    return tree | {"cells": cells}
