"""The names of files, as browsers, Macs and Windows change them on their way."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

_NOTEBOOK = re.compile(r"\.ipynb(?:\.ipynb|\.txt|\.json|\.html?|\.download)*$", re.IGNORECASE)
"""How a notebook's name ends; browsers like to add a .txt or a .json to what they download."""

_SCRIPT = re.compile(r"\.py(?:\.py|\.txt|\.download)*$", re.IGNORECASE)
"""How a Python script's name ends."""

_COPIES = r"copy|kopie|copie|copia|cópia|kopia|kopi|kopio|másolat|копия|копія|kopya|副本|複製|コピー|사본|복사본"
_ADDED = re.compile(
    rf"""(?:
        [ _-]*\(\d{{1,3}}\)              # (1): browsers, Windows
      | [ ]*[-–—][ ]*(?:{_COPIES})       # - Copy: Windows; -Copy1: Jupyter
        (?:[ ]*\(\d{{1,3}}\)|[ ]*\d{{1,3}})?
      | [ ](?:{_COPIES})(?:[ ]\d{{1,3}})?   # copy 2: Macs
      | のコピー(?:[ ]?\d{{1,3}})?
      | [ ]\d{{1,2}}                     # 2: Macs, from their clouds
      | [-_]\d{{1,3}}                    # -2: what Canvas adds to an attempt
      | -checkpoint
    )$""",
    re.VERBOSE | re.IGNORECASE,
)
_BEFORE = re.compile(
    r"^(?:copy of|kopie von|kopie van|copie de|copia de|cópia de|kopia|kopi av|kopi af|копия)[ _]+", re.IGNORECASE
)
_ZONE = re.compile(r"[:._\uf03a]Zone\.Identifier$", re.IGNORECASE)


def one_form(name: str) -> str:
    """A name in one form of its letters, without case: as file systems and people may take two for the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def is_notebook(name: str) -> bool:
    """Whether a file is called as a notebook is, whatever a browser added to the end."""
    return _NOTEBOOK.search(name) is not None


def is_script(name: str) -> bool:
    """Whether a file is called as a Python script is, whatever a browser added to the end."""
    return _SCRIPT.search(name) is not None


def plain_stem(name: str) -> str:
    """A notebook's or script's name without its ending, in one form, and without what was added to it on the way."""
    stem = _stem(name)
    while (shorter := _BEFORE.sub("", _ADDED.sub("", stem)).strip()) not in (stem, ""):
        stem = shorter
    return stem


def is_called(name: str, notebook: str) -> bool:
    """Whether a file is a notebook or script of that name (without its ending), but for what was added on the way."""
    wanted = one_form(notebook)
    named = is_notebook(name) or is_script(name)
    return named and (_stem(name) == wanted or plain_stem(name) in (wanted, plain_stem(notebook)))


def _stem(name: str) -> str:
    ending = _SCRIPT if is_script(name) else _NOTEBOOK
    return one_form(ending.sub("", PurePosixPath(name).name)).strip()


def is_litter(name: str) -> bool:
    """Whether a file is one that a Mac, Windows or Jupyter puts beside others, and that nobody handed in.

    Args:
        name: Its place, with ``/`` between folders.
    """
    parts = PurePosixPath(name).parts
    last = parts[-1] if parts else ""
    return (
        any(part in ("__MACOSX", ".ipynb_checkpoints", "__pycache__", ".git") for part in parts)
        or last.startswith("._")
        or last.lower() in (".ds_store", "thumbs.db", "desktop.ini", ".localized", "icon\r")
        or _ZONE.search(last) is not None
    )
