# One target per task. Each target installs what it needs; nothing has to be installed beforehand.
PYTHON ?= python3
RUN := .venv/bin
PYTEST := $(RUN)/pytest
INSTALL := $(PYTHON) tools/install.py
FETCH := $(RUN)/python tools/fetch.py

# Tests start this program a hundred times, so keep Python's bytecode even if the environment
# forbids it.
unexport PYTHONDONTWRITEBYTECODE

# Prometheus, Alertmanager and Helm run only for seconds here, and spent a fifth of that on garbage
# collection.
export GOGC ?= 400

.DEFAULT_GOAL := help
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*/\1/p' Makefile)

help:  ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo:  ## run a simulated fleet and its page; open the address that it prints
	@$(INSTALL) runtime
	@$(RUN)/nexhealth-exporter demo

setup:  ## create the virtual environment .venv, with hashes checked
	@$(INSTALL) dev

tools:  ## fetch the real Prometheus, Alertmanager, Helm, kubectl and Chromium into .tools
	@$(INSTALL) runtime
	@$(FETCH)

# Two at a time: a part that waits for a server or a download leaves a core to the other. The
# benchmark runs before the tests occupy both, and the output of each part is kept together.
PARTS := lint types audit bench-small tools test image alerts site browser chart dashboards fuzz-briefly
check:  ## run every check
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target $(PARTS)

lint: setup  ## check style, spelling, import layers, and that generated files are up to date
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
	$(RUN)/python tools/chart_page.py --check
	$(RUN)/python tools/metrics_page.py --check

types: setup  ## check types with mypy, strict
	$(RUN)/mypy

audit: setup  ## look for insecure code and committed secrets
	$(RUN)/bandit --quiet --configfile pyproject.toml --recursive src tools bench
	$(RUN)/gitleaks dir . --no-banner --redact --verbose

# Four workers on two cores: much of the time is spent waiting, and long tests overlap.
APART := alerts browser chart dashboards image
test: setup  ## run unit and end-to-end tests; needs no root and no container
	@$(FETCH) prometheus alertmanager
	$(PYTEST) -n 4 --maxschedchunk 1 $(APART:%=--ignore=tests/%)

alerts: NEEDS = prometheus alertmanager  ## test rules, routes and texts on both generations of servers
browser: NEEDS = chromium  ## test the pages and the site in a real Chromium
browser: site
chart: NEEDS = helm prometheus  ## test the Helm chart with Helm 3 and Helm 4
dashboards: NEEDS = prometheus  ## test every query of every panel on a real Prometheus
alerts browser: WORKERS = -n 2
alerts browser chart dashboards: setup
	@$(FETCH) $(NEEDS)
	$(PYTEST) $(WORKERS) tests/$@

image: setup  ## build the container image and run it as users do
	$(RUN)/python -m tests.image.containers

site:  ## build the documentation as a site in build/site; fails on broken links
	@$(INSTALL) docs
	$(RUN)/python tools/site.py

sbom: setup  ## write the image's bill of materials, as CycloneDX, to dist/sbom.json
	@mkdir -p dist
	$(RUN)/cyclonedx-py requirements --validate --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.json constraints/runtime.txt

SECONDS ?= 120
fuzz:  ## fuzz every parser for SECONDS each, guided by coverage
	@$(INSTALL) fuzz
	$(RUN)/python -m tests.fuzz --seconds $(SECONDS)

fuzz-briefly: SECONDS = 3  ## fuzz every parser briefly, within half a minute
fuzz-briefly: fuzz

chaos: ROUNDS ?= 3000
chaos: setup  ## run 3,000 rounds (or ROUNDS=...) with every kind of fault, in compressed time
	$(RUN)/python -m tests.faults.chaos $(ROUNDS)

soak: MINUTES ?= 20
soak: setup  ## run the program under faults for 20 minutes (or MINUTES=...), checking every sample
	$(RUN)/python -m tests.faults.soak $(MINUTES)

release:  ## build and check wheel, source, chart and SBOM in dist/; publishes nothing
	@$(INSTALL) release
	@$(FETCH) helm
	$(RUN)/python tools/release.py

mutation:  ## change the core line by line and see whether a test notices; takes long
	@$(INSTALL) mutation
	$(RUN)/python tools/mutation.py

bench: setup  ## measure the exporter's cost against its bars: table, build/bench.json, plot
	@$(FETCH) prometheus
	$(RUN)/python -m bench

bench-small: setup  ## measure small fleets; fails if a bar three times as wide is missed
	$(RUN)/python -m bench --small --json build/bench-small.json

bench-alerts: setup  ## measure how good the alerts are, on simulated offices; takes long
	$(RUN)/python -m bench.alerts

format: setup  ## format the code with ruff
	$(RUN)/ruff check --fix
	$(RUN)/ruff format

docs: setup  ## regenerate pages, drawings and dashboards
	$(RUN)/python tools/dashboards
	$(RUN)/python tools/drawings
	$(RUN)/python tools/version.py
	$(RUN)/python tools/settings_page.py
	$(RUN)/python tools/chart_page.py
	$(RUN)/python tools/metrics_page.py
	$(RUN)/python -m tests.alerts.readme
	$(RUN)/python -m tests.alerts.weeks

pictures: setup  ## retake the screenshots in docs/images from the demo
	@$(FETCH) chromium
	$(RUN)/python tools/pictures.py

lock:  ## update constraints/ from pyproject.toml: versions and hashes, no addresses
	$(PYTHON) tools/lock.py

clean:  ## remove everything that these targets create
	rm -rf .venv .tools .fuzz build dist mutants .*_cache .hypothesis .coverage*
