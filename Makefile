# One word per task. Every task prepares what it needs; nothing has to be installed before.
PYTHON ?= python3
RUN := .venv/bin
PYTEST := $(RUN)/pytest
FETCH := $(RUN)/python tools/fetch.py

.DEFAULT_GOAL := help
.PHONY: help demo setup tools check lint types test alerts browser chart image sbom \
	format docs lock clean

help:  ## list the tasks
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: .venv/.runtime  ## a simulated fleet and its page: open the address that it prints
	@$(RUN)/nexhealth-exporter demo

setup: .venv/.dev  ## the virtual environment .venv, checked by hash

.venv/.runtime: constraints/runtime.txt constraints/build.txt pyproject.toml
	@$(PYTHON) tools/venv.py constraints/runtime.txt constraints/build.txt && touch $@

.venv/.dev: constraints/dev.txt .venv/.runtime
	@$(PYTHON) tools/venv.py constraints/dev.txt && touch $@

tools: .venv/.runtime  ## the real Prometheus, Alertmanager, Helm, kubectl, Chromium, into .tools
	@$(FETCH)

check: lint types test alerts browser chart image  ## everything that can fail

lint: setup  ## style, spelling, import floors, generated pages
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/lint-imports --no-cache
	$(RUN)/deptry src
	$(RUN)/codespell
	$(RUN)/yamllint --strict .
	$(RUN)/python tools/settings_page.py --check
	$(RUN)/python tools/metrics_page.py | diff docs/metrics.md -

types: setup  ## mypy, strict
	$(RUN)/mypy

test: setup  ## code alone and end to end; needs no root and no container
	@$(FETCH) prometheus alertmanager
	$(PYTEST) -n 2 -m "not alerts and not browser and not chart and not image"

alerts: setup  ## rules, routes and texts, by both generations of Prometheus and Alertmanager
	@$(FETCH) prometheus alertmanager
	$(PYTEST) -n 2 -m alerts

browser: setup  ## the pages in a real Chromium
	@$(FETCH) chromium
	$(PYTEST) -n 2 -m browser

chart: setup  ## the Helm chart, under Helm 3 and Helm 4
	@$(FETCH) helm prometheus
	$(PYTEST) -n 2 -m chart

image: setup  ## the container image, built and run as users do; root, or docker or podman
	$(RUN)/python -m tests.image.containers

sbom: setup  ## what the image is made of, as CycloneDX: dist/sbom.json
	@mkdir -p dist
	$(RUN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.json constraints/runtime.txt

format: setup  ## let ruff lay out the code
	$(RUN)/ruff check --fix
	$(RUN)/ruff format

docs: setup  ## write the generated pages anew
	$(RUN)/python tools/settings_page.py
	$(RUN)/python tools/metrics_page.py > docs/metrics.md
	$(RUN)/python -m tests.alerts.readme
	$(RUN)/python -m tests.alerts.weeks

COMPILE = .tools/uv/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-header --upgrade

lock:  ## renew constraints/ from pyproject.toml: versions and hashes, no addresses
	@$(PYTHON) -m venv .tools/uv && .tools/uv/bin/pip install --quiet --upgrade uv
	$(COMPILE) pyproject.toml --output-file constraints/runtime.txt
	$(COMPILE) pyproject.toml --group dev --constraints constraints/runtime.txt \
		--output-file constraints/dev.txt
	$(COMPILE) --group build --constraints constraints/dev.txt --output-file constraints/build.txt
	@! grep -nE '//|^ *-[^-]|--(index|find|extra)' constraints/*.txt

clean:  ## remove everything that is made here
	rm -rf .venv .tools dist .*_cache .hypothesis .coverage*
