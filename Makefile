# Everything is done in .venv; `make` says what there is. A recipe runs again only when what it
# depends on has changed: the stamps are files in .venv.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

PYTHON ?= python3
ifeq ($(origin CXX),default)
CXX := c++
endif
export CXX
VENV := .venv
BIN := $(VENV)/bin
GROUPS := build test lint bench demo
# Older versions of pip apply the first one to build environments too, newer ones the second.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start hundreds of processes: without it each would compile all modules again.
export PYTHONDONTWRITEBYTECODE :=
INSTALL := $(BIN)/python -m pip install --quiet
KERNELS := CMakeLists.txt $(shell find src/shoal/_kernels -name '*.[ch]pp')

.PHONY: help
help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: venv
venv: $(VENV)/build ## Create .venv with the pinned build tools

.PHONY: build
build: $(VENV)/installed ## Compile the kernels and install Shoal for editing

.PHONY: demo
demo: $(VENV)/installed $(VENV)/demo ## Cluster a year of flights, and predict which are late
	@for example in flights late_flights few_labels; do \
		$(BIN)/python examples/$$example.py \
			|| { echo "make: the demo failed; see above." >&2; exit 1; }; \
		echo; \
	done

.PHONY: test
test: $(VENV)/installed $(VENV)/test ## Run all tests
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: lint
lint: $(VENV)/installed $(VENV)/lint ## Check style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

.PHONY: bench
bench: $(VENV)/installed $(VENV)/bench ## Compare Shoal with its peers
	@$(BIN)/python benchmarks/run.py

.PHONY: constraints
constraints: export PIP_CONSTRAINT :=
constraints: export PIP_BUILD_CONSTRAINT :=
constraints: ## Pin the newest versions that work together
	@rm -rf build/pins
	@$(PYTHON) -m venv build/pins
	@build/pins/bin/python -m pip install --quiet --upgrade pip setuptools
	@build/pins/bin/python -m pip install --quiet '.[dask,plot]' $(GROUPS:%=--group %)
	@echo "# Written by 'make constraints': the versions that are tested together." > build/pins/txt
	@build/pins/bin/python -m pip freeze --all --exclude shoal >> build/pins/txt
	@mv build/pins/txt constraints.txt

.PHONY: clean
clean: ## Remove .venv and all that was built
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# --- What has to be there ---------------------------------------------------------------------

# $(call require,condition,sentence): stop with one sentence unless the condition holds.
require = $(1) 2> /dev/null || { echo "$(strip $(2))" >&2; exit 1; }

.PHONY: python compiler
python:
	@$(call require,command -v $(PYTHON) > /dev/null,\
		Shoal needs Python 3.11 or newer and finds no '$(PYTHON)': install it \
		(Debian: apt install python3 python3-venv python3-dev) or name it: make PYTHON=/path/to/python3)
	@$(call require,$(PYTHON) -c 'import sys; sys.exit(sys.hexversion < 0x30B0000)',\
		Shoal needs Python 3.11 or newer and '$(PYTHON)' is older: install a newer one \
		or name it: make PYTHON=/path/to/python3)
	@$(call require,$(PYTHON) -c 'import ensurepip; import venv',\
		'$(PYTHON)' cannot create virtual environments: install what it lacks \
		(Debian: apt install python3-venv))
	@$(call require,$(PYTHON) -c 'import os; import sysconfig; \
			os.stat(sysconfig.get_path("include") + "/Python.h")',\
		'$(PYTHON)' comes without the C headers that kernels are compiled with: install them \
		(Debian: apt install python3-dev))

compiler:
	@$(call require,$(CXX) -std=c++20 -x c++ -include bit -fsyntax-only - \
			<<< 'static_assert(std::bit_cast<int>(0.0f) == 0);',\
		Shoal needs a C++20 compiler and '$(CXX)' is missing or too old: install one \
		(Debian: apt install g++) or name it: make CXX=/path/to/g++)

# --- Environment ------------------------------------------------------------------------------

$(VENV)/created: | python compiler
	@rm -rf $(VENV)
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --upgrade pip
	@touch $@

# One stamp for each dependency group of pyproject.toml.
$(GROUPS:%=$(VENV)/%): $(VENV)/created pyproject.toml constraints.txt
	@echo "Installing what is needed to $(@F)"
	@$(INSTALL) --group $(@F)
	@touch $@

# Python files are used where they lie; only the kernels have to be installed again.
$(VENV)/installed: $(VENV)/build $(KERNELS) | compiler
	@echo "Building and installing Shoal"
	@PIP_BUILD_CONSTRAINT= $(INSTALL) --no-build-isolation --editable '.[dask,plot]'
	@touch $@
