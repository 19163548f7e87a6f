# Two commands do everything: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Modules are compiled where they are first imported, and that must be kept: without it, each of the many processes that
# run a pipeline or the tests compiles torch and mlflow anew, which takes three times as long as to import them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test test-extras test-all check lock clean

setup: $(READY)

# What was asked for, if it was: PYTHON=python3.12 takes that Python, TORCH=cpu or TORCH=cuda that build of torch, whatever
# this machine has. .ready holds what was set up with; where that is something else, it is set up anew.
GIVEN := $(foreach name,PYTHON TORCH,$(if $(filter command environment,$(firstword $(origin $(name)))),$(if $(filter-out auto,$($(name))),'$(name)=$($(name))')))
OTHER := $(if $(GIVEN),$(shell for each in $(GIVEN); do grep -qsxF "$$each" $(READY) || echo set-up-anew; done))

.PHONY: set-up-anew
set-up-anew:

$(READY): pyproject.toml locks/dev.txt $(firstword $(OTHER))
	@command -v $(firstword $(PYTHON)) >/dev/null || { echo "setup: PYTHON=$(PYTHON) is not found"; echo "  next: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.11, or another of 3.11 to 3.13 that is installed here"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "setup: zantara_exp needs Python 3.11 to 3.13, and $(PYTHON) is none of them"; echo "  next: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.11"; exit 1; }
	@PYTHON='$(PYTHON)' $(PYTHON) scripts/setup

# DOMAIN=helpdesk plays another product, in folders of its own: what two products write does not mix.
OF_DOMAIN := $(if $(DOMAIN),domain=$(DOMAIN) paths.dataset=data/$(DOMAIN) paths.models=models/$(DOMAIN) paths.logs=logs/$(DOMAIN) paths.reports=reports/$(DOMAIN))

demo: $(READY)
	$(BIN)/python -m zantara_exp $(OF_DOMAIN)

# Two workers more than cores, since tests wait for servers and databases; at most four: each may hold a model or a browser.
# A file stays with one worker, and the files come in the order of tests/conftest.py.
WORKERS := $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 3 ? n + 2 : 4)))
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# mypy takes a minute of one core, in which the tests may have begun. What failed is named in the last line:
# what scripts/check said of it stands before the tests' output.
test: $(READY)
	@told=$$(mktemp); scripts/check "$$told" & checking=$$!; $(PYTEST) -m 'not slow'; tested=$$?; \
	wait $$checking || [ -s "$$told" ] || echo scripts/check >"$$told"; [ $$tested = 0 ] || echo tests >>"$$told"; \
	failed=$$(echo $$(cat "$$told")); rm -f "$$told"; [ -z "$$failed" ] || { echo "make test: FAILED: $$failed"; exit 1; }

# What needs Spark, RunPod's worker SDK, Unsloth's source. Each has an environment of its own, made here; `make test-all`
# makes those of the apps and the clients as well.
test-extras: $(READY)
	$(BIN)/python scripts/extras

# Property tests look for new examples here. The clients of Node are the extras' as well.
test-all: export NEW_EXAMPLES = 1
test-all: test
	$(BIN)/python -m pytest -m slow --deselect tests/clients/test_node.py
	$(BIN)/python scripts/extras --slow

lock: $(READY)
	$(BIN)/python scripts/lock

check: $(READY)
	scripts/check

clean:
	rm -rf outputs .zantara data models logs reports
