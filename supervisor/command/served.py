"""The model on the command line, and the names under which it is served. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..catalog import Catalog
from ..findings import Applied, Fault, Findings, Remark
from ..settings import table
from .arguments import Arguments

_MODEL = table.MODEL_NAME.name
_VARIABLE = "SERVED_MODEL_NAME"
_FLAG = "--served-model-name"


def model(env: Mapping[str, str], catalog: Catalog | None) -> tuple[str | None, Findings]:
    """MODEL_NAME as the first argument; None where it is not set or cannot work."""
    name = table.MODEL_NAME.written(env)
    if not name:
        return None, _no_model(env, catalog)
    if (fault := _unusable(name)) is not None:
        return None, Findings.of(fault)
    note = "the model, as the first argument"
    return name, Findings.of(Applied(_MODEL, name, None, "worker", note))


def _unusable(name: str) -> Fault | None:
    if name.startswith(("./", "../", "~")) or name in {".", ".."}:
        message = f"MODEL_NAME={name} is a relative path, and the engine runs in another folder"
        return Fault(_MODEL, name, message, "give the absolute path")
    if name.startswith("-"):
        message = f"MODEL_NAME={name} looks like an option, not like a model"
        remedy = "give a repository name or a path; options go into VLLM_EXTRA_ARGS"
        return Fault(_MODEL, name, message, remedy)
    return None


def _no_model(env: Mapping[str, str], catalog: Catalog | None) -> Findings:
    if table.VLLM_CONFIG_FILE.written(env):
        return Findings()
    remedy = "set MODEL_NAME"
    if catalog is not None and catalog.model_required:
        message = (
            f"MODEL_NAME is not set, and vLLM {catalog.version} does not start without a model"
        )
        return Findings.of(Fault(_MODEL, "", message, remedy))
    option = catalog.option("--model") if catalog else None
    default = option.default if option else None
    serves = f"vLLM serves its default, {default}" if default else "vLLM picks its default"
    return Findings.of(Remark(_MODEL, f"MODEL_NAME is not set: {serves}", remedy))


def config_file(env: Mapping[str, str]) -> tuple[tuple[str, ...], Findings]:
    """VLLM_CONFIG_FILE as an option. Two tokens: vLLM ignores --config=FILE without a word."""
    path = table.VLLM_CONFIG_FILE.written(env)
    if not path:
        return (), Findings()
    row = Applied(table.VLLM_CONFIG_FILE.name, path, "--config", "config-file")
    return ("--config", path), Findings.of(row)


def under(
    name: str | None, given: Mapping[str, str], env: Mapping[str, str], extra: Arguments
) -> tuple[Mapping[str, str], Arguments]:
    """`env` and `extra` such that a model on this disk is served under its name as well.

    Args:
        name: the model's; None where it is not on this disk.
        given: the environment as the user wrote it.
        env: the environment for the model's folder, with the name where there was none.
        extra: names in here come last and win, so that the model's own goes behind them.
    """
    last = extra.last(_FLAG)
    if name is None or last is None:
        return env, extra
    if not given.get(_VARIABLE, "").strip():
        env = {key: text for key, text in env.items() if key != _VARIABLE}
    names = tuple(dict.fromkeys((*last.values, name)))
    more = replace(last, values=names, tokens=(last.spelt, *names))
    return env, Arguments(tuple(more if each is last else each for each in extra.given))
