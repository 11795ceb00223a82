"""What of a model is found on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.catalog import options
from supervisor.command import plan
from supervisor.models import disk
from supervisor.models.placement import Download, Name, OnDisk
from tests.processes import CATALOG
from tests.supervisor.machine.machines import machine
from tests.supervisor.models.baking import baked


def test_without_a_volume_nothing_changes(tmp_path: Path) -> None:
    env = {"MODEL_NAME": "a/b", "BASE_PATH": "/nowhere"}
    assert disk.look(env, tmp_path) == OnDisk()
    one = plan.make(env, options.load(CATALOG), disk.look(env))
    assert one.engine_env == {"GLOO_SOCKET_IFNAME": "lo"}
    assert [row.env for row in one.findings.ignored] == ["BASE_PATH"]


def test_where_the_model_is_whoever_finds_it(tmp_path: Path) -> None:
    none = {"BASE_PATH": "/nowhere", "BAKED_MODELS": "/nowhere", "HOME": str(tmp_path)}
    place = tmp_path / ".cache/huggingface/hub/models--org--name/snapshots/c1"
    place.mkdir(parents=True)
    (place / "config.json").write_text("{}")
    assert disk.look({**none, "MODEL_NAME": "org/name"}).stored is None  # not whole
    (place / "model.safetensors").write_text("x")
    for name in ("org/name", str(place), str(place / "model.safetensors")):
        found = disk.look({**none, "MODEL_NAME": name}).stored
        assert found is not None
        assert found.filesystem
        assert found.path == (str(place) if name == "org/name" else name)
    folder = baked(tmp_path / "baked")
    found = disk.look({**none, "BAKED_MODELS": str(tmp_path / "baked")}).stored
    assert found is not None
    assert found.path == str(folder)
    assert disk.look({**none, "MODEL_NAME": "/not/there"}).stored is None
    assert disk.look({**none, "MODEL_NAME": "org/name/sub"}).stored is None  # is downloaded first


def test_weights_apart_from_their_configuration(tmp_path: Path) -> None:
    """Into DOWNLOAD_DIR vLLM puts the weights and their index; the hub's cache has the rest."""
    weights = tmp_path / "weights/models--org--name/snapshots/c1"
    weights.mkdir(parents=True)
    (weights / "model-00001-of-00002.safetensors").write_text("x")
    env = {
        "BASE_PATH": "/nowhere",
        "BAKED_MODELS": "/nowhere",
        "MODEL_NAME": "org/name",
        "HF_HOME": str(tmp_path),
        "DOWNLOAD_DIR": str(tmp_path / "weights"),
    }
    assert disk.look(env).stored is None
    (weights / "model-00002-of-00002.safetensors").write_text("x")
    found = disk.look(env)
    assert found.stored is not None
    assert (found.stored.path, found.config) == (str(weights), {})
    rest = tmp_path / "hub/models--org--name/snapshots/c1"
    rest.mkdir(parents=True)
    (rest / "config.json").write_text('{"rope_theta": 5000.0}')
    assert disk.look(env).config == {"rope_theta": 5000.0}
    one = plan.make(env, options.load(CATALOG), disk.look(env))
    assert one.reading is not None
    assert one.reading.path == str(weights)
    rest.rename(rest.with_name("c2"))  # another commit, of which the weights are still to come
    assert disk.look(env).stored is None


def test_a_file_in_gguf_of_the_cache(tmp_path: Path) -> None:
    """Of several that are there the one that is asked for."""
    place = tmp_path / "hub/models--org--name/snapshots/c1"
    (place / "Q8_0").mkdir(parents=True)
    env = {"BASE_PATH": "/nowhere", "BAKED_MODELS": "/nowhere", "HF_HOME": str(tmp_path)}
    file = place / "name-Q4_K_M.gguf"
    parts = [place / f"Q8_0/name-Q8_0-0000{number}-of-00002.gguf" for number in (1, 2)]
    for path in (file, parts[0]):
        path.write_text("x")
    found = disk.look({**env, "MODEL_NAME": "org/name:Q4_K_M"}).stored
    assert found is not None
    assert found.path == str(file)
    for name in ("org/name:Q4_K", "org/name:Q8_0", "org/other:Q4_K_M", ":Q4_K_M"):
        assert disk.look({**env, "MODEL_NAME": name}).stored is None
    parts[1].write_text("x")
    found = disk.look({**env, "MODEL_NAME": "org/name:Q8_0"}).stored
    assert found is not None
    assert found.path == str(parts[0])


def test_a_folder_of_a_repository_that_an_earlier_start_has_fetched(tmp_path: Path) -> None:
    env = {"BASE_PATH": str(tmp_path), "BAKED_MODELS": "/nowhere", "MODEL_NAME": "org/name/fp8"}
    folder = tmp_path / "models" / "org--name@main" / "fp8"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model-00001-of-00002.safetensors").write_text("x")
    assert disk.look(env).stored is None  # that start broke off
    (folder / "model-00002-of-00002.safetensors").write_text("x")
    found = disk.look(env)
    assert found.download is not None
    assert found.stored is not None
    assert found.stored.path == str(folder)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", '{"model": {}}', "{", '{"model": {"folder": 1}}', "[" * 100_000),
        '{"model": {"repository": "a/b", "folder": "/"}, "tokenizer": ["x"]}',
        '{"model": {"repository": "a/b", "folder": "/"}, "tokenizer": {}, "x": [}',
    ],
)
def test_a_damaged_manifest_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "baked.json").write_text(text)
    assert disk.look({"BAKED_MODELS": str(tmp_path), "BASE_PATH": "/nowhere"}).path is None


def test_the_folder_for_temporary_files(tmp_path: Path) -> None:
    """TMPDIR as it is; of the others the first that can be written to."""
    none = {"BASE_PATH": "/nowhere", "BAKED_MODELS": "/nowhere"}
    assert disk.look({**none, "TMPDIR": "/not/there"}).temporary == "/not/there"
    others = {**none, "TEMP": "/not/there", "TMP": str(tmp_path)}
    assert disk.look(others).temporary == str(tmp_path)
    assert disk.look(none).temporary == OnDisk().temporary


def test_a_baked_model_is_found_by_its_name_or_without_one(tmp_path: Path) -> None:
    place = baked(tmp_path)
    env = {"BAKED_MODELS": str(tmp_path), "BASE_PATH": "/nowhere"}
    for more in ({}, {"MODEL_NAME": "org/name"}, {"MODEL_NAME": "org/name", "REVISION": "c1"}):
        found = disk.look({**env, **more})
        assert (found.name, found.path) == ("org/name", str(place))
    for more in ({"MODEL_NAME": "org/other"}, {"MODEL_NAME": "/path"}, {"MODEL_REVISION": "v2"},
                 {"VLLM_CONFIG_FILE": "/c.yaml"}):  # fmt: skip
        assert disk.look({**env, **more}).path is None


def test_a_model_that_the_platform_keeps_is_found_on_the_volume(tmp_path: Path) -> None:
    place = tmp_path / "huggingface-cache" / "hub" / "models--org--name" / "snapshots" / "c1"
    place.mkdir(parents=True)
    (place / "model.safetensors").write_text("x")
    (place / "config.json").write_text('{"auto_map": {"AutoModel": "other/code--m.Class"}}')
    env = {"BASE_PATH": str(tmp_path), "BAKED_MODELS": "/nowhere", "MODEL_NAME": "org/name"}
    found = disk.look(env)
    assert (found.name, found.path, found.where) == ("org/name", str(place), "kept by the platform")
    assert found.needs_hub


def test_a_folder_of_a_repository_is_to_be_downloaded(tmp_path: Path) -> None:
    env = {"BASE_PATH": str(tmp_path), "BAKED_MODELS": "/nowhere", "MODEL_NAME": "org/name/fp8"}
    found = disk.look({**env, "MODEL_REVISION": "v2"})
    folder = tmp_path / "models" / "org--name@v2"
    assert found.path == str(folder / "fp8")
    assert found.download == Download(Name("org/name", "fp8"), "v2", str(folder))


def test_what_the_model_says_of_itself(tmp_path: Path) -> None:
    """Of a folder, and of one in the hub's cache; nothing where it is not there or not readable."""
    none = {"BASE_PATH": "/nowhere", "BAKED_MODELS": "/nowhere"}
    place = tmp_path / "models--org--name" / "snapshots" / "c1"
    place.mkdir(parents=True)
    (place / "model.safetensors").write_text("x")
    file = place / "config.json"
    file.write_text('{"rope_theta": 5000.0}')
    cache = {**none, "MODEL_NAME": "org/name", "HF_HUB_CACHE": str(tmp_path)}
    for env in (cache, {**none, "MODEL_NAME": str(place)}):
        file.write_text('{"rope_theta": 5000.0}')
        assert disk.look(env).config == {"rope_theta": 5000.0}
        file.write_text("[]")
        assert disk.look(env).config == {}
        file.write_text("{")
        assert disk.look(env).config == {}
    for env in ({**none, "MODEL_NAME": "/not/there"}, {**none, "MODEL_NAME": "org/other"}, none):
        assert disk.look(env).config == {}


def test_a_folder_of_a_volume_is_made_by_a_start(tmp_path: Path) -> None:
    """A look makes nothing. The place of a volume that is not mounted is no such folder."""
    none = {"BAKED_MODELS": "/nowhere", "MODEL_NAME": "org/name"}
    for folder in (tmp_path / "models", tmp_path / "a" / "b"):
        env = {**none, "BASE_PATH": str(folder)}
        one = plan.make(env, options.load(CATALOG), disk.look(env))
        assert one.volume == folder
        assert one.engine_env["HF_HOME"] == str(folder / "huggingface-cache")
        assert not folder.exists()
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("/nowhere")
    for text in ("/nowhere", "/nowhere/deeper", "models", str(tmp_path / "file"),
                 str(tmp_path / "file" / "below"), str(tmp_path / "dangling")):  # fmt: skip
        assert disk.look({**none, "BASE_PATH": text}).volume is None
    assert disk.look(none).volume is None


def test_how_many_gpus_are_here(tmp_path: Path) -> None:
    driver, devices = machine(tmp_path, range(4), range(4))
    env = {"BASE_PATH": "/nowhere", "CUDA_VISIBLE_DEVICES": "0,1"}
    found = disk.look(env, driver, devices)
    assert (found.gpus, found.device) == (2, "NVIDIA H0")


def test_what_the_configuration_file_sets(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text('model: a/b\ntensor_parallel_size: 2\n"max-model-len": 9\n# seed: 1\n')
    looked = disk.look({"VLLM_CONFIG_FILE": str(file), "MODEL_NAME": "a/b"})
    assert looked.configuration == file.read_text()
    assert "configuration=" not in repr(looked)
    found = looked.configured
    assert found == {"model", "tensor-parallel-size", "max-model-len"}
    for text in ("", str(tmp_path), "/not/there"):
        assert disk.look({"VLLM_CONFIG_FILE": text}).configured == frozenset()


def test_what_the_configuration_file_turns_on(tmp_path: Path) -> None:
    """Not what is off, nor what belongs to the value of another key."""
    file = tmp_path / "config.yaml"
    file.write_text(
        "trust_remote_code: True\ngrpc: false # no\nenable-lora: 'no'\nseed:\n"
        "kv-transfer-config:\n  api-key: x\n'api-key': s\nload-format: null\n"
    )
    found = disk.look({"VLLM_CONFIG_FILE": str(file), "MODEL_NAME": "a/b"}).turned_on
    assert found == {"trust-remote-code", "seed", "kv-transfer-config", "api-key"}
