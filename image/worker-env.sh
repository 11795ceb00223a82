#!/bin/sh
# Make the worker's environment: a virtual environment that shares nothing with the engine's.
# vLLM's images bring Python 3.12. Where a base has none from 3.11 on, or one that cannot make virtual
# environments, uv brings one (from the builder's network), kept in the worker's folder.
set -eu
cd "$(dirname "$0")/.."
if [ -f /run/secrets/ca.crt ]; then
    export SSL_CERT_FILE=/run/secrets/ca.crt PIP_CERT=/run/secrets/ca.crt
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
if python=$(tools/find-python.sh) && "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$python" -m venv .venv
else
    echo "no Python of the base fits: taking one from uv"
    command -v uv >/dev/null 2>&1 || {
        python3 -m pip install --target /tmp/uv --no-deps --require-hashes -r image/uv.txt
        PATH=/tmp/uv/bin:$PATH
    }
    UV_PYTHON_INSTALL_DIR=$PWD/.python uv venv --managed-python --python 3.12 .venv
    .venv/bin/python -m ensurepip # the pip that comes with that Python, not one from an index
    rm -rf /tmp/uv
fi
# The lock is complete, which pip's check sees. Nothing is built: what a build pulls in has no hashes.
.venv/bin/python -m pip install --no-deps --require-hashes --only-binary=:all: -r requirements.lock
.venv/bin/python -m pip check
# pip itself is not needed at run time; without it nothing can be installed here by mistake.
.venv/bin/python -m pip uninstall --yes pip
chmod -R a+rX .venv
