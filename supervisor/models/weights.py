"""How many bytes of weights a model has: in a folder, or by the hub's list of its files."""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..foreign.download.choice import WEIGHTS, prefers_mistral, wanted
from . import hub
from .fit import Weights
from .placement import Name

_CONFIG = "config.json"
_CONFIG_MOST = 4_000_000  # bytes
_HEADER_MOST = 100_000_000  # bytes, as safetensors itself has it
_WIDTHS = {"F64": 8, "F32": 4}  # bytes of one number


@dataclass(frozen=True, slots=True)
class Format:
    """Which of several formats is loaded: LOAD_FORMAT, and vLLM's version, empty if not known."""

    load_format: str = "auto"
    version: str = ""

    def chosen(self, sizes: Mapping[str, int], subfolder: str = "") -> Mapping[str, int]:
        """Those of a model's files that hold weights of its own which vLLM loads."""
        files = wanted(
            sizes,
            subfolder,
            load_format=self.load_format,
            mistral_first=prefers_mistral(self.version),
        )
        return {
            file: sizes[file]
            for file in files
            if file.endswith(WEIGHTS) and not file.rpartition("/")[2].startswith("adapter_model.")
        }


def in_folder(path: Path, of: Format) -> Weights | None:
    """The weights of a model's folder, or of a file; None where there are none that are known.

    Raises:
        OSError: it cannot be read.
        ValueError: a file of it is damaged.
    """
    if path.is_file():
        return Weights(path.stat().st_size, packed=True) if path.suffix == ".gguf" else None
    sizes = {file.name: file.stat().st_size for file in path.iterdir() if file.is_file()}
    chosen = of.chosen(sizes)
    config = _object((path / _CONFIG).read_bytes()) if _CONFIG in sizes else {}
    by_type: dict[str, int] = {}
    if all(file.endswith(".safetensors") for file in chosen):
        for file in chosen:
            for kind, size in types(path / file).items():
                by_type[kind] = by_type.get(kind, 0) + size
    return _weights(chosen, by_type, config)


def types(path: Path) -> Mapping[str, int]:
    """Bytes of the tensors in each data type, by a safetensors file's own header.

    Raises:
        OSError: it cannot be read.
        ValueError: it has no such header.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _HEADER_MOST:
            raise ValueError(f"{path} is no safetensors file")
        header = _object(file.read(length))
    found: dict[str, int] = {}
    for name, tensor in header.items():
        if name != "__metadata__":
            start, end = tensor["data_offsets"]
            found[tensor["dtype"]] = found.get(tensor["dtype"], 0) + end - start
    return found


def at_hub(
    name: Name, revision: str, env: Mapping[str, str], of: Format, within: float
) -> Weights | None:
    """The weights of a repository, by two short requests; None where there are none.

    Args:
        name: the repository, and a folder in it.
        revision: may be empty.
        env: HF_ENDPOINT, HF_TOKEN.
        of: the format.
        within: seconds for each request.

    Raises:
        OSError, ValueError, LookupError, TypeError: the hub could not be asked, or not understood.
    """
    told = _object(_get(hub.file_list(name.repository, revision, env), env, within))
    sizes = hub.sizes(told)
    chosen = of.chosen(sizes, name.subfolder)
    place = f"{name.subfolder}/{_CONFIG}" if name.subfolder else _CONFIG
    config = {}
    if chosen and place in sizes:
        url = hub.file_address(name.repository, revision, place, env)
        config = _object(_get(url, env, within, _CONFIG_MOST))
    by_type = {} if name.subfolder else _told_types(told, sum(chosen.values()))
    return _weights(chosen, by_type, config)


def _told_types(told: Mapping[str, Any], size: int) -> dict[str, int]:
    """What the hub has read in the headers: numbers in each data type, made bytes.

    The narrow ones count as one: what is packed in them is told in another way each time.
    """
    counts = (told.get("safetensors") or {}).get("parameters") or {}
    wide = {kind: int(counts[kind]) * width for kind, width in _WIDTHS.items() if kind in counts}
    rest = size - sum(wide.values())
    return {**wide, "narrow": rest} if counts and rest >= 0 else {}


def _weights(
    chosen: Mapping[str, int], by_type: Mapping[str, int], config: Mapping[str, Any]
) -> Weights | None:
    packed = any(file.endswith(".gguf") for file in chosen)
    if not chosen or (packed and len(chosen) > 1):  # one of them is loaded, and which is not known
        return None
    return Weights(sum(chosen.values()), by_type, config, packed)


def _object(text: bytes) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004 - both are what is not understood
    return found


def _get(url: str, env: Mapping[str, str], within: float, most: int = -1) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url} is no address of a hub")
    request = urllib.request.Request(url)  # noqa: S310 - checked above
    for header, value in hub.authorization(env).items():
        # Not to another host, to which the hub may send one.
        request.add_unredirected_header(header, value)
    try:
        with urllib.request.urlopen(request, timeout=within) as answer:  # noqa: S310
            return bytes(answer.read(most))
    except http.client.HTTPException as fault:
        raise ValueError(str(fault)) from None
