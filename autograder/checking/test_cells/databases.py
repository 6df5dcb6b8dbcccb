"""SQL of a student's that a test runs: on the database that the test gives it, and on no other file."""

from __future__ import annotations

import _sqlite3
import sqlite3
from collections.abc import Iterable
from typing import Any

_NO_FILE = ("", ":memory:")


def guard_databases(of_the_author: Iterable[str]) -> None:
    """Have SQLite, for the rest of this process, open no other file by ``ATTACH`` or ``VACUUM INTO``.

    Args:
        of_the_author: The texts in the author's cells. A file that one of them names may be attached.
    """
    texts = frozenset(of_the_author)
    connect = _sqlite3.connect

    def is_named(name: str | None) -> bool:
        if name in _NO_FILE or name in texts:
            return True
        return any(f"{mark}{name}{mark}" in text for mark in ("'", '"') for text in texts)

    def authorize(action: int, name: str | None, *_: Any) -> int:
        allowed = action != sqlite3.SQLITE_ATTACH or is_named(name)
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    def connected(*arguments: Any, **named_arguments: Any) -> Any:
        connection = connect(*arguments, **named_arguments)
        connection.set_authorizer(authorize)
        return connection

    for module in (_sqlite3, sqlite3, sqlite3.dbapi2):
        vars(module)["connect"] = connected
