"""What is shown of a secret: nothing, and of everything else all."""

from __future__ import annotations

import pytest

from supervisor.secrets import MASK, is_secret, masked, masked_command, secret_values


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("--api-keyy mine", f"--api-keyy {MASK}"),
        ("--api-key=mine --x 1", f"--api-key={MASK} --x 1"),
        ("--api-keys one two --x 1", f"--api-keys {MASK} --x 1"),
        ("--db-PassWord mine", f"--db-PassWord {MASK}"),
        ("--hf-token mine", f"--hf-token {MASK}"),
        ("--client_secret mine", f"--client_secret {MASK}"),
        ("--max-tokens 16 --tokenizer org/m", "--max-tokens 16 --tokenizer org/m"),
        ("--ssl-keyfile /k --api-key: expected", "--ssl-keyfile /k --api-key: expected"),
    ],
)
def test_an_option_tells_a_secret(text: str, shown: str) -> None:
    assert masked_command(text) == shown


def test_the_value_of_a_variable_is_shown_nowhere() -> None:
    secrets = secret_values({"VLLM_API_KEY": "mine-1234", "HF_TOKEN": "a", "MODEL_NAME": "org/m"})
    assert secrets == ("mine-1234",)
    assert masked_command("bad: mine-1234 a org/m", secrets) == f"bad: {MASK} a org/m"
