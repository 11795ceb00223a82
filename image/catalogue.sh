#!/bin/sh
# Read the installed vLLM's options by its own interpreter, without a GPU, and keep them beside the
# worker's code, where every user of the image finds them.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/python -m compileall -q supervisor
# A home of its own: what vLLM leaves there and in /tmp while it is imported stays out of the layer.
HOME=$(mktemp -d)
export HOME TMPDIR="$HOME" XDG_CACHE_HOME="$HOME/cache"
.venv/bin/python -m supervisor catalog --anew
mkdir -p supervisor/catalog/kept
cp "$XDG_CACHE_HOME"/vllm-supervisor/catalogs/*.json supervisor/catalog/kept/
chmod -R a+rX supervisor/catalog/kept
rm -rf "$HOME"
