# SPDX-License-Identifier: Apache-2.0
# The front door. `make demo` and `make test` do all set-up on a fresh Debian 12 machine with
# Python 3.11 and are quick the second time.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

APT := build-essential pkg-config ninja-build ccache clang libclang-rt-14-dev \
	libbson-dev libmongoc-dev libsqlite3-dev libpcre2-dev libicu-dev libssl-dev libcmocka-dev \
	libintelrdfpmath-dev python3-dev python3-venv libcurl4 openssl

SOURCES := $(shell git ls-files -co --exclude-standard include src python meson.build meson.options pyproject.toml 2>/dev/null)

.PHONY: django-suite matrix help demo test build setup bench faults forks fuzz mutants lint nightly extension sessions soak threads clean distclean

help:
	@echo "make demo    a REST API over 34,000 cities, the admin, on http://127.0.0.1:8000/ (Ctrl-C stops it)"
	@echo "make test    lint and every test: C under sanitizers, Python on memory, file and a real mongod"
	@echo "make build   the package, its extension and the docstore program in $(VENV)"
	@echo "make bench   the benchmarks of docs/benchmarks.md"
	@echo "make forks   what a forked child may use, for some minutes"
	@echo "make mutants changes of the Python side that no test notices (ONLY=\"_saving\", EVERY=1)"
	@echo "make faults  memory, disk and power fail at every step: half an hour"
	@echo "make sessions   interleaved sessions beside a real mongod (SEED=1 SECONDS=60)"
	@echo "make soak    a store under load whose processes are killed and started anew (MINUTES=10)"
	@echo "make threads many threads under ThreadSanitizer, a minute (THREAD_ROUNDS=300)"
	@echo "make extension  Python's tests with the extension under AddressSanitizer"
	@echo "make fuzz    what others send, mutated, under sanitizers (FUZZ_SECONDS=15)"
	@echo "make django-suite  Django's own tests on the backend (APPS=\"queries lookup\", APPS=core;"
	@echo "             STORE=mongod on a replica set)"
	@echo "make matrix  the backend on newer Pythons with Django's newest (PYTHONS=\"3.12 3.13\")"
	@echo "make nightly all that is longer than make test has time for, some hours: threads, extension,"
	@echo "             fuzz for 10 minutes each, sessions, soak, faults, forks"
	@echo "make lint    ruff, mypy, clang-format: a step of make test too"
	@echo "make clean   forget builds; distclean forgets the virtual environment too"

$(STAMPS)/apt:
	$(call say,System packages)
	@mkdir -p $(STAMPS)
	@missing=""; for p in $(APT); do \
		dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; \
	done; \
	if [ -n "$$missing" ]; then \
		echo "installing:$$missing"; \
		sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		$$sudo apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null || \
		{ echo "could not install them; run: apt-get install$$missing" >&2; exit 1; }; \
	fi
	@touch $@

$(STAMPS)/venv: pyproject.toml | $(STAMPS)/apt
	$(call say,Virtual environment in $(VENV))
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check 'pip>=23.1' # Debian 12's own knows no -C
	@$(BIN)/python tests/requirements.py | $(BIN)/pip install -q --disable-pip-version-check -r /dev/stdin
	@touch $@

setup: $(STAMPS)/venv

$(STAMPS)/build: $(SOURCES) | $(STAMPS)/venv
	$(call say,Building mongodb-rest (C core and extension))
	@mkdir -p build/wheel
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pip install -q --disable-pip-version-check --no-build-isolation \
		--no-deps --force-reinstall -Cbuild-dir=build/wheel .
	@touch $@

build: $(STAMPS)/build

demo: build
	@$(BIN)/python examples/cities/demo.py $(if $(CHECK),--check)

test: build
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/run.py $(ONLY)

$(STAMPS)/bench: pyproject.toml | $(STAMPS)/venv
	$(call say,What the benchmarks compare with)
	@$(BIN)/python tests/requirements.py bench | $(BIN)/pip install -q --disable-pip-version-check -r /dev/stdin
	@touch $@

django-suite: build
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/django_suite/run.py $(APPS)

matrix: $(STAMPS)/venv
	@$(BIN)/python tests/django_suite/matrix.py $(PYTHONS)

bench: build $(STAMPS)/bench
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python bench/run.py

forks: build
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/run.py forks

faults: build
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/run.py faults

sessions: build
	@SEED="$(SEED)" SECONDS="$(SECONDS)" PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/run.py sessions

soak: build
	@MINUTES="$(MINUTES)" PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/run.py soak

extension: build
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/run.py extension

nightly: build
	@FUZZ_SECONDS=$(or $(FUZZ_SECONDS),600) SECONDS=$(or $(SECONDS),1200) PATH="$(CURDIR)/$(BIN):$$PATH" \
		$(BIN)/python tests/run.py threads extension fuzz sessions soak faults forks

threads: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/run.py threads

fuzz: build
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/run.py fuzz

mutants: build
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/mutants.py

lint: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/run.py lint

clean:
	rm -rf build $(STAMPS)/build

distclean: clean
	rm -rf $(VENV) $(STAMPS)
