"""What follows from where a model is, for the command and the engine's environment. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..decoding import json_of
from ..findings import Applied, Findings, Ignored, Remark
from ..records import dataclass, field
from ..settings import table
from ..settings.values import early

MANIFEST = "baked.json"
TEMPORARY = "/tmp"  # noqa: S108 - only a folder of ours in it is written to
_SERVED = ("OPENAI_SERVED_MODEL_NAME_OVERRIDE", "SERVED_MODEL_NAME")
_TOKENIZERS = ("TOKENIZER_NAME", "TOKENIZER")
_REVISIONS = ("MODEL_REVISION", "REVISION")
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
#: What may name another repository, for which the hub is still needed.
_OTHERS = (
    "SPECULATIVE_MODEL", "SPECULATIVE_CONFIG", "LORA_MODULES", "HF_CONFIG_PATH", "HF_OVERRIDES",
    "DEFAULT_MM_LORAS", table.VLLM_CONFIG_FILE.name, table.VLLM_EXTRA_ARGS.name,
)  # fmt: skip
_PART = r"[A-Za-z0-9][\w.-]*"
_REPOSITORY = re.compile(
    r"(?!(?:www\.)?(?:huggingface|hf)\.co/)"  # a page's address
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
        match = _REPOSITORY.fullmatch(text.strip())
        return None if match is None else cls(match["repository"], match["sub"] or "")

    def __str__(self) -> str:
        return f"{self.repository}/{self.subfolder}" if self.subfolder else self.repository


@dataclass(frozen=True, slots=True)
class Download:
    """What is to be fetched before the engine starts, and the folder for the whole repository."""

    name: Name
    revision: str
    folder: str


@dataclass(frozen=True, slots=True)
class Stored:
    """Where the files of a model are that is on this machine.

    Attributes:
        path: their folder, or the file.
        filesystem: its type as the kernel names it (`ext4`, `fuse.juicefs`); empty if not known.
        fits_cache: on FUSE, the weights are safetensors and fit into the memory that is free.
    """

    path: str
    filesystem: str = ""
    fits_cache: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder, the setting that says where it is, and whether it `lasts` beyond this container."""

    folder: str
    setting: str
    lasts: bool


@dataclass(frozen=True, slots=True)
class Unseen:
    """A place that could not be looked at: a volume hangs or is dead, a folder is another user's.

    Attributes:
        setting: by which variable it is where it is.
        why: a sentence that names it.
        remedy: what to do.
    """

    setting: str
    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class OnDisk:
    """What is on this machine already, or will be by `download`. Paths are whole ones.

    `name` is how the model is served; `where` is said to people. `needs_hub` says what else of the
    model comes from the hub (code of another repository). `configured` has the options that
    VLLM_CONFIG_FILE sets, as `served-model-name`; `turned_on` those of them that are its own keys,
    and are not turned off there; `configuration` is that file's text. `gpus` is how many the engine
    can use together. `volume` may still have to be made. `temporary` is the folder for temporary
    files. `config` is the model's config.json; empty where that is not on this machine. `stored` is
    where its files are already, whoever finds them. `unseen` is of what nobody knows what is there.
    """

    name: str | None = None
    path: str | None = None
    tokenizer: str | None = None
    where: str = ""
    needs_hub: bool = False
    download: Download | None = None
    configured: frozenset[str] = frozenset()
    turned_on: frozenset[str] = frozenset()
    configuration: str = field(default="", repr=False)  # there may be secrets in it
    volume: Path | None = None
    device: str = "cpu"  # the GPU's name, for caches that fit no other
    gpus: int = 0
    temporary: str = TEMPORARY
    config: Mapping[str, Any] = field(default_factory=dict)
    stored: Stored | None = None
    unseen: tuple[Unseen, ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """What the plan is made of in its place, and what is said about it.

    `name` and `path` are what the model is called and where it lies, if it is on this machine.
    """

    env: Mapping[str, str]
    name: str | None = None
    path: str | None = None
    engine_env: Mapping[str, str] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)


def baked_folder(env: Mapping[str, str]) -> Path:
    """Where `bake` puts models; BAKED_MODELS."""
    return Path(early(env, table.BAKED_MODELS))


def effect(env: Mapping[str, str], disk: OnDisk, version: str | None) -> Effect:
    """What `disk` changes.

    Args:
        env: the worker's environment.
        disk: what was found.
        version: vLLM's, for caches that fit no other.
    """
    of_volume = _volume(env, disk)
    caches = _caches(env, disk, version)
    if disk.path is None or disk.name is None:
        return Effect(env, engine_env=caches, findings=of_volume)
    changed = _in_its_place(env, disk, disk.name)
    row = Applied(table.MODEL_NAME.name, disk.name, None, "worker", f"{disk.where}: {disk.path}")
    offline, of_hub = _offline(env, changed, disk)
    findings = of_volume + Findings.of(row) + of_hub
    return Effect(changed, disk.name, disk.path, {**caches, **offline}, findings)


def _volume(env: Mapping[str, str], disk: OnDisk) -> Findings:
    name, base = table.BASE_PATH.name, table.BASE_PATH.written(env)
    said = Findings.of(*(Remark(each.setting, each.why, each.remedy) for each in disk.unseen))
    if disk.volume is not None:
        note = "models and compile caches are kept there"
        return said + Findings.of(Applied(name, str(disk.volume), None, "worker", note))
    if not base or any(each.setting == name for each in disk.unseen):
        return said
    reason = f"{base} is not a writable folder: models go to the container's disk"
    return said + Findings.of(Ignored(name, reason))


def _in_its_place(env: Mapping[str, str], disk: OnDisk, name: str) -> dict[str, str]:
    """`env` for the model's folder in place of its repository."""
    changed = {**env, table.MODEL_NAME.name: name}
    if "served-model-name" not in disk.configured:  # on the command line ours would win over them
        changed |= _names(env, name)
    gone = list(_REVISIONS)  # the folder is of that revision
    if disk.tokenizer is not None:
        gone += [*_TOKENIZERS, "TOKENIZER_REVISION"]
    kept = {key: text for key, text in changed.items() if key not in gone}
    return kept if disk.tokenizer is None else {**kept, "TOKENIZER": disk.tokenizer}


def _offline(
    env: Mapping[str, str], changed: Mapping[str, str], disk: OnDisk
) -> tuple[Mapping[str, str], Findings]:
    """The engine's variables that keep it off the hub, where nothing of the model is there."""
    if disk.download is not None:  # the hub is asked whether there is anything new of it
        return {}, Findings()
    if others := _remote(changed):
        note = f"not offline: {', '.join(others)} may need the hub"
        return {}, Findings.of(Applied("HF_HUB_OFFLINE", "0", None, "worker", note))
    if disk.needs_hub:
        return {}, Findings()
    return {name: "1" for name in _OFFLINE if name not in env}, Findings()


def _names(env: Mapping[str, str], name: str) -> dict[str, str]:
    """Serve a folder under the repository's name, behind any name that the user gave."""
    override, given = (env.get(variable, "").strip() for variable in _SERVED)
    if override:
        return {}  # its meaning has the model's own name behind it
    if not given:
        return {"SERVED_MODEL_NAME": json.dumps([name])}
    try:
        names = json_of(given)
    except ValueError:
        names = re.split(r"[,\s]+", given)
    if isinstance(names, list) and name not in names:
        return {"SERVED_MODEL_NAME": json.dumps([*names, name])}
    return {}


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
