"""`make emulate`: the worker in queue mode behind a local RunPod endpoint, on one terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

if __package__ in {None, ""}:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import environments, run
from tools.progress import StepFailedError

_PORT = os.environ.get("EMULATOR_PORT", "9000")


def main() -> int:
    """Run both until one of them ends or Ctrl-C."""
    try:
        worker = environments.ensure_worker()
        kind = environments.kind()
        engine = environments.ensure_engine(kind)
    except StepFailedError as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    os.chdir(environments.ROOT)
    emulator = [str(worker.python), "-m", "tests.emulator", "--port", _PORT]
    printed = subprocess.run([*emulator, "--print-env"], check=True, capture_output=True, text=True)
    platform = dict(line.split("=", 1) for line in printed.stdout.splitlines() if "=" in line)
    env = {**run.environment(os.environ, kind, engine.folder), **platform}
    # Each in a session of its own: Ctrl-C comes to this process, which ends them in order.
    endpoint = subprocess.Popen(emulator, start_new_session=True)
    supervisor = subprocess.Popen(
        [str(worker.python), "-m", "supervisor"], env=env, start_new_session=True
    )
    signal.signal(signal.SIGTERM, lambda *_: supervisor.terminate())
    try:
        return supervisor.wait()
    except KeyboardInterrupt:
        supervisor.terminate()
        return supervisor.wait()
    finally:
        endpoint.terminate()
        endpoint.wait()


if __name__ == "__main__":
    sys.exit(main())
