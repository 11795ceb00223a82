"""The cache of the hub's client, and which models in it are whole; what the hub is asked."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..files import is_dir, is_file, listed
from .placement import Download, Name

_HUB = "https://huggingface.co"
_OWN = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME")
_CACHES = (*_OWN, "XDG_CACHE_HOME", "HOME")
_WEIGHTS = {".safetensors", ".bin", ".pt", ".gguf"}
_INDEX = ".index.json"
_SHARD = re.compile(r"(?P<name>.+)-\d+-of-(?P<of>\d+)(?P<suffix>\.\w+)")
_REFERENCE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})", re.ASCII)  # to a variable
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
    """File -> bytes, by such a list; 0 where it says no number. Raises LookupError, TypeError."""
    named = [file for file in listed["siblings"] if isinstance(file["rfilename"], str)]
    return {file["rfilename"]: _bytes(file.get("size")) for file in named}


def _bytes(size: object) -> int:
    return size if isinstance(size, int) and size > 0 else 0


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

    home = said("HOME") or "/root"
    if own := said("HF_HUB_CACHE") or said("HUGGINGFACE_HUB_CACHE"):
        return _expanded(own, home, env)
    caches = said("XDG_CACHE_HOME") or f"{home}/.cache"
    return _expanded(said("HF_HOME") or f"{caches}/huggingface", home, env) / "hub"


def _expanded(path: str, home: str, env: Mapping[str, str]) -> Path:
    """What the client in an engine takes for a path; the engine runs in `/`."""
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    return Path("/", _REFERENCE.sub(lambda found: env.get(found[1] or found[2], found[0]), path))


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


def cached(hub: Path, name: Name, revision: str, *, rest: Path | None = None) -> Path | None:
    """The snapshot of a repository in a cache of the hub's client, if it is whole.

    Args:
        hub: the folder with `models--ORG--NAME`, which may be in lower case.
        name: the repository, and a folder in it.
        revision: a branch, a tag or a commit; empty: refs/main, else the only snapshot.
        rest: where its configuration is in any case; weights alone count then. See `configured`.
    """
    is_whole = whole if rest is None else _has_weights
    places = (each / name.subfolder for each in at_rest(hub, name, revision, rest))
    return next((place for place in places if is_whole(place)), None)


def configured(hub: Path, name: Name, revision: str, weights: Path) -> Path | None:
    """The folder with the configuration of a model, whose weights are in the snapshot `weights`.

    With --download-dir vLLM puts weights and their index alone there, and the rest into `hub`.
    """
    if _has_configuration(weights):
        return weights
    found = snapshot(hub, name, revision)
    if found is None or found.name != weights.name:  # of another commit
        return None
    return found if _has_configuration(found) else None


def at_rest(hub: Path, name: Name, revision: str, rest: Path | None = None) -> Iterator[Path]:
    """The snapshots of a repository into which nobody is downloading; as `cached`."""
    if rest is not None and (known := snapshot(rest, name, revision)) is not None:
        revision = known.name  # vLLM asks for weights by their commit, and notes no branch there
    for repository in _repositories(hub, name.repository):
        found = _snapshot(repository, revision)
        if found is not None and not _under_way(repository):
            yield found


def snapshot(hub: Path, name: Name, revision: str) -> Path | None:
    """As `cached`, of whatever is there of a repository."""
    found = (_snapshot(each, revision) for each in _repositories(hub, name.repository))
    return next((place for place in found if place is not None), None)


def _repositories(hub: Path, repository: str) -> list[Path]:
    """Its folders, the one that is spelt as it is first: the hub's names know no case."""
    folder = "models--" + repository.replace("/", "--")
    alike = [path for path in listed(hub) if path.name.casefold() == folder.casefold()]
    return sorted(alike, key=lambda path: (path.name != folder, path.name))


def fault(hub: Path, name: Name) -> tuple[Path, OSError] | None:
    """The first folder of a repository, or of a cache, that cannot be read; None where all can."""
    for folder in (hub, *(each / "snapshots" for each in _repositories(hub, name.repository))):
        try:
            list(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as reason:
            return folder, reason
    return None


def cache_variable(download_dir: str | None, env: Mapping[str, str]) -> str:
    """By which variable `weights_folder` is where it is."""
    if download_dir:
        return "DOWNLOAD_DIR"
    return next((each for each in _CACHES if env.get(each, "").strip()), "HF_HOME")


def is_default(download_dir: str | None, env: Mapping[str, str]) -> bool:
    """Whether nobody says where weights go. With a volume the engine is told to use that, then."""
    return not download_dir and not any(env.get(each, "").strip() for each in _OWN)


def _under_way(repository: Path) -> bool:
    """Whether somebody is downloading into it. What a killed download left is older."""
    try:
        return any(
            time.time() - path.stat().st_mtime < _STILL_WRITTEN
            for path in listed(repository / "blobs")
            if path.suffix == ".incomplete"
        )
    except OSError:  # it has just become whole
        return True


def _snapshot(repository: Path, revision: str) -> Path | None:
    snapshots = repository / "snapshots"
    try:
        commit = (repository / "refs" / (revision or "main")).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        commit = revision
    if commit and is_dir(snapshots / commit):
        return snapshots / commit
    if revision:
        return None
    only = listed(snapshots)
    return only[0] if len(only) == 1 else None


def whole(folder: Path) -> bool:
    """Whether a model is there with all its weights: a download may be under way, or broken off."""
    return _has_configuration(folder) and _has_weights(folder)


def _has_configuration(folder: Path) -> bool:
    return any(is_file(folder / name) for name in ("config.json", "params.json"))


def _has_weights(folder: Path) -> bool:
    there = listed(folder)
    files = [path for path in there if is_file(path)]
    if not complete_sets(files):
        return False
    if indexes := [path for path in there if path.name.endswith(_INDEX)]:
        return any(_has_all(index) for index in indexes)
    return any(path.suffix in _WEIGHTS for path in files)


def _has_all(index: Path) -> bool:
    """Whether every file that an index of weights names is beside it."""
    try:
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return all(is_file(index.parent / shard) for shard in shards)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False


def complete_sets(files: Iterable[Path]) -> bool:
    """Whether each `NAME-00001-of-00003.safetensors` has its others; the index may come after."""
    there: dict[tuple[str, int, str], int] = {}
    for path in files:
        if shard := _SHARD.fullmatch(path.name):
            which = shard["name"], int(shard["of"]), shard["suffix"]
            there[which] = there.get(which, 0) + 1
    return all(count >= of for (_, of, _), count in there.items())
