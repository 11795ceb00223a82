"""Looks at this machine: its engine, the settings, the disk and the ports."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..catalog import store
from ..command.doors import jobs
from ..command.plan import Plan
from ..errors import SupervisorError
from ..files import existing
from ..findings import Fault, Guarded, Remark
from ..machine import ports
from ..models.hub import weights_folder
from ..secrets import masked
from ..settings import table
from . import fitting, refusals
from .checks import Line, Verdict, judge

_PROBE = Path(__file__).parents[1] / "foreign" / "probe.py"
_AT_MOST = 3  # lines of a warning
_PATIENCE = 120.0  # seconds: torch's import on a cold disk, and a hub that does not answer


def examine(made: Plan, env: Mapping[str, str]) -> list[Line]:
    """Every line of the report on a start of `made`, in the order of a start."""
    made = jobs.checked(refusals.checked(made))
    engine, facts = _engine(made, env)
    own = {**env, **made.engine_env}
    folder = weights_folder(made.value("--download-dir"), own, made.download)
    model = made.model or table.MODEL_NAME.written(env)
    disk = (str(folder), shutil.disk_usage(existing(folder)).free)
    told = {fault.env for fault in made.findings.errors}  # among the settings: once is enough
    no_model = table.MODEL_NAME.name in told
    return [
        *engine,
        *_configuration(made, {line.text for line in engine}),
        *(line for line in judge(facts, model, disk) if line.name != "model" or not no_model),
        *_fit(made, env, facts),
        *(_port(*each) for each in made.settings.listening if ports.is_ours(each[1])),
    ]


def _fit(made: Plan, env: Mapping[str, str], facts: Mapping[str, Any]) -> list[Line]:
    """Whether the weights fit into the GPU; no line where nobody can tell."""
    seen = max((int(device["total"]) for device in facts.get("devices") or []), default=0)
    found = fitting.ahead(made, env, seen)
    if found is None:
        return []
    verdict = Verdict.BAD if found.cannot else Verdict.GOOD if found.fits else Verdict.UNKNOWN
    return [Line("memory", verdict, found.message, found.remedy)]


def _engine(made: Plan, env: Mapping[str, str]) -> tuple[list[Line], Mapping[str, Any]]:
    """The lines about the engine and its interpreter, and what that one says of the machine."""
    try:
        engine = store.installed(made.settings[table.VLLM_COMMAND], env)
    except SupervisorError as reason:
        return [Line("engine", Verdict.BAD, str(reason))], {}
    version = engine.version or "of unknown version"
    text = f"vLLM {version}, run by {engine.interpreter[0]}"
    lines = [Line("engine", Verdict.GOOD, text)]
    facts = _facts(engine.interpreter, _as_the_engine_has_it(made, env))
    if facts.get("fault"):
        why = f"the engine's interpreter failed: {facts['fault']}"
        lines.append(Line("interpreter", Verdict.BAD, why, "install the engine again"))
    return lines, facts


def _facts(interpreter: Sequence[str], env: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        done = store.ask(interpreter, [str(_PROBE)], env, _PATIENCE)
        facts: Mapping[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"fault": f"no answer within {_PATIENCE:.0f} s"}
    except OSError as reason:
        return {"fault": str(reason.strerror)}
    except (ValueError, IndexError):
        last = done.stderr.strip().splitlines()[-1:]
        return {"fault": last[0] if last else f"exit code {done.returncode}"}
    return facts


def _as_the_engine_has_it(made: Plan, env: Mapping[str, str]) -> dict[str, str]:
    """With the model, token and revision that the start would use, wherever they are said."""
    given = {**env, **made.engine_env}
    if revision := made.value("--revision"):
        given["MODEL_REVISION"] = revision
    if made.model_path is not None:
        given[table.MODEL_NAME.name] = made.model_path
    return given


def _configuration(made: Plan, said: Collection[str]) -> list[Line]:
    """What is wrong with the settings or worth a look, without what is `said` already; one good
    line where nothing is.
    """
    found = made.findings
    lines = [_setting(Verdict.BAD, fault, said) for fault in found.errors]
    lines += [_setting(Verdict.WARNING, remark, said) for remark in found.warnings]
    guarded = [row for row in found.ignored if isinstance(row, Guarded)]
    lines += [
        Line("settings", Verdict.WARNING, f"{row.env} is not passed on", row.reason)
        for row in guarded
    ]
    return lines or [Line("settings", Verdict.GOOD, "all of them are valid")]


def _setting(verdict: Verdict, found: Fault | Remark, said: Collection[str]) -> Line:
    lines = [line.strip() for line in found.message.splitlines() if line not in said]
    if len(lines) > _AT_MOST:  # an interpreter's traceback is among them: its last line says why
        lines = [lines[0], *lines[1 - _AT_MOST :]]
    text = ". ".join(lines).replace(":. ", ": ")
    return Line("settings", verdict, masked("", text), found.suggestion or "")


def _port(name: str, host: str, number: int) -> Line:
    if not ports.is_allowed(host, number):
        remedy = f"set {name} to one from 1024 on, such as 8080"
        return Line("port", Verdict.BAD, ports.not_allowed(number).removeprefix("port "), remedy)
    if ports.is_free(host, number):
        return Line("port", Verdict.GOOD, f"{number} ({name}) is free")
    why = f"{number} ({name}) is taken by {ports.owner(number)}"
    return Line("port", Verdict.BAD, why, f"end it, or set {name} to a free port")
