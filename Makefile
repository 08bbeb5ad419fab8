# Two commands need nothing else: `make demo` and `make test`. Each does its own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CREDENCE := $(BIN)/credence
WORKERS ?= 2
export OMP_NUM_THREADS ?= 1

.PHONY: demo test setup setup-test lint types compile forge bench clean

demo: setup
	$(CREDENCE) simulate --attack sign_flip:2

test: setup-test lint types
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --cov --cov-report=term:skip-covered --cov-fail-under=90

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: Python 3.11 or newer is needed; run: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

# The compiler, anvil, forge and an IPFS daemon: for tests and for whoever changes the contracts.
setup-test: setup node_modules/.ready tests/ipfs/node_modules/.ready

node_modules/.ready: package-lock.json
	@command -v npm >/dev/null || { echo "error: the tests need Node 20 with npm; the demo does not" >&2; exit 2; }
	npm ci --ignore-scripts --silent --no-audit --no-fund
	@touch $@

tests/ipfs/node_modules/.ready: tests/ipfs/package-lock.json
	cd tests/ipfs && npm ci --ignore-scripts --legacy-peer-deps --silent --no-audit --no-fund
	@touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

compile: setup node_modules/.ready
	$(BIN)/python scripts/compile.py

clean:
	rm -rf $(VENV) node_modules tests/ipfs/node_modules runs .coverage .pytest_cache .mypy_cache .ruff_cache
