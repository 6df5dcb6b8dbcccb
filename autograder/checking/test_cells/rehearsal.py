"""The test cells run on the solved master itself, to see where it has remote objects: there they may decide."""

from __future__ import annotations

import functools
import os
import socket
import sys
from pathlib import Path
from typing import Any

from autograder.base import CheckError
from autograder.checking.answers import Loopback
from autograder.checking.reference import run_cell, run_in
from autograder.checking.test_cells.jupyter import of_jupyter
from autograder.checking.test_cells.plan import Plan, TestCell, is_test
from autograder.checking.test_cells.running import TestCells
from autograder.course import master_cells
from autograder.sandbox import confine, wire

Places = dict[str, frozenset[tuple[str, str]]]


class Rehearsal:
    """The test cells of a master, run on its own solutions when that is first asked for."""

    def __init__(self, master: Path, plan: Plan, cells: TestCells) -> None:
        """Nothing is run yet."""
        self.master, self.plan, self.cells = master, plan, cells

    def has_object(self, test: TestCell, operation: str, position: str) -> bool:
        """Whether the solved master has a remote object where a test cell does this.

        Raises:
            CheckError: The process that runs test cells cannot be started, or the rehearsal ended early.
        """
        return (operation, position) in self._places.get(test.grade_id, ())

    @functools.cached_property
    def _places(self) -> Places:
        """By the test cell's ``grade_id``; found out in a fork, since the master's cells may change anything."""
        self.cells.start()
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            try:
                ours.close()
                if sys.platform == "linux":
                    confine.die_with_parent()
                found = {name: sorted(places) for name, places in self._rehearsed().items()}
                wire.send(theirs, wire.encode(found))
            finally:
                os._exit(0)
        theirs.close()
        try:
            found = wire.receive(ours)
            return {name: frozenset((operation, place) for operation, place in each) for name, each in found.items()}
        except wire.WireError as error:
            # Without it, what a right answer does would be taken for a lie.
            raise CheckError(f"the test cells cannot be run on the solved master: {error}") from error
        finally:
            ours.close()
            os.waitpid(pid, 0)

    def _rehearsed(self) -> Places:
        names: dict[str, Any] = {"__name__": "__main__", **of_jupyter()}
        found: Places = {}
        with run_in(self.master.parent):
            for cell in master_cells(self.master):
                if is_test(cell) and cell.grade_id in self.plan.tests:
                    test = self.plan.tests[cell.grade_id]
                    found[cell.grade_id] = self.cells.run(test, Loopback(names)).places
                if cell.kind == "code" and (cell.solution or not cell.grade or is_test(cell)):
                    run_cell(cell.number, cell.source, names)
        return found
