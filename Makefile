# One target for each habit; plain `make` lists them. Needs Python 3.11 or newer and nothing else: the first target that
# wants it makes the virtual environment .venv. `make VENV=elsewhere …` keeps several apart.

VENV ?= .venv
FILE ?= examples/demo.flac
PLOT ?= demo.png
ARGS ?=
WORKERS ?= auto

# The first Python on the path that is new enough and can make virtual environments; `make PYTHON=…` takes another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2> /dev/null && echo "$$name" && break; done)

BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test lint words format types imports coverage results readme benchmark web browser load python clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/demo.done  ## timeline of the bundled recording, or of yours: make demo FILE=call.wav
	@$(BIN)/emovox predict '$(FILE)' --plot '$(PLOT)'
	@echo 'picture: $(PLOT)'

test: $(VENV)/dev.done  ## all tests; some of them: make test ARGS='tests/audio -k flac'
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

lint: $(VENV)/dev.done  ## style and common mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

words: $(VENV)/dev.done  ## words that a reader stumbles over, by file and line
	$(BIN)/python -m tests.words

format: $(VENV)/dev.done  ## put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/dev.done  ## types of package and tests, strictly
	$(BIN)/mypy

imports: $(VENV)/dev.done  ## layers import only what stands below them; the light core stays light
	$(BIN)/lint-imports

coverage: $(VENV)/dev.done  ## which lines the tests reach
	$(BIN)/python -m pytest --cov --cov-report=term-missing:skip-covered $(ARGS)

results: $(VENV)/dev.done  ## rebuild every table of figures from results/
	$(BIN)/python -m publish

readme: $(VENV)/dev.done  ## run the READMEs' commands again and write their output and picture
	$(BIN)/python -m tests.readme

benchmark: $(VENV)/dev.done  ## speed on this machine: features, models, streams, archives, start
	for what in features latency stream throughput cold-start; do $(BIN)/emovox benchmark $$what || exit; echo; done

web: web/node_modules  ## check and test the page, and build it anew (needs Node 20)
	cd web && npm run --silent check && npm test --silent && npm run --silent build

browser: web/node_modules  ## the page in a real Chromium, with a microphone that plays a file
	cd web && npm run --silent e2e

load: $(VENV)/dev.done  ## a hundred live streams on emovox serve for a minute
	$(BIN)/python -m publish.load

python:  ## which Python the environment is made with
	@echo '$(PYTHON)'

clean:  ## remove the virtual environment and everything that can be made again
	rm -rf $(VENV) build dist demo.png .coverage .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find src tests publish studies examples -name __pycache__ -type d -prune -exec rm -rf {} +

web/node_modules: web/package-lock.json
	cd web && npm ci --silent
	@touch $@

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'got no Python that can be used, expected 3.11 or newer with venv;' \
		'install one (Debian, Ubuntu: apt install python3-venv) or name it: make PYTHON=/path/to/python' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.done: pyproject.toml | $(BIN)/python
	$(PIP) install -e '.[plot]'
	@touch $@

# torch first and alone, so that pip settles on one build of it before anything that depends on it: where an index or a folder with
# CPU builds is configured (PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS), 2.13.0+cpu outranks the plain 2.13.0, which on Linux
# brings gigabytes of CUDA.
$(VENV)/dev.done: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install "$$(grep '^torch==' constraints.txt)" -c constraints.txt
	$(PIP) install -e '.[dev]' -c constraints.txt
	@touch $@ $(VENV)/demo.done
