"""The documents as a site: `make docs` builds it into build/docs, searchable without a network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import reference_pages
from sphinx.application import Sphinx

import autograder

project = "autograder"
release = version = autograder.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["pictures"]

html_theme = "furo"
html_title = "autograder"
html_show_copyright = False
html_copy_source = False

# Anchors as GitHub makes them, where the same pages are read.
myst_heading_anchors = 4
# Links to files of the repository that are no page of the site.
suppress_warnings = ["myst.xref_missing"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False


def setup(app: Sphinx) -> None:
    """Write the pages that come from the code before Sphinx reads them, and have it read formulas in docstrings."""
    reference_pages.write(Path(__file__).parent / "reference")
    app.connect("autodoc-process-docstring", _bars)


def _bars(_app: Sphinx, _what: str, _name: str, _object: object, _options: object, lines: list[str]) -> None:
    """Keep the bars of an absolute value, which reStructuredText takes for a substitution."""
    lines[:] = [line.replace("|", "\\|") for line in lines]
