# On a fresh machine: `make demo` runs the main job, `make test` passes the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_RUN := runs/demo

.PHONY: demo test test-slow coverage benchmarks torture fuzz docs lint lock licences audit clean

demo: $(VENV)/.installed
	$(BIN)/mvrecon run sample_data/clip.mp4 -o $(DEMO_RUN)
	@echo "mesh:   $(DEMO_RUN)/mesh.ply (and mesh.glb)"
	@echo "report: $(DEMO_RUN)/report.html"

# A worker a core; a file's tests share what they set up.
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile

test: $(VENV)/.installed-test
	$(PYTEST)

test-slow: $(VENV)/.installed-test
	$(PYTEST) -m slow

# What the tests reach, in build/coverage/index.html; child processes are measured too.
coverage: $(VENV)/.installed-dev
	rm -f build/coverage/data*
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-report=html --cov-report=json

# All figures that are missing or of an older state; goes on where it was interrupted.
benchmarks: $(VENV)/.installed-test
	$(if $(ROOT),,$(error Name the folder of the data: make benchmarks ROOT=DATA))
	$(BIN)/python -m benchmarks $(ROOT) $(if $(RAFT),--raft $(RAFT))

# Kinds of bad input and thousands of mutated files; a short form is among the tests.
fuzz: $(VENV)/.installed-test
	$(BIN)/python -m tests.fuzz --count 2500

# Kills at every touch of a file and by the clock, interruptions, a disk that is full: about 20 min.
torture: $(VENV)/.installed-test
	$(BIN)/python -m tests.engine.torture runs/torture/small --random 600
	$(BIN)/python -m tests.torture runs/torture/real

# The documents as a site, in build/docs/index.html.
docs: $(VENV)/.installed-dev
	$(BIN)/mkdocs build -q -f .ci/mkdocs.yml

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Hashes of all files that an installation may take, for the versions of constraints.txt.
lock: $(VENV)/tools/.installed
	$(BIN)/python .ci/lock.py $(VENV)/tools/bin/uv

# docs/licences.md: under which terms each dependency may be used.
licences: $(VENV)/.installed-dev
	$(BIN)/python .ci/licences.py

# Known vulnerabilities of the versions of constraints.txt; asks a database on the network.
audit: $(VENV)/tools/.installed
	$(VENV)/tools/bin/python .ci/audit.py

$(VENV)/tools/.installed: | $(VENV)/.installed
	$(PYTHON) -m venv $(VENV)/tools
	$(VENV)/tools/bin/python -m pip install --quiet "pip-audit>=2.9" "uv>=0.8"
	@touch $@

$(VENV)/.installed: pyproject.toml constraints.txt setup.sh $(wildcard .ci/locked/*.txt)
	PYTHON=$(PYTHON) ./setup.sh $(VENV) .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	PYTHON=$(PYTHON) ./setup.sh $(VENV) ".[test]"
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	PYTHON=$(PYTHON) ./setup.sh $(VENV) ".[test,dev]"
	@touch $@ $(VENV)/.installed-test

clean:
	rm -rf $(VENV) runs
