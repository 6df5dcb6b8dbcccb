"""What a course's nbgrader_config.py sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autograder.base import ConfigError


def nbgrader_config(root: Path) -> Any:
    """What the nbgrader_config.py of a course's folder sets.

    Raises:
        ConfigError: It fails.
    """
    from traitlets.config import Config
    from traitlets.config.loader import PyFileConfigLoader

    path = root / "nbgrader_config.py"
    if not path.is_file():
        return Config()
    try:
        return PyFileConfigLoader(path.name, path=str(root)).load_config()
    except (Exception, SystemExit) as error:  # it is a program, and may fail in any way
        raise ConfigError(f"{path}: {type(error).__name__}: {error}") from error
