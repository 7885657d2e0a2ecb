# Everything runs in .venv, which the first target builds: `make demo` and `make test` need no other step.
# PYTHON=/path/to/python3 chooses the Python that .venv is made of (3.11 or newer, with venv).

PY := .venv/bin/python
STAMP := .venv/.setup-done
STAGES := $(PY) tests/utils/run_tests.py
N ?= 100000
STATES ?= 4000000

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint type unit property model mutants integration molecule sanity bench soak docs build matrix
.PHONY: clean FORCE

help: ## what the targets do
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | awk -F'|' '{ printf "  make %-12s %s\n", $$1, $$2 }'

setup: $(STAMP) ## build .venv (every other target does this first, once)

# Rebuilt when a requirements file is newer, and when the checkout was moved.
MOVED := $(shell test "$$(cat $(STAMP) 2>/dev/null)" = "$$(pwd -P)" || echo FORCE)
$(STAMP): requirements.txt meta/ee-requirements.txt tests/requirements.txt tests/simulator/pyproject.toml tests/utils/setup_venv.sh $(MOVED)
	@PYTHON='$(PYTHON)' sh tests/utils/setup_venv.sh

demo: $(STAMP) ## the guarded upgrade of a simulated AP7724, start to end
	@PATH="$$(pwd)/.venv/bin:$$PATH" $(PY) tests/demo/run.py

test: $(STAMP) ## everything, some 45 minutes on 2 cores; ends with what was skipped
	@$(STAGES)

lint: $(STAMP) ## ruff, yamllint, ansible-lint, changelog, plugin docs
	@$(STAGES) ruff yamllint ansible-lint changelog docs-lint

type: $(STAMP) ## mypy --strict over the utils and the simulator
	@$(STAGES) types

unit: $(STAMP) ## unit and procedure tests (virtual time)
	@$(STAGES) unit procedure

property: $(STAMP) ## property-based tests (virtual time)
	@$(STAGES) property

model: $(STAMP) ## walks the permit's machines and their world to the fixpoint, or to STATES of each method
	@$(PY) tests/model/permit_walk.py --states $(STATES)

mutants: $(STAMP) ## single faults in the machines, and which test catches each
	@$(PY) tests/utils/mutants.py

integration: $(STAMP) ## playbooks and modules over real protocols
	@$(STAGES) integration

molecule: $(STAMP) ## the roles, on simulated devices
	@$(STAGES) molecule

sanity: $(STAMP) ## ansible-test sanity and units on the core in .venv
	@$(STAGES) sanity ansible-test-units

bench: $(STAMP) ## round trips, bytes and processor time
	@PATH="$$(pwd)/.venv/bin:$$PATH" $(PY) tests/benchmark/run.py

soak: $(STAMP) ## N random histories (N=100000)
	@SOAK_HISTORIES=$(N) $(PY) -m pytest -q -s tests/property -n 2 --dist worksteal

docs: $(STAMP) ## the documentation as HTML, in docs/build
	@$(PY) tests/utils/draw_permit.py
	@sh tests/utils/build_docs.sh

build: $(STAMP) ## the collection's archive, in build
	@$(PY) tests/utils/build_and_install.py build

matrix: $(STAMP) ## ansible-test sanity and units on ansible-core 2.16 to 2.21 (long)
	@$(PY) -m nox

clean: ## remove .venv and everything that was built
	rm -rf .venv .nox .cache .ansible .mypy_cache .pytest_cache .ruff_cache .hypothesis build docs/build tests/output
