# Everything a person or a CI machine starts. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PORT ?= 8000
DATA_DIR ?= $(CURDIR)/var
# The first of these that is Python 3.11; asking each keeps version managers' placeholders out.
PYTHON ?= $(shell for name in python3.11 python3 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
# Tests that share something slow, such as the running program, stay together in one of the two processes.
IN_PARALLEL := -n 2 --dist loadgroup
# Where `make check` pretends to run: the settings that a server on the internet would have.
AS_DEPLOYED := DEBUG=false PUBLIC_URL=https://crm.example.com ALLOWED_HOSTS=crm.example.com BEHIND_TLS_PROXY=true \
	SECURE_HSTS_SECONDS=31536000 SECURE_HSTS_STRICT=true \
	SECRET_KEY=only-for-this-check-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFG

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export DATA_DIR

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: install
install: .venv/installed-dev ## Make .venv with everything pinned

.PHONY: demo
demo: .venv/installed-base ## Run it all with a demo store (PORT=8000 moves it); Ctrl-C ends it
	@env DATABASE_URL="sqlite:///$(DATA_DIR)/insightarc.sqlite3" CELERY_BROKER_URL=embedded:// REDIS_URL= EMAIL_URL= \
		EMAIL_BACKEND=signals_app.emails.mailbox.LocalMailboxBackend BEHIND_TLS_PROXY=false \
		PUBLIC_URL="http://127.0.0.1:$(PORT)" OUTGOING_ALLOW_PRIVATE=127.0.0.0/8,::1/128 \
		$(MANAGE) demo --port $(PORT)

.PHONY: run
run: .venv/installed-base ## Migrate, then run web, worker and beat (PORT=8000)
	@$(MANAGE) migrate --verbosity 0
	@exec $(MANAGE) run --port $(PORT)

.PHONY: test
test: .venv/installed-dev ## Run the tests on SQLite, but for those that are slow or start programs
	$(BIN)/python -m pytest $(IN_PARALLEL) -m "not slow and not processes and not browser"

.PHONY: test-slow
test-slow: .venv/installed-dev ## Run the others: slow ones, the running program with kill -9, a real Chromium
	$(BIN)/python -m pytest $(IN_PARALLEL) -m "slow or processes or browser"

.PHONY: test-postgresql
test-postgresql: .venv/installed-dev ## Run the tests of the database on an embedded PostgreSQL, or that of DATABASE_URL
	$(BIN)/python -m tests.on_postgresql $(IN_PARALLEL) --database-only -m "not processes and not browser"

.PHONY: bench
bench: .venv/installed-dev ## Measure beside a no-op view and a textbook peer, 20 minutes; into docs/benchmarks/
	$(BIN)/python -m benchmarks --plan full --record

.PHONY: bench-short
bench-short: .venv/installed-dev ## The same in small, printed only
	$(BIN)/python -m benchmarks --plan short

.PHONY: chaos
chaos: .venv/installed-dev ## Break the program under load and check its promises (SEED=1 repeats a run)
	$(BIN)/python -m chaos $(if $(SEED),--seed $(SEED)) $(CHAOS)

.PHONY: chaos-short
chaos-short: .venv/installed-dev ## The same with fewer faults, in about a minute
	$(BIN)/python -m chaos --short $(if $(SEED),--seed $(SEED)) $(CHAOS)

.PHONY: check
check: .venv/installed-dev ## Lint, format, types, architecture, migrations, deployment settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MANAGE) makemigrations --check --dry-run
	env $(AS_DEPLOYED) $(MANAGE) check --deploy --fail-level WARNING

.PHONY: format
format: .venv/installed-dev ## Format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: frontend
frontend: ## Build the bundle of the conditions' builder, which is committed (needs Node 20 and npm)
	npm --prefix frontend ci --ignore-scripts --no-audit --no-fund
	cd frontend && node --test test && node build.mjs

.PHONY: requirements
requirements: ## Pin the newest versions that pyproject.toml allows (needs uv)
	UV_CUSTOM_COMPILE_COMMAND="make requirements" uv pip compile --quiet --upgrade --no-emit-index-url --generate-hashes \
		--python-version 3.11 pyproject.toml --output-file requirements/base.txt
	UV_CUSTOM_COMPILE_COMMAND="make requirements" uv pip compile --quiet --upgrade --no-emit-index-url --generate-hashes \
		--python-version 3.11 --extra dev pyproject.toml --constraint requirements/base.txt \
		--output-file requirements/dev.txt

.PHONY: clean
clean: ## Remove the environment and all data of the embedded default
	rm -rf .venv var

# Without ensurepip, which some systems leave out, the new environment has no pip; the one outside installs into it.
.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 is needed and was not found; name it with PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv --without-pip --clear .venv

.venv/installed-%: requirements/%.txt | .venv/bin/python
	@echo "Installing $< into .venv (about a minute)"
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --quiet --require-hashes --requirement $<
	@touch $@
