"""Where the kernel's count of processes that were killed for memory is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.worker.engine import memory

V2 = "0::/pod/worker\n"
V1 = "9:name=systemd:/\n4:cpu,memory:/pod/worker\n0::/\n"


@pytest.mark.parametrize(
    ("groups", "file", "text"),
    [
        (V2, "pod/worker/memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 0\n"),
        (V2, "memory.events", "oom_kill 2\n"),  # a container's own group is the root of its mount
        (V1, "memory/pod/worker/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2"),
        (V1, "memory/memory.oom_control", "oom_kill_disable 0\noom_kill 2\n"),
    ],
)
def test_the_count_is_found(tmp_path: Path, groups: str, file: str, text: str) -> None:
    for path, said in (("proc/self/cgroup", groups), (f"sys/fs/cgroup/{file}", text)):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(said)
    assert memory.kills(tmp_path) == 2


def test_nobody_counts(tmp_path: Path) -> None:
    assert memory.kills(tmp_path / "nowhere") is None


def test_only_a_kill_of_the_last_looks_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 3
    monkeypatch.setattr(memory, "kills", lambda: count)
    watch = memory.MemoryWatch()
    assert not watch.killed_lately(), "those before it were not of this engine"
    watch.look()
    count = 4
    assert watch.killed_lately()
    for _ in range(memory.LATELY):
        assert watch.killed_lately()
        watch.look()
    assert not watch.killed_lately()


def test_where_nobody_counts_nothing_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "kills", lambda: None)
    assert not memory.MemoryWatch().killed_lately()
