#!/bin/sh
# Compile everything beside the engine's package to bytecode, by its own interpreter. What is
# compiled already is left as it is.
set -eu
first=$(head -n 1 "$(command -v vllm)")
case $first in
'#!'*python*) python=${first#'#!'} ;;
*) python=python3 ;; # a wrapper: then it is the python3 on PATH, as in vLLM's images
esac
cd / # nothing of ours is to be imported
# shellcheck disable=SC2086  # the line may hold an argument, as `/usr/bin/env python3` does
exec $python -I - <<'END'
import compileall
import importlib.util
from pathlib import Path

found = importlib.util.find_spec("vllm")
if found is None or found.origin is None:
    raise SystemExit("error: the base's interpreter has no package vllm; name another BASE_IMAGE")
# Some packages carry templates that are no Python, so the result tells nothing.
compileall.compile_dir(Path(found.origin).parents[1], quiet=2, workers=0)
END
