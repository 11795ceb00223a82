"""Downloads a model's files into a folder: only those that vLLM loads.

A script for the engine's interpreter, whose environment has `huggingface_hub`; it imports nothing
of ours. Arguments: repository, revision (may be empty), folder, sub-folder (may be empty), kind. It
prints progress in lines, and as its last line JSON: `{"commit", "files", "bytes"}` or `{"error",
"again"}`. With `--` and a command behind them it becomes that command when the files are there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
_LAYER = "_linear.pt"
_LAYER_FOLDER = re.compile(r"\d+_\w+/")
_TOKENIZER = ("tokenizer", "special_tokens", "added_tokens", "vocab", "merges", "config.json",
              "chat_template", "preprocessor_config", "processor_config", "tekken")  # fmt: skip


class DownloadError(Exception):
    """One sentence. `again`: another try may help."""

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.again = again


# --- which files: pure ---


def wanted(
    files: Iterable[str],
    subfolder: str = "",
    *,
    load_format: str = "auto",
    mistral_first: bool = False,
) -> list[str]:
    """Those of a repository's files that vLLM loads, in its order of preference.

    Args:
        files: paths in the repository.
        subfolder: the model is in this folder of it.
        load_format: LOAD_FORMAT; `mistral` takes the consolidated file, `pt` the .bin files.
        mistral_first: this vLLM's `auto` takes the consolidated file where there is one.
    """
    under = f"{subfolder.strip('/')}/" if subfolder else ""
    inside = [file.removeprefix(under) for file in files if file.startswith(under)]
    inside = [
        file
        for file in inside
        if not file.startswith(_NEVER_FOLDERS) and not file.lower().endswith(_NEVER)
    ]
    weights = [file for file in inside if file.endswith(_WEIGHTS)]
    if load_format == "auto" and mistral_first and any(map(_is_consolidated, weights)):
        load_format = "mistral"
    kept = {*_weights(weights, load_format), *_beside(weights, layers="modules.json" in inside)}
    return [under + file for file in inside if file not in weights or file in kept]


def _is_consolidated(file: str) -> bool:
    return file.startswith("consolidated") and file.endswith(".safetensors")


def _weights(weights: Sequence[str], load_format: str) -> list[str]:
    """One format of the weights; of two that say the same the second is twice the download."""
    top = [file for file in weights if "/" not in file and file not in _OF_TRAINING]
    consolidated = [file for file in top if file.startswith("consolidated")]
    if load_format == "mistral" and consolidated:
        return consolidated
    sharded = [file for file in top if file not in consolidated and not file.endswith(_LAYER)]
    suffixes = (".bin", ".pt") if load_format == "pt" else (".safetensors", ".bin", ".pt", ".pth")
    for group in (sharded, consolidated):
        for suffix in suffixes:
            if found := [file for file in group if file.endswith(suffix)]:
                return found
    return [file for file in top if file.endswith(".gguf")]


def _beside(weights: Sequence[str], *, layers: bool) -> list[str]:
    """Weights beside a model's own that vLLM loads as well: a layer in a file or a folder of its
    own (BGE-M3, sentence-transformers), and adapters.
    """
    folders: dict[str, list[str]] = {}
    for file in weights:
        folder, slash, name = file.rpartition("/")
        is_layer = layers and _LAYER_FOLDER.match(file)
        is_adapter = name.startswith("adapter_model.") and not folder.startswith("checkpoint")
        if slash and (is_layer or is_adapter):
            folders.setdefault(folder, []).append(file)
    found = [file for file in weights if "/" not in file and file.endswith(_LAYER)]
    for inside in folders.values():
        found += [file for file in inside if file.endswith(".safetensors")] or inside
    return found


def of_tokenizer(files: Iterable[str]) -> list[str]:
    """Those of a repository's files that a tokenizer needs."""
    return [
        file
        for file in files
        if file.startswith(_TOKENIZER)
        or ("/" not in file and file.endswith((".model", ".tiktoken", ".py")))
    ]


# --- the download ---


@dataclass(frozen=True)
class Asked:
    """What is downloaded whereto. `kind`: `model`, or `tokenizer` for a tokenizer alone."""

    repository: str
    revision: str | None
    folder: Path
    subfolder: str
    kind: str


def main(arguments: Sequence[str]) -> int:
    """Run it; 0, or 1 with an error as the last line."""
    repository, revision, folder, subfolder, kind, *rest = arguments
    asked = Asked(repository, revision or None, Path(folder), subfolder, kind)
    if rest:
        return then_run(asked, rest[1:])
    try:
        say(tried(asked, _TRIES))
    except DownloadError as reason:
        say({"error": str(reason), "again": reason.again})
        return 1
    return 0


def then_run(asked: Asked, command: Sequence[str]) -> int:
    """Download, then become `command`.

    Returns:
        What it ends with where there is no model; its last line then says why.
    """
    try:
        fetch(asked)
        sys.stdout.flush()
        os.execvp(command[0], list(command))
    except DownloadError as reason:
        line(f"the model {'is not there yet' if reason.again else 'cannot be had'}: {reason}")
    except OSError as reason:
        line(
            f"the model cannot be had: {reason.filename or asked.folder}: {reason.strerror}; give"
            " the worker a disk and a command that it may use"
        )
    return 1


def fetch(asked: Asked) -> None:
    """Have the model in its folder, whole. Without the hub, what is there will do if it is that.

    Raises:
        DownloadError: with the cause and the remedy.
        OSError: the folder cannot be written.
    """
    name = f"{asked.repository}/{asked.subfolder}".rstrip("/")
    record = asked.folder / f".downloaded-{asked.subfolder.replace('/', '--')}.json"
    known = _read(record)
    whole = known.get("whole") and all((asked.folder / file).is_file() for file in known["files"])
    there = known if whole else None
    if _is_set("HF_HUB_OFFLINE"):
        if there is None:
            message = f"HF_HUB_OFFLINE is set, and {name} is not in {asked.folder}; unset it"
            raise DownloadError(message)
        return

    def begin(commit: str, files: Sequence[str]) -> None:
        nonlocal there
        if there is not None and there["commit"] == commit:
            return
        there = None  # from here on the folder is of neither commit
        known["files"] = sorted({*known.get("files", ()), *files})
        record.write_text(json.dumps({**known, "whole": False}), encoding="utf-8")

    line(f"downloading {name}")
    try:
        done = tried(asked, _TRIES if there is None else 1, begin)
    except DownloadError as reason:
        if not reason.again or there is None:
            raise
        line(f"{reason}. What is there is served, of commit {there['commit']}")
        return
    for file in set(known.get("files", ())) - set(done["files"]):
        (asked.folder / file).unlink(missing_ok=True)  # vLLM loads all the weights that it finds
    record.write_text(json.dumps({**done, "whole": True}), encoding="utf-8")
    line(f"downloaded {name}, commit {done['commit']}")


def _read(record: Path) -> dict[str, Any]:
    """What was downloaded before: `{"commit", "files", "bytes", "whole"}`; nothing is {}."""
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("files"), list) else {}


def _is_set(variable: str) -> bool:
    """As the hub's client reads it."""
    return os.environ.get(variable, "").strip().upper() in {"1", "ON", "YES", "TRUE"}


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
        with _Progress(repository, folder, total):
            hub.snapshot_download(
                repository,
                revision=info.sha,
                local_dir=folder,
                allow_patterns=[_literal(file) for file in chosen],
            )
    except Exception as fault:
        raise named(fault, repository, asked.revision, folder) from fault
    return {"commit": info.sha, "files": chosen, "bytes": total}


def _chosen(asked: Asked, files: list[str]) -> list[str]:
    if asked.kind == "tokenizer":
        chosen = of_tokenizer(files)
    else:
        load_format = os.environ.get("LOAD_FORMAT", "").strip() or "auto"
        chosen = wanted(
            files, asked.subfolder, load_format=load_format, mistral_first=_prefers_mistral(_vllm())
        )
    if not chosen:
        where = f" in its folder {asked.subfolder}" if asked.subfolder else ""
        message = f"{asked.repository} has no file that vLLM loads{where}; correct MODEL_NAME"
        raise DownloadError(message)
    return chosen


def _vllm() -> str:
    """The version of vLLM beside which this runs."""
    from importlib import metadata

    try:
        return metadata.version("vllm")
    except metadata.PackageNotFoundError:
        return ""


def _prefers_mistral(version: str) -> bool:
    """From 0.12 on, `auto` means Mistral's own format wherever a repository has it."""
    parts = version.split(".")
    try:
        return (int(parts[0]), int(parts[1])) >= (0, 12)
    except (ValueError, IndexError):
        return True


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
        return DownloadError(
            f"the hub refused HF_TOKEN for {repository} with status {status}; set one that may read"
            " it"
        )
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
