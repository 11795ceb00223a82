"""What a start says of its longest part."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from supervisor.catalog import versions
from supervisor.command import plan
from supervisor.command.plan import Plan
from supervisor.diagnosis import slowest
from supervisor.models.placement import Kept
from supervisor.status.parts import Part, Times
from supervisor.worker.engine import phases
from tests.processes import ROOT

VOLUME = "/runpod-volume"


def made(*lasting: str, setting: str = "BASE_PATH", **env: str) -> Plan:
    """A plan of which these folders are on a volume."""
    kept = {
        name: Kept(f"{VOLUME}/{name}", setting, name in lasting)
        for name in ("model", "downloads", "compiled")
    }
    one = plan.make({"MODEL_NAME": "org/m", **env}, versions.load("0.32.0"))
    return replace(one, kept=kept)


def advice(name: str, one: Plan) -> str:
    others = [Part("imports", 0.0, 10.0), Part("weights", 10.0, 5.0)]
    return slowest.advice(Times(parts=[*others, Part(name, 5.0, 60.0)]), one)


def test_it_names_the_part_its_share_and_the_page() -> None:
    parts = [Part("imports", 0.0, 4.0), Part("download", 4.0, 5.0), Part("imports", 9.0, 4.0)]
    told = slowest.advice(Times(parts=parts), made())
    assert told.startswith("longest: imports, 8.0 of 13.0 s; an image with vLLM's bytecode")
    assert told.endswith("(docs/coldstart.md)")


@pytest.mark.parametrize("name", ["download", "prefetch"])
def test_a_download_is_kept_where_its_folder_is_on_a_volume(name: str) -> None:
    assert "or a network volume at BASE_PATH" in advice(name, made("model", "compiled"))
    assert "or a network volume at HF_HOME" in advice(name, made(setting="HF_HOME"))
    assert "kept in /runpod-volume/downloads," in advice(name, made("downloads"))


@pytest.mark.parametrize("name", ["weights", "read"])
def test_what_reads_weights_faster_depends_on_where_and_what_they_are(name: str) -> None:
    """Nothing is recommended that is done already, or cannot be done."""
    volume = "than from a volume"
    assert volume in advice(name, made("model"))
    assert volume not in advice(name, made("downloads"))
    assert "LOAD_FORMAT" in advice(name, made())
    for value in ("HF", "safetensors"):
        assert "LOAD_FORMAT" in advice(name, made(LOAD_FORMAT=value))
    for value in ("Runai_Streamer", "bitsandbytes", "mistral", "pt", "dummy"):
        assert "LOAD_FORMAT" not in advice(name, made(LOAD_FORMAT=value))
    for value in ("/models/m-Q4_K_M.gguf", "org/m:Q4_K_M"):
        assert "LOAD_FORMAT" not in advice(name, made(MODEL_NAME=value))


def test_compiled_code_is_kept_where_its_folder_is_on_a_volume() -> None:
    own = made("model", setting="VLLM_CACHE_ROOT")
    assert "network volume at VLLM_CACHE_ROOT keeps" in advice("compile", own)
    assert "network volume at BASE_PATH keeps" in advice("compile", replace(own, kept={}))
    assert "kept in /runpod-volume/compiled for" in advice("compile", made("compiled"))


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
