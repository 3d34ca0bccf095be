# Needs python3 (3.11 or newer), make and git. All else is installed into .venv, at the exact
# versions of requirements.lock. Paths are relative, so the checkout may lie anywhere.

PYTHON ?= python3
# Half of their time tests wait for servers, so three share two processors.
TESTERS ?= 3
SEEDS ?= 1000
STEPS ?= 30
LOGS ?= 200

BIN := .venv/bin
# Touched last: an installation that was broken off is taken up again, a complete one is not.
INSTALLED := .venv/installed
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check simulate audit-sweep histories kill bench format schemas pictures lock clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile | expand -t 20

demo: $(INSTALLED) ## run the main job on this machine: a verified census of Python's own sources
	@$(BIN)/lota demo

test: $(INSTALLED) ## run every test; what needs docker or npm and finds none is skipped, aloud
	@$(BIN)/python -m tests.servers.js_ipfs
	@$(BIN)/python -m tests.examples.js_subscriber
	@$(BIN)/python -m pytest -q -n $(TESTERS) --dist worksteal

check: $(INSTALLED) ## formatting, lint, types, import directions, tidiness
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q tests/test_tidy.py

simulate: $(INSTALLED) ## run the whole network under SEEDS=1000 seeds of a virtual clock
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS)

audit-sweep: $(INSTALLED) ## audit LOGS=200 simulated logs, and each with single bytes changed
	@$(BIN)/python -m tests.projections.audit.sweep --logs $(LOGS)

histories: $(INSTALLED) ## record tests/histories/decisions for a new version of the policy
	@$(BIN)/python -m tests.histories.decisions.record

kill: $(INSTALLED) ## kill nodes while they publish, at each of the first STEPS=30 steps, by each driver
	@LOTA_KILL_STEPS=$(STEPS) $(BIN)/python -m pytest -q -n 2 tests/integration/test_publish_kill.py

bench: $(INSTALLED) ## print every figure the README quotes, each beside its limit or its peer
	@$(BIN)/python -m benchmarks

format: $(INSTALLED) ## format, and mend what lint can mend
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

schemas: $(INSTALLED) ## write docs/events and docs/openapi.json anew from the types
	@$(BIN)/python -m tests.events.documents
	@$(BIN)/python -m tests.node.web.api.description

pictures: $(INSTALLED) ## draw docs/pictures anew in a browser, of a network that has been at work
	@$(BIN)/python -m tests.node.web.pages.pictures

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Lota needs Python 3.11 or newer and '$(PYTHON)' is none:" \
	    "name another with make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "1/3 making .venv"
	@$(PYTHON) -m venv .venv || { \
	  echo "No virtual environment could be made. On Debian: apt install python3-venv"; exit 1; }
	@echo "2/3 installing $$(grep -c == requirements.lock) packages"
	@$(PIP) install --no-deps -r requirements.lock
	@echo "3/3 installing lota"
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

lock: ## resolve pyproject.toml anew, in a throw-away environment, into requirements.lock
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON) -m venv "$$folder"; \
	"$$folder/bin/python" -m pip -qq install '.[dev]'; \
	{ sed '/^[^#]/,$$d' requirements.lock; \
	  "$$folder/bin/python" -m pip freeze --all --exclude pip --exclude lota; } > "$$folder/lock"; \
	cp "$$folder/lock" requirements.lock; \
	rm -rf build; \
	grep -c == requirements.lock

clean: ## remove .venv, caches and builds
	rm -rf .venv build dist lota.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
