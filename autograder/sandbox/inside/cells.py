"""Running a notebook's cells with IPython, their outputs captured as notebook outputs (nbformat 4)."""

from __future__ import annotations

import base64
import gc
import inspect
import io
import os
import signal
import sys
from typing import Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

TEXT_TYPES = ("text/plain", "text/latex", "text/markdown")
IMAGE_TYPES = ("image/png", "image/jpeg")
IMAGE_BYTES = 2**20
IMAGES = 16


class Outputs:
    """The outputs of the cell that runs, bounded in bytes of text and in number and size of images."""

    def __init__(self) -> None:
        self.clear(0)

    def clear(self, text_bytes: int) -> None:
        """Start a new cell, which may print ``text_bytes``."""
        self.items: list[dict[str, Any]] = []
        self.left = text_bytes
        self.images = IMAGES

    def text(self, text: str) -> str:
        """As much of ``text`` as still fits, with a note where it was cut for the first time."""
        if self.left <= 0:
            return ""
        kept = text[: self.left]
        self.left -= len(kept)
        if len(kept) < len(text) or self.left == 0:
            self.left = 0
            kept += "\n[output cut here: the cell printed too much]\n"
        return kept

    def stream(self, name: str, text: str) -> None:
        """Append to a stream, joining it with what came before on the same one."""
        kept = self.text(text)
        if not kept:
            return
        last = self.items[-1] if self.items else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            last["text"] += kept
        else:
            self.items.append({"output_type": "stream", "name": name, "text": kept})

    def rich(self, kind: str, data: dict[str, Any], **more: Any) -> None:
        """Append a display or a result, with its passive types alone."""
        kept: dict[str, str] = {}
        for mime in TEXT_TYPES:
            if isinstance(data.get(mime), str):
                kept[mime] = self.text(data[mime])
        for mime in IMAGE_TYPES:
            image = data.get(mime)
            if isinstance(image, bytes):
                image = base64.b64encode(image).decode("ascii")
            if isinstance(image, str):
                if self.images > 0 and len(image) <= IMAGE_BYTES:
                    self.images -= 1
                    kept[mime] = image
                else:
                    kept["text/plain"] = "[a picture was left out: too large, or too many in one cell]"
        if kept:
            self.items.append({"output_type": kind, "data": kept, "metadata": {}} | more)

    def error(self, name: str, value: str, traceback: list[str]) -> None:
        """Append an exception."""
        lines = self.text("\n".join(traceback)).splitlines()
        self.items.append(
            {
                "output_type": "error",
                "ename": name[:200],
                "evalue": value[:2000],
                "traceback": lines or [name[:200]],
            }
        )


class Stream(io.TextIOBase):
    """``sys.stdout`` or ``sys.stderr`` of the student's code: into the cell's outputs."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, name: str, outputs: Outputs) -> None:
        self.name = name
        self.outputs = outputs

    def write(self, text: str) -> int:
        """Append to the outputs."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.outputs.stream(self.name, text)
        return len(text)

    def writable(self) -> bool:
        """True, as for the real one."""
        return True


class _Hook(DisplayHook):  # type: ignore[misc]
    def write_output_prompt(self) -> None:
        """Notebook outputs carry the number themselves."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:  # noqa: ARG002
        self.shell.outputs.rich("execute_result", format_dict, execution_count=self.shell.cell_number)

    def finish_displayhook(self) -> None:
        """Nothing to flush."""


class _Publisher(DisplayPublisher):  # type: ignore[misc]
    def publish(self, data: dict[str, Any], *_: Any, **__: Any) -> None:
        self.shell.outputs.rich("display_data", data)

    def clear_output(self, wait: bool = False) -> None:  # noqa: ARG002
        self.shell.outputs.items.clear()


class _Compiler(CachingCompiler):  # type: ignore[misc]
    def cache(self, *arguments: Any, **keywords: Any) -> str:
        """As IPython does, and note the cell as part of ``__main__``.

        Otherwise each traceback looks through all loaded modules to find out where it belongs.
        """
        name: str = super().cache(*arguments, **keywords)
        inspect.modulesbyfile[os.path.abspath(name)] = "__main__"  # noqa: PTH100
        return name


class Shell(InteractiveShell):  # type: ignore[misc]
    """IPython, with its outputs collected and nothing written to disk."""

    displayhook_class = _Hook
    display_pub_class = _Publisher
    compiler_class = _Compiler
    outputs = Outputs()
    # IPython counts before a cell runs or after it, by its version.
    cell_number = 0

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        try:
            value = str(evalue)
        except Exception:
            value = "<its text cannot be shown>"
        self.outputs.error(etype.__name__, value, [str(line) for line in stb])

    def ask_exit(self) -> None:
        """``exit()`` in a notebook ends nothing."""

    def enable_gui(self, gui: str | None = None) -> None:
        """There is no window in the sandbox."""

    def init_history(self) -> None:
        """Keep no history: it would be a file that later cells can read."""
        super().init_history()
        self.history_manager.enabled = False

    def _format_exception_for_storage(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Store nothing of an exception: that would be to make its traceback, which takes longest, a second time."""
        return {}

    def system(self, command: str) -> None:  # noqa: ARG002
        """``!command``: there is no shell in the sandbox."""
        self.outputs.stream("stderr", "Shell commands are not available while grading.\n")


class Notebook:
    """The interpreter that a submission's cells run in, one after the other."""

    def __init__(self) -> None:
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        config.InteractiveShell.autocall = 0
        config.InteractiveShell.banner1 = ""
        self.shell: Any = Shell.instance(config=config)
        self.stdout = Stream("stdout", self.shell.outputs)
        self.stderr = Stream("stderr", self.shell.outputs)

    @property
    def names(self) -> dict[str, Any]:
        """The student's namespace."""
        return self.shell.user_ns  # type: ignore[no-any-return]

    def warm(self) -> None:
        """Import what most notebooks import, draw once and fail once, so that each fork finds it ready."""
        import numpy.linalg
        import numpy.random
        import numpy.testing  # noqa: F401

        try:
            import matplotlib.figure
            import matplotlib.font_manager
            import matplotlib.mathtext
            import matplotlib.pyplot as plt
        except ImportError:
            pass
        else:
            self.shell.enable_matplotlib("inline")
            figure = plt.figure()
            figure.add_subplot().set_title("$x$")
            figure.savefig(io.BytesIO(), format="png")
            plt.close("all")
            # An open font would be one file, with one position in it, for all submissions.
            matplotlib.font_manager._get_font.cache_clear()  # type: ignore[attr-defined]
            matplotlib.mathtext.MathTextParser._parse_cached.cache_clear()  # type: ignore[attr-defined]
            gc.collect()
        self.run("import numpy as warm; warm.zeros(1); del warm", 1000)
        self.run("def warm():\n    return 1 / 0\nwarm()", 10_000)
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            vars(sys).pop(name, None)
        # To forget names it has all objects looked through; those that are there until now stay.
        gc.freeze()
        self.shell.reset(new_session=False)
        self.shell.execution_count = 1
        self.shell.cell_number = 0
        sys.path[:] = [folder for folder in sys.path if folder]

    def run(self, source: str, output_bytes: int) -> tuple[str, list[dict[str, Any]]]:
        """Run one cell.

        Returns:
            ``("ok" or "raised", outputs)``.
        """
        outputs: Outputs = self.shell.outputs
        outputs.clear(output_bytes)
        self.shell.cell_number += 1
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = self.stdout, self.stderr
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            result = self.shell.run_cell(source, store_history=True)
            status = "ok" if result.success else "raised"
        except KeyboardInterrupt:
            status = "raised"
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            sys.stdout, sys.stderr = before
        return status, outputs.items

    def silence(self, printed_limit: int) -> None:
        """Keep so many characters of what the student's code prints from now on, for ``printed`` or ``streams``."""
        self.shell.outputs.clear(printed_limit)
        sys.stdout, sys.stderr = self.stdout, self.stderr

    def streams(self, limit: int) -> list[list[str]]:
        """What was printed since the last time, as pairs of stream and text. ``limit`` characters are kept next."""
        items = self.shell.outputs.items
        if not items:
            return []
        self.shell.outputs.clear(limit)
        return [[item["name"], item["text"]] for item in items if item["output_type"] == "stream"]

    def printed(self, limit: int) -> str:
        """What was printed, or displayed as text, since the last time. From now on ``limit`` characters are kept."""
        items = self.shell.outputs.items
        texts = [item.get("text") or item.get("data", {}).get("text/plain", "") for item in items]
        self.shell.outputs.clear(limit)
        return "".join(texts)
