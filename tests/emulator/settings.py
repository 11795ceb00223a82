"""What the emulator is told at its start."""

from __future__ import annotations

from dataclasses import dataclass

from tests.emulator.environment import API_KEY


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in seconds."""

    endpoint: str = "local"
    api_key: str = API_KEY  # what workers must send
    round_trip: float = 0.0  # of every request of a worker
    poll: float = 20.0  # how long job-take and job-stop are held
    worker_lost: float = 60.0  # a worker that says nothing for so long loses its jobs
    keep_outputs: bool = True
