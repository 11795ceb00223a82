"""Which files of a repository are downloaded."""

from __future__ import annotations

import pytest

from supervisor.foreign.download.choice import literal, of_tokenizer, prefers_mistral, wanted

SHARDED = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
SMALL = ["config.json", "tokenizer.json", "model.safetensors.index.json", "modeling.py"]


@pytest.mark.parametrize(
    ("files", "kept"),
    [
        ([*SMALL, *SHARDED, "pytorch_model.bin", "README.md", "LICENSE"],
         [*SMALL, *SHARDED, "LICENSE"]),
        (["config.json", *SHARDED, "consolidated.safetensors"], ["config.json", *SHARDED]),
        (["params.json", "consolidated.safetensors"], ["params.json", "consolidated.safetensors"]),
        (["config.json", "pytorch_model.bin", "training_args.bin"],
         ["config.json", "pytorch_model.bin"]),
        (["config.json", "model.safetensors", "original/consolidated.00.pth", "onnx/model.onnx"],
         ["config.json", "model.safetensors"]),
        (["config.json", "tf_model.h5", "flax_model.msgpack", "model.pt"],
         ["config.json", "model.pt"]),
        (["config.json", "a.Q4_K_M.gguf", "b.gguf"], ["config.json", "a.Q4_K_M.gguf", "b.gguf"]),
        (["modules.json", "model.safetensors", "2_Dense/model.safetensors", "2_Dense/config.json"],
         ["modules.json", "model.safetensors", "2_Dense/model.safetensors", "2_Dense/config.json"]),
        (["modules.json", "pytorch_model.bin", "2_Dense/pytorch_model.bin", "onnx/model.onnx"],
         ["modules.json", "pytorch_model.bin", "2_Dense/pytorch_model.bin"]),
        (["modules.json", "model.safetensors", "checkpoint-9/model.safetensors"],
         ["modules.json", "model.safetensors"]),
        (["config.json", "pytorch_model.bin", "sparse_linear.pt", "colbert_linear.pt"],
         ["config.json", "pytorch_model.bin", "sparse_linear.pt", "colbert_linear.pt"]),
        (["config.json", "model.safetensors", "speech-lora/adapter_model.safetensors",
          "speech-lora/adapter_model.bin", "checkpoint-5/adapter_model.safetensors"],
         ["config.json", "model.safetensors", "speech-lora/adapter_model.safetensors"]),
        (["config.json", "model.safetensors", "checkpoint-5/model.safetensors"],
         ["config.json", "model.safetensors"]),
    ],
)  # fmt: skip
def test_one_format_and_nothing_for_people(files: list[str], kept: list[str]) -> None:
    assert wanted(files) == kept


def test_a_folder_of_a_repository_and_another_load_format() -> None:
    files = ["config.json", "model.safetensors", "fp8/config.json", "fp8/model.safetensors"]
    assert wanted(files, "fp8") == ["fp8/config.json", "fp8/model.safetensors"]
    both = ["model.safetensors", "consolidated.safetensors", "model.bin"]
    assert wanted(both, load_format="mistral") == ["consolidated.safetensors"]
    assert wanted(both, load_format="pt") == ["model.bin"]


def test_the_format_that_this_vllm_takes_of_two() -> None:
    """From 0.12 on it is Mistral's own, which needs params.json; before it, the hub's."""
    both = ["config.json", "params.json", *SHARDED, "consolidated.safetensors", "tekken.json"]
    assert set(both) - set(wanted(both, mistral_first=True)) == set(SHARDED)
    assert set(both) - set(wanted(both, mistral_first=False)) == {"consolidated.safetensors"}
    assert wanted(both, load_format="safetensors", mistral_first=True) == wanted(both)
    assert wanted(["config.json", *SHARDED], mistral_first=True) == ["config.json", *SHARDED]
    assert [
        prefers_mistral(version) for version in ("0.9.2", "0.11.0", "0.12.0", "0.33.0+cpu")
    ] == [False, False, True, True]


def test_a_tokenizer_alone() -> None:
    files = ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "a.md"]
    assert of_tokenizer(files) == ["config.json", "tokenizer.json", "tokenizer_config.json"]
    assert of_tokenizer(["spiece.model", "x/y.model"]) == ["spiece.model"]


def test_a_literal_is_no_pattern() -> None:
    """The hub's client reads the names of files as patterns."""
    import fnmatch

    assert literal("a/b.safetensors") == "a/b.safetensors"
    odd = "we[i]ghts*?.bin"
    assert fnmatch.fnmatchcase(odd, literal(odd))
    assert not fnmatch.fnmatchcase("weights-1.bin", literal(odd))
