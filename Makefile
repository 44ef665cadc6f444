# `make demo` and `make test` set everything up on a fresh machine: Python 3.11 with pip is all they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
UV := .tools/uv/bin/uv
BIN := .venv/bin
# Tests run in this many processes of one thread each.
PYTEST_PROCESSES ?= 2
# Nothing of the project calls home.
export HF_HUB_DISABLE_TELEMETRY := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := 1
# DeepSpeed compiles what it needs when it needs it.
export DS_BUILD_OPS := 0

.PHONY: help setup demo demo-world test lint lock up
help:  ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.ready  ## Make .venv and fetch what the metrics need

demo: setup  ## Run the quickstart: videos, training, evaluation, workbook
	$(BIN)/video-guard run configs/quickstart.yaml

demo-world: setup  ## Train and generate with a tiny world model: noise, no download
	$(BIN)/python -m videoguard.world.demo data/world
	$(BIN)/video-guard world generate configs/cosmos_tiny.yaml

test: setup  ## Lint, types, import contracts and tests
	$(MAKE) --no-print-directory lint
	$(BIN)/pytest -n $(PYTEST_PROCESSES) --dist loadgroup --no-loadscope-reorder

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

up: setup  ## Start Prefect, MLflow, a worker and the deployments; Ctrl-C ends them
	$(BIN)/video-guard up

lock: $(UV)  ## Resolve the newest versions that pyproject.toml admits
	$(UV) pip compile --quiet --universal --upgrade --python-version 3.11 --extra dev pyproject.toml \
	  --custom-compile-command "make lock" -o requirements.lock

$(UV):
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .tools/uv uv

# Torch alone is some gigabytes: what is installed is compiled once, so that no later start compiles it again.
.venv/.ready: requirements.lock pyproject.toml | $(UV)
	test -x $(BIN)/python || $(UV) venv --quiet --python '>=3.11,<3.13' .venv
	@echo "installing the packages of requirements.lock (some gigabytes the first time) …"
	$(UV) pip sync --quiet --python $(BIN)/python --compile-bytecode requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	mkdir -p .video-guard
	$(BIN)/video-guard doctor --prepare || true
	touch $@
