"""What other products, and other workers, call settings that are here too. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...records import dataclass
from ...settings import table

_SAGEMAKER = "SageMaker's images call it so"
_TGI = "text-generation-inference calls it so"
_PEOPLE = "no program reads it here"
_OFFICIAL = "worker-vllm calls it so"

#: Of several that are set, the first one is shown as what was meant.
MODELS: Mapping[str, str] = {
    "VLLM_MODEL": "other images call it so",
    "VLLM_MODEL_NAME": "other images call it so",
    "MODEL": "worker-vllm 2 looks for it too",
    "MODEL_ID": _TGI,
    "HF_MODEL_ID": _SAGEMAKER,
    "SM_VLLM_MODEL": _SAGEMAKER,
    "OPTION_MODEL_ID": "DJL serving calls it so",
    "NIM_MODEL_NAME": "NIM calls it so",
    "HF_MODEL": _PEOPLE,
    "HF_MODEL_NAME": _PEOPLE,
    "HF_MODEL_REPO": _PEOPLE,
    "HF_REPO": _PEOPLE,
    "HF_REPO_ID": _PEOPLE,
    "LLM_MODEL": _PEOPLE,
    "MODEL_REPO": _PEOPLE,
    "MODEL_REPO_ID": _PEOPLE,
    "MODEL_PATH": _PEOPLE,
    "MODEL_DIR": _PEOPLE,
    "MODEL_TAG": _PEOPLE,
}

_OTHER_MEANING = (
    "is worker-vllm's longest time for a whole request; here a request ends after silence instead"
)


@dataclass(frozen=True, slots=True)
class Stranger:
    """A name that means nothing here: the end of a sentence, and what to do."""

    why: str
    today: str

    @property
    def remedy(self) -> str:
        """What is called so here."""
        return f"set {self.today} instead"


def _all(today: str, why: str, names: str) -> dict[str, Stranger]:
    return {name: Stranger(f"has no effect: {why}", today) for name in names.split()}


_STRANGERS: Mapping[str, Stranger] = {
    "REQUEST_TIMEOUT": Stranger(_OTHER_MEANING, table.REQUEST_IDLE_TIMEOUT.name),
    **_all(table.STARTUP_TIMEOUT.name, _OFFICIAL, "VLLM_STARTUP_TIMEOUT"),
    **_all(
        table.STARTUP_TIMEOUT.name,
        _PEOPLE,
        "ENGINE_START_TIMEOUT ENGINE_STARTUP_TIMEOUT ENGINE_READY_TIMEOUT ENGINE_LOAD_TIMEOUT"
        " MODEL_LOAD_TIMEOUT VLLM_START_TIMEOUT VLLM_READY_TIMEOUT START_TIMEOUT_SECONDS",
    ),
    **_all(
        table.DRAIN_TIMEOUT.name,
        _PEOPLE,
        "ENGINE_DRAIN_TIMEOUT GRACEFUL_SHUTDOWN_TIMEOUT SHUTDOWN_GRACE_PERIOD",
    ),
    **_all(table.ENGINE_STALL_TIMEOUT.name, _PEOPLE, "STALL_TIMEOUT ENGINE_HANG_TIMEOUT"),
    **_all(table.VLLM_COMMAND.name, _PEOPLE, "VLLM_CMD VLLM_BIN VLLM_EXECUTABLE"),
    **_all(table.VLLM_EXTRA_ARGS.name, _PEOPLE, "VLLM_ARGS EXTRA_ARGS VLLM_SERVE_ARGS"),
    **_all(table.VLLM_CONFIG_FILE.name, _PEOPLE, "VLLM_CONFIG VLLM_CONFIG_PATH"),
    **_all("MODEL_REVISION", _SAGEMAKER, "HF_MODEL_REVISION"),
    **_all("QUANTIZATION", _TGI, "HF_MODEL_QUANTIZE QUANTIZE"),
    **_all("TENSOR_PARALLEL_SIZE", _TGI, "NUM_SHARD"),
    **_all("MAX_MODEL_LEN", _TGI, "MAX_TOTAL_TOKENS"),
    **_all("TRUST_REMOTE_CODE", _SAGEMAKER, "HF_MODEL_TRUST_REMOTE_CODE"),
    **_all("TENSOR_PARALLEL_SIZE", _PEOPLE, "TENSOR_PARALLEL TP_SIZE VLLM_TP_SIZE"),
    **_all("PIPELINE_PARALLEL_SIZE", _PEOPLE, "PIPELINE_PARALLEL PP_SIZE"),
    **_all("DATA_PARALLEL_SIZE", _PEOPLE, "DP_SIZE"),
    **_all(
        "GPU_MEMORY_UTILIZATION",
        _PEOPLE,
        "GPU_UTIL GPU_UTILIZATION GPU_MEMORY_FRACTION MEM_FRACTION_STATIC",
    ),
    **_all(
        "MAX_MODEL_LEN",
        _PEOPLE,
        "CONTEXT_LEN CONTEXT_LENGTH CONTEXT_SIZE CTX_LEN CTX_SIZE MAX_CONTEXT_LEN"
        " MAX_CONTEXT_LENGTH MAX_SEQ_LEN MAX_SEQ_LENGTH MAX_SEQUENCE_LENGTH",
    ),
    **_all("MAX_NUM_SEQS", _PEOPLE, "MAX_SEQS MAX_NUM_SEQUENCES"),
    **_all(
        "HF_TOKEN",
        "the hub's client reads another name",
        "HF_API_TOKEN HF_API_KEY HF_ACCESS_TOKEN HF_AUTH_TOKEN HUGGINGFACE_TOKEN"
        " HUGGING_FACE_TOKEN HUGGINGFACE_API_KEY HUGGINGFACE_API_TOKEN HUGGINGFACE_HUB_TOKEN"
        " HUGGINGFACEHUB_API_TOKEN HUGGINGFACE_ACCESS_TOKEN",
    ),
}
#: Every name that is told here, or passed over because today's name is set too.
NAMES = frozenset({*_STRANGERS, *MODELS})
#: What such a product puts before the name of an option.
_PREFIXES = ("SM_VLLM_", "VLLM_", "NIM_", "OPTION_", "WORKER_")


def among(env: Mapping[str, str], known: Collection[str]) -> dict[str, Stranger]:
    """The names in `env` that others have for a setting which `env` does not set.

    Args:
        env: the variables that are set.
        known: what means something here.
    """
    return {
        name: stranger
        for name in sorted(env)
        if (stranger := _STRANGERS.get(name)) is not None
        and name not in known
        and stranger.today in {*known, "HF_TOKEN"}
        and env[name].strip()
        and not env.get(stranger.today, "").strip()
    }


def model(env: Mapping[str, str]) -> tuple[str, str] | None:
    """The variable by which `env` may name the model for another product, and whose name it is."""
    return next(((name, why) for name, why in MODELS.items() if env.get(name, "").strip()), None)


def without_prefix(name: str, options: Collection[str], ours: Collection[str]) -> str | None:
    """The option or setting that `name` is with a prefix of others before it.

    One word is too little to say so: WORKER_SEED, NIM_MODEL.
    """
    if name in MODELS:
        return None
    for prefix in _PREFIXES:
        rest = name.removeprefix(prefix)
        if rest != name and "_" in rest and (rest in options or rest in ours):
            return rest
    return None
