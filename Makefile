# The commands of the project. `make demo` and `make test` work from a clean clone; each sets up what it needs.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

export CARGO_TARGET_DIR ?= $(CURDIR)/target
BIN := $(CARGO_TARGET_DIR)/debug
VENV := $(CARGO_TARGET_DIR)/venv
NODE := $(CARGO_TARGET_DIR)/node
WASM := --release --locked --target wasm32-wasip2

help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: ## What the build needs: the wasm target
	@rustup target list --installed | grep -qx wasm32-wasip2 || rustup target add wasm32-wasip2

# What is built: the programs; with the tests, everything, in one go. A dependency's features are those that all of what is built with it asks
# for, so that a build of less in between would compile wasmtime a second time.
WHAT := -p casemate -p casemate-close -p casemate-upstreams -p casemate-demo -p casemate-rmcp-client -p casemate-hackerone-check
ALL := --workspace --exclude casemate-guests
test console-test interop ci: export WHAT := $(ALL) --all-targets

# In CI, clippy compiles what is ours: it looks at everything while it is built, and nothing is compiled for it alone. CLIPPY_ARGS is what
# `cargo clippy` gives to it.
CLIPPY ?=
ci: export CLIPPY := --config 'build.rustc-workspace-wrapper="clippy-driver"'
ci: export CLIPPY_ARGS := -Dwarnings

build: setup ## The programs
	cargo build --locked $(CLIPPY) $(WHAT)

demo: build ## A publisher, an operator and an agent on one terminal
	@$(BIN)/casemate-demo

redteam: build ## Named attacks on the default configuration, and what stops each
	@folder=$$(mktemp -d) && trap "rm -rf $$folder" EXIT && $(BIN)/casemate --dir $$folder init > /dev/null && $(BIN)/casemate --dir $$folder redteam

guests: setup ## The hostile components the tests use
	CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS="-C link-arg=-zstack-size=65536" cargo build $(WASM) -p casemate-guests --examples

PLUGINS := $(patsubst plugins/%/plugin.toml,%,$(wildcard plugins/*/plugin.toml))

# What a reviewer would ask about and is meant is answered in the plugin's lint.txt: a code, and why.
plugins: build ## Every plugin, packed and not signed, under target/packages; a reviewer has nothing left to ask about
	@for plugin in $(PLUGINS); do \
	    $(BIN)/casemate pack plugins/$$plugin --out $(CARGO_TARGET_DIR)/packages; \
	    meant=$$(sed 's/^\([a-z-]*\) .*/--allow \1/' plugins/$$plugin/lint.txt 2> /dev/null || true); \
	    $(BIN)/casemate lint --deny $$meant $(CARGO_TARGET_DIR)/packages/$$plugin-*.wasm; \
	done

test: build guests plugins nextest interop-setup ## Every test
	cargo nextest run --locked $(CLIPPY) $(ALL)
	cargo test --locked --doc $(CLIPPY) $(ALL)
	$(MAKE) --no-print-directory interop

nextest:
	@command -v cargo-nextest > /dev/null || cargo install --locked cargo-nextest
	@tests/interop/debian.sh ssh-agent:openssh-client dbus-daemon:dbus-daemon dbus-send:dbus-bin gnome-keyring-daemon:gnome-keyring secret-tool:libsecret-tools nft:nftables ip:iproute2
	@tests/interop/unpacked.sh $(CARGO_TARGET_DIR)/debian crowdsec crowdsec-firewall-bouncer libsqlite3-0
	@tests/interop/postgresql.sh $(CARGO_TARGET_DIR)/debian

# Independent implementations of the same protocols, pinned: they check us, and we check them.
interop-setup: $(VENV)/.ready $(VENV)-mcp1/.ready $(VENV)-fastmcp/.ready $(VENV)-limacharlie/.ready $(VENV)-aws/.ready $(VENV)-mitmproxy/.ready $(NODE)/.ready $(NODE)/languages/.ready $(NODE)/oauth/.ready

$(VENV)/.ready: tests/interop/requirements.txt plugins/examples/python/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet -r $<
	@touch $@

# What cannot stand beside the others, each alone.
$(VENV)-%/.ready: tests/interop/clients/%.txt
	python3 -m venv $(VENV)-$*
	$(VENV)-$*/bin/pip install --quiet -r $<
	@touch $@

$(NODE)/.ready: tests/interop/package.json tests/interop/package-lock.json
	mkdir -p $(NODE)
	cp tests/interop/package.json tests/interop/package-lock.json $(NODE)/
	npm ci --prefix $(NODE) --ignore-scripts --no-audit --no-fund --silent
	@touch $@

# What builds the plugin in JavaScript; Python's is in the virtual environment.
$(NODE)/languages/.ready: plugins/examples/javascript/package.json plugins/examples/javascript/package-lock.json
	mkdir -p $(NODE)/languages
	cp $^ $(NODE)/languages/
	npm ci --prefix $(NODE)/languages --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(NODE)/oauth/.ready: tests/interop/oauth/package.json tests/interop/oauth/package-lock.json
	mkdir -p $(NODE)/oauth
	cp $^ $(NODE)/oauth/
	npm ci --prefix $(NODE)/oauth --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(NODE)-console/.ready: tests/console/package.json tests/console/package-lock.json
	mkdir -p $(NODE)-console
	cp $^ $(NODE)-console/
	npm ci --prefix $(NODE)-console --ignore-scripts --no-audit --no-fund --silent
	@touch $@

console-test: build guests plugins nextest $(NODE)-console/.ready ## The console in Chromium; what its pages look like is left in target/console-screenshots
	@tests/interop/debian.sh chromium:chromium node:nodejs
	cargo nextest run --locked $(CLIPPY) $(ALL) --run-ignored only -E 'test(console::chromium)'

interop: build interop-setup ## What the tests did not write: the MCP conformance suite, every promised client, vt-py, oras; plugins in other languages
	tests/interop/run.sh $(BIN) $(VENV) $(NODE)

lint: style ## Formatting, clippy, the WIT against its users, the wrong arrows between crates
	cargo clippy --locked $(ALL) --all-targets -- -D warnings

style: setup
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo fmt --manifest-path fuzz/server/Cargo.toml --check
	tests/lint/wit.sh
	tests/lint/arrows.sh
	tests/lint/threats.sh

deny: ## Licences, sources and advisories of every dependency
	@command -v cargo-deny > /dev/null || cargo install --locked cargo-deny
	cargo deny --config .deny.toml check bans licenses sources
	cargo deny --config .deny.toml check advisories || echo "the advisory database could not be fetched; run again with the network"

# Seconds that each target runs for. What breaks one is left in fuzz/artifacts; a fault found is a named test first.
FUZZ_SECONDS ?= 600
FUZZ_SHORT_SECONDS ?= 5

fuzz: setup ## Every reader of foreign bytes, given bytes nobody would write; FUZZ_SECONDS each
	fuzz/run.sh $(FUZZ_SECONDS)

fuzz-short: setup ## The same, a few seconds each, but for those that need more than a minute to build
	FUZZ_FLAGS=--no-default-features fuzz/run.sh $(FUZZ_SHORT_SECONDS)

fuzz-server: setup ## What clients send, given to the whole server; FUZZ_SECONDS each, after a long build
	FUZZ_DIR=fuzz/server fuzz/run.sh $(FUZZ_SECONDS)

bench: setup ## Per-call overhead over a native echo server, measured in the same run; the start of every plugin; then decisions, the gate and the audit log
	cargo build --locked --release -p casemate -p casemate-bench
	$(CARGO_TARGET_DIR)/release/casemate-bench --json $(CARGO_TARGET_DIR)/bench.json
	cargo bench --locked -p casemate-policy -p casemate-audit --bench decide --bench append

# Seconds under load, after a warm-up; the bar is 600.
LOAD_SECONDS ?= 20

load: setup ## 1,000 connections, 8 principals with 64 calls in flight each: no answer lost, no memory grown; LOAD_SECONDS long
	cargo build --locked --release -p casemate -p casemate-bench
	$(CARGO_TARGET_DIR)/release/casemate-bench load --seconds $(LOAD_SECONDS)

ci: style test console-test demo fuzz-short ## What the gate runs

install: ## The program, optimised, into ~/.cargo/bin
	cargo install --locked --path host/server

.PHONY: help setup build demo redteam guests plugins test console-test nextest interop-setup interop lint style deny fuzz fuzz-short fuzz-server bench load ci install
