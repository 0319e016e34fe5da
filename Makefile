# What people type, and CI types the same. `make` or `make help` lists it.

# Recipes are bash scripts that stop at the first failure.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
# What requirements.lock is made for, and an input of every stage (packages.yaml).
PYTHON_VERSION := 3.11
VENV ?= .venv
# dvc runs `python -m stages.<name>`: the environment's python has to be the first that it finds.
export PATH := $(abspath $(VENV))/bin:$(PATH)
# A relative mirror would be looked for below whatever folder a stage runs in.
ifneq ($(BERTLINE_MIRROR),)
ifeq ($(findstring ://,$(BERTLINE_MIRROR)),)
export BERTLINE_MIRROR := $(abspath $(BERTLINE_MIRROR))
endif
endif

# pip knows these variables only; bertline.sources.certificates does the same for the stages.
ifeq ($(REQUESTS_CA_BUNDLE)$(CURL_CA_BUNDLE)$(PIP_CERT),)
ifneq ($(SSL_CERT_FILE),)
export REQUESTS_CA_BUNDLE := $(SSL_CERT_FILE)
endif
endif

# DVC asks for the user's name, which a container with `--user` lacks.
ifeq ($(LOGNAME)$(USER),)
export USER := $(firstword $(shell id -un 2> /dev/null || id -u))
endif

INSTALLED := $(VENV)/.installed

# The article's run. Each can be set on the command line: make article BACKBONE=minilm
BACKBONE ?= bert-base-uncased
RECIPE ?= published
NAME ?= article$(if $(filter-out bert-base-uncased,$(BACKBONE)),-$(BACKBONE))$(if \
  $(filter-out published,$(RECIPE)),-$(RECIPE))
SEEDS ?= [1,2,3,4,5]
PADDING ?= $(if $(filter published,$(RECIPE)),max_length,longest)
PRECISION ?= $(if $(filter published,$(RECIPE)),fp32,auto)
# The article's recipe, and a better one for small encoders (docs/experiments.md says how it was found).
RECIPE_published := -S adapt.epochs=0 -S train.learning_rate=2e-5 -S train.warmup_ratio=0.0
RECIPE_adapted := -S adapt.epochs=2 -S adapt.texts=documents -S adapt.sentences=100000 -S adapt.max_words=18 \
  -S adapt.batch_size=64 -S adapt.learning_rate=1.5e-4 -S adapt.token_loss_weight=4.0 -S adapt.seed=1 \
  -S adapt.precision=$(PRECISION) -S train.learning_rate=1e-4 -S train.warmup_ratio=0.1

.PHONY: help install repro topics classifier article baselines bench test quick twice torture check format verify-cache audit clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# DVC's database holds pickles, which can run code, by default in a folder that all users can write to.
DATABASE := import platformdirs; print(platformdirs.user_cache_path('bertline') / 'dvc')

install: $(INSTALLED)  ## make .venv with the locked packages

$(INSTALLED): requirements.lock pyproject.toml
	@found=$$($(PYTHON) -c 'import platform; print(platform.python_version())' 2> /dev/null) || true; \
	case "$$found" in $(PYTHON_VERSION).*) ;; *) \
	  echo "error: requirements.lock is made for Python $(PYTHON_VERSION), and $(PYTHON) is" \
	    "$${found:-no Python that runs here}. Install Python $(PYTHON_VERSION) and name it:" \
	    "make install PYTHON=python$(PYTHON_VERSION)" >&2; exit 2;; \
	esac
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --requirement requirements.lock
	$(VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	dvc config core.site_cache_dir > /dev/null 2>&1 || { folder=$$(python -c "$(DATABASE)"); \
	  mkdir -p -m 700 "$$folder"; dvc config --local core.site_cache_dir "$$folder"; }
	touch $@

repro: $(INSTALLED)  ## run what has changed of the pipeline, the whole of it at first (JOBS=1: stages in turn)
	bertline packages
	bertline repro $(if $(JOBS),--jobs $(JOBS))
	@echo "reports: data/visualize/classification/index.html, data/visualize/topics/index.html"
	@echo "metrics: dvc metrics show; more in metrics/"
	@echo "commit:  git add -A && git commit -m 'My run'; without it there is no way back from an experiment"

topics: $(INSTALLED)  ## the topics of your documents alone, without sentences and training
	bertline packages
	bertline repro $(if $(JOBS),--jobs $(JOBS)) visualize@topics
	@echo "report:  data/visualize/topics/index.html"

classifier: $(INSTALLED)  ## the classifier of your sentences alone, without documents
	bertline packages
	bertline repro $(if $(JOBS),--jobs $(JOBS)) visualize@classification
	@echo "report:  data/visualize/classification/index.html"

article: $(INSTALLED)  ## the article's run as an experiment: CoLA, 20 Newsgroups (BACKBONE=minilm, RECIPE=adapted)
	@[ -n "$(RECIPE_$(RECIPE))" ] || { echo "RECIPE is $(RECIPE): give published or adapted." >&2; exit 2; }
	dvc exp run --name $(NAME) $(RECIPE_$(RECIPE)) \
	  -S inputs.sentences=cola -S inputs.phenomena=cola-phenomena \
	  -S inputs.documents=newsgroups -S inputs.backbone=$(BACKBONE) -S topic_fit.method=hdbscan \
	  -S 'seeds=$(SEEDS)' -S split.stratify=false \
	  -S train.epochs=4 -S train.batch_size=32 -S train.adam_epsilon=1e-8 -S train.weight_decay=0.0 \
	  -S train.max_grad_norm=1.0 -S train.keep=last \
	  -S train.padding=$(PADDING) -S train.precision=$(PRECISION)
	@echo "reports: data/visualize/classification/index.html, data/visualize/topics/index.html"
	@echo "compare: dvc exp show --only-changed"
	@echo "back:    git restore . && dvc checkout, if your own run was committed before"

# Other topic models on the documents of the last run; they need a GPL-2 package of their own.
baselines: $(INSTALLED)  ## compare topic models on the documents of the last run
	$(VENV)/bin/python -m pip install --quiet --no-deps --requirement requirements-baselines.lock
	python -m benchmarks.topic_baselines data/parse/documents.parquet data/embed data/topic_fit \
	  data/download/embedder benchmarks/topic_baselines.csv

# transformers' Trainer, which Bertline is compared with, needs a package that the pipeline does not: in a
# folder of its own, it is no part of what a run is made of.
$(VENV)/bench/.installed: $(INSTALLED) requirements-bench.lock
	$(VENV)/bin/python -m pip install --quiet --no-deps --upgrade --target $(VENV)/bench \
	  --requirement requirements-bench.lock
	touch $@

bench: $(VENV)/bench/.installed  ## compare the speed with that of other tools on the data of the last run (FULL=1)
	PYTHONPATH=$(abspath $(VENV))/bench python -m benchmarks.bench $(if $(FULL),--full)

test: quick  ## the whole test suite
	pytest -m slow --numprocesses auto --dist loadgroup

quick: $(INSTALLED)  ## the unit tests, without a run of the pipeline
	pytest -m "not slow" --numprocesses auto

twice: $(INSTALLED)  ## run the pipeline in two clean folders and compare every hash (FULL=1, RUNS=n)
	python -m tests.twice $(if $(FULL),--full) --runs $(or $(RUNS),2)

torture: $(INSTALLED)  ## kill a run at 20 random moments (KILLS=n) and compare every hash
	python -m tests.torture --kills $(or $(KILLS),20)

check: $(INSTALLED)  ## lint, check the formatting and the types
	ruff check .
	ruff format --check .
	mypy

format: $(INSTALLED)  ## fix what the linter and the formatter can
	ruff check --fix .
	ruff format .

verify-cache: $(INSTALLED)  ## hash all of DVC's cache, and remove damaged files
	bertline verify-cache

# In an environment of its own, so that the tool adds no packages. --strict, as otherwise packages that
# cannot be looked up count as safe. docs/trust.md has the exception.
audit:  ## look the locked packages up in the database of known vulnerabilities
	scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	$(PYTHON) -m venv "$$scratch"; "$$scratch/bin/python" -m pip install --quiet pip-audit; \
	"$$scratch/bin/pip-audit" --strict --no-deps --disable-pip --requirement requirements.lock \
	  --requirement requirements-baselines.lock --requirement requirements-bench.lock --ignore-vuln CVE-2025-69872

clean:  ## remove the environment and the outputs; the DVC cache stays
	rm -rf $(VENV) data/*/ .pytest_cache .ruff_cache .mypy_cache .hypothesis
