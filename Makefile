# Needs only Python 3.11, 3.12 or 3.13, git and make. `make help` lists what there is.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
# The first of these that is a supported Python.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do "$$name" -c "$(SUPPORTED)" 2>/dev/null && echo "$$name" && break; done)
CORES ?= all
CONFIG ?= config/config.yaml
TUNING ?= config/tuning/icons.yaml
GPU_COSTS ?=
RUN ?= .
BIN := .venv/bin
STAMP := .venv/.complete

.PHONY: help
help: ## List these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'
	@echo "  variables: CORES=$(CORES) CONFIG=$(CONFIG) TUNING=$(TUNING) GPU_COSTS=$(GPU_COSTS) RUN=$(RUN) PYTHON=$(PYTHON)"

$(STAMP): envs/requirements.lock
	@test ! -L .venv || { echo "error: .venv is a link to $$(readlink .venv), which may serve others; bring it up to date there, or remove the link" >&2; exit 1; }
	@"$(PYTHON)" -c "$(SUPPORTED)" 2>/dev/null || { echo "error: $(or $(PYTHON),nothing in PATH) is not Python 3.11, 3.12 or 3.13; set PYTHON=, e.g. PYTHON=/usr/bin/python3.12" >&2; exit 1; }
	"$(PYTHON)" -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement envs/requirements.lock
	touch $@

.PHONY: venv
venv: $(STAMP) ## Set up .venv from the lock file (a few minutes, 6 GB)

.PHONY: reproduce
reproduce: $(STAMP) ## Make every table and figure of CONFIG, and the HTML report; continues an interrupted run
	$(BIN)/python -m snakemake --cores $(CORES) --configfile "$(CONFIG)"
	@if [ ! -e results/report.html ] || find results/tables results/figures -newer results/report.html | grep -q .; then \
		$(BIN)/python -m snakemake --configfile "$(CONFIG)" --report results/report.html; \
	fi

.PHONY: paper
paper: $(STAMP) ## Collect the figures, tables and captions of a finished run in results/paper and results/paper.zip
	$(BIN)/python -m snakemake --cores 1 --configfile "$(CONFIG)" --allowed-rules collect_paper -- results/paper.zip

.PHONY: share
share: $(STAMP) ## Collect the teachers, recovered images and meta-models of a finished run in results/share
	$(BIN)/python -m snakemake --cores 1 --configfile "$(CONFIG)" --allowed-rules share_models -- results/share

.PHONY: plan
plan: $(STAMP) ## Estimate jobs, CPU and GPU hours, memory and disk of CONFIG before anything runs; GPU_COSTS: of your GPU
	@$(BIN)/python -m tgr.plan "$(CONFIG)" $(if $(filter-out all,$(CORES)),--cores $(CORES)) $(if $(GPU_COSTS),--gpu-costs "$(GPU_COSTS)")

.PHONY: tune
tune: $(STAMP) ## Try equally many values for each method on meta-val classes, as TUNING says, and print the best
	$(BIN)/python -m snakemake --cores $(CORES) --configfile "$(TUNING)"
	@$(BIN)/python -m tgr.tuning "$(TUNING)"

.PHONY: smoke
smoke: $(STAMP) ## Run every engine and method in its smallest form, below results/smoke
	$(BIN)/python -m snakemake --cores $(CORES) --configfile config/smoke.yaml --directory results/smoke

.PHONY: digests
digests: smoke ## Renew the list of digests that the tests compare the smoke run with
	$(BIN)/python -m tgr.run.digests tests/workflow/digests.json results/smoke --write

.PHONY: verify
verify: $(STAMP) ## Compare all results in RUN with their records; name damaged and missing files
	$(BIN)/python -m tgr.run.verify "$(RUN)"

.PHONY: compare
compare: $(STAMP) ## Hold the run of CONFIG in RUN against the committed results: equal, within the intervals, or outside
	@$(BIN)/python -m tgr.run.reproduction "$(CONFIG)" "$(RUN)"

.PHONY: repair
repair: $(STAMP) ## Move damaged results, and all made from them, to results/damaged; the next run makes them again
	$(BIN)/python -m tgr.run.verify "$(RUN)" --repair

.PHONY: test
test: $(STAMP) ## Run the tests, and those of devices on a pretended one
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
	TGR_TEST_DEVICE=pretended $(BIN)/python -m pytest -n 2 --dist loadfile -m device

.PHONY: test-faults
test-faults: $(STAMP) ## Kill runs, fill the disk and damage results, at length
	$(BIN)/python -m tests.faults.campaign

.PHONY: test-cluster
test-cluster: $(STAMP) ## Run the workflow on a real Slurm on this machine (as root; installs Debian's Slurm if missing)
	$(BIN)/python -m pytest tests/cluster

.PHONY: check
check: $(STAMP) ## Check style, types, the workflow and the generated documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/python -m snakemake --lint
	$(BIN)/python -m tgr.config.generate --check

.PHONY: format
format: $(STAMP) ## Format Python and Snakemake files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

.PHONY: generate
generate: $(STAMP) ## Write the JSON schema, and the files and keys of config/README.md
	$(BIN)/python -m tgr.config.generate

.PHONY: lock
lock: ## Bring requirements.lock and tgr.yaml in line with requirements.in; UPGRADE=--upgrade renews all versions
	folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	"$(PYTHON)" -m venv "$$folder" && "$$folder/bin/pip" install --quiet --disable-pip-version-check uv && \
	"$$folder/bin/uv" pip compile --quiet --universal --python-version 3.11 --no-annotate --custom-compile-command "make lock" \
		$(UPGRADE) envs/requirements.in --output-file envs/requirements.lock && "$(PYTHON)" envs/lock.py

.PHONY: clean-results
clean-results: ## Delete all results of the workflow; keep results/README.md and results/reference
	find results -mindepth 1 -maxdepth 1 ! -name README.md ! -name reference -exec rm -rf {} +
	rm -rf .snakemake
