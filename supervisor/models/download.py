"""Downloads a model's files into a folder: only those that vLLM loads.

A script for the engine's interpreter, whose environment has `huggingface_hub`; it imports nothing
of ours. Arguments: repository, revision (may be empty), folder, sub-folder (may be empty), and
`model`, or `tokenizer` for a tokenizer alone. It prints progress in lines, and as its last line
JSON: `{"commit", "files", "bytes"}` or `{"error", "again"}`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

_TRIES = 5
_PAUSE = 2.0  # seconds before the second try; doubled before each other
_PROGRESS_EVERY = 5.0  # seconds
_ROOM = 50_000_000  # bytes that are to be left

#: Formats of other frameworks, copies for them, and what is for people.
_NEVER_FOLDERS = ("original/", "onnx/", "openvino/", "coreml/", "metal/", "figures/", "assets/")
_NEVER = (
    ".msgpack", ".h5", ".ot", ".onnx", ".onnx_data", ".tflite", ".pb", ".mlmodel", ".npz", ".ckpt",
    ".md", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".mp4", ".pdf", ".ipynb",
    ".gitattributes", ".gitignore",
)  # fmt: skip
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf")
#: What a trainer leaves beside the weights.
_OF_TRAINING = (
    "training_args.bin",
    "optimizer.bin",
    "scheduler.bin",
    "optimizer.pt",
    "scheduler.pt",
)
_TOKENIZER = ("tokenizer", "special_tokens", "added_tokens", "vocab", "merges", "config.json",
              "chat_template", "preprocessor_config", "processor_config", "tekken")  # fmt: skip


class DownloadError(Exception):
    """One sentence. `again`: another try may help."""

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.again = again


# --- which files: pure ---


def wanted(files: Iterable[str], subfolder: str = "", *, load_format: str = "auto") -> list[str]:
    """Those of a repository's files that vLLM loads, in its order of preference.

    Args:
        files: paths in the repository.
        subfolder: the model is in this folder of it.
        load_format: LOAD_FORMAT; `mistral` takes the consolidated file, `pt` the .bin files.
    """
    under = f"{subfolder.strip('/')}/" if subfolder else ""
    inside = [file.removeprefix(under) for file in files if file.startswith(under)]
    inside = [
        file
        for file in inside
        if not file.startswith(_NEVER_FOLDERS) and not file.lower().endswith(_NEVER)
    ]
    weights = [file for file in inside if file.endswith(_WEIGHTS)]
    kept = {*_weights(weights, load_format)}
    if "modules.json" in inside:  # sentence-transformers: layers of their own, each in a folder
        kept |= {file for file in weights if "/" in file and file.endswith(".safetensors")}
    return [under + file for file in inside if file not in weights or file in kept]


def _weights(weights: Sequence[str], load_format: str) -> list[str]:
    """One format of the weights; of two that say the same the second is twice the download."""
    top = [file for file in weights if "/" not in file and file not in _OF_TRAINING]
    consolidated = [file for file in top if file.startswith("consolidated")]
    sharded = [file for file in top if file not in consolidated]
    if load_format == "mistral" and consolidated:
        return consolidated
    suffixes = (".bin", ".pt") if load_format == "pt" else (".safetensors", ".bin", ".pt", ".pth")
    for group in (sharded, consolidated):
        for suffix in suffixes:
            if found := [file for file in group if file.endswith(suffix)]:
                return found
    return [file for file in top if file.endswith(".gguf")]


def of_tokenizer(files: Iterable[str]) -> list[str]:
    """Those of a repository's files that a tokenizer needs."""
    return [
        file
        for file in files
        if file.startswith(_TOKENIZER)
        or ("/" not in file and file.endswith((".model", ".tiktoken", ".py")))
    ]


# --- the download ---


def main(arguments: Sequence[str]) -> int:
    """Run it; 0, or 1 with an error as the last line."""
    repository, revision, folder, subfolder, kind = arguments
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    for number in range(1, _TRIES + 1):
        try:
            done = download(repository, revision or None, Path(folder), subfolder, kind)
        except DownloadError as reason:
            if not reason.again or number == _TRIES:
                say({"error": str(reason), "again": reason.again})
                return 1
            pause = _PAUSE * 2.0 ** (number - 1)
            line(f"{repository}: {reason}; try {number + 1} of {_TRIES} in {pause:.0f} s")
            time.sleep(pause)
        else:
            say(done)
            return 0
    return 1


def download(
    repository: str, revision: str | None, folder: Path, subfolder: str, kind: str
) -> dict[str, Any]:
    """Download, or go on with a download that was broken off.

    Raises:
        DownloadError: with the cause and the remedy.
    """
    import huggingface_hub as hub

    try:
        info = hub.HfApi().model_info(repository, revision=revision, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        chosen = _chosen(repository, list(sizes), subfolder, kind)
        total = sum(sizes[file] for file in chosen)
        _see_that_it_fits(folder, total, repository)
        with _Progress(repository, folder, total):
            hub.snapshot_download(
                repository,
                revision=info.sha,
                local_dir=folder,
                allow_patterns=[_literal(file) for file in chosen],
            )
    except Exception as fault:
        raise named(fault, repository, revision, folder) from fault
    return {"commit": info.sha, "files": chosen, "bytes": total}


def _chosen(repository: str, files: list[str], subfolder: str, kind: str) -> list[str]:
    if kind == "tokenizer":
        chosen = of_tokenizer(files)
    else:
        chosen = wanted(files, subfolder, load_format=os.environ.get("LOAD_FORMAT", "auto"))
    if not chosen:
        where = f" in its folder {subfolder}" if subfolder else ""
        raise DownloadError(f"{repository} has no file that vLLM loads{where}")
    return chosen


def _literal(file: str) -> str:
    """A pattern that means this file and no other."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in file)


def _see_that_it_fits(folder: Path, total: int, repository: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    missing = total - size_of(folder)
    if missing + _ROOM > free:
        raise DownloadError(
            f"{repository} needs {missing / 1e9:.2f} GB more in {folder}, and"
            f" {free / 1e9:.2f} GB are free there; give it more disk"
        )


def size_of(folder: Path) -> int:
    """Bytes of the files under `folder`."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # it was renamed just then
            continue
    return total


def named(fault: Exception, repository: str, revision: str | None, folder: Path) -> DownloadError:
    """What the hub's client raised, as one sentence."""
    from huggingface_hub import errors

    if isinstance(fault, DownloadError):
        return fault
    status = getattr(getattr(fault, "response", None), "status_code", None)
    if isinstance(fault, errors.GatedRepoError):
        return DownloadError(
            f"{repository} is gated; accept its licence on the model's page and give HF_TOKEN of"
            " that account"
        )
    if isinstance(fault, errors.RevisionNotFoundError):
        return DownloadError(f"{repository} has no revision {revision}; correct MODEL_REVISION")
    if isinstance(fault, errors.RepositoryNotFoundError):
        told = "HF_TOKEN has no access to it" if os.environ.get("HF_TOKEN") else "it is private"
        return DownloadError(
            f"{repository} was not found, or {told}; check MODEL_NAME and HF_TOKEN"
        )
    if isinstance(fault, errors.HFValidationError):
        return DownloadError(f"{repository} is no repository's name; it looks like org/name")
    if status in {401, 403}:
        return DownloadError(f"the hub refused HF_TOKEN for {repository} with status {status}")
    no_space = isinstance(fault, OSError) and fault.errno in {28, 27, 122}  # ENOSPC, EFBIG, EDQUOT
    if no_space:
        return DownloadError(f"no space is left in {folder} for {repository}; give it more disk")
    first = (str(fault).strip().splitlines() or [type(fault).__name__])[0]
    return DownloadError(
        f"the download of {repository} broke off ({type(fault).__name__}: {first[:300]}); check the"
        " network and HF_ENDPOINT",
        again=True,
    )


class _Progress:
    """Says how far the folder is, in lines."""

    def __init__(self, repository: str, folder: Path, total: int) -> None:
        self._repository, self._folder, self._total = repository, folder, total
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_reason: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        before, then = size_of(self._folder), time.monotonic()
        while not self._over.wait(_PROGRESS_EVERY):
            size, now = size_of(self._folder), time.monotonic()
            share = min(100.0, 100.0 * size / self._total) if self._total else 100.0
            rate = (size - before) / (now - then) / 1e6
            line(
                f"{self._repository}: {share:.0f} % of {self._total / 1e9:.2f} GB, {rate:.1f} MB/s"
            )
            before, then = size, now


def line(text: str) -> None:
    """One line of progress."""
    print(text, file=sys.stderr, flush=True)


def say(found: Mapping[str, Any]) -> None:
    """The last line."""
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
