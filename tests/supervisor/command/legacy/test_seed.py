"""Every row of worker-vllm 1.5.0's tables with each documented value, on every known vLLM.

`seed.json` has, for each name, its documented default and its values (a sample where any is legal),
and what each becomes: from the version that is named on, until the next one that is. A list is what
stands on the command line; `ignored`, `warning` and `error` say where the name is told of, and
`environment` and `setting` that the engine or the worker reads it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from supervisor.command import plan
from supervisor.models.placement import OnDisk
from supervisor.settings.table import WORKER_VARIABLES
from tests.supervisor.command.legacy.old_names import CONFIG
from tests.supervisor.command.test_translate import VERSIONS
from tests.supervisor.command.test_translate import catalog as loaded

FILE = Path(__file__).with_name("seed.json")
ROWS: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))


catalog = cache(loaded)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


KNOWN = sorted(VERSIONS, key=_numbers)
#: What a part of speculative decoding needs beside it.
_PARTS = ("NUM_SPECULATIVE", "SPECULATIVE_", "NGRAM_", "SPEC_DECODING", "TYPICAL_")
#: It takes effect, and what it opens is told.
_SAID_BESIDE = ("TRUST_REMOTE_CODE", "warning")


def outcome(version: str, name: str, value: str) -> Any:
    """What becomes of one variable, alone or with the model that it is a part of."""
    bare = {"MODEL_NAME": "org/m"}
    if name.startswith(_PARTS) and name != "SPECULATIVE_MODEL":
        bare["SPECULATIVE_MODEL"] = "org/draft"
    disk = OnDisk(config=CONFIG)
    before = plan.make(bare, catalog(version), disk)
    made = plan.make({**bare, name: value}, catalog(version), disk)
    kinds = (("error", made.findings.errors), ("warning", made.findings.warnings))
    for kind, found in (*kinds, ("ignored", made.findings.ignored)):
        if any(each.env == name for each in found) and (name, kind) != _SAID_BESIDE:
            return kind
    assert name in {each.env for each in made.findings.applied}, (version, name)
    new = [token for token in made.command if token not in before.command]
    if new:
        return new
    return "setting" if name in WORKER_VARIABLES else "default"


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("version", KNOWN)
def test_each_documented_value(version: str, name: str) -> None:
    for value, becomes in ROWS[name]["becomes"].items():
        since = max((v for v in becomes if _numbers(v) <= _numbers(version)), key=_numbers)
        assert outcome(version, name, value) == becomes[since], value


@pytest.mark.parametrize("version", KNOWN)
def test_the_whole_column_of_defaults_starts_without_a_warning(version: str) -> None:
    env = {name: row["default"] for name, row in ROWS.items()}
    made = plan.make(env, catalog(version), OnDisk(config=CONFIG))
    assert made.findings.warnings == ()
    assert made.findings.errors == ()


@pytest.mark.parametrize("version", KNOWN)
def test_each_default_alone_starts_without_a_warning(version: str) -> None:
    for name, row in ROWS.items():
        made = plan.make({"MODEL_NAME": "org/m", name: row["default"]}, catalog(version))
        assert (made.findings.warnings, made.findings.errors) == ((), ()), name


def test_the_file_is_the_whole_table() -> None:
    """Seventy-eight names, of which HF_TOKEN has no default, and no value without an outcome."""
    assert len(ROWS) == 78
    for row in ROWS.values():
        assert row["becomes"]
        for becomes in row["becomes"].values():
            assert min(becomes, key=_numbers) == "0.6.2"
