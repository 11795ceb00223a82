"""The hub as a process, for tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import client
from tests.processes import ROOT, free_port, until


@contextmanager
def hub(*options: str, **repositories: Path) -> Iterator[str]:
    """Serve `org/NAME` from each folder; the hub's address. `options` are the program's."""
    port = free_port()
    served = [f"--repository=org/{name}={folder}" for name, folder in repositories.items()]
    command = [sys.executable, "-m", "tests.hub", "--port", str(port), *served, *options]
    process = subprocess.Popen(command, cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: client.answers(f"{url}/_hub/log"), what="the hub")
        yield url
    finally:
        process.terminate()
        process.wait(client.PATIENCE)
