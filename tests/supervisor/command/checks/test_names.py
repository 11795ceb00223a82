"""Names that vLLM looks up after its parser took them."""

from __future__ import annotations

import re

import pytest

from tests.supervisor.command.checks.refusals import errors, remedies, warnings

SINCE_METAVAR = ["0.10.2", "0.14.1", "0.27.1", "0.32.0", "0.33.0"]
TOOLS = {"ENABLE_AUTO_TOOL_CHOICE": "true"}


@pytest.mark.parametrize("version", ["0.6.2", *SINCE_METAVAR])
def test_a_tool_parser_that_is_not_there(version: str) -> None:
    (message,) = errors(version, TOOL_CALL_PARSER="hermess", **TOOLS)
    assert message.startswith("TOOL_CALL_PARSER=hermess is not one of ")
    assert remedies(version, TOOL_CALL_PARSER="hermess", **TOOLS) == ["did you mean hermes?"]
    assert errors(version, TOOL_CALL_PARSER="hermes", **TOOLS) == []


def test_without_tools_nobody_looks_at_it_so_that_it_is_a_warning() -> None:
    for off in ({}, {"ENABLE_AUTO_TOOL_CHOICE": "false"}):
        assert errors(TOOL_CALL_PARSER="hermess", **off) == []
        (message,) = warnings(TOOL_CALL_PARSER="hermess", **off)
        assert message.startswith("TOOL_CALL_PARSER=hermess is not one of ")


@pytest.mark.parametrize(
    "more",
    [
        {"TOOL_PARSER_PLUGIN": "/p.py"},
        {"VLLM_EXTRA_ARGS": "--tool_parser_plugin /p.py"},
        {"VLLM_CONFIG_FILE": "/c.yaml"},
    ],
)
def test_a_plugin_may_add_any_name(more: dict[str, str]) -> None:
    assert errors(TOOL_CALL_PARSER="mine", **TOOLS, **more) == []


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("REASONING_PARSER", "qwen", ["qwen3"]),
        ("QUANTIZATION", "awqq", ["awq", "AWQ", "None", "compressed-tensors", "fp8"]),
        ("LOAD_FORMAT", "zzz", ["auto", "SAFETENSORS", "dummy"]),
        ("TOKENIZER_MODE", "slow", ["auto", "hf", "mistral", "Mistral"]),
        ("CONFIG_FORMAT", "zzz", ["auto", "hf", "mistral"]),
        ("CONFIG_FORMAT", "HF", ["hf"]),
        ("REASONING_PARSER", "Qwen3", ["qwen3"]),
        ("DISTRIBUTED_EXECUTOR_BACKEND", "Ray", ["ray", "mp", "my.module.Executor"]),
    ],
)
def test_what_is_registered_is_all_there_is(name: str, wrong: str, right: list[str]) -> None:
    (message,) = errors(**{name: wrong})
    assert message.startswith(f"{name}={wrong} is not one of ")
    for text in right:
        assert errors(**{name: text}) == []


def test_in_extra_arguments_too() -> None:
    (message,) = errors(VLLM_EXTRA_ARGS="--reasoning_parser qwen")
    assert message.startswith("--reasoning_parser=qwen in VLLM_EXTRA_ARGS is not one of ")
    assert errors(VLLM_EXTRA_ARGS="--reasoning-parser qwen3 -q awq") == []


def test_what_is_only_shown_may_not_be_all() -> None:
    """Parsers of other versions show some of the parsers, and take any text."""
    assert errors("0.10.2", TOOL_CALL_PARSER="kimi_audio") == []
    assert len(warnings("0.10.2", TOOL_CALL_PARSER="kimi_audio")) == 1
    assert errors("0.33.0", DISTRIBUTED_EXECUTOR_BACKEND="my.module.Executor") == []
    assert warnings("0.33.0", DISTRIBUTED_EXECUTOR_BACKEND="my.module.Executor") == []


@pytest.mark.parametrize(
    ("version", "fine"), [("0.6.2", True), ("0.10.2", True), ("0.27.1", True), ("0.33.0", False)]
)
def test_the_slow_tokenizer_where_it_is_gone(version: str, *, fine: bool) -> None:
    assert bool(errors(version, TOKENIZER_MODE="slow")) is not fine
    if not fine:
        remedy = "this version has fast tokenizers alone: set it to auto"
        assert remedies(version, TOKENIZER_MODE="slow") == [remedy]


@pytest.mark.parametrize("version", ["0.6.2", *SINCE_METAVAR])
def test_a_method_that_no_version_has(version: str) -> None:
    (message,) = errors(version, QUANTIZATION="squeezellm")
    assert message.startswith("QUANTIZATION=squeezellm is ")
    (remedy,) = remedies(version, QUANTIZATION="squeezellm")
    assert remedy is not None
    assert "AWQ or GPTQ" in remedy


@pytest.mark.parametrize("version", SINCE_METAVAR)
def test_a_type_that_adapters_no_longer_have(version: str) -> None:
    (message,) = errors(version, LORA_DTYPE="float32")
    assert message == "LORA_DTYPE=float32 is not one of auto, bfloat16, float16"
    assert remedies(version, LORA_DTYPE="float32") == ["set it to auto, the model's own type"]


@pytest.mark.parametrize("version", SINCE_METAVAR)
@pytest.mark.parametrize(
    ("name", "text", "right"),
    [
        ("TOOL_CALL_PARSER", "Hermes", "hermes"),
        ("DISTRIBUTED_EXECUTOR_BACKEND", "Ray", "ray"),
        ("KV_CACHE_DTYPE", "FP8", "fp8"),
        ("CONFIG_FORMAT", "Mistral", "mistral"),
        ("DTYPE", "Float16", "float16"),
        ("DTYPE", "fp16", "float16"),
        ("DTYPE", "BF16", "bfloat16"),
    ],
)
def test_the_case_counts_where_vllm_does_not_lower_it(
    version: str, name: str, text: str, right: str
) -> None:
    """Read in vllm/config of each version: it lowers load format, tokenizer mode, quantisation."""
    assert remedies(version, **{name: text}, **TOOLS)[:1] == [f"did you mean {right}?"]


@pytest.mark.parametrize("version", SINCE_METAVAR)
@pytest.mark.parametrize(
    ("name", "text"),
    [("QUANTIZATION", "AWQ"), ("TOKENIZER_MODE", "Auto"), ("LOAD_FORMAT", "Safetensors")],
)
def test_the_case_does_not_count_where_vllm_lowers_it(version: str, name: str, text: str) -> None:
    refused = errors(version, **{name: text})
    assert bool(refused) is (version == "0.10.2" and name == "TOKENIZER_MODE")  # its parser's


@pytest.mark.parametrize("version", ["0.6.2", *SINCE_METAVAR])
def test_a_method_that_is_misspelt(version: str) -> None:
    assert remedies(version, QUANTIZATION="awqq") == ["did you mean awq?"]


def test_an_implementation_that_vllm_does_not_know_is_its_own_without_a_word() -> None:
    assert errors(MODEL_IMPL="Transformers") == []
    (message,) = warnings(MODEL_IMPL="Transformers")
    assert message == "MODEL_IMPL=Transformers is not one of auto, terratorch, transformers, vllm"


def test_of_many_names_a_few_are_shown() -> None:
    (message,) = errors(QUANTIZATION="zzz")
    assert re.fullmatch(
        r"QUANTIZATION=zzz is not one of (\S+, ){4}\S+ and \d\d more;"
        r" docs/configuration\.md lists them",
        message,
    )
    (message,) = errors(QUANTIZATION="awqq")
    assert re.fullmatch(r"QUANTIZATION=awqq is not one of the \d\d that this version has", message)
