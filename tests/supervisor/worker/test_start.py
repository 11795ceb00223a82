"""What a start makes of a plan before the loop has it."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor import planning
from supervisor.catalog import versions
from supervisor.command.plan import Plan
from supervisor.errors import CommandNotFound, ConfigurationError
from supervisor.models.placement import Download, Name
from supervisor.worker import start
from tests.processes import ROOT


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """A folder for PATH with a command `vllm` in it, and the interpreter that it names."""
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\n")
    (tmp_path / "vllm").write_text(f"#!{python}\n")
    for file in tmp_path.iterdir():
        file.chmod(0o755)
    return tmp_path


def made(**env: str) -> Plan:
    """In queue mode, where the engine listens on loopback alone, and nothing is said of that."""
    given = {"MODEL_NAME": "m", "RUNPOD_WEBHOOK_GET_JOB": "http://x/$ID?", **env}
    return planning.by_catalog(given, versions.load("0.33.0"))


def test_the_command_starts_with_its_file(engine: Path) -> None:
    plan = start._startable(made(), {"PATH": str(engine)})
    assert plan.command[:2] == (str(engine / "vllm"), "serve")
    assert plan.before == ()
    with pytest.raises(CommandNotFound):
        start._startable(made(), {"PATH": "/nowhere"})


def test_a_download_comes_before_it_by_the_engines_interpreter(engine: Path) -> None:
    wanted = replace(made(), download=Download(Name("org/m", "sub"), "v1", "/models/m"))
    plan = start._startable(wanted, {"PATH": str(engine)})
    interpreter, script, *arguments = plan.before
    assert interpreter == str(engine / "python3")
    assert (Path(script) / "__main__.py").is_file()
    assert arguments == ["org/m", "v1", "/models/m", "sub", "model", "--"]


def test_everything_that_was_found_is_told_before_a_refusal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plan = made(MAX_MODEL_LEN="long", TENSOR_PARALLEL_SIZE="two", SWAP_SPACE="8")
    with caplog.at_level(logging.INFO), pytest.raises(ConfigurationError, match=r"2 setting\(s\)"):
        start._tell_findings(plan)
    levels = [(record.levelname, record.message.split()[0]) for record in caplog.records]
    assert [level for level, _ in levels] == ["WARNING", "ERROR", "ERROR"]
    assert levels[0][1] == "SWAP_SPACE"
    caplog.clear()
    start._tell_findings(made())
    assert caplog.records == []


def test_who_takes_no_jobs_answers_none() -> None:
    nodes = {"NUM_NODES": "2", "PRIMARY_ADDR": "10.0.0.2", "NUM_TRAINERS": "1"}
    assert start._answers_jobs(made(ANSWER_FAILED_FOR="60"))
    assert start._answers_jobs(made(ANSWER_FAILED_FOR="60", NODE_RANK="0", **nodes))
    assert not start._answers_jobs(made(ANSWER_FAILED_FOR="60", NODE_RANK="1", **nodes))
    assert not start._answers_jobs(made(ANSWER_FAILED_FOR="0"))
    assert not start._answers_jobs(made(WORKER_MODE="queue", RUNPOD_WEBHOOK_GET_JOB=""))
    assert not start._answers_jobs(made(ANSWER_FAILED_FOR="60", NODE_RANK="2", **nodes))


def test_a_guarded_name_shows_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        start._tell_findings(made(DEVICE="auto", UDS="/run/x", HF_TOKEN="hf_abcdefghijk"))
    told = [record.message for record in caplog.records]
    assert told[0] == "DEVICE is not passed on: vLLM finds its device by itself"
    assert told[1].startswith("UDS is not passed on: a shell, container or cluster sets this name")
    assert len(told) == 2


def test_what_stands_open_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        start._tell_findings(made(WORKER_MODE="plain"))
    (told,) = [record.message for record in caplog.records]
    assert told.startswith("VLLM_API_KEY is not set, and the engine listens on 0.0.0.0, port 8000")
    caplog.clear()
    start._tell_findings(made(WORKER_MODE="plain", VLLM_API_KEY="a-key"))
    assert caplog.records == []


def test_what_few_starts_need_is_not_imported_with_it() -> None:
    """The engine is spawned later by what stands here."""
    code = "import sys, supervisor.__main__, supervisor.worker.start; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert not set(said.stdout.split()) & {"bisect", "supervisor.telemetry", "statistics", "random"}
    assert "supervisor.worker.start" in said.stdout.split()
