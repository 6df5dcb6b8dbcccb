"""Who is who, where a learning management system knows people by several ids and the course by one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from autograder.submission import one_form

_Key = TypeVar("_Key")


def naming(known: Collection[str]) -> Callable[[str], str]:
    """What gives a system's id as the course writes it, whatever form its letters have; others stay."""
    ids = frozenset(known)
    forms = Counter(map(one_form, ids))
    by_form = {one_form(each): each for each in ids if forms[one_form(each)] == 1}

    def named(cell: str) -> str:
        text = cell.strip()
        return text if text in ids else by_form.get(one_form(text), text)

    return named


def likeliest(columns: Mapping[_Key, Sequence[str]], known: Collection[str]) -> tuple[_Key | None, int]:
    """Which of a system's kinds of ids is the course's.

    Args:
        columns: The ids of everybody, by their kind, the likeliest first.
        known: The course's students.

    Returns:
        The kind in which most students of the course are found, the first of several, or None where there is no kind;
        and how many are found in it.
    """
    named = naming(known)
    counts = {kind: sum(named(each) in known for each in ids) for kind, ids in columns.items()}
    kind = max(counts, key=lambda each: counts[each], default=None)
    return kind, 0 if kind is None else counts[kind]
