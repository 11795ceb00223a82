"""What fits, what cannot, and where nobody can be sure."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.models.demand import GIB, Demand
from supervisor.models.fit import Fit, Weights, judge, least

BF16 = {"torch_dtype": "bfloat16", "num_attention_heads": 64, "num_key_value_heads": 8}
FP8 = {**BF16, "quantization_config": {"quant_method": "fp8"}}


def fit(
    size: float, memory: float = 24, weights: dict[str, Any] | None = None, **asked: Any
) -> Fit:
    """Of a model with so many GiB of weights, on GPUs with so many."""
    given = Weights(int(size * GIB), **{"config": BF16, **(weights or {})})
    return judge("org/m", given, Demand(**asked), int(memory * GIB))


def test_what_fits_is_said_with_its_figures() -> None:
    found = fit(14.2)
    assert found.fits
    assert str(found) == (
        "the weights of org/m, 14.2 GiB, fit: the GPU would hold 14.2 GiB of weights, and has"
        " 21.6 GiB for the engine (0.9 of 24.0 GiB)"
    )


def test_what_cannot_fit_is_said_with_what_would() -> None:
    found = fit(140)
    assert found.cannot
    assert found.message == (
        "the weights of org/m, 140.0 GiB, cannot fit: the GPU would hold 140.0 GiB of weights,"
        " and has 21.6 GiB for the engine (0.9 of 24.0 GiB)"
    )
    assert found.remedy == (
        "use 8 such GPUs (TENSOR_PARALLEL_SIZE=8), or use GPUs of 173 GB, or set"
        " CPU_OFFLOAD_GB=121, which is slow"
    )


def test_a_larger_share_comes_first_where_it_is_enough() -> None:
    """As a second engine beside another, or a share with a digit too many."""
    found = fit(1, memory=140, share=0.003)
    assert found.cannot
    assert found.remedy.startswith("set GPU_MEMORY_UTILIZATION=0.01, or use ")
    assert fit(30, memory=80, share=0.3).remedy.startswith("set GPU_MEMORY_UTILIZATION=0.42, ")
    assert "GPU_MEMORY_UTILIZATION" not in fit(140, share=0.5).remedy  # no share is enough
    assert "GPU_MEMORY_UTILIZATION" not in fit(23).remedy


@pytest.mark.parametrize(
    ("asked", "cannot"),
    [
        ({"tensor": 8}, False),
        ({"tensor": 4}, True),
        ({"tensor": 4, "pipeline": 2}, False),
        ({"offload": 120 * GIB}, False),
        ({"offload": 90 * GIB}, True),
        ({"tensor": 4, "offload": 15 * GIB}, False),
        ({"tensor": 8, "share": 0.5}, True),
    ],
)
def test_sizes_share_and_offload_count(asked: dict[str, Any], cannot: bool) -> None:
    found = fit(140, **asked)
    assert (found.cannot, found.fits) == (cannot, not cannot)


def test_near_the_limit_nobody_is_sure() -> None:
    """Some of what is stored may not be loaded, such as layers for speculation alone."""
    found = fit(22)
    assert not found.cannot
    assert not found.fits
    assert "may not fit" in found.message


@pytest.mark.parametrize(
    ("asked", "weights", "why"),
    [
        ({"quantization": "fp8"}, {}, "quantising them while they are loaded (fp8)"),
        ({"quantization": "bitsandbytes"}, {"config": {}}, "(bitsandbytes)"),
        ({"doubts": ("--load-format=dummy",)}, {}, "--load-format=dummy"),
        ({}, {"config": {}}, "data type"),
    ],
)
def test_what_may_be_run_smaller_is_a_warning(
    asked: dict[str, Any], weights: dict[str, Any], why: str
) -> None:
    found = fit(140, weights=weights, **asked)
    assert not found.cannot
    assert not found.fits
    assert f"unless {why}" in found.message or why in found.message


def test_what_is_stored_quantised_is_run_so() -> None:
    assert fit(140, weights={"config": FP8}, quantization="fp8").cannot
    assert fit(140, weights={"config": {}, "packed": True}, quantization="gguf").cannot
    assert fit(140, weights={"config": {}, "by_type": {"BF16": 140 * GIB}}).cannot
    assert "quantised" not in fit(30, weights={"config": FP8}).remedy


@pytest.mark.parametrize(
    ("size", "copy"), [(30, "quantised to 8 bits"), (60, "quantised to 4 bits"), (140, "")]
)
def test_a_quantised_copy_is_offered_where_it_would_fit(size: int, copy: str) -> None:
    assert (copy or "slow") in fit(size).remedy
    assert ("quantised" in fit(size).remedy) == bool(copy)


def test_the_number_of_gpus_that_is_offered_divides_the_model() -> None:
    heads = {"torch_dtype": "bfloat16", "num_attention_heads": 40, "num_key_value_heads": 8}
    assert "use 8 such GPUs" in fit(110, weights={"config": heads}).remedy  # not 5
    assert "use 8 such GPUs" in fit(110, weights={"config": {"dtype": "bfloat16"}}).remedy
    assert "use 8 such GPUs (TENSOR_PARALLEL_SIZE=4)" in fit(140, pipeline=2).remedy
    odd = {"torch_dtype": "bfloat16", "num_attention_heads": 71}
    assert "such GPUs" not in fit(110, weights={"config": odd}).remedy


@pytest.mark.parametrize(
    ("weights", "dtype", "size"),
    [
        (Weights(100, config={"torch_dtype": "float32"}), "auto", 50),
        (Weights(100, config={"torch_dtype": "float32"}), "float32", 100),
        (Weights(100, config={"torch_dtype": "float16"}), "bfloat16", 100),
        (Weights(100, {"F32": 80, "BF16": 20}), "auto", 60),
        (Weights(100, {"F32": 80, "BF16": 20}), "float", 100),
        (Weights(100, {"F64": 80, "I32": 20}), "half", 40),
        (Weights(100, config={**FP8, "torch_dtype": "float32"}), "auto", 100),
        (Weights(100), "auto", 100),
    ],
)
def test_wide_numbers_are_run_in_16_bits(weights: Weights, dtype: str, size: int) -> None:
    assert least(weights, Demand(dtype=dtype)) == size
