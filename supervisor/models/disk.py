"""What of a model is on this machine already. A few looks at the disk, before every start."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..settings import table
from .placement import MANIFEST, Download, Name, OnDisk, baked_folder

_GPUS = Path("/proc/driver/nvidia/gpus")
_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.gguf")
_SHARD = re.compile(r"(?P<name>.+)-\d+-of-(?P<of>\d+)(?P<suffix>\.\w+)")
_STILL_WRITTEN = 600.0  # seconds since the last byte of a download that goes on


def look(env: Mapping[str, str], gpus: Path = _GPUS) -> OnDisk:
    """Look for the model of `env`: baked into the image, then kept by the platform.

    Args:
        env: MODEL_NAME, MODEL_REVISION, TOKENIZER_NAME, BASE_PATH, BAKED_MODELS, HOME.
        gpus: where the driver shows its GPUs.
    """
    volume, device = _volume(env), _device(gpus)
    text = env.get("MODEL_NAME", "").strip()
    revision = env.get("MODEL_REVISION", "").strip() or env.get("REVISION", "").strip()
    name = Name.parse(text)
    in_a_file = not text and env.get("VLLM_CONFIG_FILE", "").strip()  # which names the model
    if (text and name is None) or in_a_file:
        return OnDisk(volume=volume, device=device)
    found = _baked(env, text, revision)
    if found is None and name is not None:
        base = Path(table.BASE_PATH.of(env))
        if (path := cached(base / "huggingface-cache" / "hub", name, revision)) is not None:
            found = OnDisk(text, str(path), None, "kept by the platform", _other_code(path))
    if found is None and name is not None and name.subfolder:
        found = _to_download(env, name, revision, volume)
    named = _names_it(env.get("VLLM_CONFIG_FILE", "").strip())
    return replace(found or OnDisk(), named=named, volume=volume, device=device)


_NAMES = re.compile(r"^\s*served[-_]model[-_]name\s*:", re.MULTILINE)


def _names_it(config_file: str) -> bool:
    try:
        return bool(config_file and _NAMES.search(Path(config_file).read_text(encoding="utf-8")))
    except (OSError, ValueError):  # the engine will say what is wrong with it
        return False


def _volume(env: Mapping[str, str]) -> Path | None:
    """BASE_PATH, where it is a folder that can be written: without a volume it is not there."""
    base = Path(table.BASE_PATH.of(env))
    return base if base.is_dir() and os.access(base, os.W_OK) else None


def _device(gpus: Path) -> str:
    """The name of the first GPU, read without touching it."""
    try:
        for path in sorted(gpus.iterdir()):
            text = (path / "information").read_text()
            if model := re.search(r"^Model:\s*(.+)$", text, re.MULTILINE):
                return model[1].strip()
    except OSError:
        pass
    return "cpu"


# --- baked ---


def _baked(env: Mapping[str, str], wanted: str, revision: str) -> OnDisk | None:
    folder = baked_folder(env)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        model = manifest["model"]
        tokenizer = manifest.get("tokenizer")
        name, place = str(model["repository"]), Path(model["folder"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    of_revision = not revision or revision in {model.get("revision"), model.get("commit")}
    if (wanted and wanted != name) or not of_revision or not place.is_dir():
        return None
    asked = env.get("TOKENIZER_NAME", "").strip() or env.get("TOKENIZER", "").strip()
    its = None
    if tokenizer and asked in {"", tokenizer["repository"]}:
        its = str(tokenizer["folder"])
    elif asked == name:
        its = str(place)
    return OnDisk(name, str(place), its, "baked into the image", _other_code(place))


# --- a folder of a repository ---


def _to_download(env: Mapping[str, str], name: Name, revision: str, volume: Path | None) -> OnDisk:
    """Because vLLM takes whole repositories only. Another worker may use another revision."""
    place = volume or Path(env.get("HOME", "").strip() or "/root") / ".cache" / "vllm-supervisor"
    which = f"{name.repository}@{revision or 'main'}".replace("/", "--")
    folder = place / "models" / which
    return OnDisk(
        str(name),
        str(folder / name.subfolder),
        where="downloaded before the start",
        download=Download(name, revision, str(folder)),
    )


def hub_cache(env: Mapping[str, str]) -> Path:
    """Where the hub's client keeps what it fetches, by the variables that it reads."""

    def said(variable: str) -> str:
        return env.get(variable, "").strip()

    if own := said("HF_HUB_CACHE") or said("HUGGINGFACE_HUB_CACHE"):
        return Path(own)
    caches = Path(said("XDG_CACHE_HOME") or Path(said("HOME") or "/root") / ".cache")
    return Path(said("HF_HOME") or caches / "huggingface") / "hub"


# --- kept by the platform ---


def cached(hub: Path, name: Name, revision: str) -> Path | None:
    """The snapshot of a repository in a cache of the hub's client, if it is whole.

    Args:
        hub: the folder with `models--ORG--NAME`, which may be in lower case.
        name: the repository, and a folder in it.
        revision: a branch, a tag or a commit; empty: refs/main, else the only snapshot.
    """
    for repository in _repositories(hub, name.repository):
        snapshot = _snapshot(repository, revision)
        place = None if snapshot is None else snapshot / name.subfolder
        if place is not None and whole(place) and not _under_way(repository):
            return place
    return None


def _repositories(hub: Path, repository: str) -> list[Path]:
    """Its folders, the one that is spelt as it is first: the hub's names know no case."""
    folder = "models--" + repository.replace("/", "--")
    try:
        alike = [path for path in hub.iterdir() if path.name.casefold() == folder.casefold()]
    except OSError:
        return []
    return sorted(alike, key=lambda path: (path.name != folder, path.name))


def _under_way(repository: Path) -> bool:
    """Whether somebody is downloading into it. What a killed download left is older."""
    try:
        return any(
            time.time() - path.stat().st_mtime < _STILL_WRITTEN
            for path in (repository / "blobs").glob("*.incomplete")
        )
    except OSError:  # it has just become whole
        return True


def _snapshot(repository: Path, revision: str) -> Path | None:
    snapshots = repository / "snapshots"
    try:
        commit = (repository / "refs" / (revision or "main")).read_text(encoding="utf-8").strip()
    except OSError:
        commit = revision
    if commit and (snapshots / commit).is_dir():
        return snapshots / commit
    if revision:
        return None
    try:
        only = list(snapshots.iterdir())
    except OSError:
        return None
    return only[0] if len(only) == 1 else None


def whole(folder: Path) -> bool:
    """Whether a model is there with all its weights: a download may be under way, or broken off."""
    if not any((folder / name).is_file() for name in ("config.json", "params.json")):
        return False
    if not _complete_sets(folder):
        return False
    for index in folder.glob("*.index.json"):
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, LookupError, AttributeError):
            return False
        if all((folder / shard).is_file() for shard in shards):
            return True
    if any(folder.glob("*.index.json")):
        return False
    return any(path.is_file() for pattern in _WEIGHTS for path in folder.glob(pattern))


def _complete_sets(folder: Path) -> bool:
    """Whether each `NAME-00001-of-00003.safetensors` has its others; the index may come after."""
    there: dict[tuple[str, int, str], int] = {}
    for path in folder.iterdir():
        if (shard := _SHARD.fullmatch(path.name)) and path.is_file():
            which = shard["name"], int(shard["of"]), shard["suffix"]
            there[which] = there.get(which, 0) + 1
    return all(count >= of for (_, of, _), count in there.items())


def _other_code(folder: Path) -> bool:
    """Whether the model's code is in another repository (`org/name--file.Class` in auto_map)."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return any("--" in str(value) for value in config.get("auto_map", {}).values())
    except (OSError, ValueError, AttributeError):
        return False
