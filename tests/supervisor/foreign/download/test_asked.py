"""Which files of a repository vLLM will ask for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from supervisor.foreign.download.asked import Wanted, chosen, indexed, whole
from supervisor.foreign.download.leavings import Cached

FILES = ["README.md", "config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json"]
QUANTIZED = [
    "config.json",
    "M-Q4_K_M.gguf",
    "M-Q8_0.gguf",
    "big/M-Q4_K_M-00001-of-00002.gguf",
    "M-IQ4_K_M.gguf",
]


def asked(**more: object) -> Wanted:
    return Wanted(**{"repository": "org/m", "kind": "model", "hub": "/h", "weights": "/w", **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("load_format", "weights"),
    [
        ("auto", ["model.safetensors"]),
        ("safetensors", ["model.safetensors"]),
        ("runai_streamer", ["model.safetensors"]),
        ("bitsandbytes", ["model.safetensors"]),
        ("pt", ["pytorch_model.bin"]),
        ("dummy", []),
        ("tensorizer", []),
        ("one_of_a_plugin", []),
    ],
)
def test_by_the_load_format(load_format: str, weights: list[str]) -> None:
    found = chosen(asked(load_format=load_format), FILES, "0.32.0")
    assert found == ["config.json", "tokenizer.json", *weights]


@pytest.mark.parametrize(
    ("index", "left"),
    [
        ({"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}, {"twice.safetensors"}),
        ({"weight_map": {"a": "m-1.safetensors", "b": "m-9.safetensors"}}, set()),
        ({"weight_map": {}}, set()),
        ({"weight_map": ["m-1.safetensors"]}, set()),
        ({}, set()),
        ([], set()),
    ],
)
def test_what_stands_beside_the_shards_of_an_index(index: object, left: set[str]) -> None:
    weights = ["m-1.safetensors", "m-2.safetensors", "twice.safetensors", "sparse_linear.pt"]
    weights.append("2_Dense/model.safetensors")
    found = indexed(weights, json.dumps(index))
    assert found == [file for file in weights if file not in left]
    assert indexed(weights, "no JSON") == weights


def test_of_many_files_in_gguf_the_one_that_is_named() -> None:
    assert chosen(asked(), QUANTIZED, "0.14.1") == ["config.json"]
    assert chosen(asked(quantization="Q4_K_M"), QUANTIZED, "0.14.1") == [
        "config.json",
        "M-Q4_K_M.gguf",
        "big/M-Q4_K_M-00001-of-00002.gguf",
    ]


def test_an_adapter_is_taken_whole_and_of_a_tokenizer_no_weights() -> None:
    assert chosen(asked(kind="adapter"), FILES, "0.32.0") == FILES
    assert chosen(asked(kind="tokenizer"), FILES, "0.32.0") == ["config.json", "tokenizer.json"]


def test_what_is_to_be_left_out() -> None:
    files = [*FILES, "big/a.json"]
    left = chosen(asked(ignore=["big/**", "token*"]), files, "0.32.0")
    assert left == ["config.json", "model.safetensors"]


def test_where_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert asked().places == (Cached(Path("/h"), "org/m"), Cached(Path("/w"), "org/m"))
    assert asked(weights="/h").places == (Cached(Path("/h"), "org/m"),)
    assert whole("~/cache") == Path("/home/me/cache")
    assert whole("~nobodyhere/x").name == "x"  # no error: the engine will say what is wrong
