# Every target runs set-up first; set-up does nothing where nothing is to do.
PYTHON ?= python3
ARGS ?=
UPGRADE ?=
BIN := .venv/bin
unexport PYTHONPATH PYTHONHOME
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help setup setup-demo demo test fuzz check format bench lock clean

help: ## Say what can be typed here
	@sed -n 's/^\([a-z-]*\):.*## /\1@/p' $(MAKEFILE_LIST) | while IFS=@ read -r name words; do printf '  make %-8s %s\n' "$$name" "$$words"; done

setup: ## Install everything, in .venv and .tools
	@$(PYTHON) -E -s scripts/setup test

setup-demo:
	@$(PYTHON) -E -s scripts/setup demo

demo: setup-demo ## Watch the whole product work, with no account (ARGS="--keep" and others)
	@$(BIN)/openinspect demo $(ARGS)

test: setup ## Run every test; branches of the pure core must be covered
	@$(BIN)/pytest -n 2 --dist worksteal -m "not bench" --durations 10 \
	    --cov orchestrator.session --cov-branch --cov-report json:.coverage.json --cov-report term:skip-covered $(ARGS)
	@$(BIN)/python -I scripts/branches.py 95 .coverage.json

fuzz: setup ## Throw 50 million bytes at the configuration's reader (OPENINSPECT_FUZZ_SEED varies them)
	@OPENINSPECT_FUZZ_BYTES=50000000 $(BIN)/pytest -q -s -p no:cacheprovider tests/config/test_fuzz.py $(ARGS)

check: setup ## Lint, format, types, and the directions of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy scripts
	@$(BIN)/lint-imports

format: setup ## Put every file in the project's format
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: setup ## Measure what is ours: intake, sandbox, warm and cold paths
	@$(BIN)/pytest -m bench -s -p no:cacheprovider tests/bench $(ARGS)

lock: ## Fit the locks to what is asked for (UPGRADE=--upgrade: the newest; needs uv, npm)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --no-emit-index-url --custom-compile-command "make lock" $(UPGRADE) \
	    pyproject.toml scripts/build.in -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --no-emit-index-url --custom-compile-command "make lock" $(UPGRADE) \
	    --extra dev -c requirements.lock pyproject.toml scripts/build.in -o requirements-dev.lock
	cd tools && npm install --package-lock-only

clean: ## Remove everything that set-up and the tests made
	rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage* *.egg-info build dist
