"""Downloads what an engine will want, into the caches in which it looks, while it still imports.

Each file is written under the client's own lock for it, so that an engine that wants it finds it
or waits for it. vLLM's lock for a whole repository is not taken: it also guards what vLLM reads
before there are weights.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from . import leavings, watched
from .asked import INDEX, Wanted, chosen, indexed, whole
from .choice import WEIGHTS, literal
from .faults import DownloadError, named
from .leavings import Cached
from .progress import amount, line
from .transfer import ROOM, vllm_version

T = TypeVar("T")

_TRIES = 3
_PAUSE = 2.0  # seconds before the second try; doubled before each other
_NICE = 10  # the engine's imports go first
_PIECE = 1024 * 1024  # bytes: a slow download is to be seen, too


@dataclass
class Listed:
    """A repository as the hub tells it: its commit, and the bytes of each of its files."""

    wanted: Wanted
    commit: str
    sizes: dict[str, int] = field(default_factory=dict)


def main(arguments: Sequence[str]) -> int:
    """Download the repositories in the JSON list that is the only argument; see `Wanted`.

    Returns:
        0, or 1 where one of them failed, `watched.AGAIN` where another try may help with each that
        did; why is said in a line that begins `download ahead`.
    """
    asked = [Wanted(**each) for each in json.loads(arguments[0])]
    os.nice(_NICE)
    places = [place for each in asked for place in each.places]
    return watched.run(lambda: fetch(asked, places), list(dict.fromkeys(places)))


def fetch(asked: Sequence[Wanted], places: Sequence[Cached]) -> int:
    """What is small of all of them, then the weights of each, in the order in which it is asked."""
    try:
        _prepare()
    except ImportError:  # this engine fetches nothing by this client
        return 0
    _clear_old(places)
    codes = set()
    listed = []
    for each in asked:
        try:
            listed.append(_tried(each, partial(_small, each)))
        except DownloadError as reason:
            codes.add(_say(each, reason))
    for found in listed:
        try:
            _tried(found.wanted, partial(_large, found))
        except DownloadError as reason:
            codes.add(_say(found.wanted, reason))
    return min(codes, default=0)


def _prepare() -> None:
    from huggingface_hub import constants
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()  # they are for terminals
    if hasattr(constants, "DOWNLOAD_CHUNK_SIZE"):
        constants.DOWNLOAD_CHUNK_SIZE = _PIECE


def _clear_old(places: Sequence[Cached]) -> None:
    for place in places:
        files, size = leavings.clear_old(place)
        if files:
            line(
                f"removed {files} file(s), {amount(size)}, that broken-off downloads of"
                f" {place.repository} had left in {place.hub}"
            )


def _say(asked: Wanted, reason: DownloadError) -> int:
    line(f"download ahead of {asked.repository}: {reason}. The engine goes on by itself")
    return watched.AGAIN if reason.again else 1


def _tried(asked: Wanted, work: Callable[[], T]) -> T:
    """What `work` returns, tried again where that can help.

    Raises:
        DownloadError: with the cause and the remedy.
    """
    number = 1
    while True:
        try:
            return work()
        except Exception as fault:
            reason = named(fault, asked.repository, asked.revision or None, whole(asked.weights))
            if not reason.again or number >= _TRIES:
                raise reason from fault
            time.sleep(_PAUSE * 2.0 ** (number - 1))
            number += 1


def _small(asked: Wanted) -> Listed:
    """Look at the repository, and fetch all that is not weights."""
    import huggingface_hub as hub

    info = hub.HfApi(**_library()).model_info(
        asked.repository, revision=asked.revision or None, files_metadata=True
    )
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    found = Listed(
        asked, str(info.sha), {file: sizes[file] for file in chosen(asked, sizes, vllm_version())}
    )
    _download(found, [file for file in found.sizes if not file.endswith(WEIGHTS)], asked.hub)
    return found


def _large(found: Listed) -> None:
    asked = found.wanted
    cache = whole(asked.weights)
    missing = [file for file in _weights(found) if not _is_there(found, file, cache)]
    if not missing:
        return
    total = sum(found.sizes[file] for file in missing)
    _see_that_it_fits(cache, total, asked.repository)
    line(f"downloading {asked.repository} while the engine starts")
    began = time.monotonic()
    _download(found, missing, asked.weights)  # how far it is, the supervisor says
    took = time.monotonic() - began
    said = f"{amount(total)} in {took:.1f} s"
    line(f"downloaded {asked.repository}, commit {found.commit}: {said}")


def _weights(found: Listed) -> list[str]:
    weights = [file for file in found.sizes if file.endswith(WEIGHTS)]
    index = _place(found, INDEX, whole(found.wanted.hub))
    if index is None or found.wanted.kind != "model":
        return weights
    return indexed(weights, Path(index).read_text(encoding="utf-8", errors="replace"))


def _download(found: Listed, files: Sequence[str], cache: str) -> None:
    import huggingface_hub as hub

    if files:
        hub.snapshot_download(
            found.wanted.repository,
            revision=found.commit,
            cache_dir=whole(cache),
            allow_patterns=[literal(file) for file in files],
            **_library(),
        )


def _is_there(found: Listed, file: str, cache: Path) -> bool:
    return _place(found, file, cache) is not None


def _place(found: Listed, file: str, cache: Path) -> str | None:
    """Where a file of the repository is in a cache; None where it is not."""
    import huggingface_hub as hub

    at = hub.try_to_load_from_cache(
        found.wanted.repository, file, cache_dir=cache, revision=found.commit
    )
    return at if isinstance(at, str) else None


def _see_that_it_fits(cache: Path, missing: int, repository: str) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if missing + ROOM > free:
        raise DownloadError(
            f"{repository} needs {amount(missing)} more in {cache}, and only"
            f" {amount(free)} is free there; give it more disk"
        )


def _library() -> dict[str, str]:
    """By what the hub can tell this from the engine."""
    return {"library_name": "vllm-supervisor"}
