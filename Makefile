# Two commands: `make demo` and `make test`. Every target sets up all that it needs.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
AIRFLOW := .venv-airflow
LEROBOT := .venv-lerobot

# of `make faults`
FAULTS ?= 100
SEED ?= 0
# of `make scale`
ROWS ?= 100000
# where either writes its figures
JSON ?=

.PHONY: install demo test test-all test-infra test-airflow test-lerobot faults scale docs lint format
.DEFAULT_GOAL := install

install: $(READY)

# Byte code is compiled once: where PYTHONDONTWRITEBYTECODE is set, as in containers, each process
# would otherwise compile some 4,000 modules for itself, ten seconds of CPU.
# uv reads none of pip's settings, so that a folder of local wheels is passed on by name.
# sam2 is built with the torch that is installed by then, and must not bring torchvision.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	UV_FIND_LINKS="$$($(BIN)/python -m pip config get global.find-links 2>/dev/null || true)" \
		$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python \
		-c constraints.txt -e '.[dev]'
	SAM2_BUILD_CUDA=0 $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python \
		--no-build-isolation --no-deps sam2==1.1.0
	touch $@

demo: install
	$(BIN)/strmatch demo --output demo

# What a change needs, in minutes. Two test processes, each with one torch thread: one of them runs
# the tests on Ray, see tests/conftest.py. pytest prints the time at the end.
# The byte code of the project and of the tests is kept for Ray's workers, commands and later runs.
# The report is looked at in a browser: apt-get install chromium chromium-driver
PYTEST := PYTHONDONTWRITEBYTECODE= STRMATCH_SCREENSHOTS=build/screenshots $(BIN)/python -m pytest \
	-n 2 --dist loadfile --no-loadscope-reorder
test: install
	$(PYTEST)

# Also the slow tier: trainings, whole suites, long commands.
test-all: install
	$(PYTEST) -m "not infra"

# Real clusters, and the Dockerfile's steps.
test-infra: install
	$(BIN)/python -m pytest -m infra

# Airflow has an environment of its own; the Ray cluster is that of the project's.
test-airflow: install $(AIRFLOW)/.ready
	$(AIRFLOW)/bin/python -m pytest --confcutdir=tests/infra/airflow -m "infra or not infra" \
		tests/infra/airflow

$(AIRFLOW)/.ready: infra/airflow/pyproject.toml infra/airflow/constraints.txt
	test -x $(AIRFLOW)/bin/python || $(PYTHON) -m venv $(AIRFLOW)
	$(AIRFLOW)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(AIRFLOW)/bin/uv pip install --quiet --compile-bytecode --python $(AIRFLOW)/bin/python \
		-c infra/airflow/constraints.txt -e 'infra/airflow[dev]'
	touch $@

# lerobot has an environment of its own, and opens what the project's tests write:
# apt-get install ffmpeg
test-lerobot: install $(LEROBOT)/.ready
	$(BIN)/python -m pytest -m "infra or not infra" tests/infra/lerobot

$(LEROBOT)/.ready: tests/infra/lerobot/requirements.txt
	test -x $(LEROBOT)/bin/python || $(PYTHON) -m venv $(LEROBOT)
	$(LEROBOT)/bin/python -m pip install --quiet --disable-pip-version-check uv
	UV_FIND_LINKS="$$($(BIN)/python -m pip config get global.find-links 2>/dev/null || true)" \
		$(LEROBOT)/bin/uv pip install --quiet --compile-bytecode --python $(LEROBOT)/bin/python \
		-r tests/infra/lerobot/requirements.txt
	$(LEROBOT)/bin/uv pip install --quiet --compile-bytecode --python $(LEROBOT)/bin/python \
		--no-deps lerobot==0.4.4 torchvision==0.28.0 torchcodec==0.11.1
	touch $@

faults: install
	$(BIN)/python -m tests.faults.harness --faults $(FAULTS) --seed $(SEED) $(if $(JSON),--json $(JSON))

scale: install
	$(BIN)/python -m tests.scale.harness --rows $(ROWS) $(if $(JSON),--json $(JSON))

# The pages of README.md and docs/ as a site, build/site. A broken link or anchor fails.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
