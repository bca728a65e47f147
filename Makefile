# The project's verbs.  `make` alone lists them.
#
# Everything goes into a virtual environment of its own; `make VENV=… PYTHON=… verb` changes where
# and with which interpreter.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
SOURCES := pyproject.toml labextension/package.json labextension/yarn.lock $(wildcard labextension/src/*.ts)
FRONT := labextension/node_modules/.yarn-state.yml

.DEFAULT_GOAL := help
.PHONY: help demo test check soak bench docs clean

help:  ## List the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## Try it: a clinic, JupyterLab and a gateway here (CHECK=1: without a browser)
	$(BIN)/python examples/demo.py $(if $(CHECK),--check)

test: $(VENV)/.test chromium postgres newer  ## Run every test but the long forms (ARGS="-k name" for some)
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.test $(FRONT)  ## Lint, types, import contracts, generated docs, the front end
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check
	cd labextension && ../$(BIN)/jlpm lint && ../$(BIN)/jlpm test

soak: $(VENV)/.test chromium postgres newer  ## The long forms: kill loops, fuzzing, scale, latency
	$(BIN)/python -m pytest -m soak --timeout 3600 $(ARGS)

bench: $(VENV)/.test postgres  ## Governed against direct, both sides in one run
	$(BIN)/python -m tests.benchmarks $(ARGS)

docs: $(VENV)/.test  ## Write the generated pages of docs/reference again
	$(BIN)/python docs/generate.py

clean:  ## Remove what the other verbs made
	rm -rf $(VENV) .demo build dist labextension/node_modules labextension/lib jupyter_gov/labextension

# ---------------------------------------------------------------- what the verbs need

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(SOURCES) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/.test: $(SOURCES) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[test,check]'
	@touch $@ $(VENV)/.demo

$(FRONT): labextension/yarn.lock labextension/package.json $(VENV)/.test
	cd labextension && ../$(BIN)/jlpm install --immutable
	@touch $@

# The browser of the e2e tests, from the system's own packages.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
	|| command -v google-chrome >/dev/null || { \
	  echo "no chromium here: installing it with apt-get"; \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo "sudo -n"); \
	  $$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends chromium; } \
	|| { echo "make test needs chromium for the browser tests: install it and try again" >&2; exit 1; }

# The server of the PostgreSQL tests, which start and end a cluster of their own.
.PHONY: postgres
postgres:
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null || { \
	  echo "no PostgreSQL here: installing it with apt-get"; \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo "sudo -n"); \
	  $$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends \
	    postgresql postgresql-contrib; } \
	|| { echo "make test needs a PostgreSQL server: install it and try again" >&2; exit 1; }

# Newer servers for what a version changed (23 MB each); without them those tests are skipped.
NEWER ?= 16 18
.PHONY: newer
newer: | $(VENV)/.test
	@$(BIN)/python -m tests.support.postgres_newer $(NEWER)
