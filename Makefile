# `make run` and `make test` need nothing but Python 3.11 and make: both set up .venv by themselves, once.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install -qq
BUF    := $(BIN)/buf

# Where `make run` listens and keeps its state.
LISTEN ?= $(or $(CUSTOMER_OPS_LISTEN),127.0.0.1:50050)
DATA   ?= $(or $(CUSTOMER_OPS_DATA_DIR),data)

.DEFAULT_GOAL := help
.PHONY: help run test lint types contract unit unit-first unit-other proto proto-accept bench test-compose clean

help:
	@echo 'make run           start the stack and play a customer'"'"'s whole week (LISTEN=$(LISTEN) DATA=$(DATA))'
	@echo 'make test          everything that CI checks'
	@echo 'make lint          style, types and contract only'
	@echo 'make unit          the tests only; one part of them: make unit-first, make unit-other'
	@echo 'make proto         regenerate the stubs after a change of the contract'
	@echo 'make proto-accept  take the present contract as the baseline of the wire-compatibility check'
	@echo 'make bench         throughput and latency beside a bare echo server'
	@echo 'make test-compose  the docker-compose set-up, tried for real (needs a container engine)'
	@echo 'make clean         remove everything that was made, but for the data'

# --- set-up -----------------------------------------------------------------------------------------------------------

PROJECTS := pyproject.toml protos/pyproject.toml

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'Python 3.11 or later is needed; name one with: make PYTHON=/path/to/python3' >&2; exit 1; }
	@echo 'Setting up $(VENV), this once ...'
	@$(PYTHON) -m venv $(VENV)

# A stamp is written only when the installation went through, so that an interrupted one is taken up again.
$(VENV)/.ready-to-run: $(PROJECTS) | $(BIN)/python
	@echo 'Installing what it runs on ...'
	@$(PIP) --editable ./protos --editable .
	@touch $@

$(VENV)/.ready-to-test: $(PROJECTS) | $(BIN)/python
	@echo 'Installing what it runs on and is tested with ...'
	@$(PIP) --editable ./protos --editable '.[dev]'
	@touch $@ $(VENV)/.ready-to-run

# --- running ----------------------------------------------------------------------------------------------------------

run: $(VENV)/.ready-to-run
	@$(BIN)/python -m customer_ops up --demo --listen $(LISTEN) --data $(DATA)

# --- checking ---------------------------------------------------------------------------------------------------------

test: lint unit

lint: $(VENV)/.ready-to-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(MAKE) --no-print-directory contract

# The imports that are not ours are made from installed packages (--check does it) before buf reads them, and do not count
# in the check for breaking changes. That one compares images: the workspace has two modules, the baseline is one image.
contract: $(VENV)/.ready-to-test
	$(BIN)/python protos/tools/generate.py --check
	$(BUF) lint
	$(BUF) format --diff --exit-code --path protos/dealix
	$(BUF) build --path protos/dealix --output $(VENV)/contract.binpb
	$(BUF) breaking $(VENV)/contract.binpb --against protos/baseline.binpb --exclude-imports

# Two parts of about the same length, side by side: what each has to say is shown as a whole when it has ended, and one that
# fails does not keep the other from ending. They start a hundred processes, which share what Python has compiled.
PYTEST := exec env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest
FIRST  := tests/classifier tests/rpc tests/unit
# Make before 4.0 cannot keep the two outputs apart.
APART  := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

unit: $(VENV)/.ready-to-test
	@echo 'Testing in two parts side by side, each shown when it has ended: $(FIRST) | the other tests'
	@$(MAKE) --no-print-directory --jobs=2 --keep-going $(APART) unit-first unit-other

unit-first: $(VENV)/.ready-to-test
	$(PYTEST) $(FIRST)

unit-other: $(VENV)/.ready-to-test
	$(PYTEST) $(addprefix --ignore=,$(FIRST))

proto: $(VENV)/.ready-to-test
	$(BIN)/python protos/tools/generate.py
	$(BUF) format --write --path protos/dealix

proto-accept: $(VENV)/.ready-to-test
	$(BIN)/python protos/tools/generate.py --third-party-only
	$(BUF) build --path protos/dealix --exclude-source-info --output protos/baseline.binpb

bench: $(VENV)/.ready-to-test
	$(BIN)/python -m tests.bench

test-compose: $(VENV)/.ready-to-test
	PATH="$(CURDIR)/$(BIN):$$PATH" tests/compose/run

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .bench protos/third_party
	find . -name '*.egg-info' -prune -exec rm -rf {} +
	find . -name __pycache__ -prune -exec rm -rf {} +
