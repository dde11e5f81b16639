# The commands of a checkout. Each target sets up all it needs; `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PY := .venv/bin/python

.PHONY: help
help: ## This list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 14

.PHONY: setup
setup: ## .venv with Stopgap in it and all that tests need; rebuilds what changed (PYTHON=... to choose one)
	@deploy/setup.sh --dev

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf .venv build dist proxy/*.egg-info proxy/stopgap-core/target proxy/stopgap/_core*.so
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find proxy tests -name __pycache__ -type d -prune -exec rm -rf {} +
