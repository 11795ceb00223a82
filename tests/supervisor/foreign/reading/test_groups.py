"""Which control groups are ours, and where they are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.foreign.reading import groups


@pytest.mark.parametrize(
    ("said", "second", "first"),
    [
        ("0::/pod/worker\n", ["pod/worker", "pod", ""], [""]),
        ("9:name=systemd:/\n4:cpu,memory:/pod\n0::/\n", [""], ["pod", ""]),
        ("", [""], [""]),
    ],
)
def test_ours_and_those_above_it(
    tmp_path: Path, said: str, second: list[str], first: list[str]
) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(said)
    mount = tmp_path / "sys/fs/cgroup"
    found = groups.folders(tmp_path)
    tops = (mount, mount / "unified")
    assert found[0] == [top / group for top in tops for group in second]
    assert found[1] == [mount / "memory" / group for group in first]


def test_a_file_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert groups.text(tmp_path / "memory.max") == ""
