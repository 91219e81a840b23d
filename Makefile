# One word per task. Every task prepares what it needs; nothing has to be installed before.
PYTHON ?= python3
RUN := .venv/bin
PYTEST := $(RUN)/pytest
INSTALL := $(PYTHON) tools/install.py
FETCH := $(RUN)/python tools/fetch.py

# Tests start this program a hundred times: what Python has compiled is kept, whoever forbids it.
unexport PYTHONDONTWRITEBYTECODE

# Prometheus, Alertmanager and Helm live for seconds here: collecting garbage was a fifth of them.
export GOGC ?= 400

.DEFAULT_GOAL := help
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*/\1/p' Makefile)

help:  ## list the tasks
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo:  ## a simulated fleet and its page: open the address that it prints
	@$(INSTALL) runtime
	@$(RUN)/nexhealth-exporter demo

setup:  ## the virtual environment .venv, checked by hash
	@$(INSTALL) dev

tools:  ## the real Prometheus, Alertmanager, Helm, kubectl, Chromium, into .tools
	@$(INSTALL) runtime
	@$(FETCH)

# Two at a time: what waits for a server or a download leaves a core to another. The measuring
# comes before the tests fill both, and each part's words are kept together.
PARTS := lint types audit bench-small tools test image alerts site browser chart dashboards fuzz-briefly
check:  ## everything that can fail
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target $(PARTS)

lint: setup  ## style, spelling, import floors, and that nothing generated has drifted
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/lint-imports --no-cache
	$(RUN)/deptry src
	$(RUN)/codespell
	$(RUN)/yamllint --strict .
	$(RUN)/zizmor --offline --quiet --persona=pedantic .github
	$(RUN)/python tools/dashboards --check
	$(RUN)/python tools/drawings --check
	$(RUN)/python tools/version.py --check
	$(RUN)/python tools/settings_page.py --check
	$(RUN)/python helm/readme.py --check
	$(RUN)/python tools/metrics_page.py | diff docs/metrics.md -

types: setup  ## mypy, strict
	$(RUN)/mypy

audit: setup  ## careless code, and secrets that do not belong here
	$(RUN)/bandit --quiet --configfile pyproject.toml --recursive src tools bench
	$(RUN)/gitleaks dir . --no-banner --redact --verbose

# Four workers on two cores: much of the time is spent waiting, and long tests lie side by side.
APART := alerts browser chart dashboards image
test: setup  ## code alone and end to end; needs no root and no container
	@$(FETCH) prometheus alertmanager
	$(PYTEST) -n 4 --maxschedchunk 1 $(APART:%=--ignore=tests/%)

alerts: NEEDS = prometheus alertmanager  ## rules, routes and texts, by both generations of servers
browser: NEEDS = chromium  ## the pages and the site in a real Chromium
browser: site
chart: NEEDS = helm prometheus  ## the Helm chart, under Helm 3 and Helm 4
dashboards: NEEDS = prometheus  ## every query of every panel, on a real Prometheus
alerts browser: WORKERS = -n 2
alerts browser chart dashboards: setup
	@$(FETCH) $(NEEDS)
	$(PYTEST) $(WORKERS) tests/$@

image: setup  ## the container image, built and run as users do
	$(RUN)/python -m tests.image.containers

site:  ## the documentation as a site, in build/site; refuses links that lead nowhere
	@$(INSTALL) docs
	$(RUN)/python tools/site.py

sbom: setup  ## what the image is made of, as CycloneDX: dist/sbom.json
	@mkdir -p dist
	$(RUN)/cyclonedx-py requirements --validate --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.json constraints/runtime.txt

SECONDS ?= 120
fuzz:  ## hostile inputs for every reader, SECONDS each, guided by what they reach
	@$(INSTALL) fuzz
	$(RUN)/python -m tests.fuzz --seconds $(SECONDS)

fuzz-briefly: SECONDS = 3  ## the same within half a minute
fuzz-briefly: fuzz

chaos: ROUNDS ?= 3000
chaos: setup  ## whatever can go wrong, for 3,000 rounds in compressed time, or ROUNDS=...
	$(RUN)/python -m tests.faults.chaos $(ROUNDS)

soak: MINUTES ?= 20
soak: setup  ## the program under faults for 20 minutes, or MINUTES=...: nothing grows, nothing is untrue
	$(RUN)/python -m tests.faults.soak $(MINUTES)

release:  ## wheel, source, chart and SBOM into dist/, checked; publishes nothing
	@$(INSTALL) release
	@$(FETCH) helm
	$(RUN)/python tools/release.py

mutation:  ## change the core line by line and see whether a test notices: takes long
	@$(INSTALL) mutation
	$(RUN)/python tools/mutation.py

bench: setup  ## what the exporter costs, held against its bars: table, build/bench.json, plot
	@$(FETCH) prometheus
	$(RUN)/python -m bench

bench-small: setup  ## the same with small fleets, which must not miss bars three times as wide
	$(RUN)/python -m bench --small --json build/bench-small.json

bench-alerts: setup  ## how good the alerts are, on simulated offices: takes long
	$(RUN)/python -m bench.alerts

format: setup  ## let ruff lay out the code
	$(RUN)/ruff check --fix
	$(RUN)/ruff format

docs: setup  ## write the generated pages, drawings and dashboards anew
	$(RUN)/python tools/dashboards
	$(RUN)/python tools/drawings
	$(RUN)/python tools/version.py
	$(RUN)/python tools/settings_page.py
	$(RUN)/python helm/readme.py
	$(RUN)/python tools/metrics_page.py > docs/metrics.md
	$(RUN)/python -m tests.alerts.readme
	$(RUN)/python -m tests.alerts.weeks

pictures: setup  ## take the pictures in docs/images, of the demo's pages
	@$(FETCH) chromium
	$(RUN)/python tools/pictures.py

lock:  ## renew constraints/ from pyproject.toml: versions and hashes, no addresses
	$(PYTHON) tools/lock.py

clean:  ## remove everything that is made here
	rm -rf .venv .tools .fuzz build dist mutants .*_cache .hypothesis .coverage*
