# Two commands do everything on a fresh machine with Linux and Python 3.11: make demo, make test.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench clean

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.compute: requirements.txt requirements/compute.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, $(PYTHON) is older: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing packages into $(VENV), which takes a minute or two."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/compute.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.compute requirements/cluster.txt requirements/openvino.txt requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json
	@if command -v npm >/dev/null; then npm ci --silent; \
	  else echo "npm is not installed: the tests of accessibility will be skipped."; fi

setup: $(VENV)/.compute ## The environment alone, to be entered with: source .venv/bin/activate

demo: $(VENV)/.compute ## Set up everything, compute the demo and serve it at 127.0.0.1:5000 (or PORT)
	$(BIN)/flask demo

test: $(VENV)/.dev node_modules/.package-lock.json ## Run all tests; says at the end what was skipped and why
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

check: $(VENV)/.dev ## Lint, formatting, types, and that migrations match the tables
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@folder=$$(mktemp -d) && trap "rm -rf $$folder" EXIT && \
	  export DATABASE_URL=sqlite:///$$folder/drift.sqlite3 && \
	  $(BIN)/flask db upgrade 2>/dev/null && $(BIN)/flask db check

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## Measure everything side by side, in 15 minutes on two cores
	$(BIN)/python -m benchmarks --output benchmarks/results

clean: ## Remove the environment and everything computed
	rm -rf $(VENV) node_modules var
