"""Typing errors are found; a container's own variables never are."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor.command import plan
from supervisor.settings.table import WORKER_VARIABLES
from tests.supervisor.command.test_translate import VERSIONS, catalog

#: As containers on RunPod, on Kubernetes and in CUDA images have them.
CONTAINER = """
PATH HOME HOSTNAME USER PWD OLDPWD SHELL SHLVL TERM LANG LANGUAGE LC_ALL LC_CTYPE TZ EDITOR PAGER
DEBIAN_FRONTEND LD_LIBRARY_PATH LIBRARY_PATH LD_PRELOAD PYTHONPATH PYTHONUNBUFFERED PYTHONHOME
PYTHONDONTWRITEBYTECODE PIP_NO_CACHE_DIR VIRTUAL_ENV UV_HTTP_TIMEOUT UV_INDEX_STRATEGY CONDA_PREFIX
RUNPOD_POD_ID RUNPOD_API_KEY RUNPOD_ENDPOINT_ID RUNPOD_WEBHOOK_GET_JOB RUNPOD_GPU_COUNT
RUNPOD_MEM_GB RUNPOD_CPU_COUNT RUNPOD_DC_ID RUNPOD_PUBLIC_IP RUNPOD_TCP_PORT_22 RUNPOD_VOLUME_ID
RUNPOD_INIT_TIMEOUT PUBLIC_KEY JUPYTER_PASSWORD NVIDIA_VISIBLE_DEVICES NVIDIA_DRIVER_CAPABILITIES
NVIDIA_REQUIRE_CUDA NVARCH NV_CUDA_LIB_VERSION NV_LIBNCCL_PACKAGE CUDA_HOME CUDA_VERSION
CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER CUDA_MODULE_LOADING NCCL_DEBUG NCCL_SOCKET_IFNAME
NCCL_VERSION NCCL_P2P_DISABLE GLOO_SOCKET_IFNAME OMP_NUM_THREADS MKL_NUM_THREADS TORCH_HOME
TORCH_CUDA_ARCH_LIST PYTORCH_CUDA_ALLOC_CONF TRITON_CACHE_DIR HF_HOME HF_TOKEN HF_HUB_OFFLINE
HF_HUB_ENABLE_HF_TRANSFER HUGGINGFACE_HUB_CACHE TRANSFORMERS_CACHE TOKENIZERS_PARALLELISM
VLLM_USAGE_SOURCE VLLM_LOGGING_LEVEL VLLM_API_KEY VLLM_USE_V1 VLLM_ATTENTION_BACKEND
KUBERNETES_SERVICE_HOST KUBERNETES_PORT_443_TCP_ADDR MY_SERVICE_SERVICE_PORT MASTER_ADDR
MASTER_PORT WORLD_SIZE LOCAL_RANK NODE_RANK NODE_ADDR PRIMARY_ADDR PRIMARY_PORT NUM_NODES
NUM_TRAINERS HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy no_proxy SSL_CERT_FILE REQUESTS_CA_BUNDLE
SSH_CLIENT SSH_CONNECTION SSH_TTY XDG_CACHE_HOME XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS
GIT_PYTHON_REFRESH AWS_ACCESS_KEY_ID AWS_DEFAULT_REGION GOOGLE_APPLICATION_CREDENTIALS COLUMNS
LINES LS_COLORS LESSOPEN MAIL LOGNAME INVOCATION_ID JOURNAL_STREAM MOTD_SHOWN container _
SAFETENSORS_FAST_GPU RAY_ADDRESS OPENBLAS_NUM_THREADS CI GITHUB_ACTIONS HOST PORT MODEL_PATH
DATA_DIR LOG_LEVEL LOGGING_LEVEL CACHE_DIR TMPDIR BASH_ENV PROMPT_COMMAND
""".split()


def warned(env: dict[str, str], version: str = "0.32.0") -> dict[str, str | None]:
    found = plan.make({"MODEL_NAME": "m", **env}, catalog(version))
    assert not found.findings.errors
    return {warning.env: warning.suggestion for warning in found.findings.warnings}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("MAX_MODEL_LENGTH", "MAX_MODEL_LEN"),
        ("TENSOR_PARALEL_SIZE", "TENSOR_PARALLEL_SIZE"),
        ("ENABLE_PREFIXCACHING", "ENABLE_PREFIX_CACHING"),
        ("MAX_MODELLEN", "MAX_MODEL_LEN"),
        ("GPU_MEMORY_UTILISATION", "GPU_MEMORY_UTILIZATION"),
        ("ENFORCE_EGER", "ENFORCE_EAGER"),
        ("MAX_CONCURENCY", "MAX_CONCURRENCY"),
        ("DEFAULT_BATCHSIZE", "DEFAULT_BATCH_SIZE"),
        ("QUANTISATION", "QUANTIZATION"),
        ("MODEL_NAMES", "MODEL_NAME"),
        ("OPENAI_SERVED_MODEL_NAME_OVERIDE", "OPENAI_SERVED_MODEL_NAME_OVERRIDE"),
        ("CUSTOM_CHAT_TEMPLATES", "CUSTOM_CHAT_TEMPLATE"),
        ("DRAIN_TIMEOUTS", "DRAIN_TIMEOUT"),
    ],
)
def test_did_you_mean(wrong: str, right: str) -> None:
    assert warned({wrong: "1"}) == {wrong: f"did you mean {right}?"}


def test_strict_makes_it_an_error() -> None:
    env = {"MODEL_NAME": "m", "MAX_MODEL_LENGTH": "4096", "STRICT_ENV": "1"}
    (error,) = plan.make(env, catalog("0.32.0")).findings.errors
    assert (error.env, error.suggestion) == ("MAX_MODEL_LENGTH", "did you mean MAX_MODEL_LEN?")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_whole_container_gives_no_warning(version: str) -> None:
    env = dict.fromkeys(CONTAINER, "x") | {"MODEL_PATH": "/m", "VLLM_USE_V1": "1"}
    assert warned(env, version) == {}


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    names=st.lists(st.sampled_from(CONTAINER), unique=True),
    tails=st.lists(
        st.tuples(
            st.sampled_from(["RUNPOD", "NVIDIA", "CUDA", "NCCL", "PYTHON", "LC", "VLLM", "HF"]),
            st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1, max_size=12),
        ),
        max_size=8,
    ),
    values=st.sampled_from(["", "1", "true", "/some/path", "a b", "12.8"]),
)
def test_no_typical_environment_gives_a_warning(
    names: list[str], tails: list[tuple[str, str]], values: str
) -> None:
    env = dict.fromkeys([*names, *(f"{head}_{tail}" for head, tail in tails)], values)
    env.pop("RUNPOD_ENDPOINT_ID", None)  # load-balancer mode has a warning of its own
    env = {name: text for name, text in env.items() if name not in WORKER_VARIABLES}
    assert warned(env) == {}
