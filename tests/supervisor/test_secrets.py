"""What is shown of a secret: nothing, and of everything else all."""

from __future__ import annotations

import pytest

from supervisor.secrets import MASK, is_secret, masked


@pytest.mark.parametrize(
    "name",
    ["HF_TOKEN", "VLLM_API_KEY", "APIKEY", "aws_secret_access_key", "DB_PASSWORD", "MY_SECRET_X"],
)
def test_a_name_tells_a_secret(name: str) -> None:
    assert is_secret(name)
    assert masked(name, "anything") == MASK
    assert masked(name, "") == ""


@pytest.mark.parametrize("name", ["MAX_TOKENS", "TOKENIZER", "KEYBOARD", "NUM_SPECULATIVE_TOKENS"])
def test_a_name_that_only_resembles_one_is_none(name: str) -> None:
    assert not is_secret(name)
    assert masked(name, "4096") == "4096"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("--x hf_abcdefghij12", f"--x {MASK}"),
        ("sk-abcdefgh_12-34", MASK),
        ("https://u:secret@host/x", f"https://u:{MASK}@host/x"),
        ('{"api_key": "a\\"b", "n": 1}', f'{{"api_key": "{MASK}", "n": 1}}'),
        ("ghp_abcdefgh12 and words", f"{MASK} and words"),
    ],
)
def test_a_value_tells_a_secret(text: str, shown: str) -> None:
    assert masked("", text) == shown
