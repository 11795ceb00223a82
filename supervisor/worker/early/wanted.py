"""Which repositories an engine will fetch, by its plan. A few looks at the disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...command.checks import adapters
from ...command.plan import Plan
from ...files import exists, is_dir, is_file, listed
from ...models.disk import keys
from ...models.hub import cached, configured, hub_cache, is_set, snapshot, weights_folder
from ...models.placement import Name
from ...models.stored import gguf, quantized

#: With these vLLM fetches nothing from the hub.
_NOT_THE_HUB = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "VLLM_USE_MODELSCOPE")
#: What a configuration file may say of what is fetched.
_OF_A_DOWNLOAD = {
    *("model", "model-tag", "revision", "tokenizer", "tokenizer-revision", "download-dir"),
    *("load-format", "ignore-patterns", "lora-modules", "default-mm-loras"),
    *("speculative-config", "speculative-model", "speculative-model-revision"),
}


def repositories(plan: Plan, env: Mapping[str, str]) -> tuple[list[dict[str, Any]], str]:
    """What vLLM will fetch, in the order in which it asks; each is a `foreign.download` `Wanted`.

    What is in the cache already is left out, as far as that can be seen.

    Args:
        plan: what is run.
        env: the engine's.

    Returns:
        These; or none, and why that is so although some are wanted.
    """
    found = _wanted(plan, env)
    why = _said_by_file(plan) if found else ""
    return ([], why) if why else (found, "")


def _wanted(plan: Plan, env: Mapping[str, str]) -> list[dict[str, Any]]:
    if any(is_set(env, name) for name in _NOT_THE_HUB):
        return []
    caches = {
        "hub": str(hub_cache(env)),
        "weights": str(weights_folder(plan.value("--download-dir"), env)),
    }
    given = [*_model(plan), *_tokenizer(plan), *_draft(plan), *_adapters(plan)]
    asked = [{**caches, **each} for each in given]
    for each in asked:
        if each["kind"] != "model":
            each["weights"] = each["hub"]
    known: dict[tuple[str, str], dict[str, Any]] = {}
    for each in asked:
        known.setdefault((each["repository"], each.get("revision", "")), each)
    return [each for each in known.values() if not _is_there(each)]


def beside(plan: Plan, env: Mapping[str, str]) -> list[str]:
    """Where the draft model and the adapters of a plan are, as far as they are on this machine."""
    config = _object(plan.value("--speculative-config"))
    draft = config.get("model") or plan.value("--speculative-model")
    weights = weights_folder(plan.value("--download-dir"), env)
    places = [_place(draft, weights, str(config.get("revision") or ""))]
    places += [_place(text, hub_cache(env), "") for text in _named_adapters(plan)]
    return [str(place) for place in places if place is not None and is_dir(place)]


def _place(text: object, cache: Path, revision: str) -> Path | None:
    if not isinstance(text, str) or "/" not in text:
        return None
    here = Path("/", text)
    name = None if exists(here) else Name.parse(text)
    return here if name is None else snapshot(cache, name, revision)


def folders(plan: Plan, env: Mapping[str, str]) -> list[Path]:
    """Where these look."""
    named = [plan.model, plan.value("--tokenizer"), *_named_adapters(plan)]
    named += [_object(plan.value("--speculative-config")).get("model")]
    named += [plan.value("--speculative-model")]
    caches = (hub_cache(env), weights_folder(plan.value("--download-dir"), env))
    named += [_configuration(plan)]
    return [*caches, *(Path("/", text) for text in named if isinstance(text, str))]


def _configuration(plan: Plan) -> str:
    """The file of `--config`; empty where there is none."""
    said = plan.value("--config")
    return "" if said is None else str(Path("/", said))


def _said_by_file(plan: Plan) -> str:
    """That the engine's configuration file may name others than the command; empty if not."""
    if not (file := _configuration(plan)):
        return ""
    if not (said := keys(file)):
        return f"{file}, the engine's configuration file, is empty or cannot be read"
    named = ", ".join(sorted(said & _OF_A_DOWNLOAD))
    return f"{file}, the engine's configuration file, sets {named}" if named else ""


def _model(plan: Plan) -> Iterator[dict[str, Any]]:
    text = plan.model or ""
    if plan.model_path is not None:
        return
    name, quantization = _repository(text), ""
    if (file := quantized(text)) is not None:
        name, quantization = _repository(str(file[0])), file[1]
    if name is not None:
        yield {
            **_of_model(name, plan),
            "revision": plan.value("--revision") or "",
            "quantization": quantization,
        }


def _draft(plan: Plan) -> Iterator[dict[str, Any]]:
    """The small model that speculates for it, by either option."""
    config = _object(plan.value("--speculative-config"))
    name = config.get("model") or plan.value("--speculative-model")
    revision = config.get("revision") or plan.value("--speculative-model-revision") or ""
    if (found := _in_an_organization(name)) is not None:
        yield {**_of_model(found, plan), "revision": str(revision)}


def _of_model(name: str, plan: Plan) -> dict[str, Any]:
    ignored = plan.options.last("--ignore-patterns")
    return {
        "repository": name,
        "kind": "model",
        "load_format": (plan.value("--load-format") or "auto").lower(),  # as vLLM reads it
        "ignore": () if ignored is None else ignored.values,
    }


def _tokenizer(plan: Plan) -> Iterator[dict[str, Any]]:
    if (name := _in_an_organization(plan.value("--tokenizer"))) is not None and name != plan.model:
        revision = plan.value("--tokenizer-revision") or ""
        yield {"repository": name, "kind": "tokenizer", "revision": revision}


def _adapters(plan: Plan) -> Iterator[dict[str, Any]]:
    for text in _named_adapters(plan):
        if (name := _in_an_organization(text)) is not None:
            yield {"repository": name, "kind": "adapter"}


def _named_adapters(plan: Plan) -> list[Any]:
    argument = plan.options.last("--lora-modules")
    named = [] if argument is None else [adapters.paths(item) for item in argument.values]
    return [*named, *_object(plan.value("--default-mm-loras")).values()]


def _in_an_organization(text: object) -> str | None:
    """`org/name`; a word alone may be a method or a folder, and means a repository for models."""
    return _repository(text) if isinstance(text, str) and "/" in text else None


def _repository(text: str) -> str | None:
    name = Name.parse(text)
    # The engine runs in `/`, and takes a folder that is there before it asks the hub.
    if name is None or name.subfolder or exists(Path("/", text)):
        return None
    return name.repository


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "")
    except ValueError:  # it has been told of, or the engine tells
        return {}
    return found if isinstance(found, dict) else {}


def _is_there(asked: Mapping[str, Any]) -> bool:
    name, revision = Name(asked["repository"]), asked.get("revision", "")
    hub, weights = Path(asked["hub"]), Path(asked["weights"])
    match asked["kind"]:
        case "model":
            if quantization := asked.get("quantization"):
                whole = gguf(weights, name, revision, quantization, hub) is not None
                return whole and snapshot(hub, name, revision) is not None
            found = cached(weights, name, revision, rest=hub)
            return found is not None and configured(hub, name, revision, found) is not None
        case "adapter":
            return _has(snapshot(hub, name, revision), "adapter_model.*")
        case _:
            return _has(snapshot(hub, name, revision), "tokenizer*")


def _has(folder: Path | None, pattern: str) -> bool:
    there = () if folder is None else listed(folder)
    return any(path.match(pattern) and is_file(path) for path in there)
