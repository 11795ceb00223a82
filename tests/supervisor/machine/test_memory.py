"""How large the GPUs are, by a library that stands in for the driver's."""

from __future__ import annotations

from pathlib import Path

from supervisor.machine import memory
from tests.supervisor.machine.driver import driver


def test_each_gpu_is_asked(tmp_path: Path) -> None:
    sizes = [25_757_220_864, 85_899_345_920]
    assert memory.each(str(driver(tmp_path, sizes))) == sizes


def test_one_that_does_not_say_counts_for_nothing(tmp_path: Path) -> None:
    assert memory.each(str(driver(tmp_path, [0, 5]))) == [5]


def test_a_driver_that_does_not_start(tmp_path: Path) -> None:
    assert memory.each(str(driver(tmp_path, [5], init=9))) == []


def test_without_a_driver(tmp_path: Path) -> None:
    assert memory.each(str(tmp_path / "libnvidia-ml.so.1")) == []
    (tmp_path / "libnvidia-ml.so.1").write_text("not a library")
    assert memory.each(str(tmp_path / "libnvidia-ml.so.1")) == []


def test_a_library_without_these_functions() -> None:
    assert memory.each("libc.so.6") == []
