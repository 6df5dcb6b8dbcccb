"""What a course's nbgrader_config.py sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autograder.base import ConfigError

NBGRADER_CONFIG = "nbgrader_config.py"
_PLUGINS = ("autograder.nbgrader_plugins", "autograder.operations.nbgrader_plugins")
_RUNS_NOTHING = ("nbgrader.preprocessors.AssignLatePenalties", "nbgrader.preprocessors.CheckCellMetadata")

CONFIGURED = '''\
"""nbgrader's configuration, all of it from gradebook_config.yaml.

Settings of your own go below the last line.
"""

try:
    from autograder.nbgrader_plugins import configure
except ImportError as error:  # without it nbgrader would run submissions by itself, outside any sandbox
    missing = "Install autograder where nbgrader is: pip install notebook-autograder"
    raise SystemExit(f"nbgrader_config.py: {error}. {missing}") from error

c = get_config()  # noqa: F821 - nbgrader gives it
configure(c, __file__)
'''
"""The nbgrader_config.py of a course."""


def nbgrader_config(root: Path) -> Any:
    """What the nbgrader_config.py of a course's folder sets, and nbgrader_config.json over it, as nbgrader takes them.

    Raises:
        ConfigError: It fails.
    """
    from traitlets.config import Config
    from traitlets.config.loader import JSONFileConfigLoader, PyFileConfigLoader

    found = Config()
    for name, loader in ((NBGRADER_CONFIG, PyFileConfigLoader), ("nbgrader_config.json", JSONFileConfigLoader)):
        path = root / name
        if not path.is_file():
            continue
        try:
            found.merge(loader(path.name, path=str(root)).load_config())
        except (Exception, SystemExit) as error:  # it is a program, and may fail in any way
            raise ConfigError(f"{path}: {type(error).__name__}: {error}") from error
    return found


def runs_by_itself(root: Path, *, load: bool = True) -> str:
    """Why nbgrader would run submissions itself, outside any sandbox, and the way out; empty where it would not.

    Args:
        root: The course's folder.
        load: Whether the configuration, a program, is loaded as nbgrader loads it, and looked at where it decides what
            runs; otherwise all that is known is whether it is there.
    """
    path = root / NBGRADER_CONFIG
    try:
        as_made = path.read_bytes() == CONFIGURED.encode() and not path.with_suffix(".json").exists()
    except FileNotFoundError:
        as_made = False
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    if as_made:
        return ""
    try:
        why = "" if path.is_file() else f"{path} is missing"
        if load and not why:
            why = _left_out(nbgrader_config(root).Autograde, path)
    except ConfigError as error:
        return f"{error}. `nbgrader autograde` and the formgrader do nothing before that is mended"
    if not why:
        return ""
    way_out = (
        "Move it away, and `autograder lab` writes another; then add your settings to that"
        if path.exists()
        else "`autograder lab` writes it"
    )
    return (
        f"{why}, so `nbgrader autograde` or the formgrader would run submissions itself, outside any sandbox "
        f"(`autograder grade` does not). {way_out}"
    )


def _left_out(settings: Any, path: Path) -> str:
    """What of our grader is not in nbgrader's settings for autograding; empty where all of it is."""
    if _name(settings.get("exporter_class", "")) not in _ours("SubmissionExporter"):
        return f"{path} does not call autograder.nbgrader_plugins.configure"
    graders = [_name(each) for each in _listed(settings, "autograde_preprocessors")]
    if not any(name in _ours("GradeSubmission") for name in graders):
        return f"{path} leaves GradeSubmission out of Autograde.autograde_preprocessors"
    for key in ("sanitize_preprocessors", "autograde_preprocessors"):
        for each in _listed(settings, key):
            if _runs_cells(each):
                return f"{path} has {_name(each)} in Autograde.{key}"
    return ""


def _listed(settings: Any, key: str) -> list[Any]:
    """A list in the settings; nbgrader's own, which runs cells, where it says how to change that and not what it is."""
    found = settings.get(key, ())
    return list(found) if isinstance(found, list | tuple) else ["nbgrader.preprocessors.Execute"]


def _runs_cells(preprocessor: Any) -> bool:
    """Whether a preprocessor, or its name, is one that runs a notebook's cells, or cannot be looked at."""
    if _name(preprocessor) in (*_RUNS_NOTHING, *_ours("GradeSubmission")):
        return False
    from nbconvert.preprocessors import ExecutePreprocessor
    from traitlets.utils.importstring import import_item

    try:
        found = import_item(preprocessor) if isinstance(preprocessor, str) else preprocessor
        return issubclass(found if isinstance(found, type) else type(found), ExecutePreprocessor)
    except Exception:  # nbgrader could not take it either
        return True


def _ours(name: str) -> tuple[str, ...]:
    return tuple(f"{module}.{name}" for module in _PLUGINS)


def _name(item: Any) -> str:
    """The name of a class, or of what is named already."""
    return item if isinstance(item, str) else f"{getattr(item, '__module__', '')}.{getattr(item, '__qualname__', '')}"
