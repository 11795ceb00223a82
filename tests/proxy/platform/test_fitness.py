"""What the SDK is given to check, and what the checks say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from runpod.serverless.modules import rp_fitness

from proxy import settings
from proxy.platform import fitness


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
        ("none", []),
    ],
)
def test_only_what_is_wanted_is_checked(said: str | None, expected: list[str]) -> None:
    env = {} if said is None else {"FITNESS_CHECKS": said}
    fitness.register(settings.read(env), lambda _why: None)
    assert [check.__name__ for check in rp_fitness._fitness_checks] == expected


def test_a_check_that_fails_says_why_to_the_supervisor_and_to_the_sdk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    fitness.register(settings.read({"FITNESS_CHECKS": "memory"}), told.append)
    monkeypatch.setenv("RUNPOD_MIN_MEMORY_GB", "1000000")
    (check,) = rp_fitness._fitness_checks
    with pytest.raises(fitness.UnfitError, match="1e\\+06 are the least"):
        check()
    assert len(told) == 1
    assert "of memory are free" in told[0]


def test_what_a_check_of_the_sdks_own_says_reaches_the_supervisor() -> None:
    told: list[str] = []
    fitness.register(settings.read({"FITNESS_CHECKS": "none"}), told.append)
    rp_fitness._report_unhealthy("_cuda_init_check", "no CUDA")
    rp_fitness._report_unhealthy("engine", "told before")
    assert told == ["_cuda_init_check: no CUDA"]


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
    monkeypatch.setenv("HF_HOME", str(tmp_path / "not" / "yet"))
    if percent is not None:
        monkeypatch.setenv("RUNPOD_MIN_DISK_PERCENT", percent)
    usage = SimpleNamespace(total=100_000_000_000, used=0, free=free)
    monkeypatch.setattr("shutil.disk_usage", lambda place: usage if place == tmp_path else None)
    if fit:
        fitness.disk()
    else:
        with pytest.raises(fitness.UnfitError, match=f"of disk are free at {tmp_path}"):
            fitness.disk()
