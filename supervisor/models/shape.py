"""What a model's config.json says of its size and of how it can be divided. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What a model's configuration calls the part that speaks, where it has several.
_TEXT = ("text_config", "llm_config", "language_config", "thinker_config")
_HEADS = (
    "num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads",
)  # fmt: skip
_KV_HEADS = (
    "n_head_kv", "num_kv_heads", "num_key_value_heads", "multi_query_group_num",
    "num_attention_groups",
)  # fmt: skip
#: Widths of layers: vLLM divides each evenly.
_WIDTHS = ("intermediate_size", "moe_intermediate_size")
_TYPES = ("dtype", "torch_dtype")
_QUANTIZED = ("quantization_config", "compression_config")


def largest(gpus: int, config: Mapping[str, Any]) -> int:
    """The largest number of GPUs up to `gpus` among which vLLM can divide the model.

    Args:
        gpus: how many there are, 1 or more.
        config: the model's config.json; empty where it is not known: then all of them.
    """
    return next(size for size in range(gpus, 0, -1) if divides(size, config))


def divides(size: int, config: Mapping[str, Any]) -> bool:
    """Whether vLLM can divide the model among `size` GPUs, as far as its config.json tells.

    Its attention heads have to be a multiple (`ModelConfig.verify_with_parallel_config`). Those of
    the keys and values are divided too, or each is kept on several GPUs: one number is a multiple
    of the other (`num_kv_heads` in its models). The widths of layers are divided evenly
    (`distributed.utils.divide`).
    """
    count, keys = heads(config), kv_heads(config)
    if count is not None and count % size:
        return False
    if count is not None and keys is not None and keys % size and size % keys:
        return False
    return all(width % size == 0 for width in _numbers(_text_part(config), _WIDTHS))


def heads(config: Mapping[str, Any]) -> int | None:
    """Its attention heads; None where it does not say."""
    return next(iter(_numbers(_text_part(config), _HEADS)), None)


def kv_heads(config: Mapping[str, Any]) -> int | None:
    """Its heads of keys and values; None where it does not say."""
    return next(iter(_numbers(_text_part(config), _KV_HEADS)), None)


def data_type(config: Mapping[str, Any]) -> str:
    """The data type in which its weights are stored, such as `bfloat16`; empty: it does not say."""
    for part in (config, _text_part(config)):
        for name in _TYPES:
            if isinstance(value := part.get(name), str) and value:
                return value.removeprefix("torch.")
    return ""


def is_quantized(config: Mapping[str, Any]) -> bool:
    """Whether its weights are stored quantised."""
    return any(part.get(name) for part in (config, _text_part(config)) for name in _QUANTIZED)


def _text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a model for images or sound, the part that speaks."""
    for name in _TEXT:
        if isinstance(part := config.get(name), Mapping):
            return _text_part(part)
    return config


def _numbers(part: Mapping[str, Any], names: tuple[str, ...]) -> list[int]:
    return [
        value
        for name in names
        if isinstance(value := part.get(name), int) and not isinstance(value, bool) and value > 0
    ]
