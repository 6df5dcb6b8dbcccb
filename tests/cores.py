"""Which tests stay together on a core: those of a file, with the fixtures that they share, but for a few long ones.

xdist's own groups are marks, which its version 3.8 writes where pytest 9.2 does not look; these are read from names.
"""

import re

from xdist.scheduler import LoadScopeScheduling

APART = ("test_every_mistake_costs_its_own_row_alone", "test_every_command_of_a_page_can_be_typed_in_order")
"""Tests that share nothing which takes long to make: each of their cases may go to any core."""

BY_SANDBOX = ("test_attacks.py",)
"""Files whose tests share a graded class in each kind of sandbox, one kind to a core."""


def group_of(nodeid: str) -> str:
    """The group of a test, by its name."""
    file, _, test = nodeid.partition("::")
    if test.partition("[")[0] in APART:
        return nodeid
    kind = re.search(r"\[(bubblewrap|landlock)\b", test) if file.endswith(BY_SANDBOX) else None
    return f"{file} {kind[1]}" if kind else file


class InGroups(LoadScopeScheduling):
    """Sends a group to one core after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
