# Perennial: `make` lists what there is. Everything runs from a virtual environment in .venv, made on first use.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
UV_VERSION := $(shell sed -n 's/^uv==//p' requirements-dev.txt)
# uv does not read pip's settings: hand on those from pip's environment variables.
as_uv = $(if $($(1)),$(2)='$($(1))')
UV := env VIRTUAL_ENV=$(VENV) $(call as_uv,PIP_INDEX_URL,UV_DEFAULT_INDEX) $(call as_uv,PIP_EXTRA_INDEX_URL,UV_INDEX) \
	$(call as_uv,PIP_FIND_LINKS,UV_FIND_LINKS) $(call as_uv,PIP_CERT,SSL_CERT_FILE) $(BIN)/uv
PACKAGES := include plugins/perennial plugins/airflow_local_settings.py plugins/perennial_plugin.py dags lab demo bench tests

.DEFAULT_GOAL := help
.PHONY: help demo up down install test test-all properties lint bench format lock clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: install ## Back up three tenants, wreck one, restore it, compare, report: a few minutes, leaves nothing running
	@$(BIN)/python -m demo run

up: install ## Start the lab and Airflow in the foreground; Ctrl-C stops all of it
	@$(BIN)/python -m demo up

down: install ## Stop what a killed `make up` or `make demo` has left running
	@$(BIN)/python -m demo down

test: lint ## Lint, then all tests but the sweeps; the lab's own only where they may have changed
	$(BIN)/python -m tests.tiers

test-all: lint ## All of `make test`, then the sweeps, and the lab's own tests in any case
	$(BIN)/python -m tests.tiers all

properties: install ## Ask the rules of retention of 2,000 random timelines each (minutes)
	$(BIN)/pytest -n 2 tests/unit/retention/test_periods.py tests/unit/retention/test_properties.py --hypothesis-profile thorough

lint: install ## Style, types, import contracts, spelling, shell scripts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES)
	PYTHONPATH=.:plugins $(BIN)/lint-imports
	$(BIN)/codespell
	(git ls-files '*.sh'; git grep --files-with-matches --extended-regexp '^#!/.*sh$$') | sort -u | xargs $(BIN)/shellcheck

bench: install ## Measure, and write bench/results.md: all parts, or PART=fleet (`make bench PART=--help` lists them)
	PYTHONPATH=.:plugins $(BIN)/python -m bench $(PART)

format: install ## Format the code and mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: install ## Pin all dependencies again from requirements.in and requirements-dev.in
	$(UV) pip compile --quiet --python-version 3.11 requirements.in -o requirements.txt
	$(UV) pip compile --quiet --python-version 3.11 requirements-dev.in -o requirements-dev.txt

install: $(INSTALLED) ## Make .venv and install everything; done again when requirements-dev.txt changes

$(INSTALLED): requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) pip install --quiet --compile-bytecode -r requirements-dev.txt
	touch $@

clean: ## Stop everything and remove what was made: states, caches, .venv
	if [ -x $(BIN)/python ]; then $(BIN)/python -m demo down; fi
	rm -rf .lab .demo $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .tested-lab
