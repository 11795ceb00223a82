"""Causes from real last lines; the version that printed them stands beside them."""

from __future__ import annotations

import pytest

from supervisor.diagnosis import diagnose

# vLLM 0.32.0 (CPU build), as they were printed
OFFLINE = """\
huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder \
for the specified revision on the local disk and outgoing traffic has been disabled."""
NO_NETWORK = """\
OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them \
in the cached files."""
# huggingface_hub: it says 401 for what does not exist, too
NO_REPOSITORY = """\
huggingface_hub.errors.RepositoryNotFoundError: 401 Client Error. (Request ID: Root=1)
Repository Not Found for url: https://huggingface.co/api/models/org/m.
Invalid username or password."""
BAD_FLAG = "vllm serve: error: unrecognized arguments: --no-such-flag"
BAD_VALUE = "vllm serve: error: argument --max-model-len: invalid value: 'x'"
TOO_LONG = """\
pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig
  Value error, User-specified max_model_len (99999) is greater than the derived max_model_len \
(max_position_embeddings=2048.0 or model_max_length=None in model's config). [type=value_error]"""


@pytest.mark.parametrize(
    ("lines", "cause", "remedy", "final"),
    [
        (OFFLINE, "the model org/m is not on this disk", "MODEL_NAME", False),
        (NO_NETWORK, "the model org/m is not on this disk", "network", False),
        (NO_REPOSITORY, "the model org/m was not found", "MODEL_NAME", True),
        (BAD_FLAG, "unrecognized arguments: --no-such-flag", "explain", True),
        (BAD_VALUE, "argument --max-model-len: invalid value", "explain", True),
        (TOO_LONG, "max_model_len (99999) is greater than", "variable", True),
    ],
)
def test_a_cause_has_a_remedy(lines: str, cause: str, remedy: str, final: bool) -> None:
    found = diagnose(1, ["INFO something before", *lines.splitlines()], "org/m")
    assert cause in found.cause
    assert remedy in found.remedy
    assert found.final is final
    assert "\n" not in str(found)


def test_a_signal_is_named() -> None:
    assert "SIGKILL" in str(diagnose(-9, []))


def test_an_unknown_end_quotes_the_last_error() -> None:
    found = diagnose(
        1, ["Traceback", "(EngineCore pid=1) ERROR RuntimeError: odd thing", "INFO bye"]
    )
    assert "RuntimeError: odd thing" in str(found)
