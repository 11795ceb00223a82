"""What is nobody's misspelling."""

from __future__ import annotations

import pytest

from supervisor.command.spelling import others


@pytest.mark.parametrize(
    "name",
    """
    NIX_SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE REQUESTS_CA_BUNDLE http_proxy ALL_PROXY NO_PROXY
    NODE_EXTRA_CA_CERTS GIT_SSL_CAINFO HTTPLIB2_CA_CERTS RUNPOD_ANYTHING HF_XET_ANYTHING
    MY_THING_SERVICE_PORT_HTTP
    """.split(),
)
def test_theirs(name: str) -> None:
    assert others.is_theirs(name)


@pytest.mark.parametrize(
    "name", "VLLM_EXTRA_ARG HF_TOKN WORKER_MOD HUGGINGFACE_TOKEN MAX_CASES LOCATION".split()
)
def test_nobodys(name: str) -> None:
    assert not others.is_theirs(name)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("VLLM_PORT", "tcp://10.0.0.1:80", True),
        ("VLLM_SERVICE_HOST", "10.0.0.1", True),
        ("VLLM_PORT_80_TCP_ADDR", "10.0.0.1", True),
        ("VLLM_PORT", "8000", False),
    ],
)
def test_a_service_that_is_called_like_us(name: str, text: str, expected: bool) -> None:
    assert others.is_of_a_cluster(name, text) is expected
