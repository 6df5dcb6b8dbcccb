"""What later calls of a function get, once one has used up its time: the notebook is as wrong as before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection

MOST = 2
"""How many calls of a function may use up their time; none is made after that."""

LATER = 1 / 10
"""The share of a call's time that a function gets after it has used up a whole one, or may call one that has."""

CORRECTED = 1 / 2
"""The share of a function that hung, once the functions before it are answered by the reference."""


class Hangs:
    """The functions of one submission that have used up the time of a call."""

    def __init__(self, may_call: Callable[[str], Collection[str]] = lambda _: ()) -> None:
        """None has so far.

        Args:
            may_call: The functions that a function may call, itself or through others, by its name.
        """
        self._may_call = may_call
        self._counted: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}

    def note(self, function: str, replaced: Collection[str]) -> None:
        """Note that a call of a function has used up its time while the functions in ``replaced`` were replaced."""
        self._counted[bool(replaced)][function] += 1

    def share(self, function: str, replaced: Collection[str]) -> float:
        """The share of a call's full time that the function's next call gets; 0 where none is to be made any more."""
        here = self._counted[bool(replaced)]
        if here[function] >= MOST:
            return 0.0
        # What a function may call is not looked at while nothing has hung, as is the rule.
        if here and (here[function] or any(here[each] for each in self._may_call(function) if each not in replaced)):
            return LATER
        if replaced and self._counted[False][function]:
            return CORRECTED
        return 1.0
