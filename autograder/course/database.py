"""The gradebook's address, as the configuration gives it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from autograder.base import did_you_mean


def database_url(url: str, root: Path) -> str:
    """The database's URL as SQLAlchemy takes it, a SQLite file's path in it absolute.

    Args:
        url: As the configuration has it.
        root: The course's folder, at which a relative path starts.

    Raises:
        ValueError: It is none. No message repeats the URL, which may hold a password.
    """
    examples = "sqlite:///gradebook.db or postgresql://user@host/name"
    scheme, separator, rest = url.partition("://")
    backend, _, driver = scheme.partition("+")
    if not separator or backend not in ("sqlite", "postgresql"):
        nearest = did_you_mean(scheme, ("sqlite:///", "postgresql://")) if separator else ""
        raise ValueError(f"expected a URL such as {examples}; {nearest}".rstrip("; "))
    if backend == "sqlite":
        name, mark, options = rest.removeprefix("/").partition("?")
        if not rest.startswith("/") or name in ("", ":memory:"):
            raise ValueError("expected a file, such as sqlite:///gradebook.db (three slashes, then the path)")
        try:
            path = (root / name).resolve()
            fits = not path.is_dir() and path.parent.is_dir()
        except OSError as error:
            raise ValueError(f"expected a file in a folder that exists: {error.strerror}") from error
        if not fits:
            raise ValueError(f"expected a file in a folder that exists, found {path}")
        return f"{scheme}:///{path}{mark}{options}"
    if not _is_port_readable(url):
        raise ValueError("expected a number for the port; in a password, write %2F for / and %40 for @")
    if not urlsplit(url).path.strip("/"):
        raise ValueError("expected the database's name at the end, as in postgresql://user@host/name")
    # SQLAlchemy 2.0 takes a bare postgresql:// for psycopg2; the extra `postgresql` installs psycopg 3.
    return url if driver else f"postgresql+psycopg://{rest}"


def _is_port_readable(url: str) -> bool:
    # What Python says of a bad port may be half of a password.
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False
