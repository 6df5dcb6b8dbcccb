"""Pages of our own: what they are given is text unless it says otherwise, and they run what they are given alone."""

import base64
import hashlib
import re
from pathlib import Path

import jinja2
import pytest
from markupsafe import Markup

from autograder.base import coded, drawn, page
from tests.inert import Tags

TEMPLATE = """\
{% extends "page.html.j2" %}
{% from "parts.html.j2" import figure, heads, wide %}
{% block main %}
<p>{{ said }}</p>
{{ figure(svg, said) }}
{% call wide(said) %}<table>{{ heads([said, "points"], ["points"]) }}</table>{% endcall %}
{% endblock %}
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "own.html.j2"
    path.write_text(TEMPLATE, encoding="utf-8")
    return path


def test_text_is_escaped_wherever_it_goes(template: Path) -> None:
    said = '<b>"it\'s"</b> & co'
    made = page(template, said, said=said, svg=said)
    assert "<b>" not in made
    assert made.count("&lt;b&gt;&#34;it&#39;s&#34;&lt;/b&gt; &amp; co") == 7


def test_markup_stays_markup(template: Path) -> None:
    assert "<em>so</em>" in page(template, "Title", said=Markup("<em>so</em>"), svg="")


def test_a_value_that_is_missing_is_an_error(template: Path) -> None:
    with pytest.raises(jinja2.UndefinedError, match="svg"):
        page(template, "Title", said="x")


def policy(made: str) -> str:
    return next(each["content"] for _, each in Tags(made).seen if each.get("http-equiv") == "Content-Security-Policy")


def test_a_page_fetches_and_runs_nothing(template: Path) -> None:
    made = page(template, "Title", said="x", svg="")
    assert policy(made) == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert "<script" not in made


def test_a_page_runs_the_script_that_it_is_given_and_no_other(template: Path) -> None:
    made = page(template, "Title", script='alert("1 < 2");', said="x", svg="")
    (script,) = re.findall(r"<script>(.*?)</script>", made, re.DOTALL)
    assert script == 'alert("1 < 2");'
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy(made).endswith(f"; script-src 'sha256-{digest}'")


def test_what_scrolls_sideways_is_reached_by_the_keyboard_and_has_a_name(template: Path) -> None:
    made = page(template, "Title", said="Rows", svg="")
    (box,) = [each for _, each in Tags(made).seen if each.get("class") == "wide"]
    assert (box["tabindex"], box["role"], box["aria-label"]) == ("0", "region", "Rows")


def test_what_stands_in_backticks_is_code_and_no_markup() -> None:
    assert coded("`a<b>` is\n<i>so</i>") == "<code>a&lt;b&gt;</code> is &lt;i&gt;so&lt;/i&gt;"


def test_a_figure_is_drawn_in_the_readers_own_colour() -> None:
    svg = drawn(lambda axes: axes.set_xlabel("<score>"), 2, 1, salt="x")
    assert svg.startswith('<svg aria-hidden="true" ')
    assert "currentColor" in svg
    assert "&lt;score&gt;" in svg
