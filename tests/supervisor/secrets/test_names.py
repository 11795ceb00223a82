"""Which names are secrets'."""

from __future__ import annotations

import pytest

from supervisor.secrets import MASK, masked
from supervisor.secrets.names import is_secret


@pytest.mark.parametrize(
    "name",
    [
        *(
            "HF_TOKEN",
            "VLLM_API_KEY",
            "APIKEY",
            "aws_secret_access_key",
            "DB_PASSWORD",
            "PGPASSWORD",
        ),
        *("MY_SECRET_X", "CONTROL_TOKEN", "RUNPOD_AI_API_KEY", "AZURE_STORAGE_KEY", "DB_PASS"),
        *("GITHUB_PAT", "HTTP_BASIC_AUTH", "SSH_PRIVATE_KEY", "MYSQL_PWD", "JWT", "SESSION_COOKIE"),
        *("HF_TOKEN_2", "S3_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "hubToken", "AUTHORIZATION"),
    ],
)
def test_a_name_tells_a_secret(name: str) -> None:
    assert is_secret(name)
    assert masked(name, "anything") == MASK
    assert masked(name, "") == ""


@pytest.mark.parametrize(
    "name",
    [
        *("MAX_TOKENS", "TOKENIZER", "KEYBOARD", "NUM_SPECULATIVE_TOKENS", "PWD", "OLDPWD"),
        *(
            "TOKENIZERS_PARALLELISM",
            "MAX_NUM_BATCHED_TOKENS",
            "SSL_KEYFILE",
            "PUBLIC_KEY",
            "MONKEY",
        ),
        *("VLLM_MULTI_STREAM_GEMM_TOKEN_THRESHOLD", "EOS_TOKEN", "PATH", "SSH_AUTH_SOCK"),
        *("HF_TOKEN_PATH", "HF_TOKEN_FILE", "COMPASS", "AUTHOR"),
    ],
)
def test_a_name_that_only_resembles_one_is_none(name: str) -> None:
    assert not is_secret(name)
    assert masked(name, "4096") == "4096"
