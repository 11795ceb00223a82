"""The cache of the hub's client: where it is, and which models in it are whole."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from supervisor.models import hub as hub_module
from supervisor.models.hub import cached, hub_cache, weights_folder
from supervisor.models.placement import Download, Name

SHARDED = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]


def snapshot(hub: Path, folder: str, commit: str, *, ref: str | None = None) -> Path:
    place = hub / folder / "snapshots" / commit
    place.mkdir(parents=True)
    (place / "config.json").write_text("{}")
    (place / "model.safetensors").write_text("x")
    if ref is not None:
        (hub / folder / "refs").mkdir(exist_ok=True)
        (hub / folder / "refs" / ref).write_text(commit)
    return place


@pytest.mark.parametrize("folder", ["models--Org--Name", "models--org--name", "models--ORG--NaMe"])
def test_a_kept_model_is_found_in_either_case(tmp_path: Path, folder: str) -> None:
    place = snapshot(tmp_path, folder, "aaa", ref="main")
    snapshot(tmp_path, folder, "bbb")
    assert cached(tmp_path, Name("Org/Name"), "") == place
    assert cached(tmp_path, Name("Org/Name"), "bbb") == place.parent / "bbb"
    assert cached(tmp_path, Name("Org/Name"), "v2") is None
    assert cached(tmp_path, Name("Org/Other"), "") is None


def test_without_a_ref_only_the_only_snapshot_counts(tmp_path: Path) -> None:
    place = snapshot(tmp_path, "models--a--b", "aaa")
    assert cached(tmp_path, Name("a/b"), "") == place
    snapshot(tmp_path, "models--a--b", "bbb")
    assert cached(tmp_path, Name("a/b"), "") is None


def test_a_snapshot_need_not_be_a_model(tmp_path: Path) -> None:
    place = snapshot(tmp_path, "models--a--b", "aaa", ref="main")
    (place / "config.json").unlink()
    assert cached(tmp_path, Name("a/b"), "") is None
    assert hub_module.snapshot(tmp_path, Name("A/b"), "") == place
    assert hub_module.snapshot(tmp_path, Name("a/b"), "v2") is None
    assert hub_module.snapshot(tmp_path / "none", Name("a/b"), "") is None


def test_weights_may_be_apart_from_their_configuration(tmp_path: Path) -> None:
    """Of one commit, in two caches."""
    name, hub, weights = Name("a/b"), tmp_path / "hub", tmp_path / "weights"
    place = snapshot(weights, "models--a--b", "aaa", ref="main")
    assert hub_module.configured(hub, name, "", place) == place
    (place / "config.json").unlink()
    assert cached(weights, name, "", rest=hub) == place
    assert hub_module.configured(hub, name, "", place) is None
    rest = snapshot(hub, "models--a--b", "aaa", ref="main")
    assert hub_module.configured(hub, name, "", place) == rest
    snapshot(hub, "models--a--b", "bbb", ref="main")
    assert hub_module.configured(hub, name, "", place) is None
    assert cached(weights, name, "", rest=hub) is None


def test_a_branch_of_weights_is_what_it_is_beside_their_configuration(tmp_path: Path) -> None:
    """By their commit vLLM asks for weights, and notes no branch in --download-dir."""
    name, hub, weights = Name("a/b"), tmp_path / "hub", tmp_path / "weights"
    for commit in ("aaa", "bbb"):
        snapshot(weights, "models--a--b", commit)
    for revision, commit in (("main", "bbb"), ("v1", "aaa")):
        snapshot(hub, "models--a--b", commit, ref=revision)
        place = weights / "models--a--b" / "snapshots" / commit
        assert cached(weights, name, revision, rest=hub) == place
    assert cached(weights, name, "", rest=hub) == weights / "models--a--b" / "snapshots" / "bbb"
    assert cached(weights, name, "v2", rest=hub) is None
    assert cached(weights, name, "", rest=tmp_path / "none") is None


def test_a_download_that_broke_off_does_not_count(tmp_path: Path) -> None:
    place = snapshot(tmp_path, "models--a--b", "aaa", ref="main")
    index = {"weight_map": {"x": SHARDED[0], "y": SHARDED[1]}}
    (place / "model.safetensors.index.json").write_text(json.dumps(index))
    (place / SHARDED[0]).write_text("x")
    assert cached(tmp_path, Name("a/b"), "") is None
    (place / SHARDED[1]).write_text("x")
    assert cached(tmp_path, Name("a/b"), "") == place
    (place / "config.json").unlink()
    assert cached(tmp_path, Name("a/b"), "") is None


@pytest.mark.parametrize(
    "index", ["[]", "null", "1", '{"weight_map": {"a": []}}', '{"weight_map": []}', "[" * 100_000]
)
def test_an_index_of_another_shape_counts_as_damaged(tmp_path: Path, index: str) -> None:
    place = snapshot(tmp_path, "models--a--b", "aaa", ref="main")
    (place / "model.safetensors.index.json").write_text(index)
    assert cached(tmp_path, Name("a/b"), "") is None


def test_shards_count_before_their_index_is_there(tmp_path: Path) -> None:
    """The hub's client fetches several files at once, and the index need not come first."""
    place = snapshot(tmp_path, "models--a--b", "aaa", ref="main")
    (place / "model.safetensors").unlink()
    for name in SHARDED[:-1]:
        (place / name).write_text("x")
        assert cached(tmp_path, Name("a/b"), "") is None
    (place / SHARDED[-1]).write_text("x")
    assert cached(tmp_path, Name("a/b"), "") == place


def test_a_repository_that_is_being_written_does_not_count(tmp_path: Path) -> None:
    place = snapshot(tmp_path, "models--a--b", "aaa", ref="main")
    blob = tmp_path / "models--a--b" / "blobs" / "e7a9.incomplete"
    blob.parent.mkdir()
    blob.write_text("x")
    assert cached(tmp_path, Name("a/b"), "") is None
    long_ago = time.time() - 3600  # of a download that was killed
    os.utime(blob, (long_ago, long_ago))
    assert cached(tmp_path, Name("a/b"), "") == place


@pytest.mark.parametrize(
    ("env", "folder"),
    [
        ({}, "/root/.cache/huggingface/hub"),
        ({"HOME": "/home/u"}, "/home/u/.cache/huggingface/hub"),
        ({"HOME": "/home/u", "XDG_CACHE_HOME": "/cache"}, "/cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/cache", "HF_HOME": "/hf"}, "/hf/hub"),
        ({"HF_HOME": "/hf", "HUGGINGFACE_HUB_CACHE": "/old"}, "/old"),
        ({"HUGGINGFACE_HUB_CACHE": "/old", "HF_HUB_CACHE": "/new", "HF_HOME": "/hf"}, "/new"),
        ({"HF_HUB_CACHE": " ", "HF_HOME": "", "XDG_CACHE_HOME": " /cache "},
         "/cache/huggingface/hub"),
        ({"HF_HOME": "models"}, "/models/hub"),
        ({"HF_HOME": "~/models", "HOME": "/home/u"}, "/home/u/models/hub"),
        ({"HF_HUB_CACHE": "$A/${B}/$C", "A": "/a", "B": "b"}, "/a/b/$C"),
        ({"HF_HUB_CACHE": "~"}, "/root"),
    ],
)  # fmt: skip
def test_where_the_cache_is(env: dict[str, str], folder: str) -> None:
    """As the hub's own client in an engine, which runs in `/`, finds it: each variable wins over
    those that stand before it.
    """
    assert hub_cache(env) == Path(folder)
    assert weights_folder(None, env) == weights_folder("", env) == Path(folder)


def test_weights_go_where_the_command_says() -> None:
    assert weights_folder("/d", {"HF_HUB_CACHE": "/new"}) == Path("/d")


def test_weights_go_where_the_engine_or_our_own_download_puts_them() -> None:
    """The engine runs in `/`."""
    ours = Download(Name("org/many", "small"), "", "/volume/models/org--many@main")
    assert weights_folder("models", {}) == Path("/models")
    assert weights_folder("/d", {}, ours) == Path("/volume/models/org--many@main")


def test_what_the_hub_is_asked() -> None:
    env = {"HF_ENDPOINT": " http://hub/ ", "HF_TOKEN": " hf_x "}
    assert hub_module.file_list("org/m", "", {}) == (
        "https://huggingface.co/api/models/org/m/revision/main?blobs=true"
    )
    listed = hub_module.file_list("org/m", "refs/pr/1", env)
    assert listed == "http://hub/api/models/org/m/revision/refs%2Fpr%2F1?blobs=true"
    address = hub_module.file_address("org/m", "v/1", "a folder/config.json", env)
    assert address == "http://hub/org/m/resolve/v%2F1/a%20folder/config.json"
    assert hub_module.authorization(env) == {"Authorization": "Bearer hf_x"}
    assert hub_module.authorization({"HF_TOKEN": " "}) == {}


def test_the_sizes_of_listed_files() -> None:
    siblings = [{"rfilename": "a", "size": 3}, {"rfilename": "b"}, {"rfilename": "c", "size": None}]
    assert hub_module.sizes({"siblings": siblings}) == {"a": 3, "b": 0, "c": 0}
    odd = [{"rfilename": "a", "size": "3"}, {"rfilename": None}, {"rfilename": ["b"], "size": 1}]
    assert hub_module.sizes({"siblings": [*odd, {"rfilename": "c", "size": -1}]}) == {
        "a": 0,
        "c": 0,
    }
