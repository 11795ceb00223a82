"""The variables that vLLM itself reads: the table in its own module for them."""

from __future__ import annotations

import sys


def variables() -> list[str]:
    """Their names, sorted; none where this vLLM keeps no such table."""
    module = sys.modules.get("vllm.envs")  # whatever builds the parser has imported it
    table = getattr(module, "environment_variables", None)
    return sorted(name for name in table if isinstance(name, str)) if table else []
