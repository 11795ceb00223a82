"""The gate: the option that loads it into the engine's server, and what it is told. Pure.

What it does stands in `gate/vllm_supervisor_gate.py`, which the engine's interpreter runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePath
from typing import Any

from ...catalog import Catalog
from ...findings import Applied, Fault, Finding, Ignored, Remark
from ...secrets import MASK
from ...settings import table
from ...settings.keys import API_KEY
from ...settings.mode import Mode
from ...settings.read import Settings
from ...settings.routes import INFERENCE

FLAG = "--middleware"
#: What vLLM's own key closes, and what of the rest a caller wants most.
_VLLMS_OWN = "/v1, /v2, /inference and /cohere"
_LEFT_OPEN = "/invocations (full answers), /tokenize, /metrics, /docs and administration"

_PACKAGE = Path(__file__).parents[2]
_WORKER = _PACKAGE.parent
_INSTALLED = __name__.startswith("vllm_supervisor.")  # as the wheel's, which has all in one folder
FOLDER = (_PACKAGE if _INSTALLED else _WORKER) / "gate"
_CLASS = "vllm_supervisor_gate.Gate"
_PATH = "PYTHONPATH"
_DIGESTS = "GATE_SECRET_DIGESTS"
_BETWEEN = ":"  # what parts its folders, which none of them can have in its name


def stand(
    env: Mapping[str, str], keys: Sequence[str], settings: Settings, catalog: Catalog | None
) -> tuple[Mapping[str, str], tuple[str, ...], Sequence[Finding]]:
    """Where it stands: what it reads from the engine's environment, its option, what was found.

    Args:
        env: the worker's environment.
        keys: that open the engine.
        settings: the worker's.
        catalog: what the engine accepts; without `--middleware` no gate can stand.
    """
    if settings.mode is Mode.QUEUE:
        reason = "jobs come by the platform in queue mode: no client reaches the engine"
        return {}, (), [*_idle(env, reason, table.GATE, table.GATE_BODY_MB)]
    if not keys or not settings[table.GATE]:
        reason = f"{table.GATE.name}=0" if keys else f"{API_KEY.name} is not set"
        idle = _idle(env, f"no gate stands: {reason}", table.GATE_BODY_MB)
        return {}, (), [*idle, *_only_the_first(keys)]
    if catalog is None or catalog.option(FLAG) is None:
        return {}, (), [*_cannot_stand(catalog), *_only_the_first(keys)]
    if _BETWEEN in str(FOLDER):
        message = f"the gate cannot be loaded from {FOLDER}: {_PATH} takes no folder with a colon"
        remedy = f"move the worker to another folder, or set {table.GATE.name}=0"
        return {}, (), [Fault(table.GATE.name, str(FOLDER), message, remedy)]
    from hashlib import sha256  # only now: most starts have no key, and need not wait

    most = settings[table.GATE_BODY_MB]
    more = _more(settings)
    beside = f" but for {', '.join(more)}" if more else ""
    note = (
        "clients need a key on every route but /health and /ping; administration is refused"
        f"{beside}, and so are bodies over {most} MB"
    )
    told = {
        _PATH: _BETWEEN.join([str(FOLDER), *_folders(env)]),
        # What stands there opens nothing: the keys themselves stay with the worker.
        _DIGESTS: ",".join(sha256(key.encode()).hexdigest() for key in keys),
        "GATE_BODY_BYTES": str(most << 20),
    }
    if also := settings[table.ALLOWED_ROUTES]:
        told["GATE_ROUTES"] = ",".join(also)
    row = Applied(table.GATE.name, table.GATE.written(env) or "1", FLAG, "worker", note)
    return told, (f"{FLAG}={_CLASS}",), [row]


def python_path(env: Mapping[str, str]) -> Mapping[str, str]:
    """PYTHONPATH as the engine gets it; empty where nothing is left.

    Without this worker's own folder: the engine's environment has another package that is called
    `supervisor`. An empty part is the folder in which a process runs, which is another one there.
    """
    folders = _folders(env)
    return {_PATH: _BETWEEN.join(folders)} if folders else {}


def _folders(env: Mapping[str, str]) -> list[str]:
    ours = {_WORKER, FOLDER}
    given = env.get(_PATH, "").split(_BETWEEN)
    return [each for each in given if each and PurePath(each) not in ours]


def _idle(env: Mapping[str, str], reason: str, *rows: table.Setting[Any]) -> Iterator[Ignored]:
    for row in rows:
        if row.written(env):
            yield Ignored(row.name, reason)


def _only_the_first(keys: Sequence[str]) -> Iterator[Remark]:
    if len(keys) > 1:
        message = f"{API_KEY.name} has {len(keys)} keys, of which vLLM itself knows one: the first"
        yield Remark(API_KEY.name, message, "leave the others out, or let the gate stand")


def _cannot_stand(catalog: Catalog | None) -> Iterator[Remark]:
    if catalog is not None:
        message = (
            f"no gate can stand: vLLM {catalog.version} has no {FLAG}. {API_KEY.name} {left_open()}"
        )
        remedy = "let nobody reach its port but who may use all of it, or take another version"
        yield Remark(table.GATE.name, message, remedy)


def widened(settings: Settings, engine_env: Mapping[str, str]) -> str:
    """What ALLOWED_ROUTES opens beside inference, as a sentence; empty where that is nothing."""
    name, more = table.ALLOWED_ROUTES.name, _more(settings)
    if not more or not (settings.mode is Mode.QUEUE or _DIGESTS in engine_env):
        return ""
    whom = "every job" if settings.mode is Mode.QUEUE else "every client with a key"
    return f"{name} opens {', '.join(more)} to {whom}"


def _more(settings: Settings) -> list[str]:
    return [each for each in settings[table.ALLOWED_ROUTES] if each not in INFERENCE]


def other_key(
    keys: Sequence[str], settings: Settings, turned_on: AbstractSet[str]
) -> Iterator[Finding]:
    """What is to be said of a key in vLLM's configuration file, which wins there.

    Args:
        keys: that open the engine.
        settings: the worker's.
        turned_on: what the file sets, as `api-key`.
    """
    if "api-key" in turned_on:
        file, own = table.VLLM_CONFIG_FILE.name, API_KEY.name
        remedy = f"move it into {own}"
        if keys:
            message = f"api-key in {file} wins in vLLM over {own}: no key would open both"
            yield Fault(file, MASK, message, remedy)
        elif settings.mode is Mode.QUEUE:
            message = f"api-key in {file} is read by vLLM alone: it would refuse every job"
            yield Fault(file, MASK, message, remedy)
        else:
            message = f"api-key in {file} is read by vLLM alone: it {left_open()}"
            yield Remark(file, message, remedy)


def two_keys(env: Mapping[str, str], moved: Mapping[str, str]) -> Iterator[Remark]:
    """What is to be said where keys stand in the variable and, others, behind an option.

    Args:
        env: the worker's environment.
        moved: what was written as options, by its variable.
    """
    written, option = API_KEY.written(env), moved.get(API_KEY.name, "").strip()
    if written and option and written != option:
        message = f"--api-key is written as well: it wins, and {API_KEY.name} opens nothing"
        yield Remark(API_KEY.name, message, "leave one of them out")


def left_open() -> str:
    """What vLLM's own key leaves open, as the end of a sentence."""
    return f"closes {_VLLMS_OWN} alone; open are {_LEFT_OPEN}"
