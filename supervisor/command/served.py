"""The model on the command line, and the names under which it is served. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..catalog import Catalog
from ..findings import Applied, Fault, Findings, Remark
from ..records import replace
from ..secrets import masked
from ..settings import table
from ..settings.mode import Mode
from .arguments import Arguments
from .spelling import strangers

_MODEL = table.MODEL_NAME.name
_VARIABLE = "SERVED_MODEL_NAME"
_FLAG = "--served-model-name"
_NAMING = ("--model", "--model-tag", "--config")  # what names a model among the user's options
#: As people copy it; other addresses (s3://...) are for vLLM's loaders.
_PAGE = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface|hf)\.co/(?P<repository>[\w.-]+/[\w.-]+)(?:[/?#].*)?"
)

#: `:Q4_K_M` behind a repository picks one file of it, where vLLM reads GGUF.
_QUANTISATION = r"(UD-)?(I?Q|TQ)\d\w*|B?F(16|32)|I\d+|MXFP4\w*|.+\.gguf"
#: Compiled where it is needed: it costs a start a millisecond.
_REVISION = rf"(?i)(?P<repository>[\w./-]+)[:@](?!({_QUANTISATION})$)(?P<revision>[\w./-]+)"
_ODD = re.compile(r"[^A-Za-z0-9._/:-]")
_ADDRESS = "://"


def model(
    env: Mapping[str, str], catalog: Catalog | None, mode: Mode, extra: Arguments
) -> tuple[str | None, Findings]:
    """MODEL_NAME as the first argument; None where it is not set or cannot work.

    Args:
        env: the worker's.
        catalog: what the engine accepts.
        mode: where a paid GPU would serve vLLM's default, no model is an error.
        extra: the options that the user writes himself, which may name it.
    """
    name = table.MODEL_NAME.written(env)
    if not name:
        named = table.VLLM_CONFIG_FILE.written(env) or any(extra.last(flag) for flag in _NAMING)
        return None, Findings() if named else Findings.of(_no_model(env, catalog, mode))
    if (fault := _unusable(name)) is not None:
        return None, Findings.of(fault)
    note = "the model, as the first argument"
    return name, Findings.of(Applied(_MODEL, name, None, "worker", note))


def _unusable(name: str) -> Fault | None:
    shown = masked(_MODEL, name)
    if name.startswith(("./", "../", "~")) or name in {".", ".."}:
        message = f"MODEL_NAME={shown} is a relative path, and the engine runs in another folder"
        return Fault(_MODEL, shown, message, "give the absolute path")
    if name.startswith("-"):
        message = f"MODEL_NAME={shown} looks like an option, not like a model"
        remedy = "give a repository name or a path; options go into VLLM_EXTRA_ARGS"
        return Fault(_MODEL, shown, message, remedy)
    if page := _PAGE.fullmatch(name):
        message = f"MODEL_NAME={shown} is the address of a page, not the name of a repository"
        return Fault(_MODEL, shown, message, f"set MODEL_NAME={page['repository']}")
    if name.startswith("/") or _ADDRESS in name or (wrong := _no_repository(name)) is None:
        return None
    what, remedy = wrong
    message = f"MODEL_NAME={shown} {what}, which no repository's name has"
    return Fault(_MODEL, shown, message, remedy)


def _no_repository(name: str) -> tuple[str, str] | None:
    """What the hub's client refuses in a name, as the middle of a sentence, and the remedy."""
    if {":", "@"} & set(name) and (found := re.fullmatch(_REVISION, name)):
        repository, revision = found["repository"], found["revision"]
        remedy = f"set MODEL_NAME={repository} and MODEL_REVISION={revision}"
        return f"has {name[len(repository) :]} behind it", remedy
    if odd := _ODD.search(name):
        what = f"the character {odd[0]}"
        if odd[0].isspace() or odd[0] in "\"'`":
            what = "a blank" if odd[0].isspace() else f"the quote {odd[0]}"
        return f"has {what} in it", "set MODEL_NAME to a name such as org/model"
    for end, what in (("/", "a slash"), (".git", ".git"), (":", "a colon")):
        if name.endswith(end) and name != end:
            remedy = f"set MODEL_NAME={name.removesuffix(end)}"
            return f"has {what} at its end", remedy + (" or an absolute path" if end == "/" else "")
    return None


def _no_model(env: Mapping[str, str], catalog: Catalog | None, mode: Mode) -> Remark | Fault:
    other = strangers.model(env)
    remedy = "set MODEL_NAME"
    if other is not None:
        name, why = other
        remedy += f"={masked(name, env[name].strip())}: {name}, which is set, has no effect ({why})"
    if catalog is not None and catalog.model_required:
        message = (
            f"MODEL_NAME is not set, and vLLM {catalog.version} does not start without a model"
        )
        return Fault(_MODEL, "", message, remedy)
    option = catalog.option("--model") if catalog else None
    default = option.default if option else None
    serves = f"its default, {default}" if default else "its default model"
    if mode is Mode.PLAIN:
        return Remark(_MODEL, f"MODEL_NAME is not set: vLLM serves {serves}", remedy)
    return Fault(_MODEL, "", f"MODEL_NAME is not set: vLLM would serve {serves}", remedy)


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
