"""One start, of each contender."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.around.processes import ProcessEndedError
from bench.cold.start import BARE, CONTENDERS, answers_200, measure
from tests.bench.cold.engine import vllm
from tests.processes import free_port

MODEL = "demo"


@pytest.mark.parametrize("contender", CONTENDERS)
def test_the_times_of_a_start_follow_each_other(contender: str, tmp_path: Path) -> None:
    env = {"FAKE_VLLM": "start=1.0", "HOME": str(tmp_path)}
    found = measure(contender, vllm(tmp_path), MODEL, env, tmp_path / "log")
    assert 1.0 < found.health_s <= found.ready_s < found.token_s
    assert found.first_ms > 0 < found.tenth_ms
    assert (found.health_s == found.ready_s) == (contender == BARE)
    assert found.token_s - found.ready_s >= found.first_ms / 1000


@pytest.mark.parametrize("contender", CONTENDERS)
def test_one_that_ends_is_told_with_its_last_lines(contender: str, tmp_path: Path) -> None:
    command = tmp_path / "vllm"
    command.write_text("#!/bin/sh\necho error: unrecognized arguments: --never >&2\nexit 2\n")
    command.chmod(0o755)
    env = {"HOME": str(tmp_path)}
    with pytest.raises(ProcessEndedError, match="unrecognized arguments: --never"):
        measure(contender, command, MODEL, env, tmp_path / "log")


def test_nobody_answers() -> None:
    assert not answers_200(free_port(), "/health")
