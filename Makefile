# Every command makes the environments it needs; only Python 3.11 to 3.14 and make have to be there.
#   PYTHON=...   the Python to use       ENGINE=cpu|gpu   the engine, instead of looking for a GPU
#   ARGS=...     passed on by explain, test, pin, bench, soak, scale, fuzz and train
#   any setting of the worker: MAX_MODEL_LEN=2048
.DEFAULT_GOAL := help
.PHONY: help run explain doctor emulate setup test test-image image wheel check fmt docs pin bench soak scale fuzz train clean

# Where relative paths are meant from, also with `make -C`.
CALLER := $(or $(PWD),$(CURDIR))
python = python=$$(tools/find-python.sh)
venv := .venv/bin

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 18

run: ## serve MODEL_NAME=... (else a demonstration) on localhost:8000
	@$(python) && exec "$$python" -m tools.run --caller "$(CALLER)"

explain: ## show what `make run` would start, and why (ARGS=--json)
	@$(python) && exec "$$python" -m tools.explain --caller "$(CALLER)" $(ARGS)

doctor: ## say what a start would find: engine, model, disk, ports
	@$(python) && exec "$$python" -m tools.run --caller "$(CALLER)" doctor

emulate: ## run behind a RunPod endpoint on localhost (PORT=9000)
	@$(python) && exec "$$python" -m tools.emulate --caller "$(CALLER)"

setup: ## make the worker's environment alone
	@$(python) && exec "$$python" -m tools.environments worker

# Processes that run tests: one for the real engines, one for images, two for all the others.
AT_ONCE := 4
test: tested =
test: programs = "$$python" -m tools.programs &&
test: ## run every test, also on the real vLLM (some: ARGS="-k sse")
test-image: tested = -m image tests/image
test-image: programs =
test-image: ## build the image, run it in containers (docker or podman)
test test-image:
	@$(python) && "$$python" -m tools.environments dev engine older && $(programs) \
	engine=$$("$$python" -m tools.environments engine --print) && \
	older=$$("$$python" -m tools.environments older --print | tail -n 1) && \
	VLLM_COMMAND="$$engine/bin/vllm" OLDER_VLLM_COMMAND="$$older/bin/vllm" \
	$(venv)/python -m pytest -n $(AT_ONCE) $(tested) $(ARGS)

image: ## build the worker's image (VLLM_VERSION=... MODEL_NAME=...)
	@$(python) && exec "$$python" -m tools.image build

wheel: ## build the command line alone as a package, in dist/
	@$(python) && exec "$$python" -m tools.environments dev
	$(venv)/python -m hatchling build --target wheel

# Each has a cache of its own: once those are filled, all of them take two seconds.
PYTHONS := 3.11 3.12 3.13 3.14
check: ## linters and types of Python, shell scripts and the Dockerfile
	@$(python) && exec "$$python" -m tools.environments dev
	$(venv)/python -m ruff check .
	$(venv)/python -m ruff format --check .
	@printf "%s\n" $(PYTHONS) | xargs -t -P 2 -I{} $(venv)/python -m mypy --python-version {}
	$(venv)/shellcheck *.sh tools/*.sh image/*.sh .ci/run
	@if [ -f Dockerfile ]; then echo $(venv)/hadolint Dockerfile; $(venv)/hadolint Dockerfile; fi

fmt: ## format the code and mend what the linter can
	@$(python) && exec "$$python" -m tools.environments dev
	$(venv)/python -m ruff check --fix-only --quiet .
	$(venv)/python -m ruff format .

docs: ## write the forms for RunPod and docs/configuration.md
	@$(python) && exec "$$python" -m tools.docs

pin: ## pin packages by hash, bases by digest (ARGS=--upgrade)
	@$(python) && "$$python" -m tools.environments dev && "$$python" -m tools.pin $(ARGS)

bench: ## measure the worker's own cost and delay
	@$(python) && exec "$$python" -m tools.environments dev
	@exec $(venv)/python -m bench $(ARGS)

soak: ## ten minutes of jobs and faults (ARGS="--minutes 1")
	@$(python) && exec "$$python" -m tools.environments dev
	@exec $(venv)/python -m tests.soak $(ARGS)

scale: ## 1,000 workers behind one endpoint, a third of them cut off (ARGS="--jobs 5000")
	@$(python) && exec "$$python" -m tools.environments dev
	@exec $(venv)/python -m tests.scale $(ARGS)

fuzz: ## 10,000 broken jobs, 2,000 routes in disguise (ARGS="--seed 7")
	@$(python) && exec "$$python" -m tools.environments dev
	@exec $(venv)/python -m tests.fuzz $(ARGS)

train: ## train the demonstration model anew
	@$(python) && engine=$$("$$python" -m tools.environments engine --print) && \
	exec "$$engine/bin/python" demo/train.py $(ARGS)

clean: ## remove .venv and dist/, say how to remove the engine
	rm -rf .venv dist
	@echo "The engine stays for the next run; to remove it: rm -rf $${XDG_CACHE_HOME:-$$HOME/.cache}/vllm-supervisor"
