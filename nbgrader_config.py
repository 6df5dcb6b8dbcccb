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
