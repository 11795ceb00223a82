"""Whether an engine can export traces is asked of vLLM itself."""

from __future__ import annotations

import sys
import types

import pytest

from supervisor.foreign.introspect import tracing


@pytest.mark.parametrize("has", [True, False])
def test_vllm_is_asked(monkeypatch: pytest.MonkeyPatch, has: bool) -> None:
    module = types.ModuleType("its_tracing")
    module.__dict__["is_otel_available"] = lambda: has
    monkeypatch.setitem(sys.modules, "its_tracing", module)
    assert tracing.available("its_tracing") is has


def test_one_without_such_a_module_cannot() -> None:
    assert not tracing.available("no_such_module")
