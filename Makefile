# Each target does its own set-up. `make demo` and `make test` are the two that a newcomer needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8000
# Options for `mandeldask serve`, for `make demo`.
ARGS ?=
# Where there is a desktop, the page opens in a browser.
DESKTOP := $(if $(or $(DISPLAY),$(WAYLAND_DISPLAY),$(filter Darwin,$(shell uname))),--open)
# Options for pytest, such as PYTEST="-x tests/lazy".
PYTEST ?=
# Processes that share the test files, more than two cores since many tests wait; 0 runs all in one, where `--pdb` works.
WORKERS ?= 3
PARALLEL := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-core test-slow mutants lint types layers docs siege site setup clean

demo: $(VENV)/.demo  ## serve the set with its page and print the URLs; ARGS="--port 9000" passes options on
	@echo "The command and the package live in $(VENV): source $(VENV)/bin/activate"
	$(BIN)/mandeldask serve --port $(PORT) $(DESKTOP) $(ARGS)

test: setup browser proxy  ## run the tests
	$(BIN)/python -m pytest $(PARALLEL) $(PYTEST)

test-core: setup  ## run the tests that need neither Chromium, Node nor nginx
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not external" $(PYTEST)

test-slow: setup browser proxy  ## run the long tests too
	$(BIN)/python -m pytest -m "slow or not slow"

mutants: setup  ## set every error bound to zero, one at a time: a test must notice
	$(BIN)/python tests/mutants.py

lint: setup  ## style of code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## static types
	$(BIN)/mypy

layers: setup  ## imports point down only
	$(BIN)/lint-imports

# A tenth of it with SIEGE=--quick; goals that are missed make it fail.
SIEGE ?=

siege: setup  ## attack a server of this machine and print what came of it next to the goals (minutes)
	$(BIN)/python benchmarks/siege.py $(SIEGE)

docs: setup  ## every code block of README and docs runs
	$(BIN)/python -m pytest -p no:cacheprovider README.md docs

site: setup  ## build the manual into build/site, readable offline
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/site

setup: $(VENV)/.dev

$(VENV)/.demo: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[cli,depth,files,remote,render,serve,sparse,tables]"
	@touch $@

$(VENV)/.dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[all]" --group dev
	@touch $@

# The page's JavaScript has no build step; Node is only for its checks.
.PHONY: page
page: tests/viewer/node_modules/.installed  ## format, lint, types and unit tests of the page's JavaScript
	cd tests/viewer && npm run --silent lint && npm run --silent types && npm run --silent test

.PHONY: places
places: setup  ## write the page's list of places again, from the atlas
	mkdir -p build
	$(BIN)/python -m mandeldask.atlas_tables > build/places.json
	mv build/places.json mandeldask/web/viewer/places.json

.PHONY: sheet
# Places on the sheet.
VIEWS ?= 40
sheet: setup browser  ## pictures of the page at its known places, in build/contact-sheet.png
	mkdir -p build
	PYTHONPATH=tests $(BIN)/python tests/viewer/contact_sheet.py build/contact-sheet.png $(VIEWS)

# Browser and Node are only for the tests of real clients.
.PHONY: browser
browser: tests/clients/node_modules/.installed tests/viewer/node_modules/.installed
	@command -v chromium-headless-shell >/dev/null \
	    || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq chromium-headless-shell; } \
	    || command -v chromium >/dev/null || $(SUDO) apt-get install -y -qq chromium

# Clients that need packages of their own and are no part of the tests; Python 3.12 for the newest GDAL.
.PHONY: other-clients
other-clients: setup  ## open the set and a grid in ome-zarr-py, napari's plugin, ngff-zarr, bioio and GDAL
	$(PYTHON) -m venv build/clients
	build/clients/bin/python -m pip install --quiet aiohttp bioio bioio-ome-zarr napari-ome-zarr ngff-zarr[remote,validate] ome-zarr rasterio zarr
	build/clients/bin/python tests/clients/other_clients.py $(BIN)/mandeldask

# nginx is only for the test of docs/how-to/behind-nginx.md.
.PHONY: proxy
proxy:
	@PATH="$$PATH:/usr/sbin" command -v nginx >/dev/null || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq nginx-light; }

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

tests/clients/node_modules/.installed: tests/clients/package.json
	@command -v npm >/dev/null || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq nodejs npm; }
	cd tests/clients && npm install --no-audit --no-fund --silent
	@touch $@

tests/viewer/node_modules/.installed: tests/viewer/package.json
	@command -v npm >/dev/null || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq nodejs npm; }
	cd tests/viewer && npm install --no-audit --no-fund --silent
	@touch $@

clean:
	rm -rf $(VENV) tests/viewer/node_modules build dist tests/clients/node_modules
