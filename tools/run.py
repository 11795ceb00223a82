"""`make run` and `make doctor`: make what is missing, then become the supervisor."""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from supervisor import planning
from tools import engine, environments, worker
from tools.errors import SetupError, reported

DEMO_MODEL = worker.CHECKOUT / "demo" / "model"
DEMO_DEFAULTS = {"SERVED_MODEL_NAME": "demo", "HF_HUB_OFFLINE": "1"}
# What lets the CPU build start within the memory and the time that a small machine has.
CPU_DEFAULTS = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    # In bfloat16 some processors lack an instruction that a batch of prompts would take (SIGILL).
    "DTYPE": "float32",
    "ENFORCE_EAGER": "true",
    "VLLM_NO_USAGE_STATS": "1",
}
# Their paths are meant from where the user stands. Each may also be something else than a path.
PATHS = "MODEL_NAME VLLM_CONFIG_FILE CHAT_TEMPLATE TOKENIZER TOKENIZER_NAME ENGINE_CATALOG WARMUP"
# make's own, and what only the Makefile means: no business of the worker's.
FROM_MAKE = "MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL MAKE_TERMOUT MAKE_TERMERR ENGINE PYTHON ARGS"


def settings(
    environ: Mapping[str, str],
    caller: Path,
    vllm: Path | None,
    *,
    cpu: bool,
    demo: bool = True,
) -> dict[str, str]:
    """Return the worker's environment: the user's, with defaults for what it leaves unset.

    Args:
        environ: the user's.
        caller: what is a file or a folder seen from there becomes absolute: the worker runs
            elsewhere.
        vllm: the engine's command; None where the user names one.
        cpu: whether the engine is the one for machines without a GPU.
        demo: whether the demonstration is served where no variable names a model.
    """
    given = {name: value for name, value in environ.items() if name not in FROM_MAKE.split()}
    defaults = CPU_DEFAULTS if cpu else {}
    if vllm is not None:
        given["VLLM_COMMAND"] = str(vllm)
    given |= _absolute(given, caller)
    if demo and is_demo(given):
        given["MODEL_NAME"] = str(DEMO_MODEL)
        defaults = defaults | DEMO_DEFAULTS
    missing = {name: value for name, value in defaults.items() if not given.get(name, "").strip()}
    return given | missing


def _absolute(given: Mapping[str, str], caller: Path) -> dict[str, str]:
    found = {}
    for name in PATHS.split():
        text = given.get(name, "").strip()
        # A template may stand there itself: it is no name of a file, and too long to ask for one.
        if text and "{" not in text and (local := caller / Path(text).expanduser()).exists():
            found[name] = str(local.resolve())
    return found


def set_by(environ: Mapping[str, str], made: Mapping[str, str]) -> dict[str, str]:
    """Say of the variables of `made`, which `settings` made of `environ`, who set them and why.

    Only of those that the user left unset.
    """
    why = dict.fromkeys(CPU_DEFAULTS, "set by `make run` for a machine without a GPU")
    demo = dict.fromkeys(("MODEL_NAME", *DEMO_DEFAULTS), "set by `make run` for the demonstration")
    why |= demo | {"VLLM_COMMAND": "set by `make run`, which installed it"}
    return {
        name: who for name, who in why.items() if name in made and not environ.get(name, "").strip()
    }


def is_demo(environ: Mapping[str, str]) -> bool:
    """Tell whether nothing names a model, so that the demonstration model is served."""
    return not any(environ.get(name, "").strip() for name in ("MODEL_NAME", "VLLM_CONFIG_FILE"))


def prepared(caller: Path) -> tuple[Path, dict[str, str]]:
    """Make what is missing; return the worker's interpreter and its environment."""
    if is_demo(os.environ) and not (DEMO_MODEL / "config.json").exists():
        raise SetupError(
            f"{DEMO_MODEL} holds no model: name one, as in MODEL_NAME=Qwen/Qwen3-0.6B."
        )
    own = bool(os.environ.get("VLLM_COMMAND", "").strip())
    made = environments.made(*(["worker"] if own else ["worker", "engine"]))
    vllm = None if own else environments.engine_command(made[1])
    cpu = not own and engine.kind(os.environ) == "cpu"
    return made[0].path / "bin" / "python", settings(os.environ, caller, vllm, cpu=cpu)


def page(environ: Mapping[str, str]) -> str:
    """Say where the worker with this environment shows how it stands."""
    return f"How the worker stands is shown on {planning.settings(environ).control_url}/"


def asked(description: str | None) -> argparse.Namespace:
    """Read the command line: --caller is the folder that relative paths are meant from."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--caller", type=Path, default=Path.cwd())
    parser.add_argument("command", nargs="*", default=["run"], help="of the supervisor")
    return parser.parse_args()


def main() -> int:
    """Become the supervisor, so that Ctrl-C reaches it and nothing of ours stays behind."""
    wanted = asked(__doc__)
    python, environ = prepared(wanted.caller)
    if is_demo(os.environ) and wanted.command == ["run"]:
        print(
            "Serving the demonstration model; for a real one, for example: "
            "make run MODEL_NAME=Qwen/Qwen3-0.6B",
            flush=True,
        )
    if wanted.command == ["run"]:
        print(page(environ), flush=True)
    os.chdir(worker.CHECKOUT)
    os.execve(python, [str(python), "-m", "supervisor", *wanted.command], environ)


if __name__ == "__main__":
    raise SystemExit(reported(main))
