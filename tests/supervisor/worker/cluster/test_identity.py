"""What a node says that it would run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from supervisor.catalog import versions
from supervisor.command import plan
from supervisor.worker.cluster.identity import identity

COMMIT = "0123456789abcdef0123456789abcdef01234567"


async def test_a_model_has_its_commit_once_it_is_there(tmp_path: Path) -> None:
    env = {
        "MODEL_NAME": "org/m",
        "HF_HUB_CACHE": str(tmp_path),
        "NUM_NODES": "2",
        "NODE_RANK": "1",
        "PRIMARY_ADDR": "127.0.0.1",
        "NUM_TRAINERS": "1",
        "MAX_MODEL_LEN": "4096",
        "VLLM_API_KEY": "a-secret",
    }
    made = plan.make(env, versions.load("0.32.0"))
    assert made.cluster is not None

    async def commit(*, prepared: bool) -> str:
        return (await identity(made, cluster, "127.0.0.1", env, prepared=prepared)).commit

    cluster = made.cluster
    before = await identity(made, cluster, "127.0.0.1", env, prepared=True)
    assert (before.rank, before.version, before.model) == (1, made.vllm_version, "org/m")
    assert (before.commit, before.options["MAX_MODEL_LEN"]) == ("", "4096")
    assert "a-secret" not in str(before)
    place = tmp_path / "models--org--m" / "snapshots" / COMMIT
    place.mkdir(parents=True)
    (place / "config.json").touch()
    assert await commit(prepared=True) == "", "a part of it says nothing"
    (place / "model.safetensors").touch()
    assert await commit(prepared=True) == COMMIT
    assert await commit(prepared=False) == "", "another one may come yet"
    (place / "config.json").unlink()
    assert await commit(prepared=True) == ""


async def test_the_commit_of_weights_apart_from_their_configuration(tmp_path: Path) -> None:
    env = {"MODEL_NAME": "a/b", "NUM_NODES": "2", "NODE_RANK": "0", "PRIMARY_ADDR": "127.0.0.1"}
    env |= {"NUM_TRAINERS": "1", "DOWNLOAD_DIR": str(tmp_path)}
    made = plan.make(env, versions.load("0.32.0"))
    assert made.cluster is not None
    place = tmp_path / "models--a--b" / "snapshots" / COMMIT
    place.mkdir(parents=True)
    (place / "model.safetensors").touch()
    assert (await identity(made, made.cluster, "", env, prepared=True)).commit == COMMIT


async def test_the_options_of_the_configuration_file(tmp_path: Path) -> None:
    (file := tmp_path / "vllm.yaml").write_text("max-model-len: 4096\ndtype: half\n")
    env = {"NUM_NODES": "2", "NODE_RANK": "0", "PRIMARY_ADDR": "127.0.0.1", "NUM_TRAINERS": "1"}
    env |= {"MODEL_NAME": "a/b", "MAX_MODEL_LEN": "8192", "VLLM_CONFIG_FILE": str(file)}
    made = plan.make(env, versions.load("0.32.0"))
    assert made.cluster is not None
    options = (await identity(made, made.cluster, "", env, prepared=False)).options
    assert (options["DTYPE"], options["MAX_MODEL_LEN"]) == ("half", "8192")


async def test_a_model_in_a_folder_has_none() -> None:
    env = {"MODEL_NAME": "/", "NUM_NODES": "2", "NODE_RANK": "0", "PRIMARY_ADDR": "127.0.0.1"}
    made = plan.make({**env, "NUM_TRAINERS": "1"}, versions.load("0.32.0"))
    assert made.cluster is not None
    assert (await identity(made, made.cluster, "", env, prepared=True)).commit == ""


async def test_a_revision_counts_where_the_command_has_none() -> None:
    """As for a model that the platform keeps, whose folder is of that revision."""
    env = {"MODEL_NAME": "a/b", "NUM_NODES": "2", "NODE_RANK": "0", "PRIMARY_ADDR": "127.0.0.1"}
    made = plan.make({**env, "NUM_TRAINERS": "1"}, versions.load("0.32.0"))
    assert made.cluster is not None
    kept = replace(made, environment={**env, "MODEL_REVISION": "v2"})
    assert (await identity(kept, made.cluster, "", env, prepared=False)).revision == "v2"
