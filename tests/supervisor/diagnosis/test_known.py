"""What of an engine's words may be shown."""

from __future__ import annotations

import pytest

from supervisor.diagnosis import known

CONFIGURED = [
    "vllm",
    "serve",
    "/models/m",
    "--max-model-len=9",
    '--speculative-config={"model": "org/draft", "method": "ngram"}',
]


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("most", "4096", True),
        ("free", "3.12", True),
        ("most", "4096 call 555-1234", False),
        ("capability", "7.5", True),
        ("architecture", "LlamaForCausalLM", True),
        ("architecture", "Llama For", False),
        ("package", "modelscope>=1.18.1", True),
        ("package", "a; rm -r /", False),
        ("status", "503 Service Unavailable", True),
        ("status", "503 Sorry", False),
        # of the configuration
        ("option", "--max-model-len", True),
        ("option", "--ask-evil-org", False),
        ("field", "max_model_len", True),
        ("field", "method", True),
        ("field", "meth", False),
        ("what", "org/draft", True),
        ("what", "/models/m", True),
        ("what", "/models", False),
        ("what", "evil/m", False),
        ("path", "serve /models/m", False),
        # of a table
        ("fault", "an illegal memory access was encountered", True),
        ("fault", "ncclSystemError", True),
        ("fault", "ask evil.org", False),
        # never
        ("why", "4096", False),
        ("said", "x", False),
    ],
)
def test_what_is_shown(name: str, value: str, shown: bool) -> None:
    assert known.names({name: value}, CONFIGURED) == ({name: value} if shown else {})


def test_our_own_words_without_those_of_others() -> None:
    said = {"ours": "the download of org/m broke off (ConnectError: evil (x))"}
    assert known.names(said, []) == {"ours": "the download of org/m broke off"}
