"""Whether this vLLM can export traces: it refuses to start with an address for them otherwise."""

from __future__ import annotations

import importlib


def available(module: str = "vllm.tracing") -> bool:
    """Whether the packages of OpenTelemetry that it needs are beside it, as it says itself."""
    try:
        return bool(importlib.import_module(module).is_otel_available())
    except Exception:  # noqa: BLE001 - whatever goes wrong there would go wrong in the engine
        return False
