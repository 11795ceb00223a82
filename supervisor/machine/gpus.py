"""Which GPUs this container sees: a few looks at files, before each start. No GPU is touched.

A container has a device file for each GPU that it was given. /proc may show more: those of the
host. The variables of the container's runtime and of CUDA can only take some away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..records import dataclass

DEVICES = Path("/dev")
DRIVER = Path("/proc/driver/nvidia/gpus")
_NODE = re.compile(r"nvidia(\d+)")
_MINOR = re.compile(r"^Device Minor:\s*(\d+)$", re.MULTILINE)
_MODEL = re.compile(r"^Model:\s*(.+)$", re.MULTILINE)
_ONE = re.compile(r"\d+|GPU-[\w-]+")
_OF_MIG = re.compile(r"MIG-.+|\d+:\d+")
_DIGITS = 20  # of a number; Python reads no more than 4,300
_NUMBER = re.compile(r"[+-]?\d+")


@dataclass(frozen=True, slots=True)
class Gpus:
    """How many GPUs the engine can use together, and the name of the first of this machine.

    Parts of a divided GPU (MIG) count as one: CUDA shows a process one of them.
    """

    count: int = 0
    name: str = "cpu"


def visible(
    env: Mapping[str, str], driver: Path | None = None, devices: Path | None = None
) -> Gpus:
    """Count the GPUs that an engine with this environment sees.

    Args:
        env: CUDA_VISIBLE_DEVICES, NVIDIA_VISIBLE_DEVICES.
        driver: the folder in which the driver shows its GPUs; None for this machine's.
        devices: that of the device files; None for this machine's.
    """
    driver = driver or DRIVER
    nodes, shown = _nodes(devices or DEVICES), _shown(driver)
    here = nodes & shown.keys() or nodes
    names = [shown[minor] for minor in sorted(here or shown) if shown.get(minor)]
    count = len(here)
    for most in (of_runtime(env), of_cuda(env, count)):
        count = count if most is None else min(count, most)
    if any(_is_divided(driver, minor) for minor in here):
        count = min(count, 1)
    return Gpus(count, names[0] if names else "cpu")


def of_runtime(env: Mapping[str, str]) -> int | None:
    """How many GPUs NVIDIA_VISIBLE_DEVICES asks for at most; None where it sets no bound.

    `all` bounds nothing, nor does `void`, which a container has whose devices come by CDI, nor the
    folder that Kubernetes may name there.
    """
    text = env.get("NVIDIA_VISIBLE_DEVICES", "").strip()
    if text == "none":
        return 0
    each = {item.strip() for item in text.split(",")} - {""}
    if any(map(_OF_MIG.fullmatch, each)):
        return 1
    return len(each) if each and all(map(_ONE.fullmatch, each)) else None


def of_cuda(env: Mapping[str, str], here: int) -> int | None:
    """How many of `here` GPUs CUDA_VISIBLE_DEVICES leaves; None where it is not set.

    As CUDA and torch read it: what is not valid ends the list, what is there twice empties it, and
    an empty one leaves none.
    """
    text = env.get("CUDA_VISIBLE_DEVICES")
    if text is None:
        return None
    items = [item.strip() for item in text.split(",")]
    if items[0].startswith("MIG-"):
        return 1
    if items[0].startswith("GPU-"):
        return _distinct(_until_other(items, "GPU-"))
    return _distinct(_indices(items, here))


def _until_other(items: Iterable[str], prefix: str) -> list[str]:
    found = []
    for item in items:
        if not item.startswith(prefix):
            break
        found.append(item)
    return found


def _indices(items: Iterable[str], here: int) -> list[str]:
    found = []
    for item in items:
        number = _NUMBER.match(item)
        if number is None or len(number[0]) > _DIGITS or not 0 <= int(number[0]) < here:
            break
        found.append(str(int(number[0])))
    return found


def _distinct(found: list[str]) -> int:
    return len(found) if len(set(found)) == len(found) else 0


def _nodes(devices: Path) -> set[int]:
    """The minor numbers of the device files."""
    try:
        return {
            int(found[1]) for path in devices.iterdir() if (found := _NODE.fullmatch(path.name))
        }
    except OSError:
        return set()


def _shown(driver: Path) -> dict[int, str]:
    """Minor number -> name of each GPU that the driver shows; empty where it says no number."""
    found: dict[int, str] = {}
    try:
        for place, path in enumerate(sorted(driver.iterdir())):
            text = (path / "information").read_text(encoding="utf-8", errors="replace")
            minor, model = _MINOR.search(text), _MODEL.search(text)
            found[int(minor[1]) if minor else place] = model[1].strip() if model else ""
    except OSError:
        pass
    return found


def _is_divided(driver: Path, minor: int) -> bool:
    try:
        return any((driver.parent / "capabilities" / f"gpu{minor}" / "mig").glob("gi*"))
    except OSError:
        return False
