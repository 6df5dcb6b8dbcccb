"""Why a name is not defined: told by the cell that should have brought it, above all by an import that failed."""

import pytest

from autograder.base import Cause, reason
from autograder.grading.undefined import why_raised, why_undefined
from autograder.sandbox import CellRun

RAISED = Cause("raised", "softmax", exception="NameError", where="softmax", source="return special.softmax(z)")
FAILED = "ModuleNotFoundError", "No module named 'scipy'"


def ran(*cells: tuple[str, int, str, str]) -> tuple[list[tuple[int, str]], list[CellRun]]:
    """Cells and how they ran: each as its source, the line that failed (0 for none), the exception and its text."""
    runs = []
    for place, (_, line, name, text) in enumerate(cells):
        trace = [f"Cell In[{place}], line {line}"]
        error = {"output_type": "error", "ename": name, "evalue": text, "traceback": trace}
        runs.append(CellRun(place, "raised" if line else "ok", (error,) if line else (), 0.1))
    return [(place, source) for place, (source, *_) in enumerate(cells)], runs


def told(name: str, *cells: tuple[str, int, str, str]) -> str:
    cause = Cause(**{**vars(RAISED), "text": f"name {name!r} is not defined"})
    return reason(why_raised(cause, *ran(*cells)))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from scipy import special", "special"),
        ("from scipy import linalg, special as sp", "sp"),
        ("import scipy.special", "scipy"),
        ("import scipy as special", "special"),
    ],
)
def test_a_missing_module_is_told_by_its_import(line, name):
    said = told(name, ("import numpy as np\n" + line, 2, *FAILED), ("x = 1", 0, "", ""))
    assert f"`{name}` is not there, since the cell that imports it raised ModuleNotFoundError in line 2: No mod" in said


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("special", "from scipy import linalg, special as sp"),
        ("softmax", "from scipy.softmax import other"),
        ("special", "def check():\n    special = 3\n    import special"),
        ("special", "# import special"),
        ("special", "special == 3"),
    ],
)
def test_what_a_failed_cell_would_not_have_brought_is_not_laid_to_it(name, source):
    assert "is not there" not in told(name, (source, 1, *FAILED))


def test_a_cell_that_failed_further_down_had_brought_the_name_and_is_not_blamed():
    assert "is not there" not in told("special", ("from scipy import special\n1 / 0", 2, "ZeroDivisionError", "no"))


def test_a_helper_that_was_not_reached_is_told_by_what_its_cell_raised():
    said = told("shift", ("1 / 0\ndef shift(z): return z", 1, "ZeroDivisionError", "division by zero"))
    assert "`shift` is not there, since the cell that defines it raised ZeroDivisionError in line 1" in said


def test_a_function_whose_cell_needs_a_missing_module_is_told_by_the_import_of_another_cell():
    cells, runs = ran(
        ("from numba import njit", 1, "ModuleNotFoundError", "No module named 'numba'"),
        ("@njit\ndef softmax(z): return z", 1, "NameError", "name 'njit' is not defined"),
    )
    cause = why_undefined("softmax", 1, cells, runs)
    assert cause is not None
    assert "raised NameError in line 1: name 'njit' is not defined in `@njit`, before it got there." in reason(cause)
    assert reason(cause).endswith(
        "`njit` is not there, since the cell that imports it raised ModuleNotFoundError in line 1: "
        "No module named 'numba' in `from numba import njit`."
    )


def test_two_cells_that_need_each_other_come_to_an_end():
    cells, runs = ran(
        ("a = b", 1, "NameError", "name 'b' is not defined"), ("b = a", 1, "NameError", "name 'a' is not defined")
    )
    cause = why_undefined("a", 0, cells, runs)
    assert cause is not None
    assert reason(cause).count("is not there") == 1
