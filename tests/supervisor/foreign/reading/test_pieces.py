"""What is read, in which order, by how many."""

from __future__ import annotations

import pytest

from supervisor.foreign.reading import pieces
from supervisor.foreign.reading.pieces import PIECE, Piece


@pytest.mark.parametrize(
    ("kind", "number"), [("nfs4", 16), ("fuse.s3fs", 16), ("ext4", 4), ("overlay", 4), ("", 4)]
)
def test_many_read_from_a_network(kind: str, number: int) -> None:
    assert pieces.readers(kind) == number


@pytest.mark.parametrize(
    ("files", "load_format", "version", "chosen"),
    [
        (
            ["model-10-of-10.safetensors", "model-2-of-10.safetensors", "config.json", "a.md"],
            "auto",
            "0.32.0",
            ["model-2-of-10.safetensors", "model-10-of-10.safetensors"],
        ),
        (["model.safetensors", "pytorch_model.bin"], "auto", "", ["model.safetensors"]),
        (["model.safetensors", "pytorch_model.bin"], "pt", "", ["pytorch_model.bin"]),
        (["m.safetensors", "consolidated.safetensors"], "auto", "0.10.2", ["m.safetensors"]),
        (
            ["m.safetensors", "consolidated.safetensors"],
            "auto",
            "0.32.0",
            ["consolidated.safetensors"],
        ),
        (["q4.gguf", "config.json"], "auto", "", ["q4.gguf"]),
        (["config.json", "tokenizer.json"], "auto", "", []),
    ],
)
def test_the_files_that_vllm_loads_in_its_order(
    files: list[str], load_format: str, version: str, chosen: list[str]
) -> None:
    assert pieces.chosen(dict.fromkeys(files, 1), load_format, version) == chosen


def test_files_are_cut_and_the_first_ones_come_first() -> None:
    files = [("a", PIECE + 5), ("b", 0), ("c", 7)]
    whole = [Piece("a", 0, PIECE), Piece("a", PIECE, 5), Piece("c", 0, 7)]
    assert pieces.cut(files, 10 * PIECE) == whole


@pytest.mark.parametrize(
    ("most", "lengths"),
    [(0, []), (PIECE - 1, [PIECE - 1]), (PIECE + 4, [PIECE, 4]), (PIECE + 6, [PIECE, 5, 1])],
)
def test_no_more_than_fits(most: int, lengths: list[int]) -> None:
    cut = pieces.cut([("a", PIECE + 5), ("c", 7)], most)
    assert [piece.length for piece in cut] == lengths
