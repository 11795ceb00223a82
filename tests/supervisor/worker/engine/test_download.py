"""How far a download is, seen in the cache that it fills."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from supervisor.models.placement import Name
from supervisor.worker.engine import download
from supervisor.worker.engine.phases import Start
from tests.client import PATIENCE

MODEL = Name("org/tiny")


@pytest.fixture
def blobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(download, "_LOOK_EVERY", 0.02)
    folder = tmp_path / "models--org--tiny" / "blobs"
    folder.mkdir(parents=True)
    return folder


async def test_a_download_is_a_phase_of_its_own(tmp_path: Path, blobs: Path) -> None:
    """What a killed download left is none; nobody is asked how much there is, so bytes are told."""
    (blobs / "old.incomplete").write_bytes(b"x" * 1000)
    start = Start()
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    async with asyncio.timeout(PATIENCE):
        watching = asyncio.create_task(download.watch(start, MODEL, "", tmp_path, nobody))
        await asyncio.sleep(0.1)
        assert start.phase == "imports"
        part = blobs / "new.incomplete"
        while start.phase != "download" or start.progress is None:
            with part.open("ab") as file:
                file.write(b"x" * 4096)
            await asyncio.sleep(0.01)
        assert "MB/s" in start.words
        part.rename(blobs / "new")
        while start.phase != "imports":
            await asyncio.sleep(0.01)
        start.ended()
        await watching
