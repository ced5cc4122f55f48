# make film: watch the title fight. make server: Prefect with a worker. make test: everything that must hold. All set
# themselves up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LIST ?= data/shots/title_fight.yaml
SIZE ?= 512x288
# CI and developers get the pinned builds; users of the package get the ranges of pyproject.toml.
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

# Its torchvision, built for CUDA, keeps transformers from importing beside a torch without, so it is only seen by the
# process that tests it.
DIFFSYNTH := $(VENV)/diffsynth
# make test-newest-av AV=av==18.0.0 tries the oldest that pyproject.toml allows.
AV ?= av
NEWEST_AV := $(VENV)/newest-av

.PHONY: film server test test-newest-av lint clean

film: $(VENV)/.base
	$(BIN)/undercard render $(LIST) --size $(SIZE)

server: $(VENV)/.base
	$(BIN)/undercard server up

test: $(VENV)/.test $(VENV)/.diffsynth lint
	$(BIN)/pytest -n 2 --dist loadfile
	PYTHONPATH="$$(echo $(DIFFSYNTH)/lib/python*/site-packages)" $(BIN)/pytest tests/backends -k diffsynth

# The newest PyAV that there is for this Python, beyond what pyproject.toml allows, too.
test-newest-av: $(VENV)/.test
	rm -rf $(NEWEST_AV)
	$(BIN)/pip install --quiet --disable-pip-version-check --ignore-installed --no-deps --prefix $(NEWEST_AV) '$(AV)'
	PYTHONPATH="$$(echo $(NEWEST_AV)/lib/python*/site-packages)" $(BIN)/python -c 'import av; print("PyAV", av.__version__)'
	PYTHONPATH="$$(echo $(NEWEST_AV)/lib/python*/site-packages)" $(BIN)/pytest -n 2 tests/film tests/production/assembly

lint: $(VENV)/.test
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("undercard needs Python 3.11 or newer; this is " + sys.version.split()[0] + ": make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/pip
	@echo "Installing undercard into $(VENV), a minute or two …"
	$(PIP_INSTALL) .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/pip
	@echo "Installing undercard and its tests into $(VENV), a few minutes …"
	$(PIP_INSTALL) '.[test]'
	@touch $@ $(VENV)/.base

$(VENV)/.diffsynth: constraints.txt | $(VENV)/.test
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --prefix $(DIFFSYNTH) diffsynth torchvision
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
