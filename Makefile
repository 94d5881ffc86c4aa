# Two commands do everything: `make run` starts the app, `make test` runs every check. Each sets up what it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8501

# what watches processes and browsers comes second, when no other test keeps the cores from them
COMPUTING := tests/unit tests/contract tests/property tests/golden tests/corpus tests/pages

.PHONY: run test lint types bench samples example browser constraints clean

run: $(VENV)/run.stamp $(VENV)/compiled.stamp
	$(BIN)/python -m streamlit run app.py --server.address $(HOST) --server.port $(PORT)

test: lint types browser $(VENV)/compiled.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto $(COMPUTING)
	$(BIN)/python -m pytest -n auto $(addprefix --ignore=,$(COMPUTING))

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m tools.constraints

types: $(VENV)/dev.stamp
	$(BIN)/mypy

browser: $(VENV)/dev.stamp
	sh tests/e2e/ensure_browser.sh $(BIN)/python

bench: $(VENV)/dev.stamp $(VENV)/compiled.stamp
	$(BIN)/python -m benchmarks

samples: $(VENV)/run.stamp
	$(BIN)/python -m data.samples.make

example: $(VENV)/run.stamp
	$(BIN)/python -m data.samples.attention

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Recscope needs Python 3.11 or later; found " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

# the versions of everything, also of what the requirements bring along, for all platforms from Python 3.11 on; kept as
# they are where they still fit, or the latest with UPGRADE=--upgrade
constraints: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --no-annotate \
		--custom-compile-command "make constraints" $(UPGRADE) --output-file constraints.txt requirements-dev.txt

$(VENV)/run.stamp: requirements.txt constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt
	touch $@

$(VENV)/dev.stamp: requirements.txt requirements-dev.txt constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	touch $(VENV)/run.stamp $@

# compile the sources and the hot loops once, so that neither the first page nor the first click waits for it; machine
# code of older sources goes, since numba looks at the file of the calling loop only
$(VENV)/compiled.stamp: $(wildcard recsys_core/models/*.py recsys_core/evaluation/*.py) | $(VENV)/run.stamp
	$(BIN)/python -m compileall -q app.py pages web recsys_core
	find recsys_core -name '*.nb[ic]' -delete
	$(BIN)/python -m recsys_core.engine.warmup
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
