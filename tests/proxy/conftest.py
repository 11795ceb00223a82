"""One stand-in engine for all tests of the proxy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests import client
from tests.processes import FAKE_VLLM, free_port, until


@pytest.fixture(scope="session")
def fake_engine() -> Iterator[str]:
    """The URL of a stand-in that serves the model `tiny`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, str(FAKE_VLLM), "serve", "tiny"]
    with subprocess.Popen(
        [*command, "--host=127.0.0.1", f"--port={port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            until(lambda: client.answers(f"{url}/health"), what="the stand-in")
            yield url
        finally:
            process.kill()
