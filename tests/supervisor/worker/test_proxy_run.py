"""One run of the real proxy: what it is started with, and how its end is told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from proxy import detour
from proxy import settings as proxy_settings
from supervisor.command import plan
from supervisor.link import handover
from supervisor.link.journal import Journal
from supervisor.settings import table
from supervisor.telemetry.instance import instance
from supervisor.worker.lifecycle import Event, ProxyExited
from supervisor.worker.logs import LogSink
from supervisor.worker.process.launcher import Launcher
from supervisor.worker.proxy_run import ProxyRun
from tests.client import PATIENCE
from tests.processes import until


class Run:
    """A run with what it puts."""

    def __init__(self, journal: Journal | None = None, **env: str) -> None:
        self.launcher = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
        self.events: list[Event] = []
        whole = {"PATH": os.environ["PATH"], "MODEL_NAME": "m", "WORKER_MODE": "queue", **env}
        self.run = ProxyRun(
            plan.make(whole, None),
            whole,
            self.launcher,
            journal or Journal(),
            self.events.append,
            checked=False,
        )

    async def until_over(self) -> list[Event]:
        async with asyncio.timeout(PATIENCE):
            await self.run.run()
        self.launcher.close()
        return self.events


async def test_its_exit_code_is_told() -> None:
    assert await Run(MAX_CONCURRENCY="0").until_over() == [ProxyExited(78)]


@pytest.mark.parametrize(
    ("env", "folder"),
    [
        ({"HF_HUB_CACHE": "/cache"}, "/cache"),
        ({"HF_HUB_CACHE": "/cache", "VLLM_EXTRA_ARGS": "--download-dir /weights"}, "/weights"),
    ],
)
async def test_it_is_told_where_weights_go(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], folder: str
) -> None:
    given = await environment_of(monkeypatch, **env)
    assert given[handover.MODELS_FOLDER] == folder
    assert given[handover.FITNESS_CHECKS] == "memory,disk,gpu,engine"


async def test_it_is_told_the_name_by_which_figures_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = await environment_of(monkeypatch, RUNPOD_POD_ID="w1")
    assert given[handover.INSTANCE] == "w1"
    given = await environment_of(monkeypatch)
    assert given[handover.INSTANCE] == instance({})


async def test_it_is_told_from_where_the_engine_may_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the engine's clients know of proxies, because these resolve the names then."""
    by = {"http_proxy": "http://proxy:3128", "HTTPS_PROXY": "http://proxy", "no_proxy": "a.example"}
    extra = "--allowed-media-domains cdn.example --allowed-local-media-path /media"
    given = await environment_of(monkeypatch, VLLM_EXTRA_ARGS=extra, MEDIA_PRIVATE="1", **by)
    settings = proxy_settings.read({**given, "MAX_CONCURRENCY": "1"})
    assert settings[table.ALLOWED_MEDIA_DOMAINS] == ("cdn.example",)
    assert settings[table.MEDIA_PRIVATE]
    assert settings[proxy_settings.LOCAL_MEDIA] == "/media"
    assert settings.detour == detour.read(by)
    assert settings.detour.takes("https", "b.example")


async def test_it_is_told_what_every_template_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command that the engine gets, whatever the variable of that name says."""
    name = "DEFAULT_CHAT_TEMPLATE_KWARGS"
    extra = "--default-chat-template-kwargs.enable_thinking false"
    given = await environment_of(monkeypatch, VLLM_EXTRA_ARGS=extra, **{name: '{"a": 1}'})
    settings = proxy_settings.read({**given, "MAX_CONCURRENCY": "1"})
    assert settings[proxy_settings.CHAT_DEFAULTS] == {"enable_thinking": False}
    assert (await environment_of(monkeypatch))[name] == "{}"


async def environment_of(monkeypatch: pytest.MonkeyPatch, **env: str) -> Mapping[str, str]:
    """What a proxy is started with."""
    run = Run(None, MAX_CONCURRENCY="0", **env)
    given: list[Mapping[str, str]] = []
    spawn = run.launcher.spawn

    def spawned(command: Any, environment: Mapping[str, str], *rest: Any, **more: Any) -> Any:
        given.append(environment)
        return spawn(command, environment, *rest, **more)

    monkeypatch.setattr(run.launcher, "spawn", spawned)
    await run.until_over()
    return given[0]


async def test_what_it_said_and_what_it_had_in_hand_is_told() -> None:
    journal = Journal()
    journal.feed(b"+a {}\n+b {}\n!no GPU\n")
    events = await Run(journal, MAX_CONCURRENCY="0").until_over()
    assert events == [ProxyExited(78, "no GPU", jobs=2)]
    assert journal.cause is None


async def test_a_proxy_that_cannot_be_started_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pause before it is told: whatever is wanting may come back."""
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", pause)

    def refuse(*_asked: Any, **_more: Any) -> Any:
        raise OSError(24, "Too many open files")

    run = Run()
    monkeypatch.setattr(run.launcher, "spawn", refuse)
    assert await run.until_over() == [ProxyExited(None, "Too many open files", wanting=True)]
    assert pauses


#: Reports when it may, and goes on until it is killed.
REPORTS = """
while [ ! -e {go} ]; do sleep 0.02; done
echo '~a' >&$REPORT_FD
touch {said}
exec sleep 300
"""


async def test_what_stands_in_the_pipe_can_be_read_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The end of an engine does not wait until the loop comes by the pipe."""
    journal = Journal()
    run = Run(journal)
    run.run.catch_up()  # there is none yet
    spawn = run.launcher.spawn
    go, said = tmp_path / "go", tmp_path / "said"

    def shell(_command: Any, env: Any, cwd: str, **more: Any) -> Any:
        return spawn(["bash", "-c", REPORTS.format(go=go, said=said)], env, cwd, **more)

    monkeypatch.setattr(run.launcher, "spawn", shell)
    running = asyncio.create_task(run.until_over())
    async with asyncio.timeout(PATIENCE):
        while run.run._reports is None:
            await asyncio.sleep(0.01)
    go.touch()
    until(said.exists)  # meanwhile the loop does nothing
    assert journal.suspect is None
    run.run.catch_up()
    assert journal.suspect == "a"
    run.run.kill()
    assert await running == [ProxyExited(-9)]
    run.run.catch_up()  # there is none any more


#: Hears signals from the moment on at which it reports its figures, as the proxy does.
PROXY = """
while [ ! -e {go} ]; do sleep 0.02; done
trap 'exit 7' TERM
echo '={{"jobs": 1}}' >&$REPORT_FD
sleep 300 & wait
"""


async def test_a_signal_waits_until_the_proxy_hears_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before that it would kill the proxy, with the jobs that it has inherited."""
    journal = Journal()
    journal.feed(b"+a {}\n")
    run = Run(journal)
    spawn = run.launcher.spawn

    def shell(_command: Any, env: Any, cwd: str, **more: Any) -> Any:
        code = PROXY.format(go=tmp_path / "go")
        return spawn(["bash", "-c", code], env, cwd, **more)

    monkeypatch.setattr(run.launcher, "spawn", shell)
    run.run.tell(handover.FINISH)
    running = asyncio.create_task(run.until_over())
    async with asyncio.timeout(PATIENCE):
        while not run.launcher.children:
            await asyncio.sleep(0.01)
    (tmp_path / "go").touch()
    assert await running == [ProxyExited(7, None, jobs=1)]
