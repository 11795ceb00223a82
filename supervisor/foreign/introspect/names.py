"""The names that vLLM keeps in registries and its parser takes as any text: parsers, methods.

Plugins have registered theirs by the time that the parser stands.
"""

from __future__ import annotations

import contextlib
import importlib
import operator
from collections.abc import Iterable
from typing import Any

#: Option -> where the names are, by version; whatever is there can be iterated over or called.
REGISTRIES = {
    "--quantization": (("vllm.model_executor.layers.quantization", "QUANTIZATION_METHODS"),),
    "--load-format": (("vllm.model_executor.model_loader", "_LOAD_FORMAT_TO_MODEL_LOADER"),),
    "--tokenizer-mode": (("vllm.tokenizers.registry", "TokenizerRegistry.tokenizers"),),
    "--config-format": (("vllm.transformers_utils.config", "_CONFIG_FORMAT_TO_CONFIG_PARSER"),),
    "--reasoning-parser": (("vllm.reasoning", "ReasoningParserManager.list_registered"),),
    "--tool-call-parser": (
        ("vllm.tool_parsers", "ToolParserManager.list_registered"),
        ("vllm.entrypoints.openai.tool_parsers", "ToolParserManager.list_registered"),
    ),
}


def names(flag: str, choices: Any, metavar: Any) -> list[str]:
    """What is registered for an option, and what its parser shows beside it.

    Nothing where the parser has choices, which are all that it takes, or no registry is known.
    """
    if choices:
        return []
    for module, path in REGISTRIES.get(flag, ()):
        with contextlib.suppress(Exception):  # another version has it elsewhere, or not at all
            found: Any = operator.attrgetter(path)(importlib.import_module(module))
            registered: Iterable[object] = found() if callable(found) else found
            shown = metavar if isinstance(metavar, (list, tuple)) else ()
            return sorted({str(name) for name in (*registered, *shown)})
    return []
