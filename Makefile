# Two commands on a fresh machine: make demo, make test. Second calls do not reinstall.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

CORE := .venv-core
PAGE := src/limner/server/static/index.html

.PHONY: help demo test install lint types contracts tests page bench lock clean

help:           ## list the commands
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/: .*## /\t/'

install: $(VENV)/.installed  ## make .venv and install limner with all that development needs

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -q --upgrade "pip>=24"
	$(BIN)/python -m pip install --disable-pip-version-check -q -e ".[train,dev]"
	@touch $@

$(CORE)/.installed: pyproject.toml  # what a user without PyTorch has
	$(PYTHON) -m venv $(CORE)
	$(CORE)/bin/python -m pip install --disable-pip-version-check -q --upgrade "pip>=24"
	$(CORE)/bin/python -m pip install --disable-pip-version-check -q -e .
	@touch $@

page: $(PAGE) ## build the page of limner serve (needs Node 20 or newer)

$(PAGE): $(shell find web -type f -not -path "*/node_modules/*" 2>/dev/null)
	@if command -v npm > /dev/null; then \
	  cd web && npm ci --ignore-scripts --no-audit --no-fund && npm test && npm run build; \
	else echo "left out: the page of limner serve and its tests, since there is no npm here"; fi

demo: install ## the main job on built-in pictures
	$(BIN)/limner demo --overwrite

test: install lint types contracts tests ## every check

lint: install ## style
	$(BIN)/ruff check src tests benchmarks examples tools build_hook.py

types: install ## mypy, strict
	$(BIN)/mypy

contracts: install ## which room may import which
	$(BIN)/lint-imports

tests: install $(CORE)/.installed page ## unit, property, contract and journey tests
	$(BIN)/python -m pytest -rs

DATA ?= ../shared/data
bench: install ## measure speed and accuracy (DATA=folder of data sets; hours) and write docs/benchmarks.md
	$(BIN)/python -m pip install --disable-pip-version-check -q tensorflow
	mkdir -p benchmarks/results
	$(BIN)/python -m benchmarks.speed --json benchmarks/results/speed.json
	$(BIN)/python -m benchmarks.runtimes --json benchmarks/results/runtimes.json
	$(BIN)/python -m benchmarks.profile_step --json benchmarks/results/profile.json
	$(BIN)/python -m benchmarks.accuracy $(DATA)
	$(BIN)/python -m benchmarks.page

lock: install ## pin the versions of all dependencies anew, list their licences
	$(BIN)/python -m pip install --disable-pip-version-check -q uv
	$(BIN)/python -m tools.lock
	$(BIN)/python -m tools.licences

clean:          ## remove what the commands made
	rm -rf $(VENV) $(CORE) limner-demo runs build dist web/node_modules src/limner/server/static
