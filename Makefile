# Sensos Auth. `make` alone prints the targets. Needs Python 3.11 or newer with pip, and nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first of these that is at least 3.11 builds the virtual environment; choose another with PYTHON=…
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)

VENV := .venv
BIN := $(VENV)/bin
HOUSE := pyproject.toml Makefile
SOURCES := src $(wildcard tests benchmarks examples)

# Every package is pinned and hashed, dependencies included, so pip has nothing to resolve; wheels only, so that
# installing runs no code of a package. Python compiles what it imports: quicker than pip compiling everything.
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet
LOCKED := --require-hashes --no-deps --only-binary :all: --no-compile
# The package itself, editable, built by the pinned flit_core that is already there.
EDITABLE := --no-deps --no-build-isolation --editable .

# quickstart
PORT ?= 8000
DATA_DIR ?=
# test
WORKERS ?= 4
PYTEST_ARGS ?=

# The tests start hundreds of processes: where the environment forbids bytecode, each compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Print the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)$$/  make \1\t\2/p' Makefile | expand -t 22

.PHONY: setup
setup: $(VENV)/.dev-installed ## Make .venv with everything: service, PostgreSQL, tests, checks

.PHONY: quickstart
quickstart: $(VENV)/.server-installed ## Start the service with an example application (PORT=8000 DATA_DIR=…)
	@exec $(BIN)/sensos-auth quickstart --port $(PORT) $(if $(DATA_DIR),--data-dir "$(DATA_DIR)")

.PHONY: test
test: setup gateways ## Run all tests, fast ones first (PYTEST_ARGS=… WORKERS=4)
	$(BIN)/pytest -m "not slow" --numprocesses $(WORKERS) --dist worksteal $(PYTEST_ARGS)
	@# Status 5: there were none.
	$(BIN)/pytest -m "slow and waits" --numprocesses $(WORKERS) --dist worksteal $(PYTEST_ARGS) || test $$? -eq 5
	@# Alone and one at a time, because they load the machine or measure time.
	$(BIN)/pytest -m "slow and not waits" $(PYTEST_ARGS) || test $$? -eq 5

.PHONY: differential
differential: setup ## Show 1 000 000 mutants of valid tokens to PyJWT, joserfc and ours (DIFFERENTIAL_ARGS="--seed 2")
	$(BIN)/python -m tests.verifying.differential.run --processes $(WORKERS) $(DIFFERENTIAL_ARGS)

.PHONY: planted-defects
planted-defects: setup ## Plant each known defect into a copy, and see that the tests notice (PLANTED_ARGS="--only WORD")
	$(BIN)/python -m tests.planted_defects.run --processes $(WORKERS) $(PLANTED_ARGS)

.PHONY: test-faults
test-faults: setup ## Break three nodes and their PostgreSQL, again and again: do they keep the promise? (FAULTS_ARGS="--seed 1")
	$(BIN)/python -m tests.nodes.run $(FAULTS_ARGS)
	@# A test that notices nothing proves nothing: one rule after the other is taken out of a copy.
	$(BIN)/python -m tests.nodes.run --broken all

.PHONY: check
check: setup ## Check format, lint, types and import rules
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports --no-logo

.PHONY: format
format: setup ## Format the code and mend what ruff can
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

.PHONY: bench
bench: setup ## Run the benchmarks
	$(BIN)/python -m benchmarks.token_endpoint.run $(BENCH_ARGS) || missed=1; \
		$(BIN)/python -m benchmarks.timing.run || missed=1; \
		$(BIN)/python -m benchmarks.verifying.run || missed=1; \
		$(BIN)/python -m benchmarks.revocation.run || missed=1; exit $${missed:-0}

# uv resolves once for every Python and system; pip does the installing.
COMPILE = build/requirements/bin/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate
.PHONY: requirements
requirements: ## Compile requirements/*.txt anew, with the newest versions that pyproject.toml allows
	"$(PYTHON)" -m venv build/requirements
	build/requirements/bin/python -m pip --disable-pip-version-check install --quiet uv
	$(COMPILE) --extra server --extra postgresql --extra limits --group build --output-file requirements/server.txt
	$(COMPILE) --all-extras --group dev --constraints requirements/server.txt --output-file requirements/dev.txt

.PHONY: clean
clean: ## Remove .venv, build products and caches
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# What the gateway tests run, and the server through which limits are shared, from Debian's packages, unpacked in build/:
# nothing is installed, no service is started, and root is not needed. Only what the machine lacks is fetched. Where
# apt-get can't, those tests say that they did not run.
GATEWAYS := nginx caddy haproxy apache2-bin libapache2-mod-oauth2 redis-server
APT_GET = apt-get --quiet=2 --yes --no-install-recommends --option Debug::NoLocking=true \
	--option Acquire::Retries=0 --option Acquire::http::Timeout=10 \
	--option Dir::Cache=$(abspath build/gateways) --option Dir::Cache::Archives=$(abspath build/gateways/archives)
OWN_LISTS := --option Dir::State::Lists=$(abspath build/gateways/lists)
.PHONY: gateways
gateways: ## Get the programs of the gateway tests, nginx, Caddy, HAProxy and Apache, and Redis
	@test "$$(cat build/gateways/.complete 2>/dev/null)" = "$(GATEWAYS)" || ! command -v apt-get dpkg-deb >/dev/null || { \
		rm -rf build/gateways; mkdir -p build/gateways/{archives,lists}/partial build/gateways/root; \
		{ $(APT_GET) install --download-only $(GATEWAYS) || \
			{ $(APT_GET) $(OWN_LISTS) update && $(APT_GET) $(OWN_LISTS) install --download-only $(GATEWAYS); }; \
		} >build/gateways/apt.log 2>&1 && \
		find build/gateways/archives -name '*.deb' | xargs -rI @ dpkg-deb --extract @ build/gateways/root && \
		rm -rf build/gateways/archives && echo "$(GATEWAYS)" >build/gateways/.complete; \
	} || echo "The gateways can't be had (build/gateways/apt.log says why): their tests will not run" >&2

# Stamps, so that a second run is quick. What quickstart needs is installed alone first when there is no .venv yet.
$(BIN)/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

$(VENV)/.server-installed: requirements/server.txt $(HOUSE) | $(BIN)/python
	$(PIP_INSTALL) $(LOCKED) --requirement requirements/server.txt
	$(PIP_INSTALL) $(EDITABLE)
	@touch $@

$(VENV)/.dev-installed: requirements/dev.txt $(HOUSE) | $(BIN)/python
	$(PIP_INSTALL) $(LOCKED) --requirement requirements/dev.txt
	$(PIP_INSTALL) $(EDITABLE)
	@touch $@ $(VENV)/.server-installed
