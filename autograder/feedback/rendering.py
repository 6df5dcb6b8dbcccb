"""Texts → the HTML of a page, made in a process of their own, within bounds of time, memory and size.

Highlighters and Markdown have texts that keep them busy for good, and there is no listing them all. So what a student
wrote is rendered by ``renderer``, whose forks can be ended: a text that takes too long is shown as it was written, and
so is what is left of a page whose time is used up. Time is the processor's, so that a page does not depend on how busy
the machine is. What crosses between the processes is data, by the wire of the sandbox.
"""

from __future__ import annotations

import atexit
import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from autograder import sandbox  # its wire is imported where a page is set: NumPy comes with it
from autograder.base import AutograderError

if TYPE_CHECKING:
    from markupsafe import Markup

PLAINLY = "Shown as it was written, without colours and formatting: there is too much of it, or it takes too long."

COLOURED_CHARACTERS = 20_000
"""How long code may be to be set in colours."""
COLOURED_IN_ALL = 120_000
"""How much code of a page is set in colours; what is long for an assignment has half of it."""
_SLOW = re.compile(r"\s{200}|[*.?]{200}")
"""Code that highlighters are quadratic in, and nobody writes."""

_KNOWN, _KNOWN_CHARACTERS = 1024, 40_000
"""How many texts are remembered, and how long each may be with its HTML: those of the course are on every page."""
_START_SECONDS = 120.0
_LITTLE_SECONDS = 0.25
"""The renderer's fork is kept for the next page where all of a page took less, as what people write does."""


@dataclass(frozen=True)
class Piece:
    """A text of a page, and how it is rendered.

    Attributes:
        kind: ``code`` in colours; ``prose`` is Markdown as our page has it, and ``nbgrader`` as nbgrader's pages do;
            ``html`` and a ``result`` of ours are sanitised.
        text: The text.
        pictures: Those attached to prose, by name and type, as JSON; empty where there are none.
    """

    kind: Literal["code", "prose", "nbgrader", "html", "result"]
    text: str
    pictures: str = ""


@dataclass(frozen=True)
class Bounds:
    """What one page may take.

    Attributes:
        piece_seconds: Of the processor's time, for one text.
        page_seconds: For all texts of a page.
        patience: By the clock, for one text, where the processor has no time for it.
        memory: Bytes beyond what the renderer holds.
        characters: Of one text's HTML, the pictures in it aside.
    """

    piece_seconds: float = 1.5
    page_seconds: float = 6.0
    patience: float = 120.0
    memory: int = 2**29
    characters: int = 2 * 2**20


BOUNDS = Bounds()

_renderer: tuple[subprocess.Popen[bytes], socket.socket] | None = None
_starting = threading.Lock()
_known: dict[Piece, str] = {}
_kept: dict[int, socket.socket] = {}
"""A channel to a fork that waits for a page, by the memory that it may take."""


def rendered(pieces: Iterable[Piece], bounds: Bounds = BOUNDS) -> dict[Piece, str | None]:
    """The HTML of each text of one page, in which nothing acts but what ``nbgrader`` lets through.

    Args:
        pieces: The texts, in the order in which they get the page's time.
        bounds: What the page may take.

    Returns:
        The HTML, or None where the text is beyond the bounds or its renderer failed: ``plainly`` shows that one.

    Raises:
        AutograderError: The renderer cannot be started.
    """
    made: dict[Piece, str | None] = {}
    left, coloured = bounds.page_seconds, 0
    channel: socket.socket | None = None
    try:
        for piece in dict.fromkeys(pieces):
            made[piece] = None
            if piece.kind == "code":
                if not _is_colourable(piece.text, COLOURED_IN_ALL - coloured):
                    continue
                coloured += len(piece.text)
            if piece in _known:
                made[piece] = _known[piece]
            elif left > 0:
                seconds = min(left, bounds.piece_seconds)
                made[piece], spent, channel = _rendered(piece, seconds, bounds, channel)
                left -= spent
        if channel is not None and bounds.page_seconds - left < _LITTLE_SECONDS:
            # What did next to nothing has its memory, and its time, for the next page.
            _kept[bounds.memory] = channel
            channel = None
    finally:
        if channel is not None:
            channel.close()
    return made


def plainly(text: str) -> Markup:
    """A text that is not rendered, as HTML: all of it as it was written, and a sentence that says so."""
    from markupsafe import Markup

    return Markup("<pre>\n{}</pre>\n<p><em>{}</em></p>").format(text, PLAINLY)


def _is_colourable(code: str, most: int) -> bool:
    return len(code) <= min(most, COLOURED_CHARACTERS) and _SLOW.search(code) is None


def _rendered(
    piece: Piece, seconds: float, bounds: Bounds, channel: socket.socket | None
) -> tuple[str | None, float, socket.socket | None]:
    """As ``_answer``, by the page's process, where it has one, and that process for the next text, if it goes on."""
    first = channel or _kept_fork(bounds)
    # One that waited may end by no fault of this text's, so a fresh one is asked as well.
    for asked in (first,) if first is None or first is channel else (first, None):
        at = asked or _forked(bounds)
        try:
            made, spent = _answer(at, piece, seconds, bounds)
        except sandbox.wire.WireError:
            # It was ended, or it failed in a way that is no exception.
            at.close()
        else:
            return made, spent, at
    return None, bounds.piece_seconds, None


def _answer(channel: socket.socket, piece: Piece, seconds: float, bounds: Bounds) -> tuple[str | None, float]:
    """A text's HTML, None where it is too long or could not be made, and the processor's seconds that it took."""
    channel.settimeout(bounds.patience)
    most = bounds.characters + len(piece.pictures)
    sandbox.wire.send(channel, sandbox.wire.encode((piece.kind, piece.text, piece.pictures, seconds, most)))
    made, spent = sandbox.wire.receive(channel, time.monotonic() + bounds.patience)
    if made is not None and len(piece.text) + len(piece.pictures) + len(made) <= _KNOWN_CHARACTERS:
        if len(_known) >= _KNOWN:
            del _known[next(iter(_known))]
        _known[piece] = made
    return made, spent


def _kept_fork(bounds: Bounds) -> socket.socket | None:
    """The channel to the fork that waits; None where there is none that answers."""
    channel = _kept.pop(bounds.memory, None)
    if channel is not None:
        try:
            sandbox.wire.send(channel, sandbox.wire.encode(None))
            sandbox.wire.receive(channel, time.monotonic() + bounds.patience)
        except sandbox.wire.WireError:
            channel.close()
            channel = None
    return channel


def _forked(bounds: Bounds) -> socket.socket:
    """A channel to a fresh fork of the renderer, which is started where it does not run.

    Raises:
        AutograderError: It cannot be started.
    """
    for _ in range(2):
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(_started(), [b"+"], [theirs.fileno()])
            sandbox.wire.send(ours, sandbox.wire.encode(bounds.memory))
            sandbox.wire.receive(ours, time.monotonic() + _START_SECONDS)
        except (sandbox.wire.WireError, OSError):
            ours.close()
            _end()
        else:
            return ours
    raise AutograderError(
        "what renders feedback pages could not be started; what is wrong there is printed by: "
        f"{sys.executable} -P -m autograder.feedback.renderer"
    )


def _started() -> socket.socket:
    """The channel that asks the renderer for forks."""
    global _renderer  # noqa: PLW0603 - one for this process, as warm as it gets
    with _starting:
        if _renderer is None:
            ours, theirs = socket.socketpair()
            with theirs:
                command = [sys.executable, "-P", "-W", "ignore", "-m", "autograder.feedback.renderer"]
                process = subprocess.Popen(
                    [*command, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            _renderer = process, ours
            atexit.register(_end)
        return _renderer[1]


def _end() -> None:
    """End the renderer, where it runs and is this process's own."""
    global _renderer  # noqa: PLW0603
    with _starting:
        atexit.unregister(_end)
        if _renderer is not None:
            process, control = _renderer
            for channel in (control, *_kept.values()):
                channel.close()
            _kept.clear()
            with contextlib.suppress(OSError):
                process.kill()
                process.wait()
            _renderer = None
