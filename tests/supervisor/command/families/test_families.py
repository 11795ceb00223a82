"""Tools without a parser: refused before the spawn, with the parser of this model's family."""

from __future__ import annotations

import pytest

from supervisor.command import plan
from supervisor.findings import Fault
from supervisor.models.placement import OnDisk
from tests.supervisor.command.test_translate import catalog

TOOLS = {"ENABLE_AUTO_TOOL_CHOICE": "true"}


def told(version: str, env: dict[str, str], disk: OnDisk = plan.NOTHING_ON_DISK) -> list[Fault]:
    made = plan.make({"MODEL_NAME": "org/model", **TOOLS, **env}, catalog(version), disk)
    assert not made.findings.warnings
    return list(made.findings.errors)


def suggestion(version: str, model: str, disk: OnDisk = plan.NOTHING_ON_DISK) -> str:
    (fault,) = told(version, {"MODEL_NAME": model}, disk)
    assert fault.env == "TOOL_CALL_PARSER"
    assert fault.message == "ENABLE_AUTO_TOOL_CHOICE needs TOOL_CALL_PARSER, which is not set"
    return fault.suggestion or ""


@pytest.mark.parametrize(
    ("model", "parser"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3_json"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "llama3_json"),
        ("nvidia/Llama-3.3-70B-Instruct-FP8", "llama3_json"),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama4_pythonic"),
        ("NousResearch/Hermes-3-Llama-3.1-8B", "hermes"),
        ("Qwen/Qwen2.5-7B-Instruct", "hermes"),
        ("Qwen/Qwen3-8B", "hermes"),
        ("Qwen/Qwen3-VL-8B-Instruct", "hermes"),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3_xml"),
        ("Qwen/Qwen3.6-27B", "qwen3_coder"),
        ("openai/gpt-oss-20b", "openai"),
        ("google/gemma-4-E4B-it", "gemma4"),
        ("mistralai/Ministral-3-8B-Instruct-2512", "mistral"),
        ("deepseek-ai/DeepSeek-V3.1", "deepseek_v31"),
        ("deepseek-ai/DeepSeek-V3-0324", "deepseek_v3"),
        ("zai-org/GLM-4.7-Flash", "glm47"),
        ("zai-org/GLM-4.6", "glm45"),
        ("moonshotai/Kimi-K2-Instruct", "kimi_k2"),
        ("/models/Phi_4_mini_instruct", "phi4_mini_json"),
    ],
)
@pytest.mark.parametrize("version", ["0.33.0", "0.32.0"])
def test_the_parser_of_a_family_is_named(version: str, model: str, parser: str) -> None:
    assert suggestion(version, model).startswith(f"set TOOL_CALL_PARSER={parser},")


def test_an_older_version_is_told_the_name_that_it_has() -> None:
    assert "TOOL_CALL_PARSER=qwen3_coder," in suggestion("0.10.2", "Qwen/Qwen3-Coder-30B-A3B")
    assert "one of mistral, hermes" in suggestion("0.6.2", "openai/gpt-oss-20b")


def test_the_architecture_tells_a_model_of_another_name() -> None:
    disk = OnDisk(name="org/mine", path="/m", config={"architectures": ["GptOssForCausalLM"]})
    assert "TOOL_CALL_PARSER=openai," in suggestion("0.33.0", "org/mine", disk)


@pytest.mark.parametrize(
    "config",
    [{}, {"architectures": None}, {"architectures": ["LlamaForCausalLM"]}, {"architectures": [1]}],
)
def test_a_model_of_no_known_family_is_told_what_there_is(config: dict[str, object]) -> None:
    disk = OnDisk(name="org/mine", path="/m", config=config)
    told_names = suggestion("0.33.0", "org/mine", disk)
    assert "one of apertus, beam, " in told_names
    assert told_names.endswith("more; docs/configuration.md lists them")


@pytest.mark.parametrize(
    "env",
    [
        {"TOOL_CALL_PARSER": "hermes"},
        {"VLLM_EXTRA_ARGS": "--tool-call-parser hermes"},
        {"ENABLE_AUTO_TOOL_CHOICE": "false"},
        {"ENABLE_AUTO_TOOL_CHOICE": ""},
        {"VLLM_CONFIG_FILE": "/etc/vllm.yaml"},
    ],
)
def test_nothing_is_said_where_a_parser_is_named_or_none_is_needed(env: dict[str, str]) -> None:
    assert told("0.33.0", env) == []


def test_arguments_ask_for_tools_as_well() -> None:
    env = {"ENABLE_AUTO_TOOL_CHOICE": "", "VLLM_EXTRA_ARGS": "--enable-auto-tool-choice"}
    assert len(told("0.33.0", env)) == 1
