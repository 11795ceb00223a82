"""`python -m proxy.stream`: one answer from standard input, made ready for the platform."""

from __future__ import annotations

import subprocess
import sys

import pytest

from proxy.stream.__main__ import NOT_UNDERSTOOD
from tests.client import PATIENCE
from tests.processes import ROOT

MADE = b'4\n{"choices": [{"tokens": ["a"]}], "usage": {"input": 0, "output": 4}}'


@pytest.mark.parametrize(
    ("work", "given", "code", "said"),
    [
        ("native", b'{"choices": [{"text": "a"}], "usage": {"completion_tokens": 4}}', 0, MADE),
        ("native", b"no", NOT_UNDERSTOOD, b"the engine's answer is no JSON: no"),
        ("valid", b'{"a": [NaN, "NaN"]}', 0, b'{"a": [null, "NaN"]}'),
    ],
)
def test_it_needs_nothing_but_the_standard_library(
    work: str, given: bytes, code: int, said: bytes
) -> None:
    done = subprocess.run(
        [sys.executable, "-E", "-S", "-m", "proxy.stream", work],
        input=given,
        capture_output=True,
        cwd=ROOT,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, said, b"")
