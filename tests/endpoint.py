"""RunPod's side as a process of its own, for tests of whole workers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from tests import client
from tests.client import PATIENCE
from tests.processes import ROOT, free_port, until


class Platform:
    """The emulator as a process, with these options. `before`: a command that runs it."""

    def __init__(self, *options: str, before: Sequence[str] = ()) -> None:
        self.port = free_port()
        self.root = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.root}/v2/local"
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "tests.emulator", "--port", str(self.port), *options],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )

    def __enter__(self) -> Platform:
        until(lambda: client.answers(f"{self.url}/health"), what="the emulator")
        return self

    def __exit__(self, *_reason: object) -> None:
        self.end()

    def end(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(PATIENCE)

    def submit(self, given: Any) -> str:
        """Put a job into the queue; its id."""
        body = {"input": given}
        return str(client.post(f"{self.url}/run", json=body).json()["id"])

    def submit_raw(self, job: str, text: bytes) -> None:
        """Put a job into the queue that a worker gets as it stands."""
        assert client.post(f"{self.root}/_emulator/raw/{job}", content=text).is_success

    def job(self, job: str) -> dict[str, Any]:
        """Everything that is known of a job."""
        found: dict[str, Any] = client.get(f"{self.root}/_emulator/jobs/{job}").json()
        return found

    def until(self, job: str, state: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until the job has this state."""
        try:
            until(lambda: self.job(job)["status"] == state, seconds, f"{state} of job {job}")
        except AssertionError as reason:
            found = self.job(job)
            raise AssertionError(f"{reason}: {found['status']} {found.get('error')}") from None
        return self.job(job)

    def workers(self) -> dict[str, Any]:
        """What is known of each worker."""
        found: dict[str, Any] = client.get(f"{self.root}/_emulator/workers").json()
        return found

    def log(self) -> list[dict[str, Any]]:
        """What workers have asked."""
        found: list[dict[str, Any]] = client.get(f"{self.root}/_emulator/log").json()
        return found

    def count(self, kind: str) -> int:
        """How often workers have asked this."""
        return sum(call["kind"].startswith(kind) for call in self.log())

    def polls(self, worker: str) -> list[float]:
        """When this worker asked for jobs, in Unix time."""
        return [
            call["time"]
            for call in self.log()
            if call["worker"] == worker and call["kind"].startswith("job-take")
        ]

    def cancel(self, job: str) -> None:
        """What a user's client does."""
        client.post(f"{self.url}/cancel/{job}")

    def fault(self, **fault: Any) -> None:
        """Something goes wrong with workers' requests; see `emulator.faults`."""
        assert client.post(f"{self.root}/_emulator/faults", json=fault).status_code == 200

    def no_faults(self) -> None:
        """Nothing goes wrong any more."""
        assert client.delete(f"{self.root}/_emulator/faults").is_success
