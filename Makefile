# `make` lists the targets. They need Python 3.11 or newer and nothing else: the first target that needs the virtual
# environment .venv makes it. `make VENV=elsewhere …` uses another one.

VENV ?= .venv
FILE ?= examples/demo.flac
PLOT ?= demo.png
ARGS ?=
NAMES ?=
WORKERS ?= auto

# The first Python on the path that is new enough and can make virtual environments; `make PYTHON=…` names another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2> /dev/null && echo "$$name" && break; done)

BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test lint words format types imports coverage results readme notebooks docs docs-browser benchmark web wasm browser load image image-check dist dist-check sbom python clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/demo.done  ## show the timeline of the bundled recording, or of another: make demo FILE=call.wav
	@$(BIN)/emovox predict '$(FILE)' --plot '$(PLOT)'
	@echo 'picture: $(PLOT)'

test: $(VENV)/dev.done  ## run the tests; only some: make test ARGS='tests/audio -k flac'
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

lint: $(VENV)/dev.done words  ## check style, common mistakes and words
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

words: $(VENV)/dev.done  ## list words that a reader stumbles over, by file and line
	$(BIN)/python -m tests.words

format: $(VENV)/dev.done  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/dev.done  ## check the types of package and tests strictly
	$(BIN)/mypy

imports: $(VENV)/dev.done  ## check that layers import only layers below them, and that the core stays light
	$(BIN)/lint-imports

coverage: $(VENV)/dev.done  ## list the lines that the tests do not reach
	$(BIN)/python -m pytest --cov --cov-report=term-missing:skip-covered $(ARGS)

results: $(VENV)/dev.done  ## write the tables of figures in the documentation from results/
	$(BIN)/python -m publish

readme: $(VENV)/dev.done  ## run the commands of the READMEs and write their output and picture
	$(BIN)/python -m tests.readme

notebooks: $(VENV)/dev.done  ## run the notebooks and write them in both languages; only one: make notebooks NAMES=1-guide
	$(BIN)/python -m publish.notebooks --again $(NAMES)

docs: $(VENV)/dev.done  ## build the documentation site in both languages into build/site, and check its links
	$(BIN)/python -m publish.site

docs-browser: docs web/node_modules  ## test the documentation site in Chromium: accessible, no request elsewhere, search
	cd web && npx --no-install playwright test --config site.config.ts

benchmark: $(VENV)/dev.done  ## measure the speed on this machine: features, models, streams, archives, start
	for what in features latency stream throughput cold-start; do $(BIN)/emovox benchmark $$what || exit; echo; done

web: web/node_modules $(VENV)/dev.done  ## check, test and build the page, and a folder for any static host (needs Node 20)
	cd web && npm run --silent check && npm test --silent && npm run --silent build
	rm -rf build/models && $(BIN)/emovox export hybrid --to web --output build/models
	cd web && node build.mjs --host ../build/local ../build/models

wasm: $(VENV)/dev.done  ## compile the model of the page without a server (needs Emscripten)
	$(BIN)/emovox export mobile --to wasm --output src/emovox/serving/static/local/emovox.wasm

browser: web/node_modules  ## test the page in Chromium, with a file in place of the microphone
	cd web && npm run --silent e2e

load: $(VENV)/dev.done  ## run a hundred live streams on emovox serve for a minute
	$(BIN)/python -m publish.load

IMAGE_TOOL ?= $(shell command -v docker || command -v podman || echo buildah)

image:  ## build the image of the service with Docker, Podman or Buildah
	$(IMAGE_TOOL) $(if $(findstring buildah,$(IMAGE_TOOL)),bud,build) -f docker/Dockerfile -t emovox .

image-check:  ## build the image without a daemon, run it and try it (root on Debian or Ubuntu)
	docker/check.sh

dist: $(VENV)/dev.done  ## build wheel, source archive and the files of emovox models fetch into dist/
	rm -rf dist
	$(PIP) install 'build>=1.2' 'twine>=6' -c constraints.txt
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check dist/*
	$(BIN)/python -m publish.fetch dist/models

dist-check: dist  ## install wheel and source archive into fresh environments of Python 3.11, 3.12 and 3.13, and use them
	.ci/dist-check

sbom: $(BIN)/python  ## list what the service installs, as CycloneDX in dist/sbom.json, and look up known vulnerabilities
	mkdir -p dist
	$(BIN)/python -m venv build/sbom
	build/sbom/bin/python -m pip --disable-pip-version-check --quiet install '.[serve]' -c constraints.txt
	$(PIP) install 'cyclonedx-bom>=7' 'pip-audit>=2.9'
	$(BIN)/cyclonedx-py environment build/sbom --output-file dist/sbom.json
	$(BIN)/pip-audit --progress-spinner off --path "$$(build/sbom/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

python:  ## print the Python from which the environment is made
	@echo '$(PYTHON)'

clean:  ## remove the virtual environment and all generated files
	rm -rf $(VENV) build dist demo.png .coverage .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find src tests publish studies examples -name __pycache__ -type d -prune -exec rm -rf {} +

web/node_modules: web/package-lock.json
	cd web && npm ci --silent
	@touch $@

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'got no suitable Python, expected 3.11 or newer with venv;' \
		'install one (Debian, Ubuntu: apt install python3-venv) or name it: make PYTHON=/path/to/python' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.done: pyproject.toml | $(BIN)/python
	@echo 'installing emovox and what prediction needs into $(VENV), once: one or two minutes' >&2
	$(PIP) install -e '.[plot]'
	@touch $@

# torch comes first and alone, so that pip chooses its build before packages that depend on it. If an index or a folder
# with CPU builds is configured (PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS), pip prefers 2.13.0+cpu to the plain 2.13.0, which
# brings gigabytes of CUDA on Linux.
$(VENV)/dev.done: pyproject.toml constraints.txt | $(BIN)/python
	@echo 'installing emovox, PyTorch and all tools into $(VENV), once: five to fifteen minutes' >&2
	$(PIP) install "$$(grep '^torch==' constraints.txt)" -c constraints.txt
	$(PIP) install -e '.[dev]' -c constraints.txt
	@touch $@ $(VENV)/demo.done
