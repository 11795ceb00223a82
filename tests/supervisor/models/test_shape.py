"""What a config.json says of a model's size and of how it can be divided."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.models import shape
from supervisor.models.shape import largest

LLAMA = {"num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336}
QWEN_14B = {"num_attention_heads": 40, "num_key_value_heads": 8, "intermediate_size": 13824}


@pytest.mark.parametrize(
    ("gpus", "config", "size"),
    [
        (3, LLAMA, 2),
        (8, LLAMA, 8),
        (5, QWEN_14B, 4),  # 40 heads are divisible by 5, the 8 of keys and values are not
        (6, {"num_attention_heads": 48, "num_key_value_heads": 8}, 4),
        (8, {"num_attention_heads": 16, "num_key_value_heads": 2}, 8),  # each kept on four
        (7, {"num_attention_heads": 14, "num_key_value_heads": 2}, 2),
        (4, {"num_attention_heads": 64, "num_key_value_heads": 8, "intermediate_size": 2882}, 2),
        (8, {"text_config": LLAMA, "num_attention_heads": 6}, 8),
        (8, {"thinker_config": {"text_config": QWEN_14B}}, 8),
        (8, {"n_head": 12}, 6),
        (8, {"encoder_attention_heads": 20, "decoder_attention_heads": 20}, 5),
        (8, {"num_attention_heads": 71, "multi_query": True}, 1),
        (3, {}, 3),
        (3, {"num_attention_heads": "32"}, 3),
        (3, {"state_size": 16}, 3),
    ],
)
def test_what_divides_a_model(gpus: int, config: dict[str, Any], size: int) -> None:
    assert largest(gpus, config) == size


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({}, ""),
        ({"torch_dtype": "bfloat16"}, "bfloat16"),
        ({"dtype": "float32"}, "float32"),
        ({"torch_dtype": "torch.float16"}, "float16"),
        ({"text_config": {"dtype": "bfloat16"}}, "bfloat16"),
        ({"torch_dtype": None}, ""),
    ],
)
def test_the_data_type(config: dict[str, Any], name: str) -> None:
    assert shape.data_type(config) == name


def test_quantised_weights() -> None:
    assert not shape.is_quantized({"torch_dtype": "bfloat16", "quantization_config": None})
    assert shape.is_quantized({"quantization_config": {"quant_method": "fp8"}})
    assert shape.is_quantized({"text_config": {"quantization_config": {"quant_method": "awq"}}})
