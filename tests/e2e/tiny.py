"""Models of two layers with random weights, each of a real architecture; run in vLLM's environment.

`python tiny.py KIND FOLDER`: the tokenizer is that of the demonstration model, with the marks that
parsers of reasoning and of tool calls look for.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

DEMO = Path(__file__).resolve().parents[2] / "demo" / "model"
MARKS = ["<think>", "</think>", "<tool_call>", "</tool_call>"]
CONTEXT = 32768
SIZES = {
    "hidden_size": 128,  # 32 for each head: vLLM computes nothing smaller on a CPU
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
DECODER = {
    **SIZES,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "tie_word_embeddings": True,
}
TEMPLATE = """\
{% for message in messages %}<|im_start|>{{ message['role'] }}
{{ message['content'] }}<|im_end|>
{% endfor %}<|im_start|>assistant
{% if enable_thinking is defined and enable_thinking is false %}<think>

</think>

{% endif %}"""


def tokenizer(folder: Path) -> int:
    """Saved to `folder`; how many tokens there are, as a size that kernels like."""
    made = transformers.AutoTokenizer.from_pretrained(DEMO)
    made.add_tokens(MARKS)
    made.chat_template = TEMPLATE
    made.model_max_length = CONTEXT
    made.save_pretrained(folder)
    return -(-len(made) // 64) * 64


def qwen3(folder: Path) -> None:
    """A Qwen3 that writes text."""
    config = transformers.Qwen3Config(vocab_size=tokenizer(folder), **DECODER)
    _save(transformers.Qwen3ForCausalLM(config), folder)


def llama(folder: Path) -> None:
    """A Llama, and in `adapter` a LoRA for it."""
    config = transformers.LlamaConfig(vocab_size=tokenizer(folder), **DECODER)
    _save(transformers.LlamaForCausalLM(config), folder)
    rank, adapter = 8, folder / "adapter"
    adapter.mkdir()
    save_file(
        {
            f"base_model.model.model.layers.{layer}.self_attn.q_proj.lora_{part}.weight": weights
            for layer in range(SIZES["num_hidden_layers"])
            for part, weights in (
                ("A", torch.randn(rank, SIZES["hidden_size"], dtype=torch.bfloat16)),
                ("B", torch.randn(SIZES["hidden_size"], rank, dtype=torch.bfloat16)),
            )
        },
        adapter / "adapter_model.safetensors",
    )
    about = {"peft_type": "LORA", "r": rank, "lora_alpha": 16, "target_modules": ["q_proj"]}
    (adapter / "adapter_config.json").write_text(json.dumps(about))


def reranker(folder: Path) -> None:
    """An XLM-RoBERTa that tells how well two texts fit."""
    config = transformers.XLMRobertaConfig(
        vocab_size=tokenizer(folder),
        max_position_embeddings=514,
        type_vocab_size=1,
        num_labels=1,
        **SIZES,
    )
    _save(transformers.XLMRobertaForSequenceClassification(config), folder)


def _save(model: transformers.PreTrainedModel, folder: Path) -> None:
    model.to(torch.bfloat16).save_pretrained(folder)


if __name__ == "__main__":
    torch.manual_seed(0)
    kind, where = sys.argv[1], Path(sys.argv[2])
    {"qwen3": qwen3, "llama": llama, "reranker": reranker}[kind](where)
