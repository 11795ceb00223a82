"""What the SDK is given to check, and what the checks say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from runpod.serverless.modules import rp_fitness

from proxy import settings
from proxy.platform import fitness
from supervisor import hanging
from supervisor.link.handover import NO_CHECKS
from tests import fuse


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The SDK's own list, empty before and after; none of its own checks."""
    monkeypatch.setenv("RUNPOD_SKIP_GPU_CHECK", "true")
    monkeypatch.setenv("RUNPOD_SKIP_AUTO_SYSTEM_CHECKS", "true")
    monkeypatch.setattr(rp_fitness, "_report_unhealthy", lambda *_reported: None)
    rp_fitness.clear_fitness_checks()
    yield
    rp_fitness.clear_fitness_checks()
    rp_fitness._reset_registration_state()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, ["memory", "disk", "gpu", "engine"]),
        ("memory,gpu,engine", ["memory", "gpu", "engine"]),
        ("engine", ["engine"]),
        (NO_CHECKS, []),
    ],
)
def test_only_what_is_wanted_is_checked(said: str | None, expected: list[str]) -> None:
    env = {} if said is None else {"FITNESS_CHECKS": said}
    fitness.register(settings.read(env), {}, lambda _why: None)
    assert [check.__name__ for check in rp_fitness._fitness_checks] == expected


def test_a_check_that_fails_says_why_to_the_supervisor_and_to_the_sdk() -> None:
    told: list[str] = []
    env = {"RUNPOD_MIN_MEMORY_GB": "1000000"}
    fitness.register(settings.read({"FITNESS_CHECKS": "memory"}), env, told.append)
    (check,) = rp_fitness._fitness_checks
    with pytest.raises(fitness.UnfitError, match="at least 1e\\+06 GB is required"):
        check()
    assert len(told) == 1
    assert "GB of memory is free" in told[0]


def test_what_a_check_of_the_sdks_own_says_reaches_the_supervisor() -> None:
    told: list[str] = []
    fitness.register(settings.read({"FITNESS_CHECKS": NO_CHECKS}), {}, told.append)
    rp_fitness._report_unhealthy("_cuda_init_check", "no CUDA")
    rp_fitness._report_unhealthy("engine", "told before")
    assert told == ["_cuda_init_check: no CUDA"]


def test_half_a_character_does_not_keep_the_platform_from_hearing_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(rp_fitness, "_report_unhealthy", lambda *said: told.append(said))
    fitness.report_unhealthy("X=\udcff is wrong")
    assert told == [("engine", "X=\\udcff is wrong")]


@pytest.mark.parametrize(
    ("percent", "free", "fit"),
    [
        (None, 50_000_000, False),
        (None, 200_000_000, True),
        ("0", 0, True),
        ("10", 9_000_000_000, False),
        ("10", 11_000_000_000, True),
    ],
)
def test_the_least_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, percent: str | None, free: int, fit: bool
) -> None:
    env = {} if percent is None else {"RUNPOD_MIN_DISK_PERCENT": percent}
    folder = tmp_path / "not" / "yet"
    usage = SimpleNamespace(total=100_000_000_000, used=0, free=free)
    monkeypatch.setattr("shutil.disk_usage", lambda place: usage if place == tmp_path else None)
    if fit:
        fitness.disk(env, folder)
    else:
        with pytest.raises(fitness.UnfitError, match=f"of disk is free at {tmp_path}; at least"):
            fitness.disk(env, folder)


@pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse")
def test_a_volume_that_hangs_is_told_and_waited_for_no_longer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hanging.look, "__defaults__", (0.5,))
    with fuse.mounted(tmp_path / "mount", tmp_path, "--hang-looks=models") as place:
        fitness.disk({"RUNPOD_MIN_DISK_PERCENT": "100"}, place / "models" / "hub")
    assert caplog.messages == [
        f"how much disk is free is not known: the volume at {place} does not answer"
    ]


@pytest.mark.parametrize(
    ("name", "handed"),
    [
        ("HF_HUB_CACHE", False),
        ("HUGGINGFACE_HUB_CACHE", False),
        ("XDG_CACHE_HOME", False),
        ("HF_HUB_CACHE", True),
    ],
)
def test_the_disk_is_that_of_the_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, handed: bool
) -> None:
    """Where the supervisor says; without one wherever the hub's client keeps what it fetches."""
    looked: list[Path] = []
    usage = SimpleNamespace(total=100_000_000_000, used=0, free=100_000_000_000)

    def disk_usage(place: Path) -> SimpleNamespace:
        looked.append(place)
        return usage

    monkeypatch.setattr("shutil.disk_usage", disk_usage)
    elsewhere, models = tmp_path / "elsewhere", tmp_path / "models"
    for folder in (elsewhere, models):
        folder.mkdir()
    said = {"FITNESS_CHECKS": "disk", **({"MODELS_FOLDER": str(models)} if handed else {})}
    env = {"HOME": str(tmp_path), name: str(elsewhere)}
    fitness.register(settings.read(said), env, lambda _why: None)
    (check,) = rp_fitness._fitness_checks
    check()
    assert looked == [models if handed else elsewhere]


def nvidia_smi(folder: Path, script: str) -> dict[str, str]:
    """The environment of a container with GPUs, whose driver's command is `script`."""
    command = folder / "nvidia-smi"
    command.write_text(f"#!/bin/sh\n{script}")
    command.chmod(0o755)
    return {"PATH": str(folder), "NVIDIA_VISIBLE_DEVICES": "all"}


@pytest.mark.parametrize("given", ["", "void", "none"])
def test_without_gpus_their_driver_is_not_asked(tmp_path: Path, given: str) -> None:
    fitness.gpu({**nvidia_smi(tmp_path, "exit 1"), "NVIDIA_VISIBLE_DEVICES": given})


def test_a_driver_that_answers_is_fit(tmp_path: Path) -> None:
    fitness.gpu(nvidia_smi(tmp_path, "echo 'GPU 0: NVIDIA H100'"))


def test_what_asks_the_driver_shows_no_key_of_the_platform(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is not hidden as the proxy is, and the engine may be there already."""
    env = {**nvidia_smi(tmp_path, "echo GPU 0; /usr/bin/env; exit 1"), "RUNPOD_API_KEY": "rpa_x"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(fitness.UnfitError, match="NVIDIA_VISIBLE_DEVICES=all") as told:
        fitness.gpu(env)
    assert "rpa_x" not in str(told.value)


def test_a_driver_that_hangs_is_not_fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fitness, "_GPU_WITHIN", 0.2)
    env = nvidia_smi(tmp_path, "exec /bin/sleep 300")
    with pytest.raises(fitness.UnfitError, match="did not answer within"):
        fitness.gpu(env)


@pytest.mark.parametrize("script", ["echo 'GPU is lost'; exit 15", "echo 'GPU is lost'"])
def test_a_driver_that_does_not_work_is_not_fit(tmp_path: Path, script: str) -> None:
    with pytest.raises(fitness.UnfitError, match="nvidia-smi says: GPU is lost"):
        fitness.gpu(nvidia_smi(tmp_path, script))
