#!/bin/sh
# Put MODEL_NAME, where it is set, into the image. What may not stay there comes as build secrets:
#   docker build --secret id=HF_TOKEN --secret id=HF_ENDPOINT --build-arg MODEL_NAME=...
set -eu
cd "$(dirname "$0")/.."
[ -n "${MODEL_NAME:-}" ] || exit 0
if [ -f /run/secrets/HF_TOKEN ]; then
    HF_TOKEN=$(cat /run/secrets/HF_TOKEN)
    export HF_TOKEN
fi
if [ -f /run/secrets/HF_ENDPOINT ]; then
    HF_ENDPOINT=$(cat /run/secrets/HF_ENDPOINT)
    export HF_ENDPOINT
else
    case ${HF_ENDPOINT:-} in *[@?]*)
        echo "error: HF_ENDPOINT has a user or a password in it, which would stay in the image's" \
            "history: leave the build argument out and take a build secret," \
            "--secret id=HF_ENDPOINT,env=HF_ENDPOINT" >&2
        exit 1
        ;;
    esac
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
