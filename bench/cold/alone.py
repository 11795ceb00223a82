"""How long it takes to fetch or to read the model with nothing beside it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from bench.around.processes import ProcessEndedError
from bench.cold.setups import REPOSITORY, Place

#: Run by the engine's interpreter: as vLLM fetches it.
_FETCH = f"""
import time
from huggingface_hub import snapshot_download
began = time.perf_counter()
snapshot_download({REPOSITORY!r})
print(time.perf_counter() - began)
"""


def download(python: Path, place: Place) -> float:
    """Seconds of a download into an empty cache. Raises ProcessEndedError."""
    done = subprocess.run(
        [python, "-c", _FETCH],
        env=place.env,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise ProcessEndedError(f"the download failed:\n{done.stderr[-1000:]}")
    return float(done.stdout.split()[-1])


def read(place: Place) -> float:
    """Seconds to read each file once."""
    began = time.perf_counter()
    for path in Path(place.model).iterdir():
        path.read_bytes()
    return time.perf_counter() - began
