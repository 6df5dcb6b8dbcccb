"""Markdown on our own page: what the renderer lets through is sanitised, whoever wrote it and whatever came before."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.feedback import feedback_html
from autograder.feedback.markdown import prose
from tests.courses import cell
from tests.inert import Tags, assert_inert

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

ACTIVE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><animate onbegin=alert(1)><use href=//evil.example/#x></svg>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe><object data=//e.example></object><embed src=//e.example>",
    "<form action=//evil.example><input name=x><button formaction=javascript:alert(1)>x</button></form>",
    "<base href=//e.example><meta http-equiv=refresh content='0;url=//e.example'><link rel=stylesheet href=//e.test>",
    "<style>body { background: url(//evil.example) }</style>",
    "<p style='position:fixed;inset:0;background:url(//evil.example)' class=autograder-result id=test_scale>x</p>",
    "<a href=javascript:alert(1)>x</a> <a href='jav&#x09;ascript:alert(1)'>x</a> <a href=data:text/html,x>x</a>",
    "[x](javascript:alert(1)) [x](data:text/html,<script>alert(1)</script>) <javascript:alert(1)> [x](//evil.example)",
    "![x](http://evil.example/x.png) ![x](data:image/svg+xml,<svg/onload=alert(1)>) ![x](attachment:missing.png)",
    "<math href=javascript:alert(1)><maction actiontype=statusline xlink:href=javascript:alert(1)>x</maction></math>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<math><annotation-xml encoding=text/html><script>alert(1)</script></annotation-xml></math>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    r"$\href{javascript:alert(1)}{x}$ $\text{<img src=x onerror=alert(1)>}$ $\style{position:fixed}{x}$",
    "```mermaid\n<img src=x onerror=alert(1)>\n```",
    "<details open ontoggle=alert(1)><summary onclick=alert(1)>x</summary></details><video src=//e.example autoplay>",
)


def page(source: str, kind: str = "markdown", **fields: Any) -> str:
    """Our page of a notebook with this one cell, which nothing has made inert."""
    return feedback_html({"cells": [cell(source, kind=kind) | fields]}, "Title")


def tags(text: str) -> list[str]:
    return [tag for tag, _ in Tags(text).seen]


@pytest.mark.parametrize("source", ACTIVE)
@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_markup_that_the_renderer_lets_through_does_nothing(source: str, kind: str) -> None:
    assert_inert(page(source, kind))


@pytest.mark.parametrize("source", ACTIVE)
def test_no_text_takes_the_style_the_place_or_the_name_of_what_is_ours(source: str) -> None:
    for _, attributes in Tags(prose(source)).seen:
        assert not {"style", "id"} & attributes.keys()
        assert attributes.get("class", "wide") == "wide"


PIECES = ("<", ">", "</", "'", '"', "&lt;", "-->", "<!--", "<![CDATA[", "]]>", " ", "\n", "`", "$", "x", "=", "/")
TAGS = ("math", "mtext", "svg", "style", "table", "p", "a href=javascript:x", "img src=x onerror=x", "title", "script")


@given(pieces=st.lists(st.sampled_from([*PIECES, *TAGS, *(f"<{tag}>" for tag in TAGS)]), max_size=16))
@settings(max_examples=80)
def test_no_markup_whatsoever_acts(pieces: list[str]) -> None:
    assert_inert(prose("".join(pieces)))


def test_a_result_shows_what_a_result_is_made_of_alone() -> None:
    said = (
        "<div class='autograder-result x' style='border:1px solid;position:fixed' onclick=x><b>0</b><script>1</script>"
    )
    output = {"output_type": "display_data", "metadata": {}, "data": {"text/html": said}}
    shown = page("x = 1", "code", outputs=[output])
    assert_inert(shown)
    assert '<div class="autograder-result" style="border:1px solid">0' in shown


@pytest.mark.parametrize(
    "source",
    [
        "<details><summary>Hint</summary>Think.</details>",
        "H<sub>2</sub>O, m<sup>2</sup>, <kbd>Tab</kbd>",
        '<table><tbody><tr><th scope="row">a</th><td colspan="2">b</td></tr></tbody></table>',
    ],
)
def test_the_markup_of_an_authors_prose_stays(source: str) -> None:
    assert tags(source) == [tag for tag in tags(prose(source)) if tag not in ("p", "div")]
    assert re.sub(r"<.*?>", "", source) == re.sub(r"<.*?>", "", prose(source)).strip()


def test_links_lead_to_pages_or_within_the_page() -> None:
    shown = Tags(prose("[a](https://fine.example/x?y=1) [b](#test_scale) [c](other.ipynb) [d](file:///etc)")).seen
    links = [attributes.get("href") for tag, attributes in shown if tag == "a"]
    assert links == ["https://fine.example/x?y=1", "#test_scale", None, None]


def test_an_attached_picture_lies_in_the_page_and_keeps_its_words() -> None:
    shown = prose("![A curve](attachment:x.png)", {"x.png": {"image/png": PIXEL}})
    assert ("img", {"src": f"data:image/png;base64,{PIXEL}", "alt": "A curve"}) in Tags(shown).seen


@pytest.mark.parametrize(
    "tex",
    [
        r"\frac{\partial L}{\partial z_i} = p_i - y_i",
        r"\left( \sqrt[3]{x} \right)^{\top} \sum_{i=1}^{n} \hat{x}_i",
        r"\begin{pmatrix} a & b \\ c & d \end{pmatrix} \quad \mathbb{R} \; \mathbf{W}",
        r"\begin{align} a &= b \\ c &\le d \end{align}",
        r"\underbrace{x}_{n} \overline{y} \boxed{z} \color{red}{w} \text{where}",
    ],
)
def test_a_formula_is_whole(tex: str) -> None:
    from latex2mathml.converter import convert

    whole = convert(tex.replace("{align}", "{align*}"), display="block")
    shown = prose(f"$${tex}$$")
    made = [(tag, attributes) for tag, attributes in Tags(shown).seen if tag.startswith("m")]
    assert made == [
        (tag, {name: value for name, value in attributes.items() if name != "xmlns"})
        for tag, attributes in Tags(whole).seen
    ]


def test_what_is_too_wide_is_scrolled_by_the_keyboard_too() -> None:
    shown = Tags(prose("|a|\n|-|\n|b|\n\n$$x$$")).seen
    assert [attributes["aria-label"] for _, attributes in shown if attributes.get("tabindex") == "0"] == [
        "Table",
        "Formula",
    ]


def test_a_list_of_tasks_has_no_controls() -> None:
    shown = prose("- [x] done\n- [ ] to do")
    assert "input" not in tags(shown)
    assert "☑ done" in shown
    assert "☐ to do" in shown
