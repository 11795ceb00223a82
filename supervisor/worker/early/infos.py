"""Hands an engine what vLLM has noted down of its models' classes when the image was built.

vLLM looks at the class of its model by a process of its own, which imports all of vLLM once more,
unless it finds in its cache what such a look has found before. A new container has no such cache.
vLLM believes a note as long as the model's code is the same, so that an old one costs nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from ... import hanging
from ..tasks import best_effort

log = logging.getLogger("supervisor")

#: Beside the worker's code, where `image/model-infos.sh` has put them.
KEPT = Path(__file__).parents[3] / "model-infos"
_WITHOUT = "vLLM looks at the model's class itself, which takes some seconds"


@best_effort(_WITHOUT)
async def hand_over(env: Mapping[str, str], kept: Path = KEPT) -> None:
    """Copy what the engine's cache has not; it looks there once it has imported itself.

    Args:
        env: the engine's.
        kept: the folder with the notes.
    """
    folder = cache(env)
    try:
        await hanging.look_beside(lambda: _copy(kept, folder), [folder])
    except (OSError, hanging.HangsError) as reason:
        log.info("%s: %s", _WITHOUT, reason)


def cache(env: Mapping[str, str]) -> Path:
    """Where vLLM looks for the notes, by the variables that it reads."""
    caches = env.get("XDG_CACHE_HOME") or Path(env.get("HOME") or "/root", ".cache")
    root = env.get("VLLM_CACHE_ROOT") or Path(caches, "vllm")
    # As vLLM does it, in `/`: a home that nobody has stays as it is written, where `Path` raises.
    return Path("/", os.path.expanduser(root), "modelinfos")  # noqa: PTH111


def _copy(kept: Path, folder: Path) -> None:
    if not kept.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    there = set(os.listdir(folder))  # noqa: PTH208 - names alone, of a few hundred files
    for name in sorted(set(os.listdir(kept)) - there):  # noqa: PTH208
        # Containers share a cache, and have processes of the same number.
        part = folder / f".{name}.{os.urandom(6).hex()}"
        try:
            part.write_bytes((kept / name).read_bytes())
            part.replace(folder / name)  # several workers may share the cache
        finally:
            with contextlib.suppress(OSError):
                part.unlink()
