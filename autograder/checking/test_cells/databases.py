"""SQL of a student's that a test runs: on the database that the test gives it, and on no other file."""

from __future__ import annotations

import _sqlite3
import functools
from collections.abc import Sequence
from typing import Any

from autograder.checking.test_cells.executing import texts_in

_NO_FILE = ("", ":memory:")


def guard_databases(of_the_author: Sequence[str]) -> None:
    """Have SQLite, for the rest of this process, open no other file by ``ATTACH`` or ``VACUUM INTO``.

    It has to be said before anything imports ``sqlite3``, which takes what connects from ``_sqlite3``.

    Args:
        of_the_author: The author's cells. A file that a text in one of them names may be attached.
    """
    connect = _sqlite3.connect

    @functools.cache
    def texts() -> frozenset[str]:
        return frozenset(text for source in of_the_author for text in texts_in(source))

    def is_named(name: str | None) -> bool:
        if name in _NO_FILE or name in texts():
            return True
        return any(f"{mark}{name}{mark}" in text for mark in ("'", '"') for text in texts())

    def authorize(action: int, name: str | None, *_: Any) -> int:
        allowed = action != _sqlite3.SQLITE_ATTACH or is_named(name)
        return _sqlite3.SQLITE_OK if allowed else _sqlite3.SQLITE_DENY

    def connected(*arguments: Any, **named: Any) -> Any:
        connection = connect(*arguments, **named)
        connection.set_authorizer(authorize)
        return connection

    vars(_sqlite3)["connect"] = connected
