"""The old names, and what carries the meaning of each. A table, and how it is read. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ...catalog import Catalog
from ...decoding import json_of
from ...records import dataclass

#: Of rotary embeddings: the old names, and where a model's configuration has what they say.
SCALING, THETA = "ROPE_SCALING", "ROPE_THETA"
KEY, TEXT = "rope_parameters", "text_config"

#: Early workers took 0 for "not set" in these, and templates still carry it. Nowhere else: 0 is 0.
ZERO_IS_UNSET = frozenset(
    """
    MAX_MODEL_LEN MAX_NUM_BATCHED_TOKENS MAX_PARALLEL_LOADING_WORKERS NUM_GPU_BLOCKS_OVERRIDE
    ROPE_THETA MAX_CPU_LORAS MAX_CONTEXT_LEN_TO_CAPTURE NUM_SPECULATIVE_TOKENS
    NGRAM_PROMPT_LOOKUP_MAX NGRAM_PROMPT_LOOKUP_MIN SPECULATIVE_MAX_MODEL_LEN
    SPECULATIVE_DRAFT_TENSOR_PARALLEL_SIZE SPECULATIVE_DISABLE_BY_BATCH_SIZE MAX_LOG_LEN
    """.split()
)


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name of an option.

    Its values had `suffix` at their ends, which the option's have not, and some of them, `left`,
    are none of the option's.
    """

    flag: str
    suffix: str = ""
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parser:
    """How the text of a field is read: `parse` raises ValueError where it is not `wanted`."""

    parse: Callable[[str], Any]
    wanted: str


def _rope(text: str) -> dict[str, Any]:
    """The key `type` of old configurations is called `rope_type` now."""
    value = json_of(text)
    if not isinstance(value, dict):
        raise ValueError(text)  # noqa: TRY004 - both are a value that is refused
    if "type" in value:
        value.setdefault("rope_type", value.pop("type"))
    return value


_TEXT = Parser(str, "a text")
_WHOLE = Parser(int, "a whole number")
_NUMBER = Parser(float, "a number")
_ROPE = Parser(_rope, "a JSON object")


@dataclass(frozen=True, slots=True)
class Field:
    """A field inside the JSON value of an option; `until` is the last version that has it."""

    flag: str
    path: tuple[str, ...]
    parser: Parser = _TEXT
    until: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Inverse:
    """True means the boolean option's negative."""

    flag: str


@dataclass(frozen=True, slots=True)
class WhenTrue:
    """True means this value of an option; false means nothing."""

    flag: str
    value: str


@dataclass(frozen=True, slots=True)
class Environment:
    """The engine reads the variable itself, in the versions `since` to `until`."""

    until: tuple[int, ...]
    since: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Gone:
    """No equivalent."""

    reason: str
    remedy: str


Carrier = Alias | Field | Inverse | WhenTrue
Meaning = Carrier | Environment | Gone

SPECULATIVE = "--speculative-config"
_HF = "--hf-overrides"
UNSET = "unset it"

_BACKENDS_LEFT = (
    "XFORMERS", "ROCM_FLASH", "PALLAS", "IPEX", "HPU_ATTN", "DUAL_CHUNK_FLASH_ATTN",
    "DIFFERENTIAL_FLASH_ATTN", "BLOCK_SPARSE_FLASH_ATTN",
)  # fmt: skip

#: Old name -> what carries its meaning, the first one that this version has. Read from the parsers
#: and configuration classes of vLLM 0.6.2 to 0.33.0.
MEANINGS: Mapping[str, tuple[Meaning, ...]] = {
    "TOKENIZER_NAME": (Alias("--tokenizer"),),
    "MODEL_REVISION": (Alias("--revision"),),
    "CUSTOM_CHAT_TEMPLATE": (Alias("--chat-template"),),
    "OPENAI_RESPONSE_ROLE": (Alias("--response-role"),),
    "DISABLE_LOGGING_REQUEST": (
        Inverse("--enable-log-requests"),
        Alias("--disable-log-requests"),
    ),
    "DISABLE_LOG_REQUESTS": (Inverse("--enable-log-requests"),),
    "ENABLE_REASONING": (
        Gone("a reasoning parser is all that it takes now", "set REASONING_PARSER"),
    ),
    "VLLM_ATTENTION_BACKEND": (
        Environment(until=(0, 14)),
        Alias("--attention-backend", suffix="_VLLM_V1", left=_BACKENDS_LEFT),
    ),
    "VLLM_USE_V1": (
        Environment(until=(0, 10), since=(0, 7)),
        Gone("it has one engine, and no switch between two", UNSET),
    ),
    "WORKER_USE_RAY": (WhenTrue("--distributed-executor-backend", "ray"),),
    "GUIDED_DECODING_BACKEND": (Field("--structured-outputs-config", ("backend",)),),
    SCALING: (Field(_HF, (KEY,), _ROPE),),
    THETA: (Field(_HF, (KEY, "rope_theta"), _NUMBER),),
    "SPECULATIVE_MODEL": (Field(SPECULATIVE, ("model",)),),
    "NUM_SPECULATIVE_TOKENS": (Field(SPECULATIVE, ("num_speculative_tokens",), _WHOLE),),
    "SPECULATIVE_DRAFT_TENSOR_PARALLEL_SIZE": (
        Field(SPECULATIVE, ("draft_tensor_parallel_size",), _WHOLE),
    ),
    "SPECULATIVE_MAX_MODEL_LEN": (Field(SPECULATIVE, ("max_model_len",), _WHOLE),),
    "NGRAM_PROMPT_LOOKUP_MAX": (Field(SPECULATIVE, ("prompt_lookup_max",), _WHOLE),),
    "NGRAM_PROMPT_LOOKUP_MIN": (Field(SPECULATIVE, ("prompt_lookup_min",), _WHOLE),),
    "SPECULATIVE_DISABLE_BY_BATCH_SIZE": (
        Field(SPECULATIVE, ("disable_by_batch_size",), _WHOLE, until=(0, 14)),
        Gone(
            "vLLM dropped that field after 0.14",
            "see num_speculative_tokens_per_batch_size in SPECULATIVE_CONFIG; its meaning differs",
        ),
    ),
    "SPECULATIVE_METHOD": (
        Field(SPECULATIVE, ("method",)),
        Gone(
            "this version tells the method from the model",
            "set SPECULATIVE_MODEL; [ngram] there stands for ngram",
        ),
    ),
    "SPEC_DECODING_ACCEPTANCE_METHOD": (
        Field(SPECULATIVE, ("acceptance_method",), until=(0, 9)),
        Gone(
            "since 0.10 vLLM has only one acceptance method, the old default rejection_sampler",
            f"{UNSET}, or see rejection_sample_method in SPECULATIVE_CONFIG",
        ),
    ),
    "TYPICAL_ACCEPTANCE_SAMPLER_POSTERIOR_THRESHOLD": (
        Field(SPECULATIVE, ("posterior_threshold",), _NUMBER, until=(0, 9)),
        Gone("the typical acceptance sampler left vLLM after 0.9", UNSET),
    ),
    "TYPICAL_ACCEPTANCE_SAMPLER_POSTERIOR_ALPHA": (
        Field(SPECULATIVE, ("posterior_alpha",), _NUMBER, until=(0, 9)),
        Gone("the typical acceptance sampler left vLLM after 0.9", UNSET),
    ),
    "QUANTIZATION_PARAM_PATH": (
        Gone("the scales of the KV cache now come from the checkpoint", UNSET),
    ),
    "USE_V2_BLOCK_MANAGER": (Gone("vLLM now has only one block manager", UNSET),),
    "NUM_LOOKAHEAD_SLOTS": (Gone("vLLM derives it from the number of speculative tokens", UNSET),),
    "TOKENIZER_POOL_SIZE": (Gone("vLLM no longer has a tokenizer pool", UNSET),),
    "TOKENIZER_POOL_TYPE": (Gone("vLLM no longer has a tokenizer pool", UNSET),),
    "TOKENIZER_POOL_EXTRA_CONFIG": (Gone("vLLM no longer has a tokenizer pool", UNSET),),
    "LORA_EXTRA_VOCAB_SIZE": (Gone("LoRA adapters can no longer add vocabulary", UNSET),),
    "LONG_LORA_SCALING_FACTORS": (Gone("vLLM dropped long LoRA", UNSET),),
    "SCHEDULER_DELAY_FACTOR": (Gone("the scheduler no longer has a delay", UNSET),),
    "PREEMPTION_MODE": (Gone("since 0.11 vLLM only recomputes", UNSET),),
    "PREEMPTION_CHECK_PERIOD": (Gone("vLLM never had this option", UNSET),),
    "PREEMPTION_CPU_CAPACITY": (Gone("vLLM never had this option", UNSET),),
    "SWAP_SPACE": (Gone("vLLM no longer swaps", "see KV_OFFLOADING_SIZE, a different feature"),),
    "MAX_SEQ_LEN_TO_CAPTURE": (
        Gone(
            "CUDA graphs are now sized by the tokens of a step, not by the length of a sequence",
            "see MAX_CUDAGRAPH_CAPTURE_SIZE",
        ),
    ),
    "MAX_CONTEXT_LEN_TO_CAPTURE": (
        Alias("--max-seq-len-to-capture"),
        Gone(
            "CUDA graphs are now sized by the tokens of a step, not by the length of a sequence",
            "see MAX_CUDAGRAPH_CAPTURE_SIZE",
        ),
    ),
}

#: Old name -> values that ask for nothing which this vLLM does not do anyway, where it has no such
#: option: the defaults of older workers, which templates carry, and what says "off".
IDLE: Mapping[str, tuple[str, ...]] = {
    "USE_V2_BLOCK_MANAGER": ("false", "true"),  # the one that is left is the second
    "NUM_LOOKAHEAD_SLOTS": ("0",),
    "TOKENIZER_POOL_SIZE": ("0",),
    "TOKENIZER_POOL_TYPE": ("ray",),
    "TOKENIZER_POOL_EXTRA_CONFIG": ("{}",),
    "LORA_EXTRA_VOCAB_SIZE": ("256", "0"),
    "SCHEDULER_DELAY_FACTOR": ("0",),
    "PREEMPTION_MODE": ("recompute",),
    "PREEMPTION_CHECK_PERIOD": ("1",),
    "PREEMPTION_CPU_CAPACITY": ("2",),
    "SWAP_SPACE": ("4", "0"),
    "MAX_SEQ_LEN_TO_CAPTURE": ("8192",),
    "MAX_CONTEXT_LEN_TO_CAPTURE": ("8192",),
    "SPEC_DECODING_ACCEPTANCE_METHOD": ("rejection_sampler",),
    "ENABLE_REASONING": ("false",),
    "VLLM_USE_V1": ("1",),
}

#: Old name -> the variable that alone is enough for it now.
MADE_IDLE_BY: Mapping[str, str] = {"ENABLE_REASONING": "REASONING_PARSER"}

SERVED_NAME = "OPENAI_SERVED_MODEL_NAME_OVERRIDE"


def names() -> frozenset[str]:
    """Every old name that is known here."""
    return frozenset(MEANINGS) | {SERVED_NAME}


def is_number(name: str) -> bool:
    """Whether the old name took a number, where it is a field of a JSON option now."""
    return any(
        isinstance(meaning, Field) and meaning.parser in (_WHOLE, _NUMBER)
        for meaning in MEANINGS.get(name, ())
    )


def carrier(name: str, catalog: Catalog) -> Meaning | None:
    """What carries the old name's meaning in this version; None where nothing is known to."""
    for meaning in MEANINGS.get(name, ()):
        if isinstance(meaning, Gone) or _has(catalog, meaning):
            return meaning
    return None


def is_old(name: str, catalog: Catalog) -> bool:
    """Whether `name` is to be carried over: neither an option nor what the engine reads itself."""
    meant = carrier(name, catalog)
    return not isinstance(meant, Environment) and not is_an_option(name, catalog)


def is_an_option(name: str, catalog: Catalog) -> bool:
    """Whether the general rule does what the name means.

    vLLM 0.10 to 0.14 keep --disable-log-requests beside --enable-log-requests and do not look at
    it: the other one, inverted, has the meaning.
    """
    known = catalog.by_variable.get(name)
    meant = carrier(name, catalog)
    other = catalog.option(meant.flag) if isinstance(meant, Inverse) else None
    return known is not None and (other is None or known[0] is other)


def _has(catalog: Catalog, meaning: Carrier | Environment) -> bool:
    if isinstance(meaning, Environment):
        return catalog.complete and _within(catalog, meaning.since, meaning.until)
    option = catalog.option(meaning.flag)
    if option is None or (isinstance(meaning, Inverse) and not option.off):
        return False
    until = meaning.until if isinstance(meaning, Field) else None
    return until is None or _within(catalog, (0,), until)


def _within(catalog: Catalog, since: tuple[int, ...], until: tuple[int, ...]) -> bool:
    """Compared in as many parts as the bound has: 0.14.1 is within 0.14."""
    version = tuple(int(part) for part in re.findall(r"\d+", catalog.version))
    return version[: len(since)] >= since and version[: len(until)] <= until
