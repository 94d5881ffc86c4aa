# `make` lists what can be done. Each target sets up what it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8501

# worksteal keeps the tests of a file, which share servers and trained models, on one worker where it can
PYTEST := $(BIN)/python -m pytest --dist worksteal
COMPUTING := tests/unit tests/contract tests/property tests/golden tests/corpus tests/pages
# tests of processes and browsers run second, when no other test competes for the cores
WAITING_WORKERS ?= auto

# compiled modules, and rewritten assertions of tests, are there for the next process
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run check test lint texts types collected bench samples example browser constraints clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/run.stamp $(VENV)/compiled.stamp  ## serve the app; HOST=127.0.0.1 and PORT=8501 unless given
	$(BIN)/python -m streamlit run app.py --server.address $(HOST) --server.port $(PORT)

check: $(VENV)/dev.stamp $(VENV)/compiled.stamp  ## lint, types, quick unit tests, the contract of one model per family: minutes
	$(MAKE) --jobs=2 lint types
	OMP_NUM_THREADS=1 RECSCOPE_TEST_MATRIX=small $(PYTEST) -n auto -m "not slow" tests/unit tests/contract

# loops are compiled on one core; meanwhile the other one does what does not need them
test: $(VENV)/dev.stamp browser  ## everything: all tests, all models, engine and browser included
	$(MAKE) --jobs=2 $(VENV)/compiled.stamp types lint collected
	OMP_NUM_THREADS=1 $(PYTEST) -n auto $(COMPUTING)
	$(PYTEST) -n $(WAITING_WORKERS) $(addprefix --ignore=,$(COMPUTING))

lint: $(VENV)/dev.stamp  ## ruff, import layers, constraints, template of messages, vocabulary
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m tools.constraints
	$(BIN)/python -m tools.texts
	$(BIN)/python -m tools.words

# rewrites the assertions of all tests into the cache once, instead of in each worker
collected: $(VENV)/dev.stamp
	$(BIN)/python -m pytest --collect-only -q >$(VENV)/collected.txt || (cat $(VENV)/collected.txt; exit 1)

texts: $(VENV)/dev.stamp  ## extract the template of all messages for translators
	$(BIN)/python -m tools.texts --write

types: $(VENV)/dev.stamp  ## mypy
	$(BIN)/mypy

browser: $(VENV)/dev.stamp  ## bring the browser for the tests, if the system has none
	sh tests/e2e/ensure_browser.sh $(BIN)/python

bench: $(VENV)/dev.stamp $(VENV)/compiled.stamp  ## measure the figures that the product promises
	$(BIN)/python -m benchmarks

samples: $(VENV)/run.stamp  ## make the bundled samples anew
	$(BIN)/python -m data.samples.make

example: $(VENV)/run.stamp  ## train the attention example of the first visit anew
	$(BIN)/python -m data.samples.attention

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Recscope needs Python 3.11 or later; found " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

# the versions of everything, also of what the requirements bring along, for all platforms from Python 3.11 on; kept as
# they are where they still fit, or the latest with UPGRADE=--upgrade
constraints: | $(VENV)/bin/python  ## resolve the versions of all dependencies
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv -c constraints.txt
	$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --no-annotate \
		--custom-compile-command "make constraints" $(UPGRADE) --output-file constraints.txt requirements-dev.txt

$(VENV)/run.stamp: requirements.txt constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m tools.install requirements.txt
	touch $@

$(VENV)/dev.stamp: requirements.txt requirements-dev.txt constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m tools.install requirements-dev.txt
	touch $(VENV)/run.stamp $@

# compile the sources and the hot loops once, so that neither the first page nor the first click waits for it; machine
# code of older sources goes, since numba looks at the file of the calling loop only
$(VENV)/compiled.stamp: $(wildcard recsys_core/models/*.py recsys_core/evaluation/*.py recsys_core/strategy/*.py) | $(VENV)/run.stamp
	$(BIN)/python -m compileall -q app.py pages web recsys_core
	find recsys_core -name '*.nb[ic]' -delete
	$(BIN)/python -m recsys_core.engine.warmup
	touch $@

clean:  ## remove the environment and all caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
