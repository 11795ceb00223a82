"""A download is tried again where that can help, and never where it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from supervisor.foreign.download import transfer
from supervisor.foreign.download.faults import DownloadError

ASKED = transfer.Asked("org/m", None, Path("/models"), "", "model")
DONE = {"commit": "c1", "files": ["a"], "bytes": 1}


class Hub:
    """Fails as often as it is told, then has the files."""

    def __init__(self, failures: int, *, again: bool = True) -> None:
        self.failures, self.again, self.asked = failures, again, 0

    def download(self, _asked: transfer.Asked, _begin: Any) -> dict[str, Any]:
        self.asked += 1
        if self.asked <= self.failures:
            raise DownloadError("it broke off", again=self.again)
        return DONE


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_PAUSE", 0.0)


def tried(hub: Hub, tries: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(transfer, "download", hub.download)
    return transfer.tried(ASKED, tries)


def test_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hub = Hub(2)
    assert tried(hub, 3, monkeypatch) == DONE
    assert hub.asked == 3
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "org/m: it broke off; try 2 of 3 in 0 s",
        "org/m: it broke off; try 3 of 3 in 0 s",
    ]


@pytest.mark.parametrize(("again", "asked"), [(True, 3), (False, 1)])
def test_it_gives_up(monkeypatch: pytest.MonkeyPatch, again: bool, asked: int) -> None:
    hub = Hub(9, again=again)
    with pytest.raises(DownloadError):
        tried(hub, 3, monkeypatch)
    assert hub.asked == asked


@pytest.mark.parametrize(
    ("kind", "subfolder", "files"),
    [
        ("model", "", ["config.json", "model.safetensors", "fp8/config.json"]),
        ("tokenizer", "", ["config.json"]),
        ("model", "fp8", ["fp8/config.json", "fp8/model.safetensors"]),
    ],
)
def test_the_files_of_each_kind(kind: str, subfolder: str, files: list[str]) -> None:
    of_repository = [
        "config.json", "model.safetensors", "a.md", "fp8/config.json", "fp8/model.safetensors",
    ]  # fmt: skip
    asked = transfer.Asked("org/m", None, Path("/models"), subfolder, kind)
    assert transfer._chosen(asked, of_repository) == files


def test_a_repository_without_a_model() -> None:
    asked = transfer.Asked("org/m", None, Path("/models"), "fp4", "model")
    with pytest.raises(DownloadError, match="no file that vLLM loads in its folder fp4"):
        transfer._chosen(asked, ["config.json"])
