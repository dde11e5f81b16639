# The commands of a checkout. Each target sets up all it needs; `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CRATE := --manifest-path proxy/stopgap-core/Cargo.toml --locked
FUZZED := --manifest-path tests/fuzz/core/Cargo.toml
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
	@tests/need.sh nginx apache2 openssl curl haproxy modsecurity h2load strace seccomp faketime prometheus chromium mitmproxy
	cargo test --quiet $(CRATE)
	python -m pytest -n 3 --dist worksteal

.PHONY: lint
lint: setup ## ruff, mypy --strict, rustfmt and clippy
	@tests/need.sh rustfmt clippy
	ruff check
	ruff format --check
	mypy
	cargo fmt --manifest-path proxy/stopgap-core/Cargo.toml --check
	cargo fmt $(FUZZED) --check
	cargo clippy --quiet $(CRATE) --all-targets -- -D warnings
	cargo clippy --quiet $(FUZZED) --locked --target-dir proxy/stopgap-core/target -- -D warnings

.PHONY: bench
bench: setup ## Measure beside nginx, HAProxy, ModSecurity and mitmproxy (BENCH="--cases keepalive --rounds 5")
	@tests/need.sh nginx openssl wrk haproxy modsecurity
	python -m tests.bench $(BENCH)

.PHONY: docs
docs: setup ## Write the pages of the rules and reasons, and the tables of the other pages, anew
	stopgap rules pages docs
	python -m tests.unit.doc_tables

.PHONY: matrix
matrix: setup ## Spell every rule's attacks in every way, and write docs/evasion.md
	python -m tests.matrix --write

.PHONY: benign
benign: setup ## Judge what honest clients send behind each preset (BENIGN="--count 100000")
	python -m tests.benign $(BENIGN)

.PHONY: floods
floods: setup ## Flood a gate in eight ways and measure honest clients (FLOODS="--scenario worms --seconds 20 --write")
	@tests/need.sh nginx
	python -m tests.floods $(FLOODS)

.PHONY: soak
soak: setup ## Mixed traffic with churn; is memory flat? (SOAK="--minutes 30")
	@tests/need.sh nginx openssl
	python -m tests.soak $(SOAK)

.PHONY: fuzz
fuzz: setup ## Bytes that nobody would think of, core by coverage (FUZZ="--minutes 60 --target core:receive")
	@tests/need.sh cargo-fuzz
	python -m tests.fuzz $(or $(FUZZ),--minutes 60)

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf .venv build dist proxy/*.egg-info proxy/stopgap-core/target proxy/stopgap/_core*.so
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find proxy tests -name __pycache__ -type d -prune -exec rm -rf {} +
