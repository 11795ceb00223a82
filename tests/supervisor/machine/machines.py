"""Folders that look like those of a machine with GPUs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def machine(
    folder: Path, nodes: Iterable[int], shown: Iterable[int] = (), divided: Iterable[int] = ()
) -> tuple[Path, Path]:
    """A machine with these device files, these GPUs in /proc and these that MIG divides.

    Returns:
        What stands for /proc/driver/nvidia/gpus, and for /dev.
    """
    devices, driver = folder / "dev", folder / "driver" / "gpus"
    devices.mkdir(parents=True)
    for name in ("null", "nvidiactl", "nvidia-uvm", "nvidia-caps", *(f"nvidia{n}" for n in nodes)):
        (devices / name).touch()
    for minor in shown:
        place = driver / f"0000:{minor:02x}:00.0"
        place.mkdir(parents=True)
        text = f"Model: \t\t NVIDIA H{minor}\nIRQ:   \t\t 1\nDevice Minor: \t {minor}\n"
        (place / "information").write_text(text)
    for minor in divided:
        (driver.parent / "capabilities" / f"gpu{minor}" / "mig" / "gi1").mkdir(parents=True)
    return driver, devices
