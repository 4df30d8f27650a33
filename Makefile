# Both commands set up everything themselves: Python 3.11+ and make are all they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_OUT ?= runs

.PHONY: demo test lint install data benchmark benchmark-sampling clean

demo: $(VENV)/.eval
	$(BIN)/mmbench data build mini
	$(BIN)/mmbench evaluate submissions/nearest_text control:truth --out $(DEMO_OUT)

test: $(VENV)/.dev
	$(BIN)/mmbench data build mini
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(VENV)/.dev

data: $(VENV)/.eval
	$(BIN)/mmbench data build mini

benchmark: $(VENV)/.dev
	$(BIN)/python scripts/benchmark_scoring.py

benchmark-sampling: $(VENV)/.dev
	$(BIN)/python scripts/benchmark_sampling.py

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("mmbench needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.eval: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[eval]'
	touch $@

$(VENV)/.dev: $(VENV)/.eval
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[eval,train,dev]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
