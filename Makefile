# All that is installed goes into .venv (Python packages) and .debian (programs for the tests).

SHELL := /bin/bash
BIN := .venv/bin
PIP := $(BIN)/pip -qq --disable-pip-version-check
UNPACKED := $(CURDIR)/.debian
LIBRARIES := $(UNPACKED)/usr/lib/$(shell uname -m)-linux-gnu:$(UNPACKED)/lib/$(shell uname -m)-linux-gnu

POSTGRESQL := $(UNPACKED)/usr/lib/postgresql/15/bin

export PATH := $(PATH):/usr/sbin:/sbin:$(UNPACKED)/usr/bin:$(UNPACKED)/usr/sbin:$(UNPACKED)/bin:$(UNPACKED)/sbin:$(POSTGRESQL)

# Tests start Python a thousand times, which takes much longer where it compiles every module again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test suite test-unit test-pythons test-repeat test-engines test-kernels test-kernel-oldest reliability fuzz soak coverage programs lint types audit lock reference deploy picture site bench bench-quick clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

run: .venv/run ## run the exporter; flags go in ARGS, as in make run ARGS=--log.level=debug
	@exec $(BIN)/python -m exporter $(ARGS)

# Most tests wait for other processes most of the time, so there are more workers than cores.
WORKERS = $(shell expr 3 '*' $$(nproc) + 1)
UNIT_WORKERS = $(shell expr 2 '*' $$(nproc))
PYTEST = LD_LIBRARY_PATH=$(LIBRARIES) $(BIN)/pytest
# Folders of tests that need root, namespaces, a network or programs beside Python.
WHOLE := tests/deploy tests/docs tests/e2e tests/faults tests/integration tests/machines tests/status_page/test_in_browser.py tests/testbed
N = 10

test: .venv/dev ## run every check and every test; pytest's flags go in ARGS, COVERAGE=1 measures as well
	@$(MAKE) --no-print-directory -j3 lint types $(if $(COVERAGE),coverage,suite)

suite: .venv/dev programs
	@$(PYTEST) -n $(WORKERS) $(ARGS)

test-unit: .venv/dev ## run the tests that need neither root nor a network nor programs
	@$(BIN)/pytest -n $(UNIT_WORKERS) -m "not netns" $(addprefix --ignore=,$(WHOLE)) $(ARGS)

test-pythons: .venv/dev programs ## run make test-unit with each Python that is supported, and with the oldest packages
	@$(BIN)/python -m tools.pythons $(ARGS)

test-repeat: .venv/dev programs ## run every test N times (10) on busy cores, and print each one that ever failed
	@LD_LIBRARY_PATH=$(LIBRARIES) $(BIN)/python tools/repeat_tests.py $(N) -n $(WORKERS) $(ARGS)

reliability: .venv/dev programs ## provoke every fault, and write what came of it into docs/reliability.md
	@$(PYTEST) -n $$(nproc) --fault-table=docs/reliability.md -m fault $(ARGS)

INPUTS = 1000000

fuzz: .venv/dev .venv/fuzz ## fuzz every decoder and parser with INPUTS inputs each (a million); ARGS names some of tests/fuzz/targets
	@$(BIN)/python -m tests.fuzz --inputs=$(INPUTS) $(ARGS)

MINUTES = 10

soak: .venv/dev programs ## load the exporter for MINUTES (10), and fail where anything grows or a figure is not that of ss
	@$(BIN)/python -m tests.soak --minutes=$(MINUTES)

test-engines: .venv/dev ## run real container engines in a virtual machine, and check how their containers are shown; needs root
	@tools/programs qemu-system-x86_64:qemu-system-x86 mke2fs:e2fsprogs
	@LD_LIBRARY_PATH=$(LIBRARIES) $(BIN)/python -m tests.machines.images .debian/machines/images
	@LD_LIBRARY_PATH=$(LIBRARIES) $(BIN)/python -m tools.vm --system engines --memory 3072 --seconds 5400 \
		--files .debian/machines/images --results .debian/machines/seen -- \
		env PYTHONUNBUFFERED=1 pytest -p no:randomly -p no:cacheprovider --timeout=900 \
		--ignore tests/machines/kernels tests/machines $(ARGS)
	@cat .debian/machines/seen/seen.txt

test-kernels: .venv/dev ## run the tests of kernels on each that Debian ships, in virtual machines, and write docs/kernels.md; needs root
	@tools/programs qemu-system-x86_64:qemu-system-x86 mke2fs:e2fsprogs
	@LD_LIBRARY_PATH=$(LIBRARIES) $(BIN)/python -m tools.kernels $(ARGS)

test-kernel-oldest: .venv/dev ## the same on the oldest of them, in some five minutes
	@$(MAKE) --no-print-directory test-kernels ARGS='--short bullseye'

coverage: .venv/dev programs ## run every test and check how much of exporter/ they reach, branches too
	@$(BIN)/coverage erase
	@LD_LIBRARY_PATH=$(LIBRARIES) $(BIN)/coverage run -m pytest -n $(WORKERS) $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

programs: .venv/dev
	@tools/programs
	@$(BIN)/python -m tools.newer_programs
	@tools/kubectl
	@$(BIN)/python -m tests.deploy.image.base

lint: .venv/dev ## check style, format and the direction of imports
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/lint-imports --no-cache >.venv/imports.log || { cat .venv/imports.log; false; }

types: .venv/dev ## check types
	@$(BIN)/mypy --no-error-summary

audit: .venv/audit ## look for known vulnerabilities of the packages that the exporter needs, in the database of PyPI
	@.venv/audit/bin/pip-audit --require-hashes --disable-pip --progress-spinner off -r locks/run.txt

lock: .venv/dev ## choose the newest versions again and write locks/
	@tools/lock

reference: .venv/dev ## write docs/metrics.md, docs/doctor.md, the files about the configuration, completions and manual page
	@$(BIN)/python -m exporter.metrics.reference >docs/metrics.md
	@$(BIN)/python -m exporter.doctor.reference >docs/doctor.md
	@$(BIN)/python -m exporter.config.example >config.example.yaml
	@$(BIN)/python -m exporter.config.reference >docs/configuration.md
	@$(BIN)/python -m exporter.config.schema >docs/config.schema.json
	@$(BIN)/python -m deploy.kubernetes.chart_schema
	@$(BIN)/python -m deploy.completion
	@$(BIN)/python -m deploy.man

deploy: .venv/dev ## make the dashboard anew from its Python, and the rules for Kubernetes from those for Prometheus
	@$(BIN)/python -m deploy.grafana
	@$(BIN)/python -m deploy.kubernetes.rules

picture: .venv/dev programs ## draw docs/show.svg, docs/dashboard.svg and docs/status-page-*.png anew
	@LD_LIBRARY_PATH=$(LIBRARIES) $(BIN)/python -m docs.status_page
	@LD_LIBRARY_PATH=$(LIBRARIES) $(BIN)/python -m docs.show
	@LD_LIBRARY_PATH=$(LIBRARIES) $(BIN)/python -m docs.dashboard

site: .venv/dev ## build the guide and the other documents as a site in build/site; needs no network
	@$(BIN)/python -m sphinx --quiet --nitpicky --fail-on-warning --keep-going --builder html --conf-dir docs/site docs build/site
	@echo "build/site/index.html"

bench: .venv/dev ## measure the cost, against a floor in C and other programs, and write docs/performance.md
	@tools/programs ruby:ruby-raindrops
	@LD_LIBRARY_PATH=$(LIBRARIES) $(BIN)/python -m bench

bench-quick: .venv/dev programs ## check in two minutes that no ratio of costs has grown
	@LD_LIBRARY_PATH=$(LIBRARIES) $(BIN)/python -m bench --quick

clean: ## remove all that make and the tools leave behind
	rm -rf .venv .debian .fuzz .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find exporter tests testbed bench deploy docs -name __pycache__ -prune -exec rm -rf {} +

# Wheels only: to build a package would fetch tools that no lock names.
.venv/run: locks/run.txt tools/venv
	@tools/venv
	@$(PIP) install --require-hashes --no-deps --only-binary :all: -r locks/run.txt
	@touch $@

.venv/dev: locks/dev.txt pyproject.toml .venv/run
	@$(PIP) install --require-hashes --no-deps --only-binary :all: -r locks/dev.txt
	@$(PIP) install --no-index --no-deps --no-build-isolation --editable .
	@touch $@

.venv/audit: locks/audit.txt .venv/run
	@$(BIN)/python -m venv $@
	@$@/bin/pip -qq --disable-pip-version-check install --require-hashes --no-deps --only-binary :all: -r locks/audit.txt
	@touch $@

# There are wheels for some machines and Pythons only. Without it inputs are made at random.
.venv/fuzz: locks/fuzz.txt .venv/dev
	@$(PIP) install --require-hashes --no-deps --only-binary :all: -r locks/fuzz.txt || echo "atheris is not to be had here"
	@touch $@
