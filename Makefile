# Everything starts here; `make` alone lists what there is.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
ifeq ($(PYTHON),)
$(error Python 3.11 or newer was not found; install it (apt-get install python3 python3-venv) or name one with PYTHON=...)
endif
VENV := .venv/bin
SHELL_SCRIPTS := entrypoint.sh .ci/run

.DEFAULT_GOAL := help
.PHONY: help run emulate setup test check fmt bench train clean
export MODEL_NAME ENGINE

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: ## serve the OpenAI API on http://localhost:8000 (MODEL_NAME=... for a real model)
	@exec $(PYTHON) tools/run.py

emulate: ## the same worker behind a local RunPod endpoint on http://localhost:9000
	@exec $(PYTHON) tools/emulate.py

setup: ## make the worker's environment alone
	@$(PYTHON) tools/environments.py worker

test: ## run every test, on the real vLLM too (ARGS="-k sse" for some)
	@$(PYTHON) tools/environments.py dev
	@engine=$$($(PYTHON) tools/environments.py engine --print | tail -n 1) && \
		test -x "$$engine/bin/vllm" && VLLM_COMMAND="$$engine/bin/vllm" $(VENV)/python -m pytest $(ARGS)

check: ## lint, types, shell scripts and Dockerfile
	@$(PYTHON) tools/environments.py dev
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/shellcheck $(SHELL_SCRIPTS)
	@if [ -f Dockerfile ]; then $(VENV)/hadolint Dockerfile; fi

fmt: ## format the code
	@$(PYTHON) tools/environments.py dev
	$(VENV)/ruff check --fix-only -q .
	$(VENV)/ruff format .

bench: ## measure the relay against a pass-through handler
	@$(PYTHON) tools/environments.py dev
	$(VENV)/python -m bench $(ARGS)

train: ## train the demonstration model anew
	@engine=$$($(PYTHON) tools/environments.py engine --print | tail -n 1) && \
		"$$engine/bin/python" demo/train.py $(ARGS)

clean: ## remove the worker's environment (the engine's lies in ~/.cache/vllm-supervisor)
	rm -rf .venv
