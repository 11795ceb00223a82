"""What the variables of older workers mean today. Pure.

Rewrites an environment: an old name becomes the name of an option that the catalogue has, fields of
one JSON option that come from several variables are merged, and what has no equivalent in this
version is named in a warning with what to do. Where the catalogue has an option of the old name,
the general rule of `flags` applies and nothing is rewritten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..catalog import Catalog, Option
from ..catalog.options import variable
from ..findings import Fault, Findings, Ignored, Remark, Source, unsayable
from ..secrets import masked
from ..settings.parsers import boolean

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
class Origin:
    """Where a rewritten value came from."""

    variables: tuple[str, ...]
    source: Source
    note: str | None = None


@dataclass(slots=True)
class Rewritten:
    """An environment in today's names, and which of its entries came from other ones."""

    env: dict[str, str]
    origins: dict[str, Origin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name of an option."""

    flag: str


@dataclass(frozen=True, slots=True)
class Field:
    """A field inside the JSON value of an option; `until` is the last version that has it."""

    flag: str
    path: tuple[str, ...]
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
class Gone:
    """No equivalent."""

    reason: str
    remedy: str


_Carrier = Alias | Field | Inverse | WhenTrue
Meaning = _Carrier | Gone

_SPECULATIVE = "--speculative-config"
_HF = "--hf-overrides"
_UNSET = "unset it"

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
    "WORKER_USE_RAY": (WhenTrue("--distributed-executor-backend", "ray"),),
    "GUIDED_DECODING_BACKEND": (Field("--structured-outputs-config", ("backend",)),),
    "ROPE_SCALING": (Field(_HF, ("rope_parameters",)),),
    "ROPE_THETA": (Field(_HF, ("rope_parameters", "rope_theta")),),
    "SPECULATIVE_MODEL": (Field(_SPECULATIVE, ("model",)),),
    "NUM_SPECULATIVE_TOKENS": (Field(_SPECULATIVE, ("num_speculative_tokens",)),),
    "SPECULATIVE_DRAFT_TENSOR_PARALLEL_SIZE": (
        Field(_SPECULATIVE, ("draft_tensor_parallel_size",)),
    ),
    "SPECULATIVE_MAX_MODEL_LEN": (Field(_SPECULATIVE, ("max_model_len",)),),
    "NGRAM_PROMPT_LOOKUP_MAX": (Field(_SPECULATIVE, ("prompt_lookup_max",)),),
    "NGRAM_PROMPT_LOOKUP_MIN": (Field(_SPECULATIVE, ("prompt_lookup_min",)),),
    "SPECULATIVE_DISABLE_BY_BATCH_SIZE": (
        Field(_SPECULATIVE, ("disable_by_batch_size",), until=(0, 14)),
        Gone(
            "vLLM dropped that field after 0.14",
            "see num_speculative_tokens_per_batch_size in SPECULATIVE_CONFIG; its meaning differs",
        ),
    ),
    "SPEC_DECODING_ACCEPTANCE_METHOD": (
        Gone(
            "vLLM has one acceptance method since 0.10, the old default rejection_sampler",
            f"{_UNSET}, or see rejection_sample_method in SPECULATIVE_CONFIG",
        ),
    ),
    "TYPICAL_ACCEPTANCE_SAMPLER_POSTERIOR_THRESHOLD": (
        Gone("the typical acceptance sampler left vLLM after 0.9", _UNSET),
    ),
    "TYPICAL_ACCEPTANCE_SAMPLER_POSTERIOR_ALPHA": (
        Gone("the typical acceptance sampler left vLLM after 0.9", _UNSET),
    ),
    "QUANTIZATION_PARAM_PATH": (
        Gone("the scales of the KV cache come from the checkpoint now", _UNSET),
    ),
    "USE_V2_BLOCK_MANAGER": (Gone("there is only one block manager now", _UNSET),),
    "NUM_LOOKAHEAD_SLOTS": (Gone("vLLM derives it from the number of speculative tokens", _UNSET),),
    "TOKENIZER_POOL_SIZE": (Gone("there is no tokenizer pool any more", _UNSET),),
    "TOKENIZER_POOL_TYPE": (Gone("there is no tokenizer pool any more", _UNSET),),
    "TOKENIZER_POOL_EXTRA_CONFIG": (Gone("there is no tokenizer pool any more", _UNSET),),
    "LORA_EXTRA_VOCAB_SIZE": (Gone("LoRA adapters cannot add vocabulary any more", _UNSET),),
    "LONG_LORA_SCALING_FACTORS": (Gone("vLLM dropped long LoRA", _UNSET),),
    "SCHEDULER_DELAY_FACTOR": (Gone("the scheduler has no delay any more", _UNSET),),
    "PREEMPTION_MODE": (Gone("vLLM only recomputes since 0.11", _UNSET),),
    "PREEMPTION_CHECK_PERIOD": (Gone("it never was an option of vLLM", _UNSET),),
    "PREEMPTION_CPU_CAPACITY": (Gone("it never was an option of vLLM", _UNSET),),
    "SWAP_SPACE": (
        Gone("vLLM does not swap any more", "see KV_OFFLOADING_SIZE, a different feature"),
    ),
    "MAX_SEQ_LEN_TO_CAPTURE": (
        Gone(
            "CUDA graphs are sized by tokens of a step now, not by the length of a sequence",
            "see MAX_CUDAGRAPH_CAPTURE_SIZE",
        ),
    ),
    "MAX_CONTEXT_LEN_TO_CAPTURE": (
        Alias("--max-seq-len-to-capture"),
        Gone(
            "CUDA graphs are sized by tokens of a step now, not by the length of a sequence",
            "see MAX_CUDAGRAPH_CAPTURE_SIZE",
        ),
    ),
}

SERVED_NAME = "OPENAI_SERVED_MODEL_NAME_OVERRIDE"


def rewrite(env: Mapping[str, str], catalog: Catalog, findings: Findings) -> Rewritten:
    """`env` in the names that `catalog` has; what cannot be carried over goes to `findings`."""
    found = Rewritten(_without_zeros(env, findings))
    merge = _Merge(found, catalog, findings)
    for name in MEANINGS:
        text = found.env.get(name, "").strip()
        if not text or _is_an_option(name, catalog):
            continue
        del found.env[name]
        _carry_over(name, text, merge)
    merge.finish()
    _served_name(merge)
    return found


def is_number(name: str) -> bool:
    """Whether the old name took a number, where it is a field of a JSON option now."""
    return _CONVERT.get(name) in {int, float}


def names() -> frozenset[str]:
    """Every old name that is known here."""
    return frozenset(MEANINGS) | {SERVED_NAME}


def _without_zeros(env: Mapping[str, str], findings: Findings) -> dict[str, str]:
    kept = {}
    for name, text in env.items():
        if name in ZERO_IS_UNSET and re.fullmatch(r"\s*0+(\.0*)?\s*", text):
            findings.ignored.append(
                Ignored(name, "0 means not set here, as it did for old workers")
            )
        else:
            kept[name] = text
    return kept


def _is_an_option(name: str, catalog: Catalog) -> bool:
    """Whether the general rule does what the name means.

    vLLM 0.10 to 0.14 keep --disable-log-requests beside --enable-log-requests and do not look at
    it: the other one, inverted, has the meaning.
    """
    known = catalog.by_variable.get(name)
    meant = carrier(name, catalog)
    other = catalog.option(meant.flag) if isinstance(meant, Inverse) else None
    return known is not None and (other is None or known[0] is other)


def carrier(name: str, catalog: Catalog) -> Meaning | None:
    """What carries the old name's meaning in this version; None where nothing is known to."""
    for meaning in MEANINGS.get(name, ()):
        if isinstance(meaning, Gone) or _has(catalog, meaning):
            return meaning
    return None


def _carry_over(name: str, text: str, merge: _Merge) -> None:
    meaning = carrier(name, merge.catalog)
    option = merge.catalog.option(meaning.flag) if isinstance(meaning, _Carrier) else None
    match meaning:
        case Alias() if option:
            merge.alias(name, variable(meaning.flag), text)
        case Inverse() if option:
            merge.alias(name, variable(option.off[0]), text, source="legacy")
        case WhenTrue(value=value) if option:
            merge.when_true(name, option, text, value)
        case Field(path=path) if option:
            merge.field(name, option, path, text)
        case _ if not merge.catalog.complete:
            merge.findings.warnings.append(unsayable(name))
        case Gone(reason=reason, remedy=remedy):
            message = f"{name} has no effect with vLLM {merge.catalog.version}: {reason}"
            merge.findings.warnings.append(Remark(name, message, remedy))
        case _:
            merge.nothing(name)


def _has(catalog: Catalog, meaning: _Carrier) -> bool:
    option = catalog.option(meaning.flag)
    if option is None or (isinstance(meaning, Inverse) and not option.off):
        return False
    until = meaning.until if isinstance(meaning, Field) else None
    if until is None:
        return True
    version = tuple(int(part) for part in re.findall(r"\d+", catalog.version)[: len(until)])
    return version <= until


@dataclass(slots=True)
class _Merge:
    """Writes carried-over values into the environment under today's names."""

    found: Rewritten
    catalog: Catalog
    findings: Findings
    _fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    _sources: dict[str, list[str]] = field(default_factory=dict)

    def alias(
        self, name: str, target: str, text: str, note: str | None = None, source: Source = "alias"
    ) -> None:
        """Another name of the variable `target`. Where both are set and differ, the alias wins."""
        own = self.found.env.get(target, "").strip()
        first = self.found.origins.get(target)
        if own and first is not None:  # another old name of it was there before
            if own != text:
                message = f"{first.variables[-1]} and {name} differ; {first.variables[-1]} is used"
                self.findings.warnings.append(Remark(name, message, _UNSET))
            else:
                variables = (*first.variables, name)
                self.found.origins[target] = Origin(variables, first.source, first.note)
            return
        if own and own != text:
            message = f"{name} and {target} differ; {name} is used"
            self.findings.warnings.append(Remark(name, message, f"set only {target}"))
        self.found.env[target] = text
        same = (target,) if own == text else ()
        self.found.origins[target] = Origin((*same, name), source, note)

    def nothing(self, name: str) -> None:
        """A name that nothing carries in this version."""
        message = f"{name} has no equivalent in vLLM {self.catalog.version}"
        self.findings.warnings.append(Remark(name, message, _UNSET))

    def when_true(self, name: str, option: Option, text: str, value: str) -> None:
        """A boolean that stands for one value."""
        try:
            wanted = boolean(text)
        except ValueError as reason:
            self.findings.errors.append(Fault(name, text, f"{name}={text} {reason}"))
            return
        own = self.found.env.get(option.env, "").strip()
        if not wanted:
            self.findings.ignored.append(Ignored(name, "false changes nothing"))
        elif own and own != value:
            message = f"{name} and {option.env} differ; {option.env} is used"
            self.findings.warnings.append(Remark(name, message, _UNSET))
        else:
            self.found.env[option.env] = value
            same = (option.env,) if own else ()
            self.found.origins[option.env] = Origin((*same, name), "legacy")

    def field(self, name: str, option: Option, path: tuple[str, ...], text: str) -> None:
        """One field of a JSON option."""
        shown = masked(name, text)
        try:
            value = _CONVERT.get(name, str)(text)
        except ValueError:
            wanted = _WANTED[_CONVERT[name]]
            message = f"{name}={shown} is not {wanted}"
            self.findings.errors.append(Fault(name, shown, message))
            return
        place = self._fields.setdefault(option.flag, {})
        for key in path[:-1]:
            place = place.setdefault(key, {})
        before = place.get(path[-1])
        if isinstance(before, dict) and isinstance(value, dict):
            value = {**value, **before}
        place[path[-1]] = value
        self._sources.setdefault(option.flag, []).append(name)

    def finish(self) -> None:
        """Each JSON option with fields becomes one value; what the user wrote himself wins."""
        for flag, fields in self._fields.items():
            sources = tuple(self._sources[flag])
            merged = _speculative(fields) if flag == _SPECULATIVE else fields
            target = variable(flag)
            own = self.found.env.get(target, "").strip()
            if not merged and not own:
                message = f"no effect without SPECULATIVE_MODEL: {', '.join(sources)}"
                self.findings.warnings.append(Remark(sources[0], message, "set SPECULATIVE_MODEL"))
                continue
            if own == "None":
                own = ""
            if own:
                try:
                    merged = _deep(merged or fields, json.loads(own))
                except (ValueError, TypeError):
                    shown = masked(target, own)
                    message = f"{target}={shown} is not a JSON object, so that"
                    message += f" {', '.join(sources)} cannot be merged into it"
                    self.findings.errors.append(Fault(target, shown, message))
                    continue
            self.found.env[target] = json.dumps(merged, separators=(",", ":"), ensure_ascii=False)
            variables = (*sources, target) if own else sources
            self.found.origins[target] = Origin(variables, "legacy", f"merged into {flag}")


def _served_name(merge: _Merge) -> None:
    """The override stands first, the model's own name behind it, so that both work."""
    text = merge.found.env.pop(SERVED_NAME, "").strip()
    option = merge.catalog.option("--served-model-name")
    if not text:
        return
    if option is None:
        merge.nothing(SERVED_NAME)
        return
    served = [text]
    model = merge.found.env.get("MODEL_NAME", "").strip()
    if model and model != text:
        served.append(model)
    note = "the model's own name works beside it"
    merge.alias(SERVED_NAME, option.env, json.dumps(served), note)


def _speculative(fields: dict[str, Any]) -> dict[str, Any]:
    """`[ngram]` was the model's name for a method without one; nothing else makes the rest work."""
    model = fields.get("model")
    ngram = model == "[ngram]" or (model is None and "prompt_lookup_max" in fields)
    if ngram:
        return {"method": "ngram", **{key: v for key, v in fields.items() if key != "model"}}
    return fields if model is not None else {}


def _deep(under: dict[str, Any], over: Any) -> dict[str, Any]:
    """`over` wins, key by key."""
    if not isinstance(over, dict):
        raise TypeError("not an object")
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _deep(below, value) if both and below is not None else value
    return merged


def _rope(text: str) -> dict[str, Any]:
    """The key `type` of old configurations is called `rope_type` now."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(text)  # noqa: TRY004 - both are a value that is refused
    if "type" in value:
        value.setdefault("rope_type", value.pop("type"))
    return value


_CONVERT: Mapping[str, Callable[[str], Any]] = {
    "ROPE_SCALING": _rope,
    "ROPE_THETA": float,
    "NUM_SPECULATIVE_TOKENS": int,
    "SPECULATIVE_DRAFT_TENSOR_PARALLEL_SIZE": int,
    "SPECULATIVE_MAX_MODEL_LEN": int,
    "SPECULATIVE_DISABLE_BY_BATCH_SIZE": int,
    "NGRAM_PROMPT_LOOKUP_MAX": int,
    "NGRAM_PROMPT_LOOKUP_MIN": int,
}
_WANTED: Mapping[Callable[[str], Any], str] = {
    _rope: "a JSON object",
    float: "a number",
    int: "a whole number",
}
