# The only entry for people: `make help` lists what there is.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
TORCH  := 2.13.0
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help quickstart test check fix docs bench measure zoo lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

quickstart: $(READY)  ## set up, serve the embedded model, embed real text, show it
	@$(BIN)/python examples/quickstart.py --serve

test: $(READY)  ## set up and run the tests
	@$(BIN)/python -m pytest -n 2 --dist worksteal -q $(ARGS)

check: $(READY)  ## lint, format, types, import contracts, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/unasync.py --check
	@$(BIN)/python tools/protos.py --check
	@$(BIN)/python tools/families.py --check
	@$(BIN)/python tools/docs.py --check

fix: $(READY)  ## mend what check can mend
	@$(BIN)/ruff check --fix-only -q .
	@$(BIN)/python tools/unasync.py
	@$(BIN)/python tools/families.py
	@$(BIN)/python tools/docs.py
	@$(BIN)/ruff format -q .

docs: $(READY)  ## write the reference pages and run the examples in the docs
	@$(BIN)/python tools/docs.py
	@$(BIN)/python -m pytest -q tests/house -k docs

bench: $(READY)  ## compare with the reference library and, where installed, with peers
	@$(BIN)/python -m benchmarks $(ARGS)

measure: $(READY)  ## the size table of the source
	@$(BIN)/python tools/measure.py src/stelae

zoo: $(READY)  ## write the small test checkpoints to .cache/zoo
	@$(BIN)/python tools/zoo.py .cache/zoo

lock: $(READY)  ## pin the newest allowed packages anew
	@$(PIP) install -q uv
	@$(BIN)/python tools/lock.py

clean:  ## remove the environment and the caches
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The lock holds every package but PyTorch; pip takes that from a CPU build where one is offered.
$(READY): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Stelae needs Python 3.11 or newer; set PYTHON=")'
	@echo "Setting up $(VENV): about two minutes and 2 GB the first time."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "1/3 packages of requirements/dev.lock"
	@$(PIP) install --no-deps --require-hashes -r requirements/dev.lock
	@echo "2/3 PyTorch $(TORCH)"
	@$(PIP) install torch==$(TORCH)
	@echo "3/3 Stelae"
	@$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@
