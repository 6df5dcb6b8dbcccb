"""One report as JUnit's XML, which CI systems show: a test suite for each row, a test case for each check.

The form has no schema of its own: this writes what Jenkins' schema, GitLab and GitHub's viewers have in common.
"""

from __future__ import annotations

from xml.etree import ElementTree as Tree

from autograder.base import visible
from autograder.feedback import unseen_text
from autograder.grading import Report, RowResult, advice


def junit_text(report: Report, title: str) -> str:
    """A report, as its student sees it, as XML.

    A check that failed is a failure with its reason and hint; one that failed for a reason of ours, and a hand-in that
    was not graded at all, is an error; those that are not shown are one skipped test case of their row.

    Args:
        report: What the student may see.
        title: What was graded, for people.
    """
    suites = [_suite(row) for row in report.rows]
    if not report.rows:
        suites = [Tree.Element("testsuite", name=_plain(title))]
        _told(Tree.SubElement(suites[0], "testcase", classname=_plain(title), name="graded"), "error", report.trouble)
    for suite in suites:
        _count(suite)
    root = Tree.Element("testsuites", name=_plain(title), time=f"{report.seconds:.3f}")
    root.extend(suites)
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    Tree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Tree.tostring(root, encoding="unicode") + "\n"


def _suite(row: RowResult) -> Tree.Element:
    suite = Tree.Element("testsuite", name=_plain(row.name))
    properties = Tree.SubElement(suite, "properties")
    Tree.SubElement(properties, "property", name="points", value=f"{row.points:g}")
    if row.score is not None:
        Tree.SubElement(properties, "property", name="score", value=f"{row.score:g}")
    for check in row.checks:
        if not check.shown:
            continue
        case = Tree.SubElement(suite, "testcase", classname=_plain(row.name), name=_plain(check.title))
        if check.outcome == "errored":
            _told(case, "error", "This check failed for a reason of ours.")
        elif check.outcome == "failed":
            advised = advice(row, check)
            hint = "" if advised is None else f"{'Hint: ' if advised.is_hint else ''}{advised.text}"
            _told(case, "failure", check.reason or check.title, *row.said, hint)
    if row.unseen:
        case = Tree.SubElement(suite, "testcase", classname=_plain(row.name), name="checks that are not shown")
        _told(case, "error" if row.errored else "skipped", unseen_text(row))
    return suite


def _told(case: Tree.Element, kind: str, said: str, *more: str) -> None:
    """Say of a test case what became of it: in short as an attribute, in whole as the text."""
    Tree.SubElement(case, kind, message=_plain(said)).text = "\n".join(_plain(each) for each in (said, *more) if each)


def _count(suite: Tree.Element) -> None:
    suite.set("tests", str(len(suite.findall("testcase"))))
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{kind}"))))


def _plain(text: str) -> str:
    """Text with none of the characters that XML does not allow."""
    return visible(text).replace("\ufffe", "").replace("\uffff", "")
