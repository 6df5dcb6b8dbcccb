# Two commands from a bare clone with Python 3.11 and make: `make demo` and `make test`.
# The first Python that runs and is new enough; a name on the path may be a shim that runs nothing.
PYTHON ?= $(shell for name in python3 python3.11 python3.12 python3.13 python; do \
	$$name -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV ?= .venv
BIN := $(VENV)/bin

RUNS ?= 100000

# Each start of a process would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

# Where pip compiles it takes longer than all the rest of an installation: packages' own tests too, on one processor.
# What the sandbox imports has to be there compiled, since it can write nothing; some templates are no Python.
INSTALL := $(BIN)/python -m pip install --quiet --no-compile
COMPILE := $(BIN)/python -m compileall -qq -j 0 -x 'site-packages/.*/tests?/'

.PHONY: demo test containers thorough lint fuzz docs install clean

demo: $(VENV)/installed
	$(BIN)/autograder demo demo

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses auto --dist loadscope --no-loadscope-reorder

# The image, and Gradescope's container, built and run: as root, with podman, crun and mmdebstrap.
containers: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m "container and not thorough" tests/test_container.py

# The tests that take many minutes: see CONTRIBUTING.md.
thorough: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m thorough --numprocesses auto --dist loadscope --no-loadscope-reorder

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Searches for bytes that the grader does not handle: RUNS inputs for each of the targets in tests/fuzz/targets.py.
fuzz: $(VENV)/installed-dev
	$(INSTALL) --group fuzz
	$(BIN)/python -m tests.fuzz.fuzz --runs $(RUNS)

# The documents as a site, in build/docs; a warning is an error.
docs: $(VENV)/installed-dev
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs

install: $(VENV)/installed-dev

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, with its venv module."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade 'pip>=25.1'

$(VENV)/installed: $(BIN)/python pyproject.toml
	$(INSTALL) --editable .
	$(COMPILE) autograder $(VENV)/lib/python*/site-packages || true
	touch $@

$(VENV)/installed-dev: $(BIN)/python pyproject.toml
	$(INSTALL) --editable . --group dev
	$(COMPILE) autograder $(VENV)/lib/python*/site-packages || true
	touch $(VENV)/installed $@

clean:
	rm -rf $(VENV) demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
