# Two commands do everything: `make run` and `make test`. Each sets up the virtual environment it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help setup run test bench proto lint clean

help:
	@echo "make run    set up, decide sample logins with the demo tenants, keep serving"
	@echo "make test   set up, lint, type-check and run every test"
	@echo "make bench  throughput, latency, spawn, memory and time-out accuracy, as ratios in one run"
	@echo "make proto  regenerate proto/python"

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@sh deploy/setup-venv "$(PYTHON)" "$(VENV)"
	@touch $@

lint: setup
	$(BIN)/buf lint proto
	$(BIN)/buf breaking proto --against proto/baseline.binpb
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: setup lint
	$(BIN)/python -m pytest

run: setup
	@$(BIN)/vestibule demo

bench: setup
	$(BIN)/vestibule bench

proto: setup
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=proto/python --pyi_out=proto/python \
	  $$(cd proto && find vestibule -name '*.proto' | sort)

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
