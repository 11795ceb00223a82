#!/bin/sh
# PID 1 of the image: it becomes the supervisor, which reaps what the engine orphans. An init before
# it would show the platform's keys to the engine, in /proc/1/environ.
# Its arguments are a command of the supervisor's, or what vLLM's own image takes: --model X --flag.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${WORKER_PYTHON:-$here/.venv/bin/python}
cd "$here"
# vLLM and its libraries keep caches in the home. With a user that the image does not know, or on a
# read-only file system, there is none: then it is in the temporary folder.
if [ ! -d "${HOME:-}" ] || [ ! -w "${HOME:-}" ]; then
    # A cache that is mounted there stays in use.
    if [ -z "${HF_HOME:-}" ] && [ -d "${HOME:-}/.cache/huggingface" ]; then
        export HF_HOME="$HOME/.cache/huggingface"
    fi
    export HOME="${TMPDIR:-/tmp}/home"
    mkdir -p "${TMPDIR:-/tmp}"
    # Another user could have made it, to change what is kept there.
    if ! mkdir -m 700 "$HOME" 2>/dev/null \
        && { [ -L "$HOME" ] || [ "$(stat -c %u "$HOME")" != "$(id -u)" ]; }; then
        HOME=$(mktemp -d "${TMPDIR:-/tmp}/home-XXXXXXXX")
    fi
fi
# torch asks for the user's name, and ends with an error where the system has none.
if [ -z "${USER:-}" ] && ! id -un >/dev/null 2>&1; then
    export USER=worker
fi
exec "$python" -m supervisor "$@"
