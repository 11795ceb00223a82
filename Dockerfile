# The worker's image: a vLLM image, and beside it the worker with an environment of its own.
# docs/image.md says what each build argument does; docker-bake.hcl builds the published variants.
ARG VLLM_VERSION=0.33.0
# Digits as vLLM writes them in its tags, 129 for CUDA 12.9; empty for the CUDA that is its default.
# Older workers had 12.1.0 here: no image of vLLM has that, `make image` says which there are.
ARG WORKER_CUDA_VERSION=
ARG BASE_IMAGE=vllm/vllm-openai:v${VLLM_VERSION}${WORKER_CUDA_VERSION:+-cu${WORKER_CUDA_VERSION}}
# sha256:... of that image; empty takes what its tag stands for now. `make image` and
# docker-bake.hcl have it from image/bases.txt.
ARG BASE_DIGEST=

# hadolint ignore=DL3006
FROM ${BASE_IMAGE}${BASE_DIGEST:+@${BASE_DIGEST}}

# 1. What depends on the base alone.
WORKDIR /opt/vllm-supervisor

# vLLM's images are installed without bytecode, which costs half a minute at every cold start.
COPY --chmod=755 image/engine-bytecode.sh image/
RUN image/engine-bytecode.sh

# What vLLM notes down of each model's class: 7 s of every first start, in which it is imported again.
COPY --chmod=755 image/model-infos.sh image/
COPY --chmod=644 image/model_infos.py image/
RUN image/model-infos.sh

# 2. The worker's environment. The secrets are for a builder behind a package index of its own.
COPY --chmod=755 tools/find-python.sh tools/
COPY --chmod=755 image/worker-env.sh image/
COPY --chmod=644 image/uv.txt image/
COPY --chmod=644 requirements.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip.conf \
    --mount=type=secret,id=ca.crt \
    PIP_CONFIG_FILE=/run/secrets/pip.conf image/worker-env.sh

# 3. The worker, and what vLLM's own interpreter says of its options: 10 s that no start has to spend.
COPY --chmod=755 supervisor/ supervisor/
COPY --chmod=755 image/catalogue.sh image/
RUN image/catalogue.sh

# 4. The model, where one is to be in the image. Secrets are in no layer and in no history, where
# arguments are: an HF_ENDPOINT with a password has to be one. The linter takes a tokenizer for a token.
ARG MODEL_NAME=
ARG MODEL_REVISION=
# hadolint ignore=DL3064
ARG TOKENIZER_NAME=
# hadolint ignore=DL3064
ARG TOKENIZER_REVISION=
ARG QUANTIZATION=
ARG LOAD_FORMAT=
ARG BASE_PATH=/runpod-volume
ARG HF_ENDPOINT=
COPY --chmod=755 image/bake.sh image/
RUN --mount=type=secret,id=HF_TOKEN \
    --mount=type=secret,id=HF_ENDPOINT \
    --mount=type=secret,id=ca.crt \
    image/bake.sh
# After the RUN: podman's cache knows the values of arguments in RUN alone.
# hadolint ignore=DL3064
ENV MODEL_NAME=${MODEL_NAME} \
    MODEL_REVISION=${MODEL_REVISION} \
    TOKENIZER_NAME=${TOKENIZER_NAME} \
    TOKENIZER_REVISION=${TOKENIZER_REVISION} \
    QUANTIZATION=${QUANTIZATION} \
    LOAD_FORMAT=${LOAD_FORMAT} \
    BASE_PATH=${BASE_PATH}

# 5. What changes often, or costs nothing.
COPY --chmod=755 gate/ gate/
COPY --chmod=755 proxy/ proxy/
COPY --chmod=755 entrypoint.sh ./
COPY --chmod=644 LICENSE ./
COPY --chmod=755 image/healthcheck.py image/
ARG VLLM_VERSION
ARG BASE_IMAGE
ARG BASE_DIGEST
ARG WORKER_VERSION=0.1.0
ARG REVISION=
ARG CREATED=
ARG SOURCE=
RUN .venv/bin/python -m compileall -q proxy

# 8000 serves (VLLM_PORT; in load-balancer mode PORT), 8001 answers /ping (PORT_HEALTH).
EXPOSE 8000 8001
STOPSIGNAL SIGTERM
# Healthy is 200: ready. A start may take STARTUP_TIMEOUT, and until then its 204 counts for nothing.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20m --retries=3 \
    CMD ["/opt/vllm-supervisor/.venv/bin/python", "-I", "/opt/vllm-supervisor/image/healthcheck.py"]
ENTRYPOINT ["/opt/vllm-supervisor/entrypoint.sh"]
CMD []

LABEL org.opencontainers.image.title="vllm-supervisor" \
      org.opencontainers.image.description="A supervisor around the stock vLLM OpenAI server" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${WORKER_VERSION}-vllm${VLLM_VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}"
