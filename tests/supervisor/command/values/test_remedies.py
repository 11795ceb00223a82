"""What to set in place of a value that is not taken."""

from __future__ import annotations

import pytest

from supervisor.command.values.remedies import remedy


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
        ("--lora-dtype", "float32", ["auto"], "set it to auto, the model's own type"),
        (
            "--quantization", "squeezellm", [],
            "vLLM dropped it: serve a model in AWQ or GPTQ form, and unset this",
        ),
    ],
)  # fmt: skip
def test_remedies(place: str, text: str, accepted: list[str], expected: str) -> None:
    assert remedy(place, text, accepted) == expected
