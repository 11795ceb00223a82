"""In which order is downloaded, what is tried again, and what one failure leaves of the others.

With a stand-in for the hub's client; tests/e2e/test_prefetch.py has the real one.
"""

from __future__ import annotations

import errno
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest

from supervisor.foreign.download import ahead
from supervisor.foreign.download.asked import Wanted
from supervisor.foreign.download.watched import AGAIN

SIZES = {"config.json": 10, "model.safetensors": 4_000_000_000, "README.md": 5}


class Free(NamedTuple):
    total: int
    used: int
    free: int


class Client:
    """What it was asked for; a repository fails as often as `failing` says, with `fault`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str], str]] = []
        self.failing: dict[str, int] = {}
        self.fault: Exception = RuntimeError("it broke off")
        self.there: set[str] = set()

    def model_info(self, repository: str, **_more: Any) -> SimpleNamespace:
        self._fail(repository)
        files = [SimpleNamespace(rfilename=name, size=size) for name, size in SIZES.items()]
        return SimpleNamespace(sha="c1", siblings=files)

    def snapshot_download(self, repository: str, **how: Any) -> None:
        assert how["revision"] == "c1"
        self.asked.append((repository, how["allow_patterns"], str(how["cache_dir"])))

    def try_to_load_from_cache(self, _name: str, file: str, **_more: Any) -> str | None:
        return f"/there/{file}" if file in self.there else None

    def _fail(self, repository: str) -> None:
        if left := self.failing.get(repository, 0):
            self.failing[repository] = left - 1
            raise self.fault


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client()
    package = ModuleType("huggingface_hub")
    kinds = ("GatedRepoError", "RevisionNotFoundError", "RepositoryNotFoundError")
    errors = {name: type(name, (Exception,), {}) for name in (*kinds, "HFValidationError")}
    constants = SimpleNamespace(DOWNLOAD_CHUNK_SIZE=10_000_000)
    utils = SimpleNamespace(disable_progress_bars=lambda: None)
    parts = {"errors": SimpleNamespace(**errors), "constants": constants, "utils": utils}
    for name, part in parts.items():
        setattr(package, name, part)
        monkeypatch.setitem(sys.modules, f"huggingface_hub.{name}", part)
    package.__dict__.update(
        HfApi=lambda **_more: made,
        snapshot_download=made.snapshot_download,
        try_to_load_from_cache=made.try_to_load_from_cache,
    )
    monkeypatch.setitem(sys.modules, "huggingface_hub", package)
    monkeypatch.setattr(ahead, "_PAUSE", 0.0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Free(0, 0, 9_000_000_000))
    return made


def wanted(folder: Path, *names: str) -> list[Wanted]:
    return [Wanted(name, "model", str(folder / "hub"), str(folder / "weights")) for name in names]


def test_what_is_small_of_all_comes_first(client: Client, tmp_path: Path) -> None:
    hub, weights = str(tmp_path / "hub"), str(tmp_path / "weights")
    assert ahead.fetch(wanted(tmp_path, "org/a", "org/b"), []) == 0
    assert client.asked == [
        ("org/a", ["config.json"], hub),
        ("org/b", ["config.json"], hub),
        ("org/a", ["model.safetensors"], weights),
        ("org/b", ["model.safetensors"], weights),
    ]


def test_what_is_there_is_not_fetched_nor_spoken_of(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client.there = {"model.safetensors"}
    assert ahead.fetch(wanted(tmp_path, "org/a"), []) == 0
    assert [files for _, files, _ in client.asked] == [["config.json"]]
    assert capsys.readouterr().err == ""


def test_a_failure_is_tried_again_and_hinders_no_other(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client.failing = {"org/a": 2, "org/b": 3}
    assert ahead.fetch(wanted(tmp_path, "org/a", "org/b", "org/c"), []) == AGAIN
    assert [name for name, _, _ in client.asked] == ["org/a", "org/c", "org/a", "org/c"]
    said = capsys.readouterr().err.splitlines()[0]
    assert said.startswith("download ahead of org/b: the download of org/b broke off (Runtime")
    assert said.endswith(". The engine goes on by itself")


def test_what_another_try_cannot_mend_is_said_by_the_code(client: Client, tmp_path: Path) -> None:
    client.failing, client.fault = {"org/a": 9}, OSError(errno.ENOSPC, "No space left on device")
    assert ahead.fetch(wanted(tmp_path, "org/a", "org/b"), []) == 1
    assert ahead.fetch([], []) == 0


def test_a_full_disk_is_not_tried_again(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client.failing, client.fault = {"org/a": 9}, OSError(errno.ENOSPC, "No space left on device")
    assert ahead.fetch(wanted(tmp_path, "org/a"), []) == 1
    assert client.failing == {"org/a": 8}
    assert f"no space is left in {tmp_path}/weights for org/a" in capsys.readouterr().err


def test_what_does_not_fit_is_not_begun(
    client: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Free(0, 0, 4_000_000_000))
    assert ahead.fetch(wanted(tmp_path, "org/a"), []) == 1
    assert [files for _, files, _ in client.asked] == [["config.json"]]
    assert capsys.readouterr().err == (
        f"download ahead of org/a: org/a needs 4.00 GB more in {tmp_path}/weights, and only"
        " 4.00 GB is free there; give it more disk. The engine goes on by itself\n"
    )


def test_without_the_client_nothing_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert ahead.fetch(wanted(tmp_path, "org/a"), []) == 0
    assert capsys.readouterr().err == ""
