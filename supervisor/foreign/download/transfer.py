"""One download by the hub's client, tried again where that can help."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from .choice import literal, of_tokenizer, prefers_mistral, wanted
from .faults import DownloadError, named
from .progress import Progress, line, size_of

TRIES = 5
_PAUSE = 2.0  # seconds before the second try; doubled before each other
ROOM = 50_000_000  # bytes that stay free


@dataclass(frozen=True)
class Asked:
    """What is downloaded whereto. `kind`: `model`, or `tokenizer` for a tokenizer alone."""

    repository: str
    revision: str | None
    folder: Path
    subfolder: str
    kind: str


def tried(
    asked: Asked, tries: int, begin: Callable[[str, Sequence[str]], None] = lambda *_told: None
) -> dict[str, Any]:
    """`download`, again where that can help.

    Raises:
        DownloadError: with the cause and the remedy.
    """
    number = 1
    while True:
        try:
            return download(asked, begin)
        except DownloadError as reason:
            if not reason.again or number >= tries:
                raise
            pause = _PAUSE * 2.0 ** (number - 1)
            number += 1
            line(f"{asked.repository}: {reason}; try {number} of {tries} in {pause:.0f} s")
            time.sleep(pause)


def download(asked: Asked, begin: Callable[[str, Sequence[str]], None]) -> dict[str, Any]:
    """Download, or go on with a download that was broken off.

    `begin` is told of the commit and its files before any of them is touched.

    Raises:
        DownloadError: with the cause and the remedy.
    """
    # Its bars are for terminals. Not by the environment, which the engine would inherit.
    import huggingface_hub as hub
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    repository, folder = asked.repository, asked.folder
    try:
        info = hub.HfApi().model_info(repository, revision=asked.revision, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        chosen = _chosen(asked, list(sizes))
        total = sum(sizes[file] for file in chosen)
        _see_that_it_fits(folder, total, repository)
        begin(str(info.sha), chosen)
        with Progress(repository, folder, total):
            hub.snapshot_download(
                repository,
                revision=info.sha,
                local_dir=folder,
                allow_patterns=[literal(file) for file in chosen],
            )
    except Exception as fault:
        raise named(fault, repository, asked.revision, folder) from fault
    return {"commit": info.sha, "files": chosen, "bytes": total}


def _chosen(asked: Asked, files: list[str]) -> list[str]:
    if asked.kind == "tokenizer":
        chosen = of_tokenizer(files)
    else:
        load_format = os.environ.get("LOAD_FORMAT", "").strip().lower() or "auto"
        chosen = wanted(
            files,
            asked.subfolder,
            load_format=load_format,
            mistral_first=prefers_mistral(vllm_version()),
        )
    if not chosen:
        where = f" in its folder {asked.subfolder}" if asked.subfolder else ""
        message = f"{asked.repository} has no file that vLLM loads{where}; correct MODEL_NAME"
        raise DownloadError(message)
    return chosen


def vllm_version() -> str:
    """The version of vLLM beside which this runs."""
    try:
        return metadata.version("vllm")
    except metadata.PackageNotFoundError:
        return ""


def _see_that_it_fits(folder: Path, total: int, repository: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    missing = total - size_of(folder)
    if missing + ROOM > free:
        raise DownloadError(
            f"{repository} needs {missing / 1e9:.2f} GB more in {folder}, and only"
            f" {free / 1e9:.2f} GB is free there; give it more disk"
        )
