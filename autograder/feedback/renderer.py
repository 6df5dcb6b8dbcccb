"""The process that renders texts for ``rendering``: warm, and its forks can be ended.

``python -m autograder.feedback.renderer FD`` answers on the inherited socket until that is closed. What it holds of a
course is the text that it is just given.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import signal
import socket
import sys
import time
from functools import lru_cache
from typing import Any

from autograder.feedback.markdown import nbgraders_prose, prose, sanitised, sanitised_result
from autograder.sandbox import confine, wire


def serve(control: socket.socket) -> None:
    """Fork for every socket that comes over ``control``, until it is closed."""
    # What all pages need is imported, and set up, once.
    for kind in ("code", "prose", "nbgrader", "html", "result"):
        _html(kind, "# x\n\n$x$ *x* `x`\n\n|x|\n|-|\n|x|\n", "")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        with socket.socket(fileno=descriptors[0]) as channel, contextlib.suppress(OSError):
            if os.fork() == 0:
                try:
                    control.close()
                    _render_until_closed(channel)
                finally:
                    os._exit(0)


def _render_until_closed(channel: socket.socket) -> None:
    """Render one text after the other; one that takes too long ends this process."""
    if sys.platform == "linux":
        confine.die_with_parent()
    with contextlib.suppress(wire.Closed):
        bound = confine.mapped_kb() * 1024 + wire.receive(channel)
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # Nothing handles its signal, so the kernel ends this process, whatever it is doing.
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        wire.send(channel, wire.encode(None))
        while True:
            asked = wire.receive(channel)
            if asked is None:
                wire.send(channel, wire.encode(None))
                continue
            kind, text, pictures, seconds, most = asked
            begun = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, seconds)
            try:
                made: str | None = _html(kind, text, pictures)
            except Exception:  # of a library, on anybody's text: nested too deeply for it, too large for the memory
                made = None
            signal.setitimer(signal.ITIMER_PROF, 0)
            reply = made if made is None or len(made) <= most else None
            wire.send(channel, wire.encode((reply, time.process_time() - begun)))


def _html(kind: str, text: str, pictures: str) -> str:
    match kind:
        case "code":
            return str(_highlight()(text))
        case "prose":
            return str(prose(text, json.loads(pictures or "{}")))
        case "nbgrader":
            return nbgraders_prose(text, json.loads(pictures or "{}"))
        case "html":
            return str(sanitised(text))
        case _:
            return str(sanitised_result(text))


@lru_cache(maxsize=1)
def _highlight() -> Any:
    """Python in colours; everything in it is escaped by Pygments."""
    from nbconvert.filters import Highlight2HTML

    return Highlight2HTML(pygments_lexer="ipython3")


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])) if len(sys.argv) > 1 else socket.socketpair()[0])
