"""Test cells of a master notebook, run outside and unchanged, with the student's names as remote objects."""

from autograder.checking.test_cells.plan import Plan, TestCell, is_test, plan_of
from autograder.checking.test_cells.reading import definitions, statement_titles, title_of
from autograder.checking.test_cells.rehearsal import Rehearsal
from autograder.checking.test_cells.running import TestCells, Tested

__all__ = [
    "Plan",
    "Rehearsal",
    "TestCell",
    "TestCells",
    "Tested",
    "definitions",
    "is_test",
    "plan_of",
    "statement_titles",
    "title_of",
]
