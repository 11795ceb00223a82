"""The kinds of file systems, by lists of mounts as containers have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.foreign.reading import mounts

#: A container with a volume of MooseFS, a bucket in it, NFS, and a volume with a space in its name.
LIST = r"""
1081 902 0:311 / / rw,relatime master:321 - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w
1082 1081 0:314 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
1091 1081 0:52 / /workspace rw,nosuid,nodev,relatime - fuse mfs#eu.example.com:9421 rw,allow_other
1092 1091 0:53 / /workspace/bucket ro,relatime shared:9 master:3 - fuse.s3fs s3fs rw
1093 1081 0:54 /export /runpod-volume rw,relatime - nfs4 10.0.0.1:/export rw,vers=4.2
1094 1081 8:17 / /mnt/two\040words rw,relatime - ext4 /dev/sdb1 rw
1095 1081 0:99 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k
1096 1081 0:55 / /models rw,relatime - ext4 /dev/sdc1 rw
1097 1096 0:56 / /models rw,relatime - virtiofs models rw
half a line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "overlay"),
        ("/opt/model", "overlay"),
        ("/workspace", "fuse"),
        ("/workspace/models/m", "fuse"),
        ("/workspaces/m", "overlay"),
        ("/workspace/bucket/m", "fuse.s3fs"),
        ("/runpod-volume/huggingface-cache/hub", "nfs4"),
        ("/mnt/two words/m", "ext4"),
        ("/dev/shm/m", "tmpfs"),  # noqa: S108
        ("/models/m", "virtiofs"),  # over the one that was mounted there before
    ],
)
def test_the_longest_place_counts(path: str, kind: str) -> None:
    assert mounts.filesystem(LIST, path) == kind


def test_nothing_is_known_without_a_list() -> None:
    assert mounts.filesystem("", "/models") == ""


@pytest.mark.parametrize(
    ("kind", "network", "fuse", "memory"),
    [
        ("ext4", False, False, False),
        ("overlay", False, False, False),
        ("", False, False, False),
        ("nfs4", True, False, False),
        ("lustre", True, False, False),
        ("9p", True, False, False),
        ("virtiofs", True, True, False),
        ("fuse", True, True, False),
        ("fuse.juicefs", True, True, False),
        ("tmpfs", False, False, True),
    ],
)
def test_kinds(kind: str, network: bool, fuse: bool, memory: bool) -> None:
    asked = (mounts.is_network(kind), mounts.is_fuse(kind), mounts.is_in_memory(kind))
    assert asked == (network, fuse, memory)


def test_this_machine_says_it() -> None:
    text = Path(mounts.FILE).read_text(encoding="utf-8")
    assert mounts.filesystem(text, "/proc/self") == "proc"


def test_what_somebody_else_serves_may_not_answer() -> None:
    line = "1 2 0:1 / {} rw - {} none rw"
    told = [("/", "fuse.root"), ("/data", "nfs4"), ("/local", "nfs4"), ("/local", "ext4")]
    told += [("/v\\040x", "fuse.juicefs"), ("/new", "somefs"), ("/run", "tmpfs")]
    text = "\n".join(line.format(*each) for each in told)
    assert mounts.remote(text) == {"/data", "/v x", "/new"}
    assert mounts.remote("no such line\n") == frozenset()
