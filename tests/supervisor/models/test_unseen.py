"""Places that cannot be read: a dead volume, another user's folder, a name that is too long."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.catalog import options
from supervisor.command import plan
from supervisor.models import disk, unseen
from tests import fuse
from tests.processes import CATALOG

_DENIED = "Permission denied"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_fuse = pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse")


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that another user may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """As another user than root."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def told(**env: str) -> list[tuple[str, str]]:
    given = {"BAKED_MODELS": "/no", "BASE_PATH": "/no", "HOME": "/no", "MODEL_NAME": "org/m", **env}
    made = plan.make(given, options.load(CATALOG), disk.look(given))
    names = {
        "BASE_PATH",
        "HOME",
        "XDG_CACHE_HOME",
        "HF_HOME",
        "HF_HUB_CACHE",
        "DOWNLOAD_DIR",
        "MODEL_NAME",
    }
    return [(each.env, each.message) for each in made.findings.warnings if each.env in names]


@needs_fuse
def test_a_dead_volume_is_passed_by(tmp_path: Path) -> None:
    with fuse.dead(tmp_path / "mount", tmp_path) as place:
        why = f"the volume at {place} cannot be read (Transport endpoint is not connected)"
        for base in (place, place / "below"):
            assert told(BASE_PATH=str(base)) == [
                ("BASE_PATH", f"{base} (BASE_PATH) is passed by: {why}")
            ]
        assert told(HF_HOME=str(place)) == [
            ("HF_HOME", f"{place}/hub (HF_HOME) is passed by: {why}")
        ]
        assert told(DOWNLOAD_DIR=str(place))[0][0] == "DOWNLOAD_DIR"
        assert disk.look({"MODEL_NAME": str(place / "m"), "BASE_PATH": "/nowhere"}).stored is None
        assert disk.look({"BASE_PATH": str(place)}).volume is None


@needs_root
def test_another_users_snapshots_are_passed_by(open_to_all: Path) -> None:
    snapshots = open_to_all / "models--org--m" / "snapshots"
    (snapshots / "c1").mkdir(parents=True)
    (snapshots.parent / "refs").mkdir()
    (snapshots.parent / "refs" / "main").write_text("c1")
    snapshots.chmod(0o700)
    with nobody():
        found = told(HF_HUB_CACHE=str(open_to_all))
    assert found == [
        (
            "HF_HUB_CACHE",
            f"{snapshots} (HF_HUB_CACHE) is passed by: {snapshots} cannot be read ({_DENIED})",
        )
    ]


@needs_root
def test_of_a_home_that_the_engine_does_not_use_nothing_is_told(open_to_all: Path) -> None:
    volume, home = open_to_all / "volume", open_to_all / "home"
    for folder, mode in ((volume, 0o777), (home, 0o700)):
        folder.mkdir()
        folder.chmod(mode)
    with nobody():
        on_volume = {"BASE_PATH": str(volume)}
        assert told(HOME=str(home), **on_volume) == []
        assert told(XDG_CACHE_HOME=str(home), **on_volume) == []
        assert [name for name, _ in told(HF_HOME=str(home), **on_volume)] == ["HF_HOME"]
        assert [name for name, _ in told(HF_HUB_CACHE=str(home), **on_volume)] == ["HF_HUB_CACHE"]
        assert [name for name, _ in told(DOWNLOAD_DIR=str(home), **on_volume)] == ["DOWNLOAD_DIR"]
        assert [name for name, _ in told(HOME=str(home))] == ["HOME"]


def test_what_is_there_or_is_not_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "file", tmp_path / "file" / "below"):
        assert unseen.look({"HF_HUB_CACHE": str(path), "MODEL_NAME": "org/m"}) == ()


def test_who_can_mend_it() -> None:
    def words(number: int) -> tuple[str, str]:
        return unseen.words(Path("/x/m"), OSError(number, os.strerror(number)))

    assert words(errno.EACCES)[1] == "let this worker's user read it, or name another folder"
    assert words(errno.ENAMETOOLONG) == (
        "/x/m cannot be read (File name too long)",
        "name another one",
    )
    assert words(errno.ESTALE)[1] == "mount it again, or use another machine"
    assert unseen.is_of_machine(OSError(errno.EIO, ""))
    assert not unseen.is_of_machine(OSError(errno.EACCES, ""))
