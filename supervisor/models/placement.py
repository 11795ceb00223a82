"""What follows from where a model is, for the command and the engine's environment. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..findings import Ignored, Setting
from ..settings import table

MANIFEST = "baked.json"
_SERVED = ("OPENAI_SERVED_MODEL_NAME_OVERRIDE", "SERVED_MODEL_NAME")
_TOKENIZERS = ("TOKENIZER_NAME", "TOKENIZER")
_REVISIONS = ("MODEL_REVISION", "REVISION")
#: What may name another repository, for which the hub is still needed.
_OTHERS = (
    "SPECULATIVE_MODEL", "SPECULATIVE_CONFIG", "LORA_MODULES", "HF_CONFIG_PATH", "HF_OVERRIDES",
    "DEFAULT_MM_LORAS", "VLLM_CONFIG_FILE", "VLLM_EXTRA_ARGS",
)  # fmt: skip
_PART = r"[A-Za-z0-9][\w.-]*"
_REPOSITORY = re.compile(
    rf"(?P<repository>{_PART}(?:/{_PART})?)(?:/(?P<sub>{_PART}(?:/{_PART})*))?"
)


@dataclass(frozen=True, slots=True)
class Name:
    """A repository of the hub, and a folder in it where the model is not at its top."""

    repository: str
    subfolder: str = ""

    @classmethod
    def parse(cls, text: str) -> Name | None:
        """`name`, `org/name` or `org/name/folder`; None for a path, a URL or anything else."""
        found = _REPOSITORY.fullmatch(text.strip())
        return None if found is None else cls(found["repository"], found["sub"] or "")

    def __str__(self) -> str:
        return f"{self.repository}/{self.subfolder}" if self.subfolder else self.repository


@dataclass(frozen=True, slots=True)
class Download:
    """What is to be fetched before the engine starts, and the folder for the whole repository."""

    name: Name
    revision: str
    folder: str


@dataclass(frozen=True, slots=True)
class OnDisk:
    """What is on this machine already, or will be by `download`. Paths are whole ones.

    `name` is how the model is served; `where` is said to people. `needs_hub` says what else of the
    model comes from the hub (code of another repository). `named` says that VLLM_CONFIG_FILE gives
    it the names under which it is served.
    """

    name: str | None = None
    path: str | None = None
    tokenizer: str | None = None
    where: str = ""
    needs_hub: bool = False
    download: Download | None = None
    named: bool = False
    volume: Path | None = None
    device: str = "cpu"  # the GPU's name, for caches that fit no other


@dataclass(frozen=True, slots=True)
class Effect:
    """What the plan is made of in its place, and what is said about it."""

    env: Mapping[str, str]
    model: str | None = None  # the path to serve
    engine_env: Mapping[str, str] = field(default_factory=dict)
    settings: tuple[Setting, ...] = ()
    ignored: tuple[Ignored, ...] = ()


def baked_folder(env: Mapping[str, str]) -> Path:
    """Where `bake` puts models; BAKED_MODELS."""
    return Path(table.BAKED_MODELS.of(env))


def effect(env: Mapping[str, str], disk: OnDisk, version: str | None) -> Effect:
    """What `disk` changes.

    Args:
        env: the worker's environment.
        disk: what was found.
        version: vLLM's, for caches that fit no other.
    """
    changed = dict(env)
    engine_env = _caches(env, disk, version)
    settings = []
    ignored = []
    if disk.volume is not None:
        note = "models and compile caches are kept there"
        settings.append(Setting("BASE_PATH", str(disk.volume), None, "worker", note))
    elif base := env.get("BASE_PATH", "").strip():
        reason = f"{base} is no folder that can be written: models go to the container's disk"
        ignored.append(Ignored("BASE_PATH", reason))
    if disk.path is None or disk.name is None:
        return Effect(changed, None, engine_env, tuple(settings), tuple(ignored))
    changed["MODEL_NAME"] = disk.name
    if not disk.named:  # on the command line ours would win over them
        _serve_under(changed, disk.name)
    for name in _REVISIONS:
        changed.pop(name, None)  # the folder is of that revision
    if disk.tokenizer is not None:
        for name in _TOKENIZERS:
            changed.pop(name, None)
        changed["TOKENIZER"] = disk.tokenizer
        changed.pop("TOKENIZER_REVISION", None)
    settings.append(Setting("MODEL_NAME", disk.name, None, "worker", f"{disk.where}: {disk.path}"))
    others = _remote(changed)
    if disk.download is not None:
        pass  # of which the hub is asked whether there is anything new
    elif not others and not disk.needs_hub:
        offline = {
            name: "1" for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if name not in env
        }
        engine_env = {**engine_env, **offline}
    elif others:
        note = f"not offline: {', '.join(others)} may need the hub"
        settings.append(Setting("HF_HUB_OFFLINE", "0", None, "worker", note))
    return Effect(changed, disk.path, engine_env, tuple(settings), tuple(ignored))


def _serve_under(env: dict[str, str], name: str) -> None:
    """Serve a folder under the repository's name, behind any name that the user gave."""
    override, given = (env.get(variable, "").strip() for variable in _SERVED)
    if override:
        return  # its meaning has the model's own name behind it
    if not given:
        env["SERVED_MODEL_NAME"] = json.dumps([name])
        return
    try:
        names = json.loads(given)
    except ValueError:
        names = re.split(r"[,\s]+", given)
    if isinstance(names, list) and name not in names:
        env["SERVED_MODEL_NAME"] = json.dumps([*names, name])


def _remote(env: Mapping[str, str]) -> list[str]:
    """The settings that may name something that is not on this disk."""
    tokenizers = [
        name
        for name in _TOKENIZERS
        if (value := env.get(name, "").strip()) and not value.startswith("/")
    ]
    return tokenizers + [name for name in _OTHERS if env.get(name, "").strip()]


def _caches(env: Mapping[str, str], disk: OnDisk, version: str | None) -> dict[str, str]:
    """Where models and compiled code are kept: on the volume, where there is one.

    Compiled code is of one vLLM and one kind of GPU: another finds a folder of its own.
    """
    if disk.volume is None:
        return {}
    key = re.sub(r"[^\w.+-]+", "-", f"vllm-{version or 'unknown'}-{disk.device}").strip("-")
    compiled = disk.volume / "compile-cache" / key
    ours = {
        "HF_HOME": disk.volume / "huggingface-cache",
        "VLLM_CACHE_ROOT": compiled / "vllm",
        "TRITON_CACHE_DIR": compiled / "triton",
        "FLASHINFER_WORKSPACE_BASE": compiled / "flashinfer",
    }
    if {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"} & env.keys():
        del ours["HF_HOME"]
    return {name: str(path) for name, path in ours.items() if not env.get(name, "").strip()}
