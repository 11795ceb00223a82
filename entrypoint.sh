#!/bin/sh
# PID 1 of the image: tini reaps what the engine orphans and passes signals on to the supervisor.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${WORKER_PYTHON:-$here/.venv/bin/python}
cd "$here"
if command -v tini >/dev/null 2>&1; then
    exec tini -- "$python" -m supervisor "$@"
fi
exec "$python" -m supervisor "$@"
