"""The keys that open the engine. Pure."""

from __future__ import annotations

from .parsers import keys
from .table import Reader, Setting

#: The engine's own variable, which is one key there. Here it may hold several: vLLM gets the first,
#: the gate knows all.
API_KEY: Setting[tuple[str, ...]] = Setting(
    "VLLM_API_KEY", keys, (), "The keys that open the engine, parted by commas.", Reader.BOTH
)
