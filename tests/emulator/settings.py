"""What the emulator is told at its start, and what it keeps while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.emulator.environment import API_KEY
from tests.emulator.jobs import Queue


@dataclass(frozen=True)
class Settings:
    """Times in seconds."""

    endpoint: str = "local"
    api_key: str = API_KEY
    round_trip: float = 0.0  # of every request of a worker
    poll: float = 20.0  # how long job-take and job-stop are held
    worker_lost: float = 60.0  # a worker that says nothing for so long loses its jobs
    keep_outputs: bool = True


@dataclass
class Fault:
    """What is done to requests of workers instead of answering them, `times` times."""

    path: str
    status: int = 500
    times: int = 1
    close: bool = False


@dataclass
class World:
    """Everything that the handlers share."""

    settings: Settings
    queue: Queue = field(default_factory=Queue)
    pings: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    last_seen: dict[str, float] = field(default_factory=dict)


WORLD = web.AppKey("world", World)
