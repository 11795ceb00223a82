"""The cache of the hub's client, and which models in it are whole; what the hub is asked."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .placement import Download, Name

_HUB = "https://huggingface.co"
_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.gguf")
_SHARD = re.compile(r"(?P<name>.+)-\d+-of-(?P<of>\d+)(?P<suffix>\.\w+)")
_STILL_WRITTEN = 600.0  # seconds since the last byte of a download that goes on


def is_set(env: Mapping[str, str], name: str) -> bool:
    """Whether a switch such as HF_HUB_OFFLINE is on, as the hub's client reads it."""
    return env.get(name, "").strip().upper() in {"1", "ON", "YES", "TRUE"}


def file_list(repository: str, revision: str, env: Mapping[str, str]) -> str:
    """The address at which the hub lists a repository's files, with their bytes.

    Args:
        repository: `org/name`.
        revision: may be empty.
        env: HF_ENDPOINT.
    """
    which = urllib.parse.quote(revision or "main", safe="")
    return f"{_endpoint(env)}/api/models/{repository}/revision/{which}?blobs=true"


def file_address(repository: str, revision: str, file: str, env: Mapping[str, str]) -> str:
    """The address of one file; the arguments are as in `file_list`."""
    which = urllib.parse.quote(revision or "main", safe="")
    return f"{_endpoint(env)}/{repository}/resolve/{which}/{urllib.parse.quote(file)}"


def sizes(listed: Mapping[str, Any]) -> dict[str, int]:
    """File -> bytes, by such a list; 0 where it does not say. Raises LookupError, TypeError."""
    return {file["rfilename"]: file.get("size") or 0 for file in listed["siblings"]}


def authorization(env: Mapping[str, str]) -> dict[str, str]:
    """The headers by which the hub knows who asks, by HF_TOKEN."""
    token = env.get("HF_TOKEN", "").strip()
    return {"Authorization": f"Bearer {token}"} if token else {}


def _endpoint(env: Mapping[str, str]) -> str:
    return (env.get("HF_ENDPOINT", "").strip() or _HUB).rstrip("/")


def hub_cache(env: Mapping[str, str]) -> Path:
    """Where the hub's client keeps what it fetches, by the variables that it reads."""

    def said(variable: str) -> str:
        return env.get(variable, "").strip()

    if own := said("HF_HUB_CACHE") or said("HUGGINGFACE_HUB_CACHE"):
        return Path(own)
    caches = Path(said("XDG_CACHE_HOME") or Path(said("HOME") or "/root") / ".cache")
    return Path(said("HF_HOME") or caches / "huggingface") / "hub"


def weights_folder(
    download_dir: str | None, env: Mapping[str, str], ours: Download | None = None
) -> Path:
    """Where the weights go that are downloaded.

    Args:
        download_dir: what the command says for --download-dir; None or empty for nothing. The
            engine runs in `/`.
        env: the engine's.
        ours: what is fetched before vLLM starts, in its place.
    """
    if ours is not None:
        return Path(ours.folder)
    return Path("/", download_dir) if download_dir else hub_cache(env)


def cached(hub: Path, name: Name, revision: str) -> Path | None:
    """The snapshot of a repository in a cache of the hub's client, if it is whole.

    Args:
        hub: the folder with `models--ORG--NAME`, which may be in lower case.
        name: the repository, and a folder in it.
        revision: a branch, a tag or a commit; empty: refs/main, else the only snapshot.
    """
    for repository in _repositories(hub, name.repository):
        found = _snapshot(repository, revision)
        place = None if found is None else found / name.subfolder
        if place is not None and whole(place) and not _under_way(repository):
            return place
    return None


def snapshot(hub: Path, name: Name, revision: str) -> Path | None:
    """As `cached`, of whatever is there of a repository."""
    found = (_snapshot(each, revision) for each in _repositories(hub, name.repository))
    return next((place for place in found if place is not None), None)


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
