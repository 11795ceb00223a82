"""The life of an environment's folder: when it is complete, and who may make it.

A marker is written last and holds the key of what was installed. A folder that misses it is the
rest of a try that was broken off.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

RECIPE = "1"  # raise it when the way of installing changes, not only what is installed


def key_of(parts: list[str]) -> str:
    """Hash `parts`, the Python version and the machine into 12 hexadecimal digits."""
    version = f"{sys.implementation.name}{sys.version_info.major}.{sys.version_info.minor}"
    text = "\0".join([RECIPE, version, sys.platform, platform.machine(), *parts])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def cache() -> Path:
    """Return the project's cache folder, outside the checkout so that every checkout shares it."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # A relative value is to be ignored, the XDG base directory specification says.
    root = Path(base) if Path(base).is_absolute() else Path("~/.cache").expanduser()
    return root / "vllm-supervisor"


def is_complete(folder: Path, marker: str, key: str) -> bool:
    """Tell whether `folder` holds what `key` stands for; costs two file reads."""
    try:
        found = (folder / f".complete-{marker}").read_text(encoding="utf-8").strip()
    except OSError:
        return False
    # The interpreter is a link to the one it was made from, which an upgrade may have removed.
    return found == f"{key} {folder}" and (folder / "bin" / "python").exists()


def mark(folder: Path, marker: str, key: str) -> None:
    """Say that `folder` is complete. The path counts: scripts in it do not survive a move."""
    part = folder / f".complete-{marker}.part"
    part.write_text(f"{key} {folder}\n", encoding="utf-8")
    part.replace(folder / f".complete-{marker}")


def remove(folder: Path) -> None:
    """Remove `folder`, its markers first, so that a removal that is broken off leaves none."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        for marker in folder.glob(".complete-*"):
            marker.unlink(missing_ok=True)
        shutil.rmtree(folder)


@contextmanager
def locked(name: str, root: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock `name` in `root`; say so when another run has it, and wait for that one."""
    root.mkdir(parents=True, exist_ok=True)
    # The kernel gives the lock back however its holder ends, so the file may stay.
    with (root / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another run is making this environment: waiting for it to finish.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
