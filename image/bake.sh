#!/bin/sh
# Put MODEL_NAME, where it is set, into the image. The token comes as a build secret:
#   docker build --secret id=HF_TOKEN --build-arg MODEL_NAME=...
set -eu
cd "$(dirname "$0")/.."
[ -n "${MODEL_NAME:-}" ] || exit 0
if [ -f /run/secrets/HF_TOKEN ]; then
    HF_TOKEN=$(cat /run/secrets/HF_TOKEN)
    export HF_TOKEN
fi
if [ -f /run/secrets/ca.crt ]; then
    export SSL_CERT_FILE=/run/secrets/ca.crt REQUESTS_CA_BUNDLE=/run/secrets/ca.crt
fi
[ -n "${HF_ENDPOINT:-}" ] || unset HF_ENDPOINT # set and empty it would be taken for an address
HOME=$(mktemp -d) # what the download leaves in a home stays out of the layer
export HOME
.venv/bin/python -m supervisor bake
chmod -R a+rX "${BAKED_MODELS:-/models}"
rm -rf "$HOME"
