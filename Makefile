# Two commands do everything: `make run` and `make test`. Each sets up the virtual environment it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TOOLS := $(VENV)-tools
LOCKS := deploy/requirements
LOCK = $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-package vestibule-proto \
  --custom-compile-command 'make lock' $(UPGRADE)

# Several hundred processes are started, and each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

# Ends a command when make has ended, however that was: nothing keeps a port or a processor afterwards.
TIED := $(shell command -v setpriv >/dev/null && echo setpriv --pdeathsig TERM)
# More than there are processors: many tests wait for a time that is promised, and leave theirs to another.
PROCESSES := 4
# In the order of the folders: integration has the long files, unit, which comes last, has short ones to fill the gaps.
PYTEST := $(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder
# $(call given,NAME,--flag): the flag with the value of NAME=value on make's command line. A variable of the environment
# may mean something else by that name.
given = $(if $(filter command,$(origin $1)),$2 '$($1)')

.PHONY: help setup run test test-long test-debian matrix coverage bench bench-release pages proto proto-baseline scale lint checks fuzz lock audit sbom clean

help:
	@echo "make run          set up, decide sample logins with the demo tenants, keep serving; passes on LISTEN=HOST:PORT,"
	@echo "                  HTTP_LISTEN=HOST:PORT, METRICS_LISTEN=HOST:PORT and ARGS='--any-flag of vestibule demo'"
	@echo "make setup        make the virtual environment, from the pinned packages alone"
	@echo "make lint         ruff, its format, mypy and the checks of the protos"
	@echo "make test         set up, lint, run the tests: $(TEST_TAKES)"
	@echo "make test-long    the tests that take longer, and longer fuzzing: $(LONG_TAKES)"
	@echo "make test-debian  make run and make test on a bare Debian 12; needs root and debootstrap, 10 minutes"
	@echo "make matrix       the tests with Python 3.11, 3.12 and 3.13; TESTS=tests/unit for some of them"
	@echo "make coverage     the tests, with a table of covered lines by room; TESTS=tests/unit for some of them"
	@echo "make fuzz         the fuzz tests with new programs, FUZZ_FACTOR (100) times as many as in make test"
	@echo "make bench        throughput, latency, spawn, memory and time-out accuracy, as ratios in one run; writes"
	@echo "                  deploy/FIGURES.md, or passes on ARGS"
	@echo "make bench-release"
	@echo "                  the measures of tests/load/thresholds.toml beside Cerbos and workerd; fails where one misses 95 %"
	@echo "                  of a threshold; writes build/bench/index.html with pictures of latency over time"
	@echo "make scale        what 50,000 logins a second take: measures costs here, simulates a fleet, writes deploy/scale.md;"
	@echo "                  5 minutes at most; fails where the model is wrong about this machine"
	@echo "make pages        write the generated sections of README.md and deploy/README.md"
	@echo "make proto        regenerate proto/python and the OpenAPI document"
	@echo "make proto-baseline"
	@echo "                  what make lint holds changes of the contract against; only where clients may break"
	@echo "make lock         pin and hash what pyproject.toml asks for; UPGRADE=--upgrade for the newest of it"
	@echo "make audit        look the pinned packages up in the database of known vulnerabilities"
	@echo "make sbom         write build/vestibule.cdx.json, a CycloneDX bill of materials of what is deployed"
	@echo "make clean        remove every virtual environment and everything that was built"

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml proto/python/pyproject.toml deploy/clients/python/pyproject.toml $(LOCKS)/dev.txt deploy/setup-venv
	@sh deploy/setup-venv "$(PYTHON)" "$(VENV)"
	@touch $@

lint: setup checks
	$(BIN)/mypy

checks: setup
	$(BIN)/buf lint proto
	$(BIN)/buf breaking proto --against proto/baseline.binpb
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Beside mypy, which uses one processor for a minute. Where no test was compiled yet, one process does it for all.
define TEST
mkdir -p build; $(TIED) $(BIN)/mypy >build/mypy.txt 2>&1 & mypy=$$!
[ -d tests/unit/__pycache__ ] || $(TIED) $(BIN)/python -m pytest --collect-only -qq >/dev/null
code=0; $(TIED) $(PYTEST) --hypothesis-profile=ci || code=$$?
wait $$mypy || code=1
echo "mypy:"; cat build/mypy.txt; exit $$code
endef
export TEST

TEST_TAKES := about 5 minutes on an idle machine of two processors, 25 on a busy one
LONG_TAKES := about 15 minutes on an idle machine of two processors

test: setup checks
	@echo "running mypy and the tests: $(TEST_TAKES)"
	@exec $(TIED) sh -c "$$TEST"

test-long: setup
	@echo "running the long tests, then fuzz and property tests twenty times as long: $(LONG_TAKES)"
	@exec $(TIED) $(PYTEST) -m long --hypothesis-profile=long
	@exec $(TIED) $(PYTEST) --hypothesis-profile=long tests/security/fuzz tests/unit/test_*_properties.py

test-debian:
	@exec deploy/bare-debian

run: setup
	@exec $(TIED) $(BIN)/vestibule demo $(call given,LISTEN,--listen) $(call given,HTTP_LISTEN,--http-listen) \
	  $(call given,METRICS_LISTEN,--metrics-listen) $(ARGS)

bench: setup
	@PYTHONPATH=. exec $(TIED) $(BIN)/python -P -m tests.load $(or $(ARGS),--figures deploy/FIGURES.md)

# What a release must reach: the thresholds, and the page with pictures. Peers come by npm; one that does not is not compared.
bench-release: setup
	@PYTHONPATH=. exec $(TIED) $(BIN)/python -P -m tests.load --check --html build/bench $(ARGS)

scale: setup
	@PYTHONPATH=. exec $(TIED) $(BIN)/python -P -m tests.load.scale $(ARGS)

FUZZ_FACTOR ?= 100

# TESTS names files, folders or flags of pytest; without it, what `make test` runs.
matrix: $(TOOLS)/.installed
	@exec $(TIED) deploy/matrix $(TOOLS)/bin/uv -n $(PROCESSES) --dist loadfile $(TESTS)

# The table is printed when a test has failed, too: measuring makes everything slower, and a test of time may notice.
coverage: setup
	@rm -rf build/coverage && mkdir -p build/coverage
	@code=0; $(TIED) $(BIN)/python -m coverage run -m pytest -n $(PROCESSES) --dist loadfile $(TESTS) || code=$$?; \
	  $(BIN)/python -m coverage combine --quiet && $(BIN)/python -m coverage json --quiet -o build/coverage/report.json && \
	  $(BIN)/python deploy/coverage-by-room build/coverage/report.json; exit $$code

fuzz: setup
	FUZZ_FACTOR=$(FUZZ_FACTOR) $(BIN)/python -m pytest --hypothesis-profile=long -m "not load" --durations=10 tests/security/fuzz

# The demo is run for the decisions that the front page shows.
pages: setup
	@mkdir -p build/pages
	@cd build/pages && $(abspath $(BIN))/vestibule demo --once --listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0 >demo.txt
	@$(BIN)/python deploy/pages --demo build/pages/demo.txt

proto: setup
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=proto/python --pyi_out=proto/python \
	  $$(cd proto && find vestibule -name '*.proto' | sort)
	$(BIN)/python deploy/openapi

# What `make lint` holds a change of the contract against. Set anew only with a release that is allowed to break clients.
proto-baseline: setup
	$(BIN)/buf build proto --exclude-source-info -o proto/baseline.binpb

$(TOOLS)/.installed: $(LOCKS)/tools.txt
	@test -x $(TOOLS)/bin/python || "$(PYTHON)" -m venv $(TOOLS)
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Pins that still satisfy stay as they are, unless UPGRADE asks otherwise. Development uses what is deployed.
lock: $(TOOLS)/.installed
	$(LOCK) pyproject.toml -o $(LOCKS)/run.txt
	$(LOCK) --extra dev -c $(LOCKS)/run.txt pyproject.toml $(LOCKS)/build.in -o $(LOCKS)/dev.txt
	$(LOCK) -c $(LOCKS)/dev.txt $(LOCKS)/build.in -o $(LOCKS)/build.txt
	$(LOCK) $(LOCKS)/tools.in -o $(LOCKS)/tools.txt

audit: $(TOOLS)/.installed
	@$(TOOLS)/bin/python deploy/audit $(TOOLS)/bin/pip-audit $(LOCKS)/run.txt $(LOCKS)/dev.txt $(LOCKS)/tools.txt

sbom: $(TOOLS)/.installed
	@mkdir -p build
	@$(TOOLS)/bin/python deploy/sbom $(TOOLS)/bin/cyclonedx-py pyproject.toml $(LOCKS)/run.txt build/vestibule.cdx.json

clean:
	rm -rf $(VENV) $(VENV)-* build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
