# What people type here. Every target sets up what it needs, on a machine that
# has only make and Python 3.11 or later.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check format bench kafka simulate replay clean

help:
	@echo "make demo     the whole story on one machine, on real files (DIR=PATH: the folder that goes in)"
	@echo "make test     every test (ARGS='-k NAME' picks some)"
	@echo "make kafka    get ready what the tests on Kafka need: a Docker engine, an image of Kafka"
	@echo "make check    format, lint, types, architecture"
	@echo "make format   put every file into the format that check wants"
	@echo "make simulate SEEDS=n             n random runs of whole clusters, on all cores"
	@echo "make replay SEED=n STEPS=n        one of them as a transcript"
	@echo "make bench    measure this machine (ARGS=NAME picks one)"
	@echo "make clean    remove all that these made here"

demo: $(READY)
	@exec $(BIN)/osdlog demo $(DIR)

# Most tests wait for processes, disks and brokers: two at a time take half as long.
test: $(READY) kafka
	@exec $(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

check: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/architecture

format: $(READY)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# Nothing to do where both are there; else it says what it does, or what to do.
kafka: $(READY)
	@PYTHONPATH=tests $(BIN)/python -m brokers

bench: $(READY)
	@exec $(BIN)/python -m benchmarks $(ARGS)

SEEDS ?= 1000
STEPS ?= 200

simulate: $(READY)
	@PYTHONPATH=.:tests exec $(BIN)/python -m simulation search --seeds $(SEEDS) --steps $(STEPS) $(ARGS)

replay: $(READY)
	@PYTHONPATH=.:tests exec $(BIN)/python -m simulation replay $(SEED) --steps $(STEPS) $(ARGS)

clean:
	rm -rf $(VENV) build dist profiles .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is touched last, so a set-up that was interrupted is done again.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "osdlog needs Python 3.11 or later, and $(PYTHON) is not one." >&2; \
	    echo "Install it, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; \
	    exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments: a part of it is not installed." >&2; \
	    echo "On Debian and Ubuntu: apt-get install python3-venv; then run make again." >&2; \
	    exit 1; }
	@echo "Setting up $(VENV): once, and again when pyproject.toml changes." >&2
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' || { \
	    echo "The libraries could not be installed; see pip's message above." >&2; \
	    exit 1; }
	@touch $@
