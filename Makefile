# One command after `git clone`: `make reproduce` or `make test`. Each makes .venv first where it is missing.
# Written for GNU make 3.81 (what macOS ships): no .ONESHELL, no grouped targets, no $(file). Every path is
# relative, so that the folder may have any name.

TIER ?= cpu
# the Python that .venv is made from; empty: the first of python3.11, 3.12 and 3.13 that works
PYTHON ?=
# more words for pytest, for instance PYTEST="-k records"
PYTEST =

RUN = .venv/bin/python -m
NTKD = .venv/bin/ntkd
STAMP = .venv/setup-done
UNFINISHED = .venv/setup-unfinished

# A virtual environment holds its own path: one that came here by moving the folder is made again.
MOVED := $(shell [ "`cat $(STAMP) 2>/dev/null`" = "`pwd -P`" ] || echo moved)

.DEFAULT_GOAL = help
# -j has nothing to gain here: ntkd and pytest start their own workers, and goals often need each other's files.
.NOTPARALLEL:
.PHONY: help setup reproduce smoke test coverage lint book pdf serve verify data bench clean moved

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@echo "  TIER=smoke|cpu|paper picks how much is computed (now: $(TIER)); PYTHON=/path/to/python3.11 picks the Python."

setup: $(STAMP) ## Create .venv with the pinned packages (about 2 minutes, 1.5 GB)
	@echo "the environment .venv is ready"

reproduce: $(STAMP) ## Run every notebook that is not up to date and build the book
	@$(NTKD) reproduce --tier $(TIER)

smoke: $(STAMP) ## The same on small embedded data, in minutes
	@$(NTKD) reproduce --tier smoke

# worksteal: each worker starts on a run of neighbouring tests, so that costly fixtures of a file are made once
test: $(STAMP) ## Run all tests
	@$(RUN) pytest -n 2 --dist worksteal $(PYTEST)

coverage: $(STAMP) ## The same with coverage (half as long again)
	@$(RUN) pytest -n 2 --dist worksteal --cov --cov-report=term $(PYTEST)

lint: $(STAMP) ## Check style, types of imports and dead code
	@$(RUN) ruff check . && $(RUN) ruff format --check . && .venv/bin/lint-imports && $(RUN) vulture

book: $(STAMP) ## Build the book in a minute, from recorded runs and from those made here
	@$(NTKD) book --tier $(TIER)

pdf: $(STAMP) ## Print the same book into a single PDF; needs Chromium
	@$(NTKD) book --pdf --tier $(TIER)

serve: $(STAMP) ## Show the book at a local address
	@$(NTKD) serve --tier $(TIER)

verify: $(STAMP) ## Check seals, hashes, claims and recorded results without training
	@$(NTKD) verify --tier $(TIER)

data: $(STAMP) ## Say where each data set was found, and what to do where it was not
	@$(NTKD) data

bench: $(STAMP) ## Time the kernels
	@$(RUN) benchmarks

clean: ## Remove everything generated, computed results included (.venv stays)
	@rm -rf build .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.*
	@find . -name .venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is the last thing written. While pip works, $(UNFINISHED) lies in .venv: an environment that still has
# it was interrupted, may hold half a package, and is thrown away. Any other .venv is kept and brought up to date.
$(STAMP): pyproject.toml constraints.txt $(MOVED)
	@if [ -e $(UNFINISHED) ] || { [ -e $(STAMP) ] && [ "`cat $(STAMP)`" != "`pwd -P`" ]; } \
	    || ! .venv/bin/python -c 'import pip' 2>/dev/null; then rm -rf .venv; fi
	@fits='import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; \
	if [ ! -x .venv/bin/python ]; then \
	  found=; \
	  for python in $(if $(PYTHON),"$(PYTHON)",python3.11 python3.12 python3.13 python3 python); do \
	    if "$$python" -c "$$fits" 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "make: no Python 3.11, 3.12 or 3.13 with its venv module $(if $(PYTHON),at '$(PYTHON)',found):" \
	      "install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; \
	  fi; \
	  echo "Creating .venv with $$found and the pinned packages (about 2 minutes, 1.5 GB)"; \
	  mkdir .venv && touch $(UNFINISHED) && "$$found" -m venv .venv; \
	fi
	@touch $(UNFINISHED)
	@if [ -t 1 ]; then quiet=; else quiet=-q; fi; \
	$(RUN) pip install $$quiet --disable-pip-version-check -c constraints.txt -e '.[book,dev]' && \
	rm -f $(UNFINISHED) && pwd -P > $(STAMP)
