"""Distributions that a submission may import, by the name that pip knows."""

from __future__ import annotations

import re
import sys

from autograder.base import did_you_mean


def import_problem(name: str) -> str:
    """Why a distribution cannot be allowed, with the way out; empty where it can."""
    from importlib import metadata

    if re.sub(r"[-_.]+", "-", name).lower() == "autograder":
        return "autograder holds the grader itself; no submission may import it"
    try:
        metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):
        return _unknown_distribution(name)
    return ""


def _unknown_distribution(name: str) -> str:
    from importlib import metadata

    if name in sys.stdlib_module_names:
        return f"{name} is part of Python, which is always allowed; leave it out"
    owners = metadata.packages_distributions().get(name, [])
    if owners:
        return f"expected the distribution's name, {owners[0]!r}, found the import's name {name!r}"
    installed = {each.metadata["Name"] for each in metadata.distributions()} - {None}
    nearest = did_you_mean(name, sorted(installed))
    return f"no installed distribution is called {name!r}; {nearest}install it beside autograder or leave it out"
