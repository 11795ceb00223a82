"""What is read, in which order, and by how many. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..download.choice import WEIGHTS, prefers_mistral, wanted
from .mounts import is_network

#: Bytes that one reader takes at once. Small enough that few are read in vain.
PIECE = 16 << 20
_MANY, _FEW = 16, 4
_NUMBERS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file, in bytes."""

    file: str
    start: int
    length: int


def readers(kind: str) -> int:
    """How many read at once from a file system of this type."""
    return _MANY if is_network(kind) else _FEW


def chosen(sizes: Mapping[str, int], load_format: str, version: str) -> list[str]:
    """Those of a folder's files that hold the weights which vLLM loads, in its order.

    Args:
        sizes: the regular files of the folder, with their bytes.
        load_format: as LOAD_FORMAT has it.
        version: vLLM's, empty where it is not known.
    """
    files = wanted(sizes, load_format=load_format, mistral_first=prefers_mistral(version))
    return sorted((file for file in files if file.endswith(WEIGHTS)), key=_natural)


def cut(files: Iterable[tuple[str, int]], most: int) -> list[Piece]:
    """The files in pieces, the first of them first, `most` bytes at most."""
    pieces = []
    for file, size in files:
        for start in range(0, size, PIECE):
            length = min(PIECE, size - start, most)
            if length > 0:
                pieces.append(Piece(file, start, length))
                most -= length
    return pieces


def _natural(file: str) -> list[tuple[int, str]]:
    """As vLLM sorts them: `model-2` before `model-10`."""
    return [
        (int(part), "") if part.isdigit() else (0, part) for part in _NUMBERS.split(file) if part
    ]
