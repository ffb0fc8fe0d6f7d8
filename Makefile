# Every target does its own set-up; `make help` lists them.
VENV   := .venv
PY     := $(VENV)/bin/python
STAMP  := $(VENV)/.ready
PYTHON ?= python3
SRC    := operator tests benchmarks helm images
WORKERS ?= 2
MLFLOW := benchmarks/.venvs/mlflow
REQUESTS := $(VENV)/e2e-requests
TORCH  ?= torch==2.13.0+cpu

.DEFAULT_GOAL := help

.PHONY: help setup torch demo test unit integration e2e differential test-mlflow test-images sbom lint format verify generate lock bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## the environment in .venv

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Pawl needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

torch: $(STAMP) ## PyTorch for CPUs into .venv, where pip finds it; TORCH=requirement
	$(VENV)/bin/pip install --quiet --disable-pip-version-check "$(TORCH)" \
	  || echo "$(TORCH) is not to be had here: the tests that need it are skipped"

demo: $(STAMP) ## train, serve, try, roll back, retrain: a cluster of its own, in two minutes
	@$(VENV)/bin/pawl demo

test: lint verify unit integration e2e ## all of the next five

lint: $(STAMP) ## format, lint, types, layers
	$(VENV)/bin/ruff format --check $(SRC)
	$(VENV)/bin/ruff check $(SRC)
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

verify: $(STAMP) ## what is generated is fresh
	$(PY) -m pawl.api.render --check .
	$(PY) helm/render.py --check
	$(PY) images/requirements.py --check

unit: $(STAMP) ## seconds
	$(VENV)/bin/pytest tests/unit -n $(WORKERS)

integration: $(STAMP) ## one part with its real surroundings: kubectl, Envoy, HTTP
	$(VENV)/bin/pytest tests/integration -n $(WORKERS)

e2e: $(STAMP) ## everything together; KUBECONFIG_UNDER_TEST=path runs it on that cluster
ifdef KUBECONFIG_UNDER_TEST
	$(VENV)/bin/pytest tests/e2e -n $(WORKERS) -m "not alone" --kubeconfig $(KUBECONFIG_UNDER_TEST)
	$(VENV)/bin/pytest tests/e2e -m alone --kubeconfig $(KUBECONFIG_UNDER_TEST)
else
	rm -rf $(REQUESTS)
	$(VENV)/bin/pytest tests/e2e -n $(WORKERS) --requests $(REQUESTS)
	$(PY) tests/e2e/rights.py $(REQUESTS)  # no right is missing, and none is too many
endif

differential: $(STAMP) ## the same requests to an embedded cluster and to that of OTHER=kubeconfig
	$(VENV)/bin/pytest tests/differential --other $(OTHER)

test-mlflow: $(STAMP) ## tracking with a real MLflow server on a real PostgreSQL; makes benchmarks/.venvs/mlflow
	test -x $(MLFLOW)/bin/mlflow || { $(PYTHON) -m venv $(MLFLOW) && $(MLFLOW)/bin/pip install --quiet mlflow psycopg2-binary; }
	PAWL_MLFLOW=$(CURDIR)/$(MLFLOW) $(VENV)/bin/pytest tests/integration/tracking -rs

test-images: $(STAMP) ## builds and runs the images; as root, with buildah; PAWL_BASE_IMAGE=image, else debootstrap
	$(if $(PAWL_BASE_IMAGE),PAWL_BASE_IMAGE=$(PAWL_BASE_IMAGE)) $(VENV)/bin/pytest tests/images -rs -s

sbom: $(STAMP) ## build/IMAGE.cdx.json: what is in each image (CycloneDX); VERSION=1.2.3
	@mkdir -p build
	for image in $(notdir $(patsubst %/requirements.txt,%,$(wildcard images/*/requirements.txt))); do \
	  $(PY) images/sbom.py $$image --version $(or $(VERSION),dev) > build/$$image.cdx.json || exit 1; done

format: $(STAMP) ## put the code into its form
	$(VENV)/bin/ruff format $(SRC)
	$(VENV)/bin/ruff check --fix $(SRC)

generate: $(STAMP) ## crds/, docs/api.md, the chart's CRDs, manifests/base, images/*/requirements.txt
	$(PY) -m pawl.api.render .
	$(PY) helm/render.py
	$(PY) images/requirements.py

lock: ## renew requirements.lock (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --extra local --extra traces --group dev pyproject.toml -o requirements.lock --upgrade

bench: $(STAMP) ## side by side with the peers; ends with RATIO lines
	$(PY) -m benchmarks

clean: ## remove what was built
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache benchmarks/.venvs
