"""What a start says of its longest part."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from supervisor.catalog import versions
from supervisor.command import plan
from supervisor.command.plan import Plan
from supervisor.diagnosis import slowest
from supervisor.models.placement import OnDisk
from supervisor.status.parts import Part, Times
from supervisor.worker.engine import phases
from tests.processes import ROOT

VOLUME = OnDisk(volume=Path("/runpod-volume"))


def made(disk: OnDisk = plan.NOTHING_ON_DISK, **env: str) -> Plan:
    return plan.make({"MODEL_NAME": "org/m", **env}, versions.load("0.32.0"), disk)


def advice(name: str, one: Plan) -> str:
    others = [Part("imports", 0.0, 10.0), Part("weights", 10.0, 5.0)]
    return slowest.advice(Times(parts=[*others, Part(name, 5.0, 60.0)]), one)


def test_it_names_the_part_its_share_and_the_page() -> None:
    parts = [Part("imports", 0.0, 4.0), Part("download", 4.0, 5.0), Part("imports", 9.0, 4.0)]
    told = slowest.advice(Times(parts=parts), made())
    assert told.startswith("longest: imports, 8.0 of 13.0 s; an image with vLLM's bytecode")
    assert told.endswith("(docs/coldstart.md)")


@pytest.mark.parametrize("name", ["download", "prefetch"])
def test_a_download_is_kept_where_there_is_a_volume(name: str) -> None:
    assert "bake the model into the image" in advice(name, made())
    assert "kept in /runpod-volume" in advice(name, made(VOLUME))


@pytest.mark.parametrize("name", ["weights", "read"])
def test_what_reads_weights_faster_depends_on_where_they_are(name: str) -> None:
    """Nothing is recommended that is done already."""
    local = OnDisk("org/m", "/models/m", volume=VOLUME.volume)
    kept = OnDisk("org/m", "/runpod-volume/huggingface-cache/m", volume=VOLUME.volume)
    volume = "than from a volume"
    assert volume in advice(name, made(kept))
    assert volume in advice(name, made(VOLUME))
    assert volume not in advice(name, made(local))
    assert volume not in advice(name, made())
    assert volume not in advice(name, made(VOLUME, MODEL_NAME="/models/m"))
    assert "LOAD_FORMAT" in advice(name, made())
    assert "LOAD_FORMAT" not in advice(name, made(LOAD_FORMAT="Runai_Streamer"))


def test_compiled_code_is_kept_where_there_is_a_volume() -> None:
    assert "network volume at BASE_PATH" in advice("compile", made())
    assert "kept in /runpod-volume" in advice("compile", made(VOLUME))


def test_every_phase_has_a_remedy_and_a_row_on_the_page() -> None:
    """And so has what runs beside them, and the spawn."""
    names = ["spawn", *phases._NAMES, "prefetch", "read"]
    page = (ROOT / "docs" / "coldstart.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    for name in names:
        assert "nothing is known" not in advice(name, made()), name
        assert name in rows, name


def test_what_is_not_known_is_told_too() -> None:
    assert "nothing is known that shortens it" in advice("something", made())
    assert "nothing is known of this start" in slowest.advice(Times(), made())
