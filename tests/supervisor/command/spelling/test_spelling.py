"""Typing errors are found; a container's own variables never are."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor.command import explain, plan, spelling
from supervisor.command.doors import opened
from supervisor.settings.table import WORKER_VARIABLES
from tests.supervisor.command.test_translate import VERSIONS, catalog

CURRENT = catalog("0.32.0")

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
VLLM_USAGE_SOURCE VLLM_LOGGING_LEVEL VLLM_API_KEY VLLM_HOST_IP WORKER_PYTHON
KUBERNETES_SERVICE_HOST KUBERNETES_PORT_443_TCP_ADDR MY_SERVICE_SERVICE_PORT MASTER_ADDR
MASTER_PORT WORLD_SIZE LOCAL_RANK NODE_RANK NODE_ADDR PRIMARY_ADDR PRIMARY_PORT
NUM_TRAINERS HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy no_proxy SSL_CERT_FILE REQUESTS_CA_BUNDLE
SSH_CLIENT SSH_CONNECTION SSH_TTY XDG_CACHE_HOME XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS
GIT_PYTHON_REFRESH AWS_ACCESS_KEY_ID AWS_DEFAULT_REGION GOOGLE_APPLICATION_CREDENTIALS COLUMNS
NIX_SSL_CERT_FILE CURL_CA_BUNDLE GIT_SSL_CAINFO NODE_EXTRA_CA_CERTS SYSTEM_CERTIFICATE_PATH
ALL_PROXY all_proxy FTP_PROXY GRPC_DEFAULT_SSL_ROOTS_FILE_PATH AWS_CA_BUNDLE HTTPLIB2_CA_CERTS
HF_ENDPOINT HF_XET_HIGH_PERFORMANCE HF_HUB_DISABLE_TELEMETRY HUGGING_FACE_HUB_TOKEN HF_DEBUG
VLLM_BUILD_COMMIT VLLM_IMAGE_TAG VLLM_SERVICE_PORT_HTTP WORKER_CONCURRENCY WORKER_PROCESSES
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
            st.sampled_from(["RUNPOD", "NVIDIA", "CUDA", "NCCL", "PYTHON", "LC"]),
            st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1, max_size=12),
        ),
        max_size=8,
    ),
    engines=st.lists(st.sampled_from(sorted(CURRENT.environment))),
    values=st.sampled_from(["", "1", "true", "/some/path", "a b", "12.8"]),
)
def test_no_typical_environment_gives_a_warning(
    names: list[str], tails: list[tuple[str, str]], engines: list[str], values: str
) -> None:
    every = [*names, *engines, *(f"{head}_{tail}" for head, tail in tails)]
    env = dict.fromkeys(every, values)
    env.pop("RUNPOD_ENDPOINT_ID", None)  # load-balancer mode has a warning of its own
    own = WORKER_VARIABLES | opened.SWITCHES.keys()  # what these open is told
    env = {name: text for name, text in env.items() if name not in own}
    assert warned(env) == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_none_of_vllms_own_variables_is_a_misspelling(version: str) -> None:
    of = catalog(version)
    assert len(of.environment) > 50
    assert spelling.suspects(of.environment | of.environment_elsewhere, of) == {}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("VLLM_EXTRA_ARG", "VLLM_EXTRA_ARGS"),
        ("VLLM_LOGING_LEVEL", "VLLM_LOGGING_LEVEL"),
        ("VLLM_API_KYE", "VLLM_API_KEY"),
        ("WORKER_MOD", "WORKER_MODE"),
        ("HF_TOKN", "HF_TOKEN"),
        ("HFTOKEN", "HF_TOKEN"),
        ("HF_HUB_OFLINE", "HF_HUB_OFFLINE"),
        ("HF_OVERIDES", "HF_OVERRIDES"),
        ("GPU_MEM_UTIL", "GPU_MEMORY_UTILIZATION"),
        ("MODEL_NAME_REVISION", "MODEL_REVISION"),
        ("TENSOR_MODEL_PARALLEL_SIZE", "TENSOR_PARALLEL_SIZE"),
        ("VLLM_MAX_MODEL_LEN", "MAX_MODEL_LEN"),
        ("VLLM_GPU_MEMORY_UTILIZATION", "GPU_MEMORY_UTILIZATION"),
        ("NIM_MAX_MODEL_LEN", "MAX_MODEL_LEN"),
        ("SM_VLLM_MAX_MODEL_LEN", "MAX_MODEL_LEN"),
        ("OPTION_DTYPE_", None),
        ("WORKER_MAX_CONCURRENCY", "MAX_CONCURRENCY"),
        ("max_model_len", "MAX_MODEL_LEN"),
        ("CORS_ALLOWED_ORIGINS", None),
        ("CACHE_DIRECTORY", None),
        ("LOG_CONFIG", None),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_names_of_a_family_and_abbreviations_are_looked_at_too(
    version: str, wrong: str, right: str | None
) -> None:
    found = spelling.suspects([wrong], catalog(version))
    if version == "0.6.2" and wrong == "HF_OVERIDES":
        right = "HF_OVERRIDES"  # an option of other versions
    assert found == ({wrong: right} if right else {})


@pytest.mark.parametrize("name", ["VLLM_API_KYE", "HF_TOKN", "HUGGINGFACE_TOKEN"])
@pytest.mark.parametrize("strict", ["0", "1"])
def test_a_misspelt_secret_is_named_without_its_value(name: str, strict: str) -> None:
    secret = "a-word-that-nobody-guesses"
    found = plan.make({"MODEL_NAME": "m", name: secret, "STRICT_ENV": strict}, CURRENT)
    assert secret not in json.dumps(explain.as_json(found)) + explain.as_text(found)
    named = found.findings.errors if strict == "1" else found.findings.warnings
    assert [each.env for each in named] == [name]


@pytest.mark.parametrize(
    ("name", "version", "remedy"),
    [
        ("VLLM_RPC_TIMEOUT", "0.32.0", "unset it"),
        ("VLLM_ALL2ALL_BACKEND", "0.32.0", "set ALL2ALL_BACKEND"),
        ("VLLM_RPC_TIMEOUT", "0.10.2", None),
        ("Q_SCALE_CONSTANT", "0.32.0", None),  # anybody's
    ],
)
def test_a_variable_that_this_vllm_does_not_read(
    name: str, version: str, remedy: str | None
) -> None:
    assert warned({name: "1"}, version) == ({name: remedy} if remedy else {})


def test_what_a_cluster_writes_for_a_service_of_our_name() -> None:
    env = {"VLLM_EXTRA_ARG": "tcp://10.0.0.1:80", "VLLM_WORKER_PORT": "tcp://10.0.0.1:80"}
    assert warned({**env, "VLLM_SERVICE_PORT": "80", "VLLM_PORT": "tcp://10.0.0.1:80"}) == {}
