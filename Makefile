# The commands of a checkout. Each target sets up all it needs; `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CRATE := --manifest-path proxy/stopgap-core/Cargo.toml --locked
LISTEN ?= 127.0.0.1:8080
export PATH := $(CURDIR)/.venv/bin:$(PATH):$(HOME)/.cargo/bin:/usr/sbin

.PHONY: help
help: ## This list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):[^#]*## /make \1\t/' | expand -t 14

.PHONY: setup
setup: ## Make .venv with Stopgap and all that its tests need (PYTHON=... to choose one)
	@deploy/setup.sh --dev

.PHONY: run
run: ## Serve before a pretend IIS 5, or before ORIGIN=http://host:port (LISTEN=address:port)
	@deploy/setup.sh
	@exec stopgap serve $(if $(ORIGIN),--origin '$(ORIGIN)',--demo) --listen '$(LISTEN)'

.PHONY: test
test: lint ## Lint, then the tests of the core and of everything else
	@tests/need.sh nginx openssl curl
	cargo test --quiet $(CRATE)
	python -m pytest

.PHONY: lint
lint: setup ## ruff, mypy --strict, rustfmt and clippy
	@tests/need.sh rustfmt clippy
	ruff check
	ruff format --check
	mypy
	cargo fmt --manifest-path proxy/stopgap-core/Cargo.toml --check
	cargo clippy --quiet $(CRATE) --all-targets -- -D warnings

.PHONY: bench
bench: setup ## Measure beside nginx, HAProxy, ModSecurity and mitmproxy (BENCH="--cases keepalive --rounds 5")
	@tests/need.sh nginx openssl wrk haproxy modsecurity
	python -m tests.bench $(BENCH)

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf .venv build dist proxy/*.egg-info proxy/stopgap-core/target proxy/stopgap/_core*.so
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find proxy tests -name __pycache__ -type d -prune -exec rm -rf {} +
