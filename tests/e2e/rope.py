"""Asks the installed vLLM what it makes of a model with overrides. Run by the engine's interpreter.

Each line of its input is JSON: `model` (a folder), `hf_overrides`, `max_model_len` (or null). The
line that answers it has what vLLM's own ModelConfig then says, `rope_parameters` and
`max_model_len`, or with which sentence it refused, `refused`; and of the layer that vLLM makes of
these, its kind, its theta and the positions that it knows.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any


def main() -> None:
    output = os.dup(1)
    os.dup2(2, 1)  # libraries print to stdout while they are imported
    config = importlib.import_module("vllm.config")
    get_rope = importlib.import_module("vllm.model_executor.layers.rotary_embedding").get_rope

    def asked(model: str, hf_overrides: dict[str, Any], max_model_len: int | None) -> Any:
        try:
            made = config.ModelConfig(
                model=model, hf_overrides=hf_overrides, max_model_len=max_model_len
            )
        except Exception as refused:  # noqa: BLE001 - any end is a refusal
            return {"refused": repr(refused)}
        text = made.hf_text_config
        with config.set_current_vllm_config(config.VllmConfig()):
            try:
                layer = get_rope(
                    64,
                    max_position=text.max_position_embeddings,
                    rope_parameters=text.rope_parameters,
                )
            except Exception as refused:  # noqa: BLE001
                return {"refused": repr(refused)}
        return {
            "rope_parameters": text.rope_parameters,
            "max_model_len": made.max_model_len,
            "layer": type(layer).__name__,
            "base": layer.base,
            "positions": layer.cos_sin_cache.shape[0],
        }

    with os.fdopen(output, "w", encoding="utf-8") as stdout:
        for line in sys.stdin:
            print(json.dumps(asked(**json.loads(line))), file=stdout, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
