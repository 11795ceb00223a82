"""Families of models and how each writes tool calls; pure.

From vLLM's docs (features/tool_calling.md) and its recipes (github.com/vllm-project/recipes), as of
vLLM 0.33. A family is told by the model's name, or by `architectures` of its config.json where
those belong to it alone: models that were made of a Llama or a DeepSeek V3 share theirs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """One family.

    Args:
        parsers: of its tool calls, the best first; older versions of vLLM have only later ones.
        name: a pattern that is looked for in the model's name, lower case with `-` for `_`.
        architectures: of config.json; none where other families share them.
    """

    parsers: tuple[str, ...]
    name: str = ""
    architectures: frozenset[str] = frozenset()


def _of(*parsers: str, name: str = "", architectures: str = "") -> Family:
    return Family(parsers, name, frozenset(architectures.split()))


#: The first that fits counts; what is special stands before what it is made of.
FAMILIES = (
    _of("xlam", name=r"\bxlam\b"),
    _of("hermes", name=r"hermes-[2-9]"),
    _of("functiongemma", name=r"functiongemma"),
    _of(
        "gemma4", name=r"gemma-4", architectures="Gemma4ForCausalLM Gemma4ForConditionalGeneration"
    ),
    _of("openai", name=r"gpt-oss", architectures="GptOssForCausalLM"),
    _of("qwen3_xml", "qwen3_coder", name=r"qwen3-coder"),
    _of(
        "qwen3_coder",
        name=r"qwen3\.[5-9]|nemotron-3-nano",
        architectures="Qwen3_5ForConditionalGeneration Qwen3_5MoeForConditionalGeneration"
        " Qwen3_5ForCausalLM Qwen3_5MoeForCausalLM",
    ),
    _of(
        "hermes",
        name=r"^(.*/)?(qwen2\.5|qwen3|qwq)",
        architectures="Qwen3ForCausalLM Qwen3MoeForCausalLM Qwen3NextForCausalLM",
    ),
    _of("llama4_pythonic", name=r"llama-4", architectures="Llama4ForConditionalGeneration"),
    _of("llama3_json", name=r"^(.*/)?(meta-)?llama-3\.[1-3]"),
    _of(
        "mistral",
        name=r"^(.*/)?(mistral|ministral|mixtral|magistral|devstral|pixtral)-",
        architectures="Mistral3ForConditionalGeneration PixtralForConditionalGeneration"
        " Ministral3ForCausalLM MistralLarge3ForCausalLM",
    ),
    _of("deepseek_v4", name=r"deepseek-v4", architectures="DeepseekV4ForCausalLM"),
    _of("deepseek_v32", name=r"deepseek-v3\.2", architectures="DeepseekV32ForCausalLM"),
    _of("deepseek_v31", name=r"deepseek-v3\.1"),
    _of("deepseek_v3", name=r"deepseek-v3-|deepseek-r1-0528$"),
    _of("kimi_k2", name=r"kimi-k2"),
    _of("glm47", name=r"glm-4\.7|glm-5"),
    _of("glm45", name=r"glm-4\.[5-6]"),
    _of("granite4", name=r"granite-4", architectures="GraniteMoeHybridForCausalLM"),
    _of("granite-20b-fc", name=r"granite-20b-functioncalling"),
    _of("granite", name=r"granite-3", architectures="GraniteForCausalLM"),
    _of("phi4_mini_json", name=r"phi-4-mini"),
    _of("minimax_m2", name=r"minimax-m2", architectures="MiniMaxM2ForCausalLM"),
    _of("seed_oss", name=r"seed-oss", architectures="SeedOssForCausalLM"),
    _of("step3p5", name=r"step-3\.5", architectures="Step3p5ForCausalLM"),
    _of("lfm2", name=r"lfm2", architectures="Lfm2ForCausalLM Lfm2MoeForCausalLM"),
    _of("hunyuan_a13b", name=r"hunyuan-a13b", architectures="HunYuanMoEV1ForCausalLM"),
    _of("internlm", name=r"internlm2", architectures="InternLM2ForCausalLM"),
    _of("jamba", name=r"jamba", architectures="JambaForCausalLM"),
    _of("longcat", name=r"longcat-flash", architectures="LongcatFlashForCausalLM"),
    _of("olmo3", name=r"olmo-3", architectures="Olmo3ForCausalLM"),
    _of("apertus", name=r"apertus", architectures="ApertusForCausalLM"),
    _of("gigachat3", name=r"gigachat3"),
)
