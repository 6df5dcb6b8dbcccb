"""A check that a student's function raises what it should."""

from __future__ import annotations

import builtins
import re
from typing import Any

from autograder.base import Cause, Stopped, Wrong
from autograder.checking.answers import Function, Member


def raises(
    exception: type[BaseException] | str, function: Function | Member, *arguments: Any, match: str = "", **keywords: Any
) -> None:
    """Pass where the student's function raises this exception, or one that is made of it.

    Args:
        exception: One of Python's own, or the name of one that the notebook defines.
        function: The function or method.
        arguments: What it is called with.
        match: A regular expression that the exception's text has to hold.
        keywords: As ``arguments``.

    Raises:
        Wrong: It raises another one, or none.
        Stopped: It is missing, hung, died or gave too much.
    """
    wanted = exception if isinstance(exception, str) else exception.__name__
    name = f"`{function.name}`"
    try:
        function(*arguments, **keywords)
    except Stopped as stopped:
        cause = stopped.cause
        unwritten = cause.kind == "unwritten" and wanted == "NotImplementedError"
        if cause.kind != "raised" and not unwritten:
            raise
        if unwritten or _is_one(cause.exception, exception, wanted):
            if match and not re.search(match, cause.text):
                text = f"{name} raises {wanted}, as it should, but its text says something else than is asked for."
                raise Wrong(Cause("said", function.name, text=text)) from None
            return
        said = cause.exception or "another exception"
        text = f"{name} should raise {wanted} here, but it raises {said}."
        raise Wrong(Cause("said", function.name, text=text)) from None
    raise Wrong(Cause("said", function.name, text=f"{name} should raise {wanted} here, but it gives a value."))


def _is_one(raised: str, exception: type[BaseException] | str, wanted: str) -> bool:
    """Whether an exception of that name is the one that is asked for, or made of it."""
    known = getattr(builtins, raised, None)
    made_of = isinstance(known, type) and isinstance(exception, type) and issubclass(known, exception)
    return raised == wanted or made_of
