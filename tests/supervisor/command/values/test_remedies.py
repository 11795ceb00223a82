"""What to set in place of a value that is not taken."""

from __future__ import annotations

import pytest

from supervisor.command.values.remedies import one_of, remedy


@pytest.mark.parametrize(
    ("place", "text", "accepted", "expected"),
    [
        ("--tool-call-parser", "Hermes", ["hermes", "mistral"], "did you mean hermes?"),
        ("--tool-call-parser", "nothing", ["hermes", "mistral"], ""),
        (
            "--tokenizer-mode", "SLOW", ["auto", "hf"],
            "this version has fast tokenizers alone: set it to auto",
        ),
        ("--tokenizer-mode", "slow", ["hf"], ""),
        ("--dtype", "FP16", ["float16", "float32"], "did you mean float16?"),
        ("--kv-cache-dtype", "bf16", ["auto", "bfloat16"], "did you mean bfloat16?"),
        ("--quantization", "bnb", ["awq", "bitsandbytes"], "did you mean bitsandbytes?"),
        ("--quantization", "bnb", ["awq", "fp8"], ""),
        (
            "--dtype", "fp8", ["auto", "float", "float16"],
            "a quantised model runs with auto; see QUANTIZATION",
        ),
        ("--max-lora-rank", "17", ["8", "16", "32", "64"], "set it to 32, the next larger one"),
        ("--block-size", "64", ["8", "16", "32"], ""),
        ("--lora-dtype", "float32", ["auto"], "set it to auto, the model's own type"),
        (
            "--quantization", "squeezellm", [],
            "vLLM dropped it: serve a model in AWQ or GPTQ form, and unset this",
        ),
    ],
)  # fmt: skip
def test_remedies(place: str, text: str, accepted: list[str], expected: str) -> None:
    assert remedy(place, text, accepted) == expected


def test_of_many_names_a_few_are_said() -> None:
    names = [f"n{number}" for number in range(30)]
    assert one_of(names[:3], meant="did you mean n1?") == "is not one of n0, n1, n2"
    assert one_of(names, meant="did you mean n1?") == "is not one of the 30 that this version has"
    few = "is not one of n0, n1, n2, n3, n4 and 25 more; docs/configuration.md lists them"
    assert one_of(names) == few
