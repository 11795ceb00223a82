"""How far vLLM's own download of a model is: it prints nothing of it, so its cache is looked at."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

import httpx

from ... import hanging
from ...command.plan import Plan
from ...foreign.download.choice import wanted
from ...models import hub
from ...models.placement import Name
from ..tasks import best_effort
from .phases import Start

log = logging.getLogger("supervisor")

_LOOK_EVERY = 1.0  # seconds
_RATE_OVER = 5  # looks
_ASK_WITHIN = 10.0  # seconds


@best_effort("how far a download is cannot be seen")
async def watch_plan(start: Start, plan: Plan, env: Mapping[str, str]) -> None:
    """Tell `start` of the download of a plan's model, where vLLM itself will fetch it.

    Args:
        start: is told.
        plan: with the model, its revision and --download-dir.
        env: the engine's.
    """
    model = Name.parse(plan.model or "")
    if model is None or plan.model_path is not None:
        return
    cache = hub.weights_folder(plan.value("--download-dir"), env)
    await watch(start, model, plan.value("--revision") or "", cache, env)


async def watch(
    start: Start, model: Name, revision: str, cache: Path, env: Mapping[str, str]
) -> None:
    """Tell `start` of the download of `model` while it lasts, until the engine is ready.

    Args:
        start: is told.
        model: the repository.
        revision: may be empty.
        cache: the folder of the hub's client with `models--ORG--NAME`.
        env: the engine's, with HF_ENDPOINT and HF_TOKEN.
    """
    blobs = cache / f"models--{model.repository.replace('/', '--')}" / "blobs"
    try:
        await _follow(start, model, revision, blobs, env)
    except hanging.HangsError as reason:
        log.info("how far a download is cannot be seen: %s", reason)


async def _follow(
    start: Start, model: Name, revision: str, blobs: Path, env: Mapping[str, str]
) -> None:
    first, left_over = await _look(blobs)  # by a download that was killed
    total: int | None = None
    asked = False
    looks = deque([(time.monotonic(), first)], maxlen=_RATE_OVER)
    while not start.over:
        await asyncio.sleep(_LOOK_EVERY)
        size, parts = await _look(blobs)
        looks.append((time.monotonic(), size))
        (then, before), (now, _) = looks[0], looks[-1]
        if not parts - left_over:
            start.downloaded()
            continue
        if not asked:
            asked = True
            total = await _total(model.repository, revision, env)
        start.downloading(
            _words(size - first, (total or 0) - first, (size - before) / (now - then))
        )


def _words(done: int, of: int, rate: float) -> str:
    """How far it is; `of` is 0 or less where nobody says how much there is."""
    share = f"{min(99, 100 * done // of)} %" if of > 0 else f"{done / 1e9:.2f} GB"
    return f"{share}, {rate / 1e6:.1f} MB/s"


async def _look(blobs: Path) -> tuple[int, set[tuple[str, int]]]:
    return await hanging.look_beside(lambda: _seen(blobs), [blobs])


def _seen(blobs: Path) -> tuple[int, set[tuple[str, int]]]:
    """Bytes that are there, and the files that are not whole yet, each with its last change."""
    try:
        paths = list(blobs.iterdir())
    except OSError:  # not there yet
        return 0, set()
    size = 0
    parts = set()
    for path in paths:
        with contextlib.suppress(OSError):  # renamed just then
            found = path.stat()
            # A file that is written in several places at once is as long as it will be.
            size += min(found.st_size, found.st_blocks * 512)
            if path.suffix == ".incomplete":
                parts.add((path.name, found.st_mtime_ns))
    return size, parts


async def _total(repository: str, revision: str, env: Mapping[str, str]) -> int | None:
    """Bytes of the files that are fetched, as the hub tells; None where it does not."""
    url, headers = hub.file_list(repository, revision, env), hub.authorization(env)
    try:
        async with httpx.AsyncClient(timeout=_ASK_WITHIN, follow_redirects=True) as client:
            sizes = hub.sizes((await client.get(url, headers=headers)).json())
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError):
        return None
    return sum(sizes[file] for file in wanted(sizes, mistral_first=True)) or None
