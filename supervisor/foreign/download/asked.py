"""What is downloaded while an engine starts: which repositories, and what of each."""

from __future__ import annotations

import fnmatch
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .choice import WEIGHTS, is_of, of_tokenizer, prefers_mistral, wanted
from .leavings import Cached

#: Load formats that take one kind of file, of those that take files of a repository at all.
_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("auto", "hf", "bitsandbytes"), (".safetensors", ".bin", ".pt", ".pth")),
    **dict.fromkeys(("safetensors", "fastsafetensors", "instanttensor"), (".safetensors",)),
    **dict.fromkeys(("runai_streamer", "mistral"), (".safetensors",)),
    "pt": (".pt", ".bin"),
    "npcache": (".bin",),
    "gguf": (".gguf",),
}


#: Names the shards of a model in safetensors.
INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class Wanted:
    """One repository.

    Args:
        repository: its name.
        kind: `model`, `tokenizer` or `adapter`.
        hub: the cache for its configuration and its tokenizer.
        weights: the cache for its weights.
        revision: empty for the default.
        load_format: vLLM's.
        quantization: of a file in GGUF, as `Q4_K_M`; empty where that is not asked for.
        ignore: patterns of files that vLLM leaves out.
    """

    repository: str
    kind: str
    hub: str
    weights: str
    revision: str = ""
    load_format: str = "auto"
    quantization: str = ""
    ignore: Sequence[str] = ()

    @property
    def places(self) -> tuple[Cached, ...]:
        """What is written."""
        folders = dict.fromkeys((self.hub, self.weights))
        return tuple(Cached(whole(folder), self.repository) for folder in folders)


def chosen(asked: Wanted, files: Iterable[str], version: str) -> list[str]:
    """Those of a repository's files for which vLLM, of this version, will ask."""
    names = list(files)
    if asked.kind == "adapter":  # vLLM takes the whole repository
        return names
    if asked.kind == "tokenizer":
        return of_tokenizer(names)
    kept = wanted(names, load_format=asked.load_format, mistral_first=prefers_mistral(version))
    small = [file for file in kept if not file.endswith(WEIGHTS)]
    if asked.quantization:
        weights = [file for file in names if is_of(file, asked.quantization)]
    else:
        # Of a repository with files in GGUF alone vLLM takes one, and says which if it is named.
        suffixes = _SUFFIXES.get(asked.load_format, ())
        weights = [file for file in kept if file.endswith(suffixes) and not file.endswith(".gguf")]
    ignored = {file for file in kept for each in asked.ignore if fnmatch.fnmatch(file, each)}
    return [file for file in small + weights if file not in ignored]


def indexed(weights: Sequence[str], text: str) -> list[str]:
    """Those of a model's weights that vLLM loads where this is its index.

    It takes the shards that the index names and no other file beside them.

    Args:
        weights: files of the repository.
        text: of `model.safetensors.index.json`; one that tells nothing leaves them all.
    """
    try:
        named = set(json.loads(text)["weight_map"].values())
    except (ValueError, LookupError, TypeError, AttributeError):
        return list(weights)
    if not named or not named <= set(weights):  # another format's, or out of date
        return list(weights)
    return [
        file
        for file in weights
        if file in named or "/" in file or not file.endswith(".safetensors")
    ]


def whole(folder: str) -> Path:
    """As the hub's client reads it."""
    return Path(os.path.realpath(os.path.expanduser(folder)))  # noqa: PTH111 - `Path` may raise
