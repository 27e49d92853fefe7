# Two commands do everything: `make sandbox` (try it) and `make test` (all checks and tests).
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help sandbox cluster test quick soak schedules check image bench diagnosis peers messages screenshots docs lock format clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 24

sandbox: $(VENV)/run.ok ## a Slack workspace and a pretend agent pod in your browser, with the real bot in it
	@$(BIN)/agentpod sandbox $(ARGS)

cluster: $(VENV)/dev.ok ## a real control plane with the agent pod in it, to try the product on (built once, in minutes)
	@$(BIN)/python -m tests.controlplane

test: $(VENV)/dev.ok ## all checks and all tests
	@scripts/test.sh

quick: $(VENV)/dev.ok ## for daily use: all checks, and the tests without the control plane, browser, kills and deployment (minutes)
	@QUICK=1 scripts/test.sh

soak: $(VENV)/dev.ok ## full soak test: no repair runs twice, no message is sent twice, no verdict is wrong: 22 × 200 rounds, two at a time (over an hour)
	@scripts/system-tools.sh psql prometheus-pushgateway
	@$(BIN)/python -m tests.soak $(ARGS)

schedules: $(VENV)/dev.ok ## hold 26,000 random crontab lines against the real supercronic and Debian's cron (minutes)
	@scripts/system-tools.sh cron cc
	@$(BIN)/python -m tests.schedules $(or $(ARGS),1000)

check: $(VENV)/dev.ok ## only lint, types and import rules
	@scripts/check.sh

image: $(VENV)/dev.ok ## run the Dockerfile's steps without a container engine, prove what comes out, list it by size
	@$(BIN)/python -m scripts.image

bench: $(VENV)/dev.ok ## measured ratios: prints a table, writes build/bench.json, fails if one doesn't hold
	@$(BIN)/python -m tests.benchmarks $(ARGS)

diagnosis: $(VENV)/dev.ok ## score the shipped runbook on the corpus in tests/diagnosis: prints a table, fails below 95 % or on an unproven claim
	@$(BIN)/python -m tests.diagnosis

peers: $(VENV)/dev.ok ## agentpod beside Errbot (from PyPI, in an environment of its own) on the same Slack: prints a table
	@$(BIN)/python -m tests.benchmarks.peers

messages: $(VENV)/dev.ok ## draw every message of the bot onto build/messages.html, and list what is wrong with them
	@$(BIN)/python scripts/messages.py $(ARGS)

screenshots: $(VENV)/dev.ok ## make the pictures in docs/ anew, from the sandbox's page
	@scripts/system-tools.sh chromium
	@$(BIN)/python -m scripts.pictures $(ARGS)

docs: $(VENV)/dev.ok ## write docs/settings.md, metrics.md, commands.md, rights.md, map.md and the man page anew, from the code
	@$(BIN)/python scripts/reference.py

lock: $(VENV)/dev.ok ## pin all dependencies anew (needs uv)
	@scripts/lock.sh

format: $(VENV)/dev.ok ## format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean: ## remove everything that was made here
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/run.ok: requirements.txt pyproject.toml scripts/venv.sh
	@scripts/venv.sh $(VENV) requirements.txt
	@touch $@

$(VENV)/dev.ok: requirements-dev.txt pyproject.toml scripts/venv.sh
	@scripts/venv.sh $(VENV) requirements-dev.txt
	@touch $@ $(VENV)/run.ok
