"""Names of variables that others set, and that no warning is to be about. Pure."""

from __future__ import annotations

import re

#: Shells, containers, clusters, drivers and the libraries under vLLM: the first word of a name.
_OTHERS = frozenset(
    """
    RUNPOD NVIDIA CUDA NCCL PYTHON PIP LC LD XDG SSH SSL GIT CONDA UV VIRTUAL KUBERNETES AWS GCP
    GOOGLE AZURE TRANSFORMERS TORCH TORCHINDUCTOR PYTORCH TRITON FLASHINFER RAY OMP MKL KMP OPENBLAS
    NUMEXPR TOKENIZERS TQDM UCX GLOO NVSHMEM NVTE OTEL PROMETHEUS DOCKER CONTAINER MASTER NODE WORLD
    LOCAL GROUP JUPYTER TENSORBOARD SAFETENSORS CI GITHUB npm NPM DEBIAN APT DBUS DISPLAY TERM SHELL
    HOME HOST HOSTNAME USER PATH PWD LANG PUBLIC WANDB MLFLOW SUPERVISOR CLUSTER PRIMARY LWS
    """.split()
)
#: Certificates and proxies of the system, any word of a name in any case: NIX_SSL_CERT_FILE,
#: CURL_CA_BUNDLE, GIT_SSL_CAINFO.
_SYSTEM = frozenset(
    "SSL TLS CA CERT CERTS CACERT CACERTS CAINFO CERTIFICATE CERTIFICATES PROXY PROXIES".split()
)
#: What Kubernetes makes of a Service, of whatever name.
_SERVICE = r".*_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_\d+_.*)"
_SERVICE_ADDRESS = ("tcp://", "udp://", "sctp://")

#: What the hub's client and its transfer read (huggingface_hub, transformers, hf_xet).
HUB = frozenset(
    """
    HF_TOKEN HF_TOKEN_PATH HF_STORED_TOKENS_PATH HF_HOME HF_ENDPOINT HF_DEBUG HF_EDITOR
    HF_ASSETS_CACHE HF_MODULES_CACHE HF_DATASETS_CACHE HF_DATASETS_OFFLINE HF_INFERENCE_ENDPOINT
    HF_HUB_CACHE HF_HUB_OFFLINE HF_HUB_ETAG_TIMEOUT HF_HUB_DOWNLOAD_TIMEOUT HF_HUB_DISABLE_XET
    HF_HUB_DISABLE_TELEMETRY HF_HUB_DISABLE_SYMLINKS HF_HUB_DISABLE_SYMLINKS_WARNING
    HF_HUB_DISABLE_PROGRESS_BARS HF_HUB_DISABLE_IMPLICIT_TOKEN HF_HUB_DISABLE_SHARED_BLOBS
    HF_HUB_DISABLE_EXPERIMENTAL_WARNING HF_HUB_DISABLE_UPDATE_CHECK HF_HUB_ENABLE_HF_TRANSFER
    HF_HUB_VERBOSITY HF_HUB_USER_AGENT_ORIGIN HF_TRANSFER_CONCURRENCY HF_OIDC_RESOURCE
    HF_OIDC_ID_TOKEN HUGGING_FACE_HUB_TOKEN HUGGINGFACE_HUB_CACHE HUGGINGFACE_ASSETS_CACHE
    HUGGINGFACE_CO_STAGING
    """.split()
)
_HUB_FAMILIES = ("HF_XET_", "HUGGINGFACE_CO_", "HF_DATASETS_", "HF_TRANSFER_")
#: Read by the worker's own scripts, by the engine beside its table, or set while images are built.
_KINDRED = frozenset(
    """
    WORKER_PYTHON WORKER_CUDA_VERSION WORKER_VERSION WORKER_MARK VLLM_VERSION VLLM_BUILD_COMMIT
    VLLM_BUILD_PIPELINE VLLM_BUILD_URL VLLM_IMAGE_TAG VLLM_HOST_PORT VLLM_OBJECT_STORAGE_SHM_BUFFER
    VLLM_CUSTOM_ALLREDUCE_ALGO VLLM_CPU_SIM_MULTI_NUMA VLLM_MORIIO_TRANSFER_TIMEOUT_S
    VLLM_PRECOMPILED_WHEEL_LOCATION VLLM_OMP_NUM_THREADS_SET_BY_VLLM VLLM_SNAPSHOT_TIMEOUT_S
    VLLM_SNAPSHOT_IGNORED_FD_MAP
    """.split()
)


def is_theirs(name: str) -> bool:
    """Whether others set a variable of this name for their own reasons."""
    return (
        name in _KINDRED
        or name.startswith(_HUB_FAMILIES)
        or name.partition("_")[0] in _OTHERS
        or not _SYSTEM.isdisjoint(name.upper().split("_"))
        or _is_of_a_service(name)
    )


def is_of_a_cluster(name: str, text: str) -> bool:
    """Whether a cluster wrote it for a Service, which may be called `vllm` or `worker`."""
    return text.startswith(_SERVICE_ADDRESS) or _is_of_a_service(name)


def _is_of_a_service(name: str) -> bool:
    return ("_SERVICE_" in name or "_PORT_" in name) and bool(re.fullmatch(_SERVICE, name))
