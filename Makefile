# `make demo`: the main job on a real MR volume.  `make test`: every check.  Needs Python 3.10 or later and make, nothing else.
PYTHON ?= python3
VENV ?= .venv
# Two workers fit two cores; the results of `make test` do not depend on it.
WORKERS ?= 2
# An index of other builds of torch, for instance https://download.pytorch.org/whl/cpu (small, no GPU); empty: PyPI's.
TORCH_INDEX ?=

# A virtual environment keeps its programs elsewhere on Windows (where make wants a bash, such as Git's, for its commands).
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
# The notice that pip itself could be newer helps nobody here.
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip
# Twice quiet: errors only; the remarks of pip about indexes and the like are no use here.
INSTALL := $(PIP) install -qq --constraint constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: demo test lint fuzz mutations kills load endurance audit dist clean

$(VENV)/made.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or later is needed: make PYTHON=/path/to/python3.12" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "No virtual environment could be made; Debian and Ubuntu have it in the package python3-venv." >&2; exit 2; }
	@# The pip of early Python 3.10 releases does not know editable installs without a setup.py.
	@$(PIP) install -qq "pip>=23.1"
	@touch $@

$(VENV)/demo.stamp: $(VENV)/made.stamp pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (a few minutes the first time) ..."
	@$(INSTALL) --editable ".[demo]"
	@touch $@

$(VENV)/test.stamp: $(VENV)/made.stamp pyproject.toml constraints.txt
	@echo "Installing with the test tools into $(VENV) (a few minutes the first time) ..."
	@$(INSTALL) --editable ".[baselines,cohort,dask,demo,mrml,quality,trainer,test]"
	@touch $@

demo: $(VENV)/demo.stamp
	$(BIN)/universeg-slicer demo --output demo

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# The long runs of docs/reliability.md: each prints its counts.
fuzz: $(VENV)/test.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m Testing.reliability.fuzzing.fuzz --profile long

mutations: $(VENV)/test.stamp
	$(BIN)/python -m Testing.reliability.damage.mutate --files 10000

kills: $(VENV)/test.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m Testing.reliability.killing.kill --kills 200

load: $(VENV)/test.stamp
	$(BIN)/python -m Testing.reliability.heavy_load.load

endurance: $(VENV)/test.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m Testing.reliability.heavy_load.endurance --runs 500

# Known vulnerabilities of what is installed; asks pypi.org. AUDIT=--if-reachable: no failure where it cannot be asked.
AUDIT ?=
audit: $(VENV)/test.stamp
	$(BIN)/python -m Testing.reliability.audit $(AUDIT)

# Source archive and wheel for a release, checked; the wheel is built from the archive. Its contents: Testing/repository.
dist: $(VENV)/test.stamp
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*

clean:
	rm -rf $(VENV) build dist demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
