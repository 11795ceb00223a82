"""Writes files whole or not at all, looks for them, and finds where a folder will be.

A volume may be dead (ENOTCONN, ESTALE, EIO) or another user's. `Path.exists` and the like then
raise an error, those of here do not: what cannot be seen counts as not there; `fault` says why.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def exists(path: str | Path) -> bool:
    """Whether anything is there."""
    return os.path.exists(path)  # noqa: PTH110


def is_dir(path: str | Path) -> bool:
    """Whether a folder is there."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: str | Path) -> bool:
    """Whether a file is there."""
    return os.path.isfile(path)  # noqa: PTH113


def listed(folder: Path) -> list[Path]:
    """What is in a folder, sorted; nothing where there is none."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def fault(path: Path) -> OSError | None:
    """Why nobody can say what is there; None where one can, also that there is nothing."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as reason:
        return reason
    return None


def existing(path: Path) -> Path:
    """`path`, or the nearest of the folders above it that is there: whose disk will hold it."""
    return next(place for place in (path, *path.absolute().parents) if exists(place))


def mount(path: Path) -> Path:
    """Where the disk is mounted on which `path` is, or will be."""
    here = Path(os.path.realpath(existing(path)))
    places = (here, *here.parents)
    return next(place for place in places if os.path.ismount(place) or place == Path("/"))


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path`, readable by all, with its folders; nobody sees half of it.

    Raises:
        OSError: it cannot be written.
    """
    import tempfile  # few starts write anything

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w",
        dir=path.parent,
        prefix=f".{path.name}.",
        delete=False,
        encoding="utf-8",
        errors="surrogateescape",  # as environment variables come
    ) as file:
        part = Path(file.name)
        try:
            file.write(text)
            file.flush()
            part.chmod(0o644)
            part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
