"""`doctor`: what a start would find, without one.

`probe` is run by the engine's own interpreter and prints facts; `checks` judges them, pure; here
the two are joined.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import ports
from ..catalog import store
from ..command.plan import Plan
from ..errors import SupervisorError
from ..secrets import masked
from ..settings import table
from .checks import Line, Verdict, judge

__all__ = ["Line", "Verdict", "examine", "report"]

_PROBE = Path(__file__).parents[1] / "foreign" / "probe.py"
_PATIENCE = 120.0  # seconds: torch's import on a cold disk, and a hub that does not answer


def examine(made: Plan, env: Mapping[str, str]) -> list[Line]:
    """Every line of the report on a start of `made`, in the order of a start."""
    settings = made.settings
    facts: dict[str, Any] = {}
    try:
        engine = store.installed(settings[table.VLLM_COMMAND], env)
    except SupervisorError as reason:
        lines = [Line("engine", Verdict.BAD, str(reason))]
    else:
        version = engine.version or "of unknown version"
        text = f"vLLM {version}, run by {engine.interpreter[0]}"
        lines = [Line("engine", Verdict.GOOD, text)]
        facts = _facts(engine.interpreter, _as_the_engine_has_it(made, env))
    if facts.get("fault"):
        why = f"the engine's interpreter failed: {facts['fault']}"
        lines.append(Line("interpreter", Verdict.BAD, why, "install the engine again"))
    lines += _configuration(made)
    disk = _free(made, {**env, **made.engine_env})
    lines += judge(facts, env.get("MODEL_NAME", "").strip(), disk=disk)
    lines += [_port_line(name, host, number) for name, host, number in settings.listening]
    return lines


def _facts(interpreter: Sequence[str], env: Mapping[str, str]) -> dict[str, Any]:
    try:
        done = store.ask(interpreter, [str(_PROBE)], env, _PATIENCE)
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"fault": f"no answer within {_PATIENCE:.0f} s"}
    except OSError as reason:
        return {"fault": str(reason.strerror)}
    except (ValueError, IndexError):
        last = done.stderr.strip().splitlines()[-1:]
        return {"fault": last[0] if last else f"exit code {done.returncode}"}
    return found


def _configuration(made: Plan) -> list[Line]:
    """What is wrong with the settings; one good line where nothing is."""
    bad = [
        Line("settings", Verdict.BAD, masked("", fault.message), fault.suggestion or "")
        for fault in made.findings.errors
    ]
    return bad or [Line("settings", Verdict.GOOD, "all of them can be carried out")]


def _as_the_engine_has_it(made: Plan, env: Mapping[str, str]) -> dict[str, str]:
    """With the model, token and revision that the start would use, wherever they are said."""
    given = {**env, **made.engine_env}
    if revision := made.value("--revision"):
        given["MODEL_REVISION"] = revision
    if made.model_path is not None:
        given["MODEL_NAME"] = made.model_path
    return given


def _free(made: Plan, env: Mapping[str, str]) -> tuple[str, int]:
    """The folder where models go, and the bytes that are free there."""
    home = env.get("HF_HOME") or str(Path(env.get("HOME") or "/root") / ".cache" / "huggingface")
    home = made.value("--download-dir") or env.get("HF_HUB_CACHE") or home
    folder = Path(home)
    while not folder.exists():
        folder = folder.parent
    return home, shutil.disk_usage(folder).free


def _port_line(name: str, host: str, number: int) -> Line:
    if ports.is_free(host, number):
        return Line("port", Verdict.GOOD, f"{number} ({name}) is free")
    why = f"{number} ({name}) is taken by {ports.owner(number)}"
    return Line("port", Verdict.BAD, why, f"end it or set {name}")


def report(lines: list[Line], *, colour: bool = False) -> str:
    """The lines as a person reads them."""
    paint = {Verdict.GOOD: "\033[32m", Verdict.BAD: "\033[31m", Verdict.UNKNOWN: "\033[33m"}
    width = max(len(line.name) for line in lines)
    text = []
    for line in lines:
        verdict = f"{line.verdict:<7}"
        shown = f"{paint[line.verdict]}{verdict}\033[0m" if colour else verdict
        remedy = f"; {line.remedy}" if line.remedy else ""
        text.append(f"{shown}  {line.name:<{width}}  {line.text}{remedy}")
    return "\n".join(text) + os.linesep
