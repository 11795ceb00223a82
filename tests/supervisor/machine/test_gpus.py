"""How many GPUs a container sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.machine.gpus import Gpus, of_cuda, of_runtime, visible
from tests.supervisor.machine.machines import machine

FOUR = range(4)


def test_a_machine_without_gpus(tmp_path: Path) -> None:
    assert visible({}, tmp_path / "none", tmp_path / "none") == Gpus(0, "cpu")
    assert visible({}, *machine(tmp_path, [])) == Gpus(0, "cpu")


@pytest.mark.parametrize(
    ("nodes", "shown", "found"),
    [
        (FOUR, FOUR, Gpus(4, "NVIDIA H0")),
        (FOUR, [], Gpus(4, "cpu")),  # /proc is not there, or is hidden
        ([3, 5], [3, 5], Gpus(2, "NVIDIA H3")),  # a container with two of the host's
        ([3, 5], range(8), Gpus(2, "NVIDIA H3")),  # its /proc is the host's
        ([], FOUR, Gpus(0, "NVIDIA H0")),  # a container that was given none
        (FOUR, [0, 1], Gpus(2, "NVIDIA H0")),  # /dev is the host's (privileged)
        ([10, 2], [10, 2], Gpus(2, "NVIDIA H2")),
    ],
)
def test_what_a_container_was_given(
    tmp_path: Path, nodes: list[int], shown: list[int], found: Gpus
) -> None:
    assert visible({}, *machine(tmp_path, nodes, shown)) == found


@pytest.mark.parametrize(
    ("env", "count"),
    [
        ({"NVIDIA_VISIBLE_DEVICES": "all"}, 4),
        ({"NVIDIA_VISIBLE_DEVICES": "0,1", "CUDA_VISIBLE_DEVICES": "1"}, 1),
        ({"NVIDIA_VISIBLE_DEVICES": "GPU-1a,GPU-2b"}, 2),
        ({"NVIDIA_VISIBLE_DEVICES": "none"}, 0),
        ({"CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5"}, 4),
        ({"CUDA_VISIBLE_DEVICES": ""}, 0),
    ],
)
def test_variables_take_some_away(tmp_path: Path, env: dict[str, str], count: int) -> None:
    assert visible(env, *machine(tmp_path, FOUR, FOUR)).count == count


def test_a_divided_gpu_is_one(tmp_path: Path) -> None:
    """CUDA shows a process one of its parts; another container's GPU does not matter."""
    assert visible({}, *machine(tmp_path / "a", [0, 1], [0, 1], divided=[1])).count == 1
    assert visible({}, *machine(tmp_path / "b", [0, 1], [0, 1], divided=[5])).count == 2


@pytest.mark.parametrize(
    ("text", "most"),
    [
        (None, None), ("", None), ("all", None), ("void", None), ("none", 0), ("0", 1),
        ("0,2", 2), ("0, 2 ,2", 2), ("GPU-8a3c,GPU-91", 2), ("GPU-8a3c", 1), ("MIG-8a3c", 1),
        ("MIG-GPU-1/2/0,MIG-GPU-1/3/0", 1), ("0:0,0:1", 1),
        ("/var/run/nvidia-container-devices", None),
    ],
)  # fmt: skip
def test_what_the_runtime_was_asked_for(text: str | None, most: int | None) -> None:
    assert of_runtime({} if text is None else {"NVIDIA_VISIBLE_DEVICES": text}) == most


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (None, None), ("", 0), ("-1", 0), ("NoDevFiles", 0), ("0", 1), ("1,0", 2), (" 1 , 2", 2),
        ("0,1,7,2", 2), ("0,-1,1", 1), ("0,0", 0), ("1gpu,2x", 2), ("GPU-a,GPU-b", 2),
        ("GPU-a,GPU-a", 0), ("GPU-a,1", 1), ("MIG-a,MIG-b", 1),
    ],
)  # fmt: skip
def test_what_cuda_is_left_with(text: str | None, left: int | None) -> None:
    """As `torch.cuda._parse_visible_devices` has it."""
    assert of_cuda({} if text is None else {"CUDA_VISIBLE_DEVICES": text}, 4) == left
