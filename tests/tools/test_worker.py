"""The worker's environment is installed by hash, and by nothing else."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.test_pin import wheel
from tools import folder, worker
from tools.environment import Environment, ensure
from tools.errors import SetupError
from tools.progress import Progress


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One whose lock has a package that is in a folder beside it, and no other index."""
    here = tmp_path / "checkout"
    here.mkdir()
    made = wheel(tmp_path / "index", "thing", "1.0")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "hash", str(made)], capture_output=True, text=True, check=True
    )
    (digest,) = [line for line in done.stdout.splitlines() if line.startswith("--hash=")]
    (here / worker.LOCK).write_text(f"thing==1.0 \\\n    {digest}\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return here


def made(checkout: Path) -> Environment:
    one = worker.environment(checkout=checkout)
    ensure([one], checkout.parent / "cache", lambda total: Progress(total, io.StringIO()))
    return one


def test_what_the_lock_has_is_installed_and_nothing_else(checkout: Path) -> None:
    wheel(checkout.parent / "index", "other", "1.0")
    path = made(checkout).path
    (packages,) = path.glob("lib/python*/site-packages")
    assert (packages / "thing.py").is_file()
    assert not (packages / "other.py").exists()


def test_another_file_under_the_same_name_is_refused(checkout: Path) -> None:
    wheel(checkout.parent / "index", "thing", "1.0", "steal()\n")
    with pytest.raises(SetupError, match=r"another file for thing==1\.0 than the one"):
        made(checkout)
    assert list((checkout / ".venv").glob("lib/python*/site-packages/thing.py")) == []


def test_a_package_without_a_hash_is_refused(checkout: Path) -> None:
    wheel(checkout.parent / "index", "other", "1.0")
    lock = checkout / worker.LOCK
    lock.write_text(lock.read_text() + "other==1.0\n")
    with pytest.raises(SetupError):
        made(checkout)


def test_another_lock_makes_it_anew(checkout: Path) -> None:
    one = worker.environment(checkout=checkout)
    lock = checkout / worker.LOCK
    lock.write_text(lock.read_text() + "# changed\n")
    other = worker.environment(checkout=checkout)
    assert one.layers[0].key != other.layers[0].key
    assert folder.key_of(["a"]) == folder.key_of(["a"])


def test_the_developers_layer_lies_over_it() -> None:
    assert [layer.name for layer in worker.environment(dev=True).layers] == ["worker", "dev"]
