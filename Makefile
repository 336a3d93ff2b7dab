# Every target makes its own virtual environment; nothing but Python 3.11 or newer and a package index is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test style check pictures clean

demo: $(READY)  ## the whole line on a drawn archive
	$(BIN)/tuneclip demo tuneclip-demo

test: $(READY)  ## the tests
	$(BIN)/pytest -n 2 -m "not alone"
	$(BIN)/pytest -m alone

style: $(READY)  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: style test  ## format, lint, types, tests and docs

pictures: demo  ## the page's screenshots in docs/pictures, with Chromium
	$(BIN)/tuneclip index finds --model starter --to finds-starter --project tuneclip-demo
	$(BIN)/python tests/web/draw_pictures.py tuneclip-demo

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt torch
	$(BIN)/pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@

clean:  ## remove what the targets made
	rm -rf $(VENV) tuneclip-demo dist
