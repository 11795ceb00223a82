"""Through the real vLLM: tokens per second straight from the engine and through the whole worker.

`vllm bench serve` is the client both times, in turn: once it asks the engine, once the platform's
emulator, behind which the worker relays to the same engine.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.around.processes import ROOT
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.load import bench_serve
from tests.processes import Worker
from tools import environments, run

_STREAMS = 8
_PROMPTS = 32
_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Real:
    """Medians of tokens per second."""

    rounds: int
    straight: float
    through: float

    def line(self) -> str:
        """For people."""
        return (
            f"real vLLM, {_STREAMS} streams, median of {self.rounds}: {self.straight:.0f} tokens/s"
            f" straight, {self.through:.0f} through the worker, {self.through / self.straight:.3f}"
        )


def measure(rounds: int = 3) -> Real:
    """Start the engine once, and measure both ways in turn."""
    command = environments.engine_command(environments.made("engine")[-1])
    with tempfile.TemporaryDirectory(prefix="bench-real-") as folder, Platform() as platform:
        settings = run.settings({}, ROOT, command, cpu=True)
        env = {"ENGINE_CATALOG": "", **settings, **worker_environment(platform.root)}
        worker = Worker(Path(folder) / "log", env)
        try:
            worker.until_ready(600)
            ways = {"straight": worker.engine_url, "through": f"{platform.url}/openai"}
            found: dict[str, list[float]] = {name: [] for name in ways}
            for name in ways:  # once for nothing: the first requests compile
                _tokens_per_second(command, ways[name], Path(folder))
            for number in range(rounds):
                for name in ways if number % 2 else reversed(ways):
                    rate = _tokens_per_second(command, ways[name], Path(folder))
                    found[name].append(rate)
                    print(f"round {number + 1}, {name}: {rate:.0f} tokens/s", flush=True)
            worker.stop(seconds=60)
        finally:
            worker.end()
    return Real(rounds, median(found["straight"]), median(found["through"]))


def _tokens_per_second(command: Path, url: str, folder: Path) -> float:
    found = bench_serve(
        str(command), url, folder, prompts=_PROMPTS, tokens=_TOKENS, streams=_STREAMS
    )
    return float(found["output_throughput"])
