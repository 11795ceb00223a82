"""Models of any size, whose files have holes: they take no room on the disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path


def safetensors(path: Path, types: Mapping[str, int]) -> None:
    """A file with a tensor of so many bytes in each data type."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for number, (kind, size) in enumerate(types.items()):
        header[f"t{number}"] = {"dtype": kind, "shape": [1], "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def model(
    folder: Path, files: Mapping[str, int], torch_dtype: str = "bfloat16", heads: int = 64
) -> Path:
    """A folder with a config.json and files of so many bytes of weights."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"torch_dtype": torch_dtype, "num_attention_heads": heads, "num_key_value_heads": 8}
    (folder / "config.json").write_text(json.dumps(config))
    for name, size in files.items():
        safetensors(folder / name, {"BF16": size})
    return folder
