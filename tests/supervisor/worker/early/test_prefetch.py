"""The process that downloads while an engine starts; see tests/e2e/test_prefetch.py too."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor import hanging
from supervisor.command import plan
from supervisor.command.cluster.node import Cluster
from supervisor.worker.early import prefetch
from supervisor.worker.engine.phases import PREFETCH, Start
from supervisor.worker.logs import LogSink
from supervisor.worker.process.launcher import Launcher
from tests.client import PATIENCE
from tests.processes import Worker

_WHY = "download ahead of org/m: no space is left. The engine goes on by itself"


@pytest.fixture
async def launcher() -> AsyncIterator[Launcher]:
    made = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
    yield made
    made.close()


def engine(folder: Path, body: str) -> str:
    """A command whose interpreter does `body` in the place of a download."""
    interpreter = folder / "python3"
    interpreter.write_text(f"#!/bin/sh\n{body}\n")
    interpreter.chmod(interpreter.stat().st_mode | stat.S_IXUSR)
    script = folder / "vllm"
    script.write_text(f"#!{interpreter}\n")
    script.chmod(0o755)
    return str(script)


def begun(launcher: Launcher, folder: Path, body: str, **more: str) -> prefetch.Prefetch | None:
    env = {"HOME": str(folder), "BASE_PATH": "/nowhere", "MODEL_NAME": "org/m", **more}
    env["VLLM_COMMAND"] = engine(folder, body)
    return prefetch.begin(plan.make(env, None), env, launcher)


async def runs(found: prefetch.Prefetch | None) -> bool:
    """Whether a process was begun."""
    if found is None:
        return False
    await found._begun
    return found._child is not None


async def test_it_is_told_what_to_fetch(launcher: Launcher, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    body = f'echo "$2 $3 $HF_XET_HIGH_PERFORMANCE $HF_TOKEN" > {seen}'
    found = begun(launcher, tmp_path, body, HF_TOKEN="hf_secret")
    assert found is not None
    start = Start()
    found.beside(start)
    assert start.phase == "imports"
    async with asyncio.timeout(PATIENCE):
        await found.run()
    said = seen.read_text()
    assert said.startswith('--ahead [{"hub": ')
    assert said.endswith(" 1 hf_secret\n")
    assert "hf_secret" not in said.split("] ")[0]
    assert launcher.children == ()
    assert found.cause is None


async def test_why_it_failed_is_known(launcher: Launcher, tmp_path: Path) -> None:
    said = f"{_WHY} (what a hub says)"
    found = begun(launcher, tmp_path, f'echo one; echo "{said}"; echo two; exit 1')
    assert found is not None
    async with asyncio.timeout(PATIENCE):
        await found.run()
    assert found.cause == _WHY.removesuffix(". The engine goes on by itself")


@pytest.mark.parametrize(
    ("line", "code"),
    [(_WHY, 75), ("the model is not downloaded yet: no space is left", 1)],
)
async def test_what_another_try_may_help_with_is_tried_again(
    launcher: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, code: int
) -> None:
    monkeypatch.setattr(prefetch, "AGAIN_AFTER", 0.0)
    runs = tmp_path / "runs"
    fails = f'echo >> {runs}; test $(wc -l < {runs}) -gt 2 || {{ echo "{line}"; exit {code}; }}'
    found = begun(launcher, tmp_path, fails)
    assert found is not None
    told: list[str] = []
    async with asyncio.timeout(PATIENCE):
        await found.complete(60.0, told.append)
    assert told == [line.removesuffix(". The engine goes on by itself")] * 2
    assert (len(runs.read_text()), found.cause) == (3, None)


@pytest.mark.parametrize(("code", "within"), [(1, 60.0), (75, 0.0)])
async def test_what_cannot_be_mended_is_not_and_nothing_is_for_ever(
    launcher: Launcher, tmp_path: Path, code: int, within: float
) -> None:
    found = begun(launcher, tmp_path, f'echo "{_WHY}"; exit {code}')
    assert found is not None
    async with asyncio.timeout(PATIENCE):
        await found.complete(within, pytest.fail)
    assert found.cause == _WHY.removesuffix(". The engine goes on by itself")


async def test_after_a_stop_it_is_not_begun_anew(
    launcher: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch, "AGAIN_AFTER", 0.0)
    runs = tmp_path / "runs"
    found = begun(launcher, tmp_path, f"echo >> {runs}; exit 75")
    assert found is not None
    async with asyncio.timeout(PATIENCE):
        await found.complete(60.0, lambda _cause: found.stop())
    assert len(runs.read_text()) == 1


async def test_a_node_of_several_fetches_first_what_its_engine_would(
    launcher: Launcher, tmp_path: Path
) -> None:
    env = {"HOME": str(tmp_path), "MODEL_NAME": "/there", "BASE_PATH": "/nowhere"}
    env["VLLM_COMMAND"] = engine(tmp_path, f'echo "$*" > {tmp_path / "ahead"}')
    before = ("/bin/sh", "-c", f'touch {tmp_path / "folder"}; shift; exec "$@"', "sh", "--")
    alone = replace(plan.make(env, None), before=before)
    assert not await runs(prefetch.begin(alone, env, launcher)), "its engine's process does it"
    several = replace(alone, cluster=Cluster(2, 1, "10.0.0.2", 29501, None, 8002))
    found = prefetch.begin(several, env, launcher)
    assert found is not None
    async with asyncio.timeout(PATIENCE):
        await found.run()
    assert (tmp_path / "folder").exists()
    assert (tmp_path / "ahead").read_text().endswith("--ahead []\n")


async def test_a_stop_ends_it(launcher: Launcher, tmp_path: Path) -> None:
    found = begun(launcher, tmp_path, "exec sleep 3600")
    assert found is not None
    running = asyncio.create_task(found.run())
    found.stop()
    async with asyncio.timeout(PATIENCE):
        await running
    found.stop()  # one that is over


async def test_a_stop_that_comes_before_its_look_is_over(
    launcher: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A volume hangs: neither this process nor its end waits for that, and nothing is spawned."""
    answer = asyncio.Event()

    async def look(how: Callable[[], object], _at: object) -> object:
        await answer.wait()
        return how()

    monkeypatch.setattr(hanging, "look_beside", look)
    ran = tmp_path / "ran"
    one, other = (begun(launcher, tmp_path, f"touch {ran}") for _ in range(2))
    assert one is not None
    assert other is not None
    running = [asyncio.create_task(each.run()) for each in (one, other)]
    await asyncio.sleep(0)
    one.stop()
    async with asyncio.timeout(PATIENCE):
        await other.end()
        await asyncio.wait({running[1]})
        assert not running[0].done()
        answer.set()
        await running[0]
    assert not ran.exists()


async def test_what_cannot_be_looked_up_is_left_to_the_engine(
    launcher: Launcher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def look(_plan: object, _env: object) -> list[dict[str, object]]:
        raise OSError(107, "Transport endpoint is not connected")

    monkeypatch.setattr(prefetch, "repositories", look)
    assert not await runs(begun(launcher, tmp_path, "exit 1"))
    assert caplog.records[0].message.startswith("no download ahead of the engine: OSError: ")


@pytest.mark.parametrize("more", [{"PREFETCH": "0"}, {"HF_HUB_OFFLINE": "1"}])
async def test_none_where_nothing_is_fetched(
    launcher: Launcher, tmp_path: Path, more: dict[str, str]
) -> None:
    assert not await runs(begun(launcher, tmp_path, "exit 1", **more))


async def test_a_configuration_file_that_keeps_it_from_all_is_named(
    launcher: Launcher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("download-dir: /weights\n")
    with caplog.at_level("INFO"):
        assert not await runs(begun(launcher, tmp_path, "", VLLM_CONFIG_FILE=str(file)))
    why = f"{file}, the engine's configuration file, sets download-dir"
    assert f"no download ahead of the engine: {why}" in caplog.text


async def test_without_an_interpreter_there_is_none(launcher: Launcher, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "MODEL_NAME": "org/m", "VLLM_COMMAND": "/nowhere/vllm"}
    assert not await runs(prefetch.begin(plan.make(env, None), env, launcher))


def test_a_user_may_spare_the_network() -> None:
    env = {"HF_XET_HIGH_PERFORMANCE": "0", "PYTHONHASHSEED": "0", "HF_TOKEN": "t"}
    assert prefetch.environment(env) == {"HF_XET_HIGH_PERFORMANCE": "0", "HF_TOKEN": "t"}


def test_a_phase_that_waits_for_it() -> None:
    """While the engine imports it does not wait; when it loads weights, it does."""
    start = Start()
    start.begin(PREFETCH)
    start.downloading("5 %")
    assert start.phase == "imports"
    start.feed(b"Starting to load model org/m\n")
    start.downloading("9 %")
    assert start.phase == "download"
    start.end(PREFETCH)
    start.downloaded()
    assert start.phase == "weights"


def test_an_engine_without_the_hubs_client_starts_as_ever(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "log", {"PREFETCH": "1", "MODEL_NAME": "org/tiny"})
    try:
        worker.until_ready()
        assert "download ahead" not in worker.text()
        assert worker.stop() == 0
        assert worker.left() == []
    finally:
        worker.end()
