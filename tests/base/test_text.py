"""Text from elsewhere, made fit to be shown: on a terminal, in a log, in a page."""

import json
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.base import one_line, plain, visible, without_host_paths

BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def acts(character: str) -> bool:
    return (unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") and character not in "\n\t") or (
        unicodedata.bidirectional(character) in BIDIRECTIONAL
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hup", "up"),
        ("\x9b2Jup", "up"),
        ("\x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\", "here"),
        ("\x1b]0;title\x07text", "text"),
        ("10 %\r50 %\r100 %\n", "100 %\n"),
        ("a line\r\n", "a line\n"),
        ("\x1b]0;no end", "\\x1b]0;no end"),
        ("file\u202egnp.exe", "file\\u202egnp.exe"),
        ("null \0 bell \x07 delete \x7f", "null \\x00 bell  delete \\x7f"),
        ("עברית, 日本語, é, 👩‍💻\t✓", "עברית, 日本語, é, 👩‍💻\t✓"),
    ],
)
def test_what_a_terminal_acts_on_goes_or_is_seen(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(text=st.text() | st.text(alphabet="\x1b[]\\;8m\x07\x9b\x9c\x9d\r\n\b\u202ea"))
def test_nothing_is_left_that_acts(text: str) -> None:
    for cleaned in (plain(text), visible(text), one_line(text)):
        assert not any(map(acts, cleaned))
    assert len(one_line(text).splitlines()) <= 1


@given(text=st.text(alphabet=st.characters(exclude_categories=["C", "Zl", "Zp"])))
def test_other_text_stays_as_it_is(text: str) -> None:
    assert plain(text) == visible(text) == text


def test_a_programs_text_keeps_its_meaning() -> None:
    assert visible("s = '\u202e'  # x\n") == "s = '\\u202e'  # x\n"


def test_paths_of_this_machine_are_made_relative() -> None:
    import autograder

    text = f"{json.__file__} {np.__file__} {sys.executable} {autograder.__file__} /site/numpy/x.py /runner/inside/a.py"
    shown = without_host_paths(text)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert shown.split() == [
        f"{version}/json/__init__.py",
        "site-packages/numpy/__init__.py",
        version,
        "autograder/__init__.py",
        "site-packages/numpy/x.py",
        "autograder/inside/a.py",
    ]


@pytest.mark.parametrize("text", ["https://example.org/site/x", "a/runner/b", "/tmp/data.csv", "/websites/x", "and/or"])
def test_other_paths_stay_as_they_are(text: str) -> None:
    assert without_host_paths(text) == text
