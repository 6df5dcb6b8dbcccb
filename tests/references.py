"""A week's reference, imported as the package that it is."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

SOLUTIONS = Path(__file__).parents[1] / "solutions"


def load(week: str, name: str) -> ModuleType:
    """The package ``solutions/WEEK`` under a name of its own."""
    folder = SOLUTIONS / week
    specification = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module
