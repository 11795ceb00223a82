"""Which files of a repository are downloaded. Pure."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence

#: Formats of other frameworks, copies for them, and what is for people.
_NEVER_FOLDERS = ("original/", "onnx/", "openvino/", "coreml/", "metal/", "figures/", "assets/")
_NEVER = (
    ".msgpack", ".h5", ".ot", ".onnx", ".onnx_data", ".tflite", ".pb", ".mlmodel", ".npz", ".ckpt",
    ".md", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".mp4", ".pdf", ".ipynb",
    ".gitattributes", ".gitignore",
)  # fmt: skip
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf")
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
    weights = [file for file in inside if file.endswith(WEIGHTS)]
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


def prefers_mistral(version: str) -> bool:
    """From 0.12 on, `auto` means Mistral's own format wherever a repository has it."""
    parts = version.split(".")
    try:
        return (int(parts[0]), int(parts[1])) >= (0, 12)
    except (ValueError, IndexError):
        return True


def literal(file: str) -> str:
    """A pattern that means this file and no other."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in file)


def is_of(file: str, quantization: str) -> bool:
    """As vLLM looks for one in GGUF: `NAME-Q4_K_M.gguf`, or the parts of such a file."""
    name = file.rpartition("/")[2]
    return any(
        fnmatch.fnmatchcase(name, f"*-{literal(quantization)}{end}") for end in (".gguf", "-*.gguf")
    )
