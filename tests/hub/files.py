"""What a repository of the hub has, as the hub tells it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

#: What is kept beside git, as every repository's .gitattributes has it.
_LARGE = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".onnx")


def files(folder: Path) -> dict[str, Path]:
    """The files of a repository, by their paths in it."""
    return {
        str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()
    }


def etag(path: Path) -> str:
    """The SHA-256 of a large file's content, git's name for a small one."""
    return _sha256(*_mark(path)) if path.name.endswith(_LARGE) else _git(*_mark(path))


def row(name: str, path: Path) -> dict[str, Any]:
    """A file in a list of files."""
    size = path.stat().st_size
    shown: dict[str, Any] = {
        "type": "file",
        "path": name,
        "size": size,
        "oid": _git(*_mark(path)),
    }
    if path.name.endswith(_LARGE):
        shown["lfs"] = {"oid": etag(path), "size": size, "pointerSize": 134}
    return shown


def tree(folder: Path, under: str, *, recursive: bool) -> list[dict[str, Any]] | None:
    """What is in the folder `under` of a repository; None where there is none."""
    start = f"{under.strip('/')}/" if under.strip("/") else ""
    inside = {name: path for name, path in files(folder).items() if name.startswith(start)}
    if start and not inside:
        return None
    rows = []
    folders: set[str] = set()
    for name, path in inside.items():
        *above, _ = name.removeprefix(start).split("/")
        folders.update(start + "/".join(above[: end + 1]) for end in range(len(above)))
        if recursive or not above:
            rows.append(row(name, path))
    depth = start.count("/")
    shown = [name for name in sorted(folders) if recursive or name.count("/") == depth]
    return [
        {"type": "directory", "path": name, "size": 0, "oid": "0" * 40} for name in shown
    ] + rows


def _mark(path: Path) -> tuple[Path, int, int]:
    found = path.stat()
    return path, found.st_mtime_ns, found.st_size


@lru_cache
def _sha256(path: Path, _changed: int, _size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@lru_cache
def _git(path: Path, _changed: int, size: int) -> str:
    whole = b"blob %d\0" % size + path.read_bytes()
    return hashlib.sha1(whole, usedforsecurity=False).hexdigest()
