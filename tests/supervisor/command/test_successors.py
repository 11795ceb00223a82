"""An option that is gone is named with what stands for it now."""

from __future__ import annotations

import json

import pytest

from supervisor.command import plan
from supervisor.command.successors import _RENAMED, successor
from tests.supervisor.command.test_translate import VERSIONS, catalog


@pytest.mark.parametrize(
    ("name", "text", "version", "today"),
    [
        ("CUDA_GRAPH_SIZES", "8", "0.33.0", "CUDAGRAPH_CAPTURE_SIZES"),
        ("CUDA_GRAPH_SIZES", "8", "0.6.2", None),
        ("EPLB_WINDOW_SIZE", "100", "0.32.0", 'EPLB_CONFIG={"window_size": 100}'),
        ("EPLB_LOG_BALANCEDNESS", "True", "0.14.1", 'EPLB_CONFIG={"log_balancedness": true}'),
        ("NUM_REDUNDANT_EXPERTS", "2", "0.32.0", 'EPLB_CONFIG={"num_redundant_experts": 2}'),
        (
            "GUIDED_DECODING_DISABLE_ANY_WHITESPACE",
            "1",
            "0.32.0",
            'STRUCTURED_OUTPUTS_CONFIG={"disable_any_whitespace": 1}',
        ),
        (
            "SPECULATIVE_MODEL_QUANTIZATION",
            "fp8",
            "0.32.0",
            'SPECULATIVE_CONFIG={"quantization": "fp8"}',
        ),
        ("DISABLE_PREFIX_CACHING", "true", "0.32.0", "ENABLE_PREFIX_CACHING=false"),
        ("ENABLE_SLIDING_WINDOW", "0", "0.32.0", "DISABLE_SLIDING_WINDOW=true"),
        ("ENABLE_SLIDING_WINDOW", "maybe", "0.32.0", "DISABLE_SLIDING_WINDOW"),
        ("DISABLE_MONOKERNEL", "1", "0.32.0", None),
        ("NUM_SCHEDULER_STEPS", "8", "0.32.0", None),
    ],
)
def test_what_stands_for_it(name: str, text: str, version: str, today: str | None) -> None:
    assert successor(name, text, catalog(version)) == today


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_named_is_taken(version: str) -> None:
    """Each remedy as a user would follow it, on every version that has the successor."""
    of = catalog(version)
    for name in sorted(of.elsewhere):
        remedy = successor(name, "1", of)
        if remedy is None or "=" not in remedy:
            continue
        variable, _, text = remedy.partition("=")
        found = plan.make({"MODEL_NAME": "m", variable: text}, of).findings
        assert not (found.errors + found.warnings), (name, remedy)
        assert variable in [row.env for row in found.applied]


def test_every_row_is_an_option_that_left_and_one_that_came() -> None:
    old, new = catalog("0.10.2"), catalog("0.33.0")
    for name, today in _RENAMED.items():
        assert name in {*old.by_variable, *catalog("0.14.1").by_variable}, name
        assert today.partition("=")[0] in new.by_variable
        assert name not in new.by_variable


def test_a_start_names_it() -> None:
    env = {"MODEL_NAME": "m", "EPLB_STEP_INTERVAL": "10"}
    (warning,) = plan.make(env, catalog("0.32.0")).findings.warnings
    assert warning.suggestion == f"set EPLB_CONFIG={json.dumps({'step_interval': 10})}"
    (error,) = plan.make({**env, "STRICT_ENV": "1"}, catalog("0.32.0")).findings.errors
    assert error.suggestion == warning.suggestion
