# The project's commands. `make` alone lists them.
#
# Needed: a Rust toolchain (1.95 or later) and a C compiler (`cc`), on Linux. What tests and benchmark call
# besides, they install from Debian where they may.

CARGO ?= cargo
# Where cargo puts what it builds.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
# Debian keeps nginx and ip where a user's PATH does not look.
export PATH := $(PATH):/usr/sbin:/sbin

.PHONY: help run demo-chain test bench check fmt clippy tools docs fuzz install

help:
	@echo "make run      build and see it work: three origins, the proxy before them, five commands to try"
	@echo "make demo-chain   the same with four proxies in a row: CDN, load balancer, gateway, sidecar"
	@echo "make test     everything that CI runs: format, lints, docs, fuzzing for a moment, all tests"
	@echo "make check    the quick part of it: format, lints, layout, generated docs, licences"
	@echo "make bench    measure beside nginx, HAProxy, Varnish and Envoy; one row: make bench ROW=h1-64"
	@echo "make docs     write docs/reference from the code"
	@echo "make install  the released binary to PREFIX/bin (PREFIX=$(PREFIX))"

# The quick profile: optimised, but without the last step that takes minutes. The first build takes some
# three minutes on two cores.
run:
	$(CARGO) run --profile quick --package bifrons -- demo

demo-chain:
	$(CARGO) run --profile quick --package bifrons -- demo-chain

# The totals of the tests stand at the end. All parts share one profile and one set of flags, so that nothing
# is built twice.
test: tools check fuzz
	$(CARGO) build --workspace --all-targets
ifneq ($(shell command -v cargo-nextest),)
	$(CARGO) test --workspace --doc
	BIFRONS_BIN=$(TARGET)/debug/bifrons $(CARGO) nextest run --workspace --no-fail-fast
else
	BIFRONS_BIN=$(TARGET)/debug/bifrons $(CARGO) test --workspace --no-fail-fast
endif

bench:
	bench/run.sh "$(ROW)"

check: fmt clippy
	$(CARGO) run --quiet --package xtask -- check
	$(CARGO) run --quiet --package xtask -- docs --check
# cargo-deny takes minutes to build, so it is not asked for; advisories need a network that CI has not.
ifneq ($(shell command -v cargo-deny),)
	$(CARGO) deny check bans licenses sources
endif

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --quiet --workspace --all-targets -- -D warnings

# Every fuzz target for a bounded number of executions.
fuzz:
	fuzz/run.sh --ci

# The programs that end-to-end tests use as clients and servers.
tools:
	@xtask/tools.sh

docs:
	$(CARGO) run --quiet --package xtask -- docs

PREFIX ?= /usr/local
install:
	$(CARGO) build --profile dist --locked --package bifrons
	install -D -m 755 $(TARGET)/dist/bifrons $(DESTDIR)$(PREFIX)/bin/bifrons
