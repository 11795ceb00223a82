"""What has to be the same on all nodes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from supervisor.catalog import options, versions
from supervisor.command import plan
from supervisor.command.arguments import parse
from supervisor.command.cluster import config_file, likeness
from supervisor.command.cluster.likeness import Identity, alike, differences
from supervisor.models.placement import OnDisk
from tests.processes import CATALOG

HEAD = Identity(0, "10.0.0.2", "0.33.0", "org/name", "", "", {"DTYPE": "half"})
OTHER = replace(HEAD, rank=1, address="10.0.0.3")
SECRET = "hf_0123456789abcdefghijABCDEFGHIJ"


def test_nothing_differs() -> None:
    assert differences(HEAD, OTHER) is None


@pytest.mark.parametrize(
    ("theirs", "sentence"),
    [
        (
            {"version": "0.32.0"},
            "rank 1 (10.0.0.3) runs vLLM 0.32.0, rank 0 runs 0.33.0; use one image",
        ),
        (
            {"model": "org/other"},
            "rank 1 (10.0.0.3) serves org/other, rank 0 serves org/name; set MODEL_NAME alike",
        ),
        (
            {"revision": "v2"},
            (
                "rank 1 (10.0.0.3) has v2, rank 0 has no revision of org/name; set MODEL_REVISION"
                " to one commit on every node"
            ),
        ),
        (
            {"options": {"DTYPE": "bfloat16", "SEED": "1"}},
            (
                "rank 1 (10.0.0.3) has DTYPE=bfloat16, SEED=1, rank 0 has DTYPE=half, no SEED; set"
                " them alike on every node"
            ),
        ),
    ],
)
def test_what_differs(theirs: dict[str, Any], sentence: str) -> None:
    assert differences(HEAD, replace(OTHER, **theirs)) == sentence


def test_the_image_comes_before_the_model_and_the_model_before_options() -> None:
    worst = replace(OTHER, version="1", model="a", revision="b", options={})
    assert "runs vLLM 1" in str(differences(HEAD, worst))
    assert "serves a" in str(differences(HEAD, replace(worst, version=HEAD.version)))


def test_a_commit_counts_where_both_know_theirs() -> None:
    one, two = "a" * 40, "b" * 40
    assert differences(replace(HEAD, commit=one), OTHER) is None
    same = replace(OTHER, commit=one, revision="main")
    assert differences(replace(HEAD, commit=one), same) is None
    found = differences(replace(HEAD, commit=one), replace(OTHER, commit=two))
    assert found is not None
    assert "has commit bbbbbbbbbbbb, rank 0 has commit aaaaaaaaaaaa of org/name" in found


def test_neither_commit_nor_revision_counts_before_both_have_the_model() -> None:
    one = replace(HEAD, commit="a" * 40)
    other = replace(OTHER, commit="b" * 40, revision="v2")
    assert differences(one, other, prepared=False) is None
    assert differences(one, replace(other, model="a"), prepared=False) is not None


def test_of_many_options_some_are_named() -> None:
    many = replace(OTHER, options={f"OPTION_{n}": "1" for n in range(9)})
    found = str(differences(HEAD, many))
    assert found.count("OPTION_") == 4
    assert "and 7 more options differ" in found


def test_of_a_long_value_the_beginning_is_shown_and_all_of_it_counts() -> None:
    one, two = ("x" * 500 + end for end in "ab")
    found = differences(replace(HEAD, options={"A": one}), replace(OTHER, options={"A": two}))
    assert found is not None
    assert len(found) < 400


@pytest.mark.parametrize(
    "theirs",
    [
        {"version": "1\n" * 30_000},
        {"model": "a\r\n" * 20_000},
        {"revision": "b " * 30_000},
        {"commit": "\n" * 60_000 + "c"},
        {"options": {f"O{n}\n" + "x" * 20_000: "1\n" * 20_000 for n in range(3)}},
        {"options": {"DTYPE": "half\nand " + "x" * 60_000}},
        {"version": "\x1b[31mRED\x07\x00\ud800\u202e"},
        {"model": "\x1b]0;title\x07"},
        {"commit": "\x1b[2J"},
        {"options": {"\x1b[2J": "\x9b31m"}},
    ],
)
def test_a_sentence_is_one_short_line_whatever_another_says(theirs: dict[str, Any]) -> None:
    found = differences(replace(HEAD, commit="a" * 40), replace(OTHER, **theirs))
    assert found is not None
    assert found.isprintable()
    assert len(found) < 800


def test_the_commit_of_a_folder_of_the_hubs_cache() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert likeness.commit(f"/hub/models--a--b/snapshots/{commit}") == commit
    assert likeness.commit("/models/a") == ""


def test_it_goes_through_json() -> None:
    assert Identity.from_json(json.loads(json.dumps(HEAD.to_json()))) == HEAD


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"rank": "1"}, {**HEAD.to_json(), "options": [1]}, {"rank": 1, "options": {}},
     {**HEAD.to_json(), "options": {"A": 1}}, {**HEAD.to_json(), "model": None}],
)  # fmt: skip
def test_what_is_no_identity_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="does not say"):
        Identity.from_json(data)


def made(version: str, rank: int, **env: str) -> plan.Plan:
    given = {"MODEL_NAME": "org/name", "NUM_NODES": "2", "PRIMARY_ADDR": "head"}
    given |= {"NODE_RANK": str(rank), **env}
    return plan.make(given, versions.load(version), OnDisk(gpus=2))


@pytest.mark.parametrize(
    "version", [each for each in versions.known() if versions.load(each).option("--nnodes")]
)
def test_the_nodes_of_one_cluster_are_alike_in_every_version(version: str) -> None:
    first, second = (alike(made(version, rank).options) for rank in (0, 1))
    assert first == second
    assert {"NNODES", "MASTER_PORT", "TENSOR_PARALLEL_SIZE"} <= first.keys()


def test_what_is_of_one_node_may_differ() -> None:
    known = options.load(CATALOG)
    said = "--host a --port 1 --node-rank 1 --ssl-keyfile k --log-config-file f --headless"
    assert alike(parse(said.split(), known)) == {}
    assert alike(parse("--no-enable-chunked-prefill --enforce-eager".split(), known)) == {
        "ENABLE_CHUNKED_PREFILL": "--no-enable-chunked-prefill",
        "ENFORCE_EAGER": "--enforce-eager",
    }


def test_what_the_configuration_file_says_counts_where_the_command_line_does_not() -> None:
    said = parse(["--max-model-len=8192"], options.load(CATALOG))
    file = {"max-model-len": "4096", "dtype": "float16", "port": "1", "log-level": "x"}
    assert alike(said, {**file, "api-key": SECRET, "hf-token": SECRET}) == {
        "DTYPE": "float16",
        "MAX_MODEL_LEN": "8192",
    }


def test_no_secret_is_told() -> None:
    text = f'--hf-token {SECRET} --api-key {SECRET} --additional-config {{"token":"{SECRET}"}}'
    assert SECRET not in str(alike(parse(text.split(), options.load(CATALOG))))
    file = {"additional-config": f"token: {SECRET}"}
    assert SECRET not in str(alike(parse([], None), file))


NAMES = (
    "password token secret api_key hf_token access_key secret_access_key auth_token passphrase"
    " credentials user"
).split()
FILES = [
    "kv-transfer-config:\n  kv_connector_extra_config:\n    {}: {}\n    port: 1\n",
    "kv-transfer-config:\n  kv_connector_extra_config:\n    {}:\n      {}\n    port: 1\n",
    "kv-transfer-config: {{kv_connector_extra_config: {{{}: {}}}}}\n",
    "kv-transfer-config: {{\n  {}:\n  - {}\n  }}\n",
    """kv-transfer-config: '{{"{}": "{}"}}'\n""",
    "kv-transfer-config: {}={}\n",
    "kv-transfer-config: {}:{}\n",
    "additional-option:\n- {}\n- {}\n",
    "additional-option: [{}, {}]\n",
    "additional-option: {} {!r}\n",
    "{}: {}\n",
]


@pytest.mark.parametrize(
    "value", ["verysecretvalue", "verysecretvalue secondword", "Xy7verysecretvalue"]
)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("file", FILES)
def test_no_secret_of_a_configuration_file_is_told(file: str, name: str, value: str) -> None:
    if file.startswith("{") and name == "user":
        return  # an option of that name has no secret
    told = alike(parse([], None), config_file.options(file.format(name, value)))
    assert "verysecretvalue" not in str(told)
    assert "secondword" not in str(told)


def test_what_is_not_told_is_compared() -> None:
    first, second, other = (
        alike(parse(given, options.load(CATALOG)), config_file.options(file))
        for given, file in (
            ([], 'compilation-config: {"mode": 3,\n    "level": 1}'),
            (['--compilation-config={"mode": 3, "level": 1}'], ""),
            ([], 'compilation-config: {"mode": 3, "level": 2}'),
        )
    )
    assert first == second
    found = str(differences(replace(HEAD, options=first), replace(OTHER, options=other)))
    assert found.count("COMPILATION_CONFIG=(not shown, sha256 ") == 2


@pytest.mark.parametrize("value", ["4096", "tcp://10.0.0.2:8000", "/models/a", "0.9", "[::1]"])
def test_plain_values_are_told(value: str) -> None:
    told = alike(parse([], None), config_file.options(f"some-option: {value}"))
    assert (told == {"SOME_OPTION": value}) is not value.startswith("[")
