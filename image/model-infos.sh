#!/bin/sh
# Keep what vLLM finds out of the class of each model, by its own interpreter: otherwise each start
# asks one more process for it, which imports all of vLLM again.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
first=$(head -n 1 "$(command -v vllm)")
case $first in
'#!'*python*) python=${first#'#!'} ;;
*) python=python3 ;; # a wrapper: then it is the python3 on PATH, as in vLLM's images
esac
cd /
TMPDIR=$(mktemp -d) # torch leaves its own there
export TMPDIR
mkdir -p "$here/model-infos"
# shellcheck disable=SC2086  # the line may hold an argument, as `/usr/bin/env python3` does
$python -I "$here/image/model_infos.py" "$here/model-infos" \
    || echo "warning: there are no notes on models' classes; each start will look at its own" >&2
chmod -R a+rX "$here/model-infos"
rm -rf "$TMPDIR"
