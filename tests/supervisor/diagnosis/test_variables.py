"""Which variables an error of the engine is about."""

from __future__ import annotations

import pytest

from supervisor.diagnosis import variables

COMMAND = ["vllm", "serve", "org/m", "--host=0.0.0.0", "--max-num-seqs=0", "--block-size", "7",
           "--no-enable-chunked-prefill", "--dtype=half", "--seed=1"]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("max_num_seqs Input should be greater than or equal to 1", "MAX_NUM_SEQS"),
        ("block_size must be smaller than max-num-seqs", "MAX_NUM_SEQS or BLOCK_SIZE"),
        ("enable_chunked_prefill cannot be used here", "ENABLE_CHUNKED_PREFILL"),
        ("Unknown block size: 7", "BLOCK_SIZE"),
        ("dtype Input should be 'auto'", "DTYPE"),
        # not on the command line, or a part of another word, or any word
        ("max_model_len Input should be greater than 0", "the variable that sets it"),
        ("my_block_size is wrong, block_size_x too", "the variable that sets it"),
        ("the seed of the host is wrong", "the variable that sets it"),
        ("", "the variable that sets it"),
    ],
)
def test_the_options_of_the_command_line_are_looked_for(words: str, found: str) -> None:
    assert variables.named(words, COMMAND) == found


def test_an_option_has_one_variable() -> None:
    assert variables.of_option("--max-model-len") == "MAX_MODEL_LEN"


def test_a_class_of_vllms_is_made_by_an_option() -> None:
    said = {"why": "no such method", "owner": "KVTransferConfig"}
    found = variables.beside(said, ["--kv-transfer-config={}"], "0.32.0")
    assert found["variable"] == "KV_TRANSFER_CONFIG"
    assert variables.beside({"option": "--dtype"}, ["--dtype=x"], None)["variable"] == "DTYPE"
    unknown = variables.beside({"option": "--evil-org"}, ["--dtype=x"], None)
    assert unknown["variable"] == "the variable that sets it"
