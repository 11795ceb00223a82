"""What is refused before anything is started, each with its remedy."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor import hanging, planning
from supervisor.catalog import options
from supervisor.command import plan
from supervisor.command.plan import NOTHING_ON_DISK
from supervisor.errors import ConfigurationError, MachineRefused
from supervisor.models import named
from supervisor.models.placement import Download, Name, OnDisk
from supervisor.settings.read import Settings
from supervisor.worker import preflight
from tests import fuse
from tests.processes import CATALOG, free_port


@pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse")
def test_a_model_on_a_dead_volume_is_refused_with_the_cause(tmp_path: Path) -> None:
    with fuse.dead(tmp_path / "mount", tmp_path) as place:
        why = f"MODEL_NAME={place}/m cannot be used: the volume at {place} cannot be read"
        with pytest.raises(MachineRefused, match=why):
            named.check(str(place / "m"))
        env = {"MODEL_NAME": "org/m", "HF_HUB_CACHE": str(place)}
        said = preflight.where_models_go(plan.make(env, options.load(CATALOG)), env)
        assert said.startswith(f"models go to {place}, and the volume at {place} cannot be read")
    with pytest.raises(ConfigurationError, match="File name too long"):
        named.check("/" + 300 * "x")


def listening(control_port: int) -> Settings:
    env = {"VLLM_PORT": str(free_port()), "PORT_HEALTH": str(control_port)}
    return planning.settings(env)


def test_ports() -> None:
    preflight.check_ports(listening(free_port()))
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        with pytest.raises(ConfigurationError) as refused:
            preflight.check_ports(listening(number))
    assert str(refused.value).startswith(f"port {number} is taken by process ")
    assert str(refused.value).endswith("; end it or set PORT_HEALTH to a free port")


def test_an_address_of_another_machine() -> None:
    env = {"CONTROL_HOST": "203.0.113.7", "VLLM_PORT": str(free_port())}
    with pytest.raises(
        ConfigurationError, match=r"203\.0\.113\.7 is not an address .*; correct CONTROL_HOST$"
    ):
        preflight.check_ports(planning.settings(env))
    of_engine = replace(planning.settings({}), engine_host="203.0.113.7")
    with pytest.raises(ConfigurationError, match=r"; correct --host$"):
        preflight.check_ports(of_engine)


def test_files_are_in_a_folder_of_this_runs_own(tmp_path: Path) -> None:
    """Not in one whose name everybody knows, where another user could change them."""
    theirs = tmp_path / "vllm-supervisor" / "template"
    theirs.parent.mkdir()
    theirs.write_text("theirs")
    made = plan.make({"MODEL_NAME": "org/m"}, None)
    made = replace(
        made, command=("vllm", f"--chat-template={theirs}"), files={str(theirs): "{{ messages }}"}
    )
    one, other = preflight.written(made), preflight.written(made)
    (path,) = map(Path, one.files)
    assert one.command == ("vllm", f"--chat-template={path}") != other.command
    assert path.read_text() == "{{ messages }}"
    assert theirs.read_text() == "theirs"
    assert path.parent.parent == tmp_path
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_files_that_cannot_be_written() -> None:
    made = plan.make({"MODEL_NAME": "org/m"}, None)
    assert preflight.written(made) is made
    with pytest.raises(ConfigurationError, match="set TMPDIR to a writable folder"):
        preflight.written(replace(made, files={"/proc/nowhere/a/template": ""}))


def test_the_folder_for_models_is_made(tmp_path: Path) -> None:
    preflight.make_volume(None)
    for _ in range(2):
        preflight.make_volume(tmp_path / "a" / "b")
        assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"BASE_PATH=.*cannot be made: .*; set"):
        preflight.make_volume(tmp_path / "file" / "below")


def test_where_models_go() -> None:
    def said(disk: OnDisk = NOTHING_ON_DISK, **env: str) -> str:
        given = {"MODEL_NAME": "org/name", "HOME": "/root", **env}
        return preflight.where_models_go(plan.make(given, options.load(CATALOG), disk), given)

    assert said(HF_HOME="/proc/hf").endswith("go to /proc/hf/hub, on the volume mounted at /proc")
    assert said(HF_HOME="/nowhere").endswith("go to /nowhere/hub, on the container's own disk")
    assert said(DOWNLOAD_DIR="/proc/d").startswith("models go to /proc/d, ")
    assert said(OnDisk(volume=Path("/proc/v"))).startswith("models go to /proc/v/huggingface-cache")
    assert said(MODEL_NAME="/models/m") == "the model is read from /models/m"
    assert said(OnDisk("org/name", "/baked/m")) == "the model is read from /baked/m"
    fetched = OnDisk("a/b/c", "/v/ab/c", download=Download(Name("a/b", "c"), "", "/v/ab"))
    assert said(fetched).startswith("models go to /v/ab, ")


def kept(disk: OnDisk = NOTHING_ON_DISK, **env: str) -> dict[str, tuple[str, str, bool]]:
    given = {"MODEL_NAME": "org/name", "HOME": "/nowhere", **env}
    made = replace(plan.make(given, options.load(CATALOG), disk), environment=given)
    found = preflight.with_kept(made).kept
    return {name: (each.folder, each.setting, each.lasts) for name, each in found.items()}


def test_what_a_start_leaves_lasts_on_what_is_mounted() -> None:
    """/proc stands for a volume; a folder of the container's disk is none, whoever names it."""
    assert kept() == {
        "model": ("/nowhere/.cache/huggingface/hub", "BASE_PATH", False),
        "downloads": ("/nowhere/.cache/huggingface/hub", "BASE_PATH", False),
        "compiled": ("/nowhere/.cache/vllm", "BASE_PATH", False),
    }
    volume = OnDisk(volume=Path("/proc/v"))
    found = kept(volume)
    assert {name: each[2] for name, each in found.items()} == dict.fromkeys(found, True)
    assert found["compiled"][0].startswith("/proc/v/compile-cache/")
    own = {"HF_HOME": "/nowhere/hf", "VLLM_CACHE_ROOT": "/nowhere/v"}
    assert kept(volume, **own) == {
        "model": ("/nowhere/hf/hub", "HF_HOME", False),
        "downloads": ("/nowhere/hf/hub", "HF_HOME", False),
        "compiled": ("/nowhere/v", "VLLM_CACHE_ROOT", False),
    }
    assert kept(DOWNLOAD_DIR="/proc/d")["downloads"] == ("/proc/d", "DOWNLOAD_DIR", True)
    assert not any(each[2] for each in kept(OnDisk(volume=Path("/nowhere"))).values())
    assert kept(OnDisk("org/name", "/proc/m"))["model"] == ("/proc/m", "BASE_PATH", True)
    assert not kept(volume, MODEL_NAME="/nowhere/m")["model"][2]
    fetched = OnDisk("a/b/c", "/proc/ab/c", download=Download(Name("a/b", "c"), "", "/proc/ab"))
    assert kept(fetched, HF_HOME="/nowhere")["downloads"] == ("/proc/ab", "BASE_PATH", True)


@pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse")
def test_a_volume_that_hangs_is_waited_for_no_longer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hanging.look, "__defaults__", (0.5,))
    with fuse.mounted(tmp_path / "mount", tmp_path, "--hang-looks=models") as place:
        named.check(str(place / "models" / "m"))  # the engine will see
        with pytest.raises(MachineRefused, match=f"BASE_PATH={place}/models cannot be made"):
            preflight.make_volume(place / "models")
        file = str(place / "models" / "own" / "template")
        with pytest.raises(MachineRefused, match=r"cannot be written in .* does not answer"):
            preflight.written(replace(plan.make({}, None), files={file: "text"}))
        env = {"MODEL_NAME": "org/m", "HF_HUB_CACHE": str(place / "models")}
        said = preflight.where_models_go(plan.make(env, options.load(CATALOG)), env)
        assert said == f"models go to {place}/models, and the volume at {place} does not answer"
        assert kept(NOTHING_ON_DISK, **env)["downloads"] == (
            f"{place}/models",
            "HF_HUB_CACHE",
            True,
        )
