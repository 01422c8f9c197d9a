# One door for everybody: `make` lists what there is.
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/watchfloor

.DEFAULT_GOAL := help
.PHONY: help run serve demo test lint types eval armour soak audit licences bench lock clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/installed  ## set up if need be, then one cycle: poll, read, judge, group, alert
	@$(RUN) run

serve: .venv/installed  ## the schedules, with Prefect's server and UI
	@$(RUN) serve

demo: .venv/installed  ## a small newspaper on loopback, watched for two cycles; needs no network
	@$(RUN) demo

test: .venv/developed lint types  ## lint, types and all tests: what CI runs
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: .venv/developed  ## ruff, as linter and as format check
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/developed  ## mypy, strict
	@$(BIN)/mypy

eval: .venv/developed  ## the quality of filter, grouping and extraction, with the worst errors
	@$(BIN)/python -m pytest tests/eval -q -s

armour: .venv/developed  ## hostile input, kills, full disks, fuzzing, in full: an hour or two, results are printed
	@WATCHFLOOR_ARMOUR=all $(BIN)/python -m pytest tests/armour tests/test_delivery.py -q -s

soak: .venv/developed  ## an hour of 200 feeds with new items each minute: does it grow? (MINUTES=60)
	@$(BIN)/python -m bench.soak $(or $(MINUTES),60)

audit: requirements.lock  ## known vulnerabilities in what the lock installs (needs uv, and asks the index's advisories)
	uv tool run pip-audit --strict --disable-pip --require-hashes -r requirements.lock

licences: .venv/developed  ## write docs/licences.md again from the packages' metadata
	@$(BIN)/python -m bench.licences

bench: .venv/developed  ## speed against feedparser, a naive loop and a peer, as ratios; minutes (SCALE=1: an hour)
	@$(BIN)/python -m bench --scale $(or $(SCALE),0.2)

lock:  ## make both locks again from pyproject.toml (needs uv)
	uv pip compile --universal --generate-hashes --no-header --python-version 3.11 --extra build \
	    --extra charts pyproject.toml -o requirements.lock
	uv pip compile --universal --generate-hashes --no-header --python-version 3.11 --extra build --extra postgresql \
	    --extra charts --extra parquet --extra ner --extra tune --extra similar --extra dask --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:  ## remove the environment and all caches, never your data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

# The locks are complete, so --no-deps: older pips stumble over extras in hash mode when they resolve again.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Watchfloor needs Python 3.11 or newer; say which one with: make run PYTHON=python3.12")'
	@$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python requirements.lock pyproject.toml
	@echo "Installing Watchfloor into .venv (once) ..."
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

.venv/developed: .venv/installed requirements-dev.lock
	@echo "Installing the developer's tools into .venv (once) ..."
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@
