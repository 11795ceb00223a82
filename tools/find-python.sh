#!/bin/sh
# Print the first Python that fits: 3.11 to 3.14, which is what the pinned vLLM supports.
set -eu
fits='import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))'

if [ -n "${PYTHON:-}" ]; then
    if "$PYTHON" -c "$fits" 2>/dev/null; then
        echo "$PYTHON"
        exit 0
    fi
    echo "error: PYTHON=$PYTHON is not a Python from 3.11 to 3.14: name one that is." >&2
    exit 1
fi
# Each is run, not only looked for: a version manager's stand-in can be on PATH with nothing behind it.
for candidate in python3 python3.12 python3.13 python3.11 python3.14; do
    if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c "$fits" 2>/dev/null; then
        echo "$candidate"
        exit 0
    fi
done
echo "error: No Python from 3.11 to 3.14 was found: install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name it with PYTHON=/path/to/python3." >&2
exit 1
