"""What of a model is found on the disk, and what follows from it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from supervisor.catalog import options
from supervisor.command import plan
from supervisor.models import disk
from supervisor.models.placement import Name, OnDisk
from tests.processes import CATALOG

SHARDED = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("gpt2", Name("gpt2")),
        ("Qwen/Qwen3-0.6B", Name("Qwen/Qwen3-0.6B")),
        ("org/name/fp8/v1", Name("org/name", "fp8/v1")),
        ("/models/x", None), ("./x", None), ("s3://bucket/x", None), ("org/../x", None), ("", None),
    ],
)  # fmt: skip
def test_names(text: str, name: Name | None) -> None:
    assert Name.parse(text) == name


# --- on the disk ---


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
    assert disk.cached(tmp_path, Name("Org/Name"), "") == place
    assert disk.cached(tmp_path, Name("Org/Name"), "bbb") == place.parent / "bbb"
    assert disk.cached(tmp_path, Name("Org/Name"), "v2") is None
    assert disk.cached(tmp_path, Name("Org/Other"), "") is None


def test_without_a_ref_only_the_only_snapshot_counts(tmp_path: Path) -> None:
    place = snapshot(tmp_path, "models--a--b", "aaa")
    assert disk.cached(tmp_path, Name("a/b"), "") == place
    snapshot(tmp_path, "models--a--b", "bbb")
    assert disk.cached(tmp_path, Name("a/b"), "") is None


def test_a_download_that_broke_off_does_not_count(tmp_path: Path) -> None:
    place = snapshot(tmp_path, "models--a--b", "aaa", ref="main")
    index = {"weight_map": {"x": SHARDED[0], "y": SHARDED[1]}}
    (place / "model.safetensors.index.json").write_text(json.dumps(index))
    (place / SHARDED[0]).write_text("x")
    assert disk.cached(tmp_path, Name("a/b"), "") is None
    (place / SHARDED[1]).write_text("x")
    assert disk.cached(tmp_path, Name("a/b"), "") == place
    (place / "config.json").unlink()
    assert disk.cached(tmp_path, Name("a/b"), "") is None


def test_shards_count_before_their_index_is_there(tmp_path: Path) -> None:
    """The hub's client fetches several files at once, and the index need not come first."""
    place = snapshot(tmp_path, "models--a--b", "aaa", ref="main")
    (place / "model.safetensors").unlink()
    for name in SHARDED[:-1]:
        (place / name).write_text("x")
        assert disk.cached(tmp_path, Name("a/b"), "") is None
    (place / SHARDED[-1]).write_text("x")
    assert disk.cached(tmp_path, Name("a/b"), "") == place


def test_a_repository_that_is_being_written_does_not_count(tmp_path: Path) -> None:
    place = snapshot(tmp_path, "models--a--b", "aaa", ref="main")
    blob = tmp_path / "models--a--b" / "blobs" / "e7a9.incomplete"
    blob.parent.mkdir()
    blob.write_text("x")
    assert disk.cached(tmp_path, Name("a/b"), "") is None
    long_ago = time.time() - 3600  # of a download that was killed
    os.utime(blob, (long_ago, long_ago))
    assert disk.cached(tmp_path, Name("a/b"), "") == place


def baked(folder: Path, **more: object) -> Path:
    place = folder / "org--name"
    place.mkdir(parents=True)
    (place / "config.json").write_text("{}")
    model = {"repository": "org/name", "revision": None, "commit": "c1", "folder": str(place)}
    (folder / "baked.json").write_text(json.dumps({"schema": 1, "model": model, **more}))
    return place


def test_names_that_are_given_elsewhere_are_kept(tmp_path: Path) -> None:
    baked(tmp_path)
    config = tmp_path / "config.yaml"
    config.write_text("max-model-len: 9\nserved-model-name: short\n")
    env = {"BAKED_MODELS": str(tmp_path)}
    command, _ = made({**env, "VLLM_CONFIG_FILE": str(config), "MODEL_NAME": "org/name"})
    assert "--served-model-name" not in command
    for said in (
        "--served-model-name short",
        "--served-model-name=short",
        "--served_model_na short",
    ):
        command, _ = made({**env, "VLLM_EXTRA_ARGS": f"{said} --seed 1"})
        assert command[-5:] == [said.split("=")[0].split()[0], "short", "org/name", "--seed", "1"]
        assert sum("served" in token for token in command) == 1
    command, _ = made({**env, "VLLM_EXTRA_ARGS": "--served-model-name a org/name"})
    assert command[-3:] == ["--served-model-name", "a", "org/name"]


def made(env: dict[str, str]) -> tuple[list[str], plan.Plan]:
    one = plan.make(env, options.load(CATALOG), disk.look(env))
    return list(one.command[2:]), one


def test_a_baked_model_is_served_offline_under_its_name(tmp_path: Path) -> None:
    place = baked(tmp_path)
    env = {"BAKED_MODELS": str(tmp_path), "BASE_PATH": str(tmp_path / "none")}
    command, one = made(env)
    assert command[0] == str(place)
    assert command[-2:] == ["--served-model-name", "org/name"]
    assert one.model == "org/name"
    assert one.engine_env == {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    assert not one.findings.errors
    assert not one.findings.warnings
    override = {"OPENAI_SERVED_MODEL_NAME_OVERRIDE": "short", "MODEL_NAME": "org/name"}
    assert made({**env, **override})[0][-3:] == ["--served-model-name", "short", "org/name"]
    own = {"SERVED_MODEL_NAME": "one two", "MODEL_REVISION": "c1"}
    assert made({**env, **own})[0][-4:] == ["--served-model-name", "one", "two", "org/name"]


def test_another_model_than_the_baked_one_is_downloaded_as_usual(tmp_path: Path) -> None:
    baked(tmp_path)
    env = {"BAKED_MODELS": str(tmp_path), "BASE_PATH": str(tmp_path / "none")}
    for more in ({"MODEL_NAME": "org/other"}, {"MODEL_NAME": "org/name", "MODEL_REVISION": "v2"}):
        command, one = made({**env, **more})
        assert command[0] == more["MODEL_NAME"]
        assert "HF_HUB_OFFLINE" not in one.engine_env


def test_a_baked_tokenizer_and_what_keeps_the_hub_in_use(tmp_path: Path) -> None:
    tokenizer = {"repository": "org/tok", "folder": "/models/org--tok"}
    baked(tmp_path, tokenizer=tokenizer)
    env = {"BAKED_MODELS": str(tmp_path), "TOKENIZER_NAME": "org/tok"}
    command, one = made(env)
    assert "--tokenizer=/models/org--tok" in command
    assert one.engine_env["HF_HUB_OFFLINE"] == "1"
    command, one = made({**env, "TOKENIZER_NAME": "org/else"})
    assert "--tokenizer=org/else" in command
    assert "HF_HUB_OFFLINE" not in one.engine_env
    notes = [row.note for row in one.findings.settings if row.env == "HF_HUB_OFFLINE"]
    assert notes == ["not offline: TOKENIZER_NAME may need the hub"]


def test_a_volume_keeps_models_and_what_is_compiled(tmp_path: Path) -> None:
    gpus = tmp_path / "gpus" / "0000:01:00.0"
    gpus.mkdir(parents=True)
    (gpus / "information").write_text("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ: 1\n")
    env = {"MODEL_NAME": "a/b", "BASE_PATH": str(tmp_path), "TRITON_CACHE_DIR": "/mine"}
    one = plan.make(env, options.load(CATALOG), disk.look(env, gpus.parent))
    compiled = f"{tmp_path}/compile-cache/vllm-{one.vllm_version}-NVIDIA-H100-80GB-HBM3"
    assert one.engine_env == {
        "HF_HOME": f"{tmp_path}/huggingface-cache",
        "VLLM_CACHE_ROOT": f"{compiled}/vllm",
        "FLASHINFER_WORKSPACE_BASE": f"{compiled}/flashinfer",
    }


def test_without_a_volume_nothing_changes(tmp_path: Path) -> None:
    env = {"MODEL_NAME": "a/b", "BASE_PATH": str(tmp_path / "none")}
    assert disk.look(env, tmp_path) == OnDisk()
    one = plan.make(env, options.load(CATALOG), disk.look(env))
    assert one.engine_env == {}
    assert [row.env for row in one.findings.ignored] == ["BASE_PATH"]


@pytest.mark.parametrize("text", ["", "[]", '{"model": {}}', "{", '{"model": {"folder": 1}}'])
def test_a_damaged_manifest_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "baked.json").write_text(text)
    assert disk.look({"BAKED_MODELS": str(tmp_path), "BASE_PATH": "/nowhere"}).path is None
