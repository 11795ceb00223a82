"""How long the supervisor takes until the engine is spawned: what every cold start pays for us.

The engine is a stand-in that has a version and a kept catalogue, as the real one has in an image;
it is never waited for. Python alone, started in turn with it, is what nothing can be faster than.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.around.processes import ROOT, ProcessEndedError
from supervisor.catalog import versions
from supervisor.command import plan
from tests.processes import free_port
from tools.engine import name_vllm

VERSION = "0.32.0"  # one whose catalogue has all that is asked of a kept one
_SPAWNED = b"engine spawned"
_READING = b"reading the options"  # of the engine: an image has them
_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Start:
    """Medians over `times` starts, in milliseconds."""

    times: int
    spawned_ms: float
    translation_ms: float
    explain_ms: float
    python_ms: float

    def line(self) -> str:
        """For people."""
        return (
            f"start, median of {self.times}: engine spawned after {self.spawned_ms:.0f} ms,"
            f" of which translation {self.translation_ms:.1f} ms; explain {self.explain_ms:.0f} ms,"
            f" Python alone {self.python_ms:.0f} ms"
        )


def measure(times: int = 5) -> Start:
    """Start each in turn, `times` times. Raises ProcessEndedError."""
    with tempfile.TemporaryDirectory(prefix="bench-start-") as folder:
        env = _environment(Path(folder))
        supervisor = [sys.executable, "-m", "supervisor"]
        spawned, translated, explained, alone = [], [], [], []
        for _ in range(times):
            alone.append(_whole([sys.executable, "-c", "pass"], env))
            spawned.append(_until_spawned(supervisor, env))
            translated.append(_translation(env))
            explained.append(_whole([*supervisor, "explain", "--json"], env))
    return Start(times, median(spawned), median(translated), median(explained), median(alone))


def _environment(folder: Path) -> dict[str, str]:
    engine = folder / "engine"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(engine)], check=True)
    name_vllm(engine, VERSION)
    command = engine / "bin" / "vllm"
    command.write_text(f"#!{engine}/bin/python\nimport time\ntime.sleep(60)\n")
    command.chmod(0o755)
    kept = folder / "cache" / "vllm-supervisor" / "catalogs"
    kept.mkdir(parents=True)
    known = versions.FOLDER / f"vllm-{VERSION}.json"
    shutil.copyfile(known, kept / f"vllm-{VERSION}-{platform.machine()}.json")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "VLLM_COMMAND": str(command),
        "VLLM_PORT": str(free_port()),
        "PORT_HEALTH": str(free_port()),
        "MODEL_NAME": "org/model",
        "MAX_MODEL_LEN": "8k",
        "GPU_MEMORY_UTILIZATION": "0.9",
        "OPENAI_SERVED_MODEL_NAME_OVERRIDE": "name",
        "HF_ENDPOINT": "http://127.0.0.1:9",  # nobody: what is fetched ahead is not measured here
        "WARMUP": "0",
    }


def _translation(env: dict[str, str]) -> float:
    catalog = versions.load(VERSION)  # anew: it keeps its indexes
    began = time.perf_counter()
    plan.make(env, catalog)
    return (time.perf_counter() - began) * 1000


def _whole(command: list[str], env: dict[str, str]) -> float:
    """Milliseconds; `subprocess` with a time limit would look for its end every 8 and 16 ms."""
    began = time.perf_counter()
    with subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        limit = threading.Timer(_WITHIN_S, process.kill)
        limit.start()
        try:
            code = process.wait()
        finally:
            limit.cancel()
        took = (time.perf_counter() - began) * 1000
    if code:
        raise ProcessEndedError(f"{' '.join(command)} ended with {code}")
    return took


def _until_spawned(command: list[str], env: dict[str, str]) -> float:
    began = time.perf_counter()
    with subprocess.Popen(
        command,
        env=env,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout  # noqa: S101 - for the type checker
        limit = threading.Timer(_WITHIN_S, process.kill)
        limit.start()
        said = b""
        try:
            for line in process.stdout:
                said = line
                if _SPAWNED in line or _READING in line:
                    break
            took = (time.perf_counter() - began) * 1000
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
            code = process.wait()
            limit.cancel()
    if _SPAWNED not in said:
        raise ProcessEndedError(f"the supervisor spawned nothing: {said.decode().strip()}")
    if code:
        raise ProcessEndedError(f"the supervisor ended with {code} after a stop")
    return took
