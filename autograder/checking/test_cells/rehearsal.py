"""The test cells run on the solved master itself, to see where it has remote objects: there they may decide."""

from __future__ import annotations

import functools
from pathlib import Path

from autograder.checking.answers import Loopback
from autograder.checking.reference import run_cell, run_in
from autograder.checking.test_cells.plan import Plan, TestCell, is_test
from autograder.checking.test_cells.running import TestCells, Tested
from autograder.course import master_cells


class Rehearsal:
    """The test cells of a master, run on its own solutions when that is first asked for."""

    def __init__(self, master: Path, plan: Plan, cells: TestCells) -> None:
        """Nothing is run yet."""
        self.master, self.plan, self.cells = master, plan, cells

    def has_object(self, test: TestCell, operation: str, position: str) -> bool:
        """Whether the solved master has a remote object where a test cell does this."""
        return (operation, position) in self._outcomes[test.grade_id].places

    @functools.cached_property
    def _outcomes(self) -> dict[str, Tested]:
        names: dict[str, object] = {"__name__": "__main__"}
        found = {test.grade_id: Tested(()) for test in self.plan.tests.values()}
        with run_in(self.master.parent):
            for cell in master_cells(self.master):
                if is_test(cell) and cell.grade_id in self.plan.tests:
                    test = self.plan.tests[cell.grade_id]
                    found[cell.grade_id] = self.cells.run(test, Loopback(names))
                if cell.kind == "code" and (cell.solution or not cell.grade or is_test(cell)):
                    run_cell(cell.number, cell.source, names)
        return found
