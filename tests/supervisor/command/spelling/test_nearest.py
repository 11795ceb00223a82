"""Which known name an unknown one is held to be."""

from __future__ import annotations

import pytest

from supervisor.command.spelling.nearest import meant

KNOWN = [
    "GPU_MEMORY_UTILIZATION", "MODEL_REVISION", "TOKENIZER_REVISION", "LOGGING_CONFIG",
    "MODEL_NAME", "KV_CACHE_MEMORY_BYTES", "MAX_NUM_SEQS", "MAX_NUM_SEQUENCES_LIMIT",
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("GPU_MEMORY_UTILISATION", "GPU_MEMORY_UTILIZATION"),
        ("GPU-MEMORY-UTILIZATION", "GPU_MEMORY_UTILIZATION"),
        ("GPU_MEM_UTIL", "GPU_MEMORY_UTILIZATION"),
        ("GPU_M_UTIL", None),  # one letter is no word
        ("GPU_MEM", None),
        ("LOG_CONFIG", None),
        ("MODEL_NAME_REVISION", "MODEL_REVISION"),
        ("MODEL_CACHE_NAME", None),  # MODEL_NAME is too short to be found in others
        ("OTHER_TOKENIZER_REVISION", None),
        ("MODEL_OF_THAT_REVISION", None),
        ("MODELS", None),
        ("MODEL_NAMES", "MODEL_NAME"),
    ],
)
def test_one_name(name: str, known: str | None) -> None:
    assert meant([name], KNOWN) == ({name: known} if known else {})


def test_a_name_that_could_be_two_is_none() -> None:
    two = ["GPU_MEMORY_UTILIZATION", "GPU_MEMBERS_UTILIZATION"]
    assert meant(["GPU_MEM_UTIL"], two) == {}
