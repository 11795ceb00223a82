"""One run of a stand-in engine: the events that it puts, in their order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import psutil
import pytest

from supervisor.catalog import options
from supervisor.command import plan
from supervisor.link.journal import Journal
from supervisor.worker.engine import health
from supervisor.worker.engine.run import EngineRun
from supervisor.worker.engine.spawn import spawn
from supervisor.worker.engine.suspect import WarmUp
from supervisor.worker.lifecycle import Ended, Event, Exited, Probed, Ready, Warming
from supervisor.worker.logs import LogSink
from supervisor.worker.process.launcher import Launcher
from supervisor.worker.pulse import Pulse
from tests.client import PATIENCE
from tests.processes import CATALOG, FAKE, free_port
from tests.supervisor.worker.closing import closed


class Run:
    """A run with the events that it has put."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **env: str) -> None:
        self.env = {
            "PATH": os.environ["PATH"],
            "VLLM_COMMAND": FAKE,
            "MODEL_NAME": "tiny",
            "VLLM_PORT": str(free_port()),
            **env,
        }
        self.launcher = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
        # In a test's process there are children of others, which are nobody's orphans.
        monkeypatch.setattr(self.launcher.orphans, "end", _nothing_left)
        self.events: list[Event] = []
        self.journal = Journal()
        self.plan = plan.make(self.env, options.load(CATALOG))

    async def start(self, warm_up: WarmUp | None = None) -> EngineRun:
        spawned = spawn(self.plan, self.env, self.launcher)
        return EngineRun(
            self.plan,
            spawned,
            self.launcher,
            self.journal,
            Pulse(),
            self.events.append,
            first=True,
            warm_up=warm_up or WarmUp(),
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.01)


async def _nothing_left() -> bool:
    return True


async def test_ready_then_ended_then_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Run(monkeypatch, FAKE_VLLM="start=0.2")
    run = await one.start()
    assert run.doing == "importing"
    running = asyncio.create_task(run.run())
    await one.until(lambda: bool(one.events))
    assert isinstance(one.events[0], Ready)
    assert one.events[0].seconds == run.times.phases["engine_start"] > 0.1
    assert {"spawn", "imports"} <= set(run.times.phases)
    assert run.doing is None
    assert run.pid is not None
    psutil.Process(run.pid).kill()
    await running
    assert run.pid is None
    kinds = [event for event in one.events if not isinstance(event, Probed)]
    assert kinds[1] == Ended()
    assert isinstance(kinds[2], Exited)
    assert (kinds[2].code, kinds[2].kind, kinds[2].doing) == (-9, "killed", None)
    await closed(one.launcher)


@pytest.mark.parametrize(
    ("said", "excused"),
    [(b"", False), (b"~a\n", True), (b"~a\n~\n", True), (b"~a\n*a\n~\n", False)],
)
async def test_a_job_that_was_alone_in_it_answers_for_its_end(
    monkeypatch: pytest.MonkeyPatch, said: bytes, excused: bool
) -> None:
    one = Run(monkeypatch)
    run = await one.start()
    running = asyncio.create_task(run.run())
    await one.until(lambda: bool(one.events))
    one.journal.feed(b"+a {}\n" + said)
    assert run.pid is not None
    psutil.Process(run.pid).kill()
    await running
    assert isinstance(one.events[-1], Exited)
    assert one.events[-1].excused is excused
    await closed(one.launcher)


async def test_a_start_that_fails_says_why_and_what_it_was_doing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = "vllm serve: error: argument --max-model-len: invalid value: 'x'"
    one = Run(monkeypatch, FAKE_VLLM="exit=2", FAKE_VLLM_LINES=refused)
    async with asyncio.timeout(PATIENCE):
        await (await one.start()).run()
    assert one.events[0] == Ended()
    (exited,) = one.events[1:]
    assert isinstance(exited, Exited)
    assert (exited.code, exited.final, exited.doing) == (2, True, "importing")
    assert exited.cause.startswith("the engine refused its command line")
    await closed(one.launcher)


async def test_a_remedy_is_one_that_this_version_and_this_command_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = (
        "ValueError: To serve at least one request with the model's max seq len (9000), (1 GiB KV"
        " cache is needed, which is larger than the available KV cache memory (0 GiB). Based on the"
        " available memory, the estimated maximum model length is 5000."
    )
    one = Run(monkeypatch, FAKE_VLLM="exit=1", FAKE_VLLM_LINES=small)
    await (await one.start()).run()
    assert isinstance(one.events[-1], Exited)
    assert "set MAX_MODEL_LEN to 5000 or less, to auto, or" in one.events[-1].cause
    await closed(one.launcher)
    missing = "Invalid repository ID or local directory specified: '/models/none'."
    one = Run(monkeypatch, TOKENIZER="/models/none", FAKE_VLLM="exit=1", FAKE_VLLM_LINES=missing)
    await (await one.start()).run()
    assert isinstance(one.events[-1], Exited)
    assert "check TOKENIZER_NAME: " in one.events[-1].cause
    await closed(one.launcher)


async def test_what_is_killed_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Run(monkeypatch, FAKE_VLLM="hang-start ignore-term")
    run = await one.start()
    running = asyncio.create_task(run.run())
    run.terminate()
    await asyncio.sleep(0)
    run.kill()
    async with asyncio.timeout(PATIENCE):
        await running
    assert isinstance(one.events[-1], Exited)
    assert not one.events[-1].left
    await closed(one.launcher)


@pytest.mark.parametrize("warm", [True, False])
async def test_it_is_warmed_up_before_it_is_ready(
    monkeypatch: pytest.MonkeyPatch, warm: bool
) -> None:
    one = Run(monkeypatch, WARMUP="1")
    warm_up = WarmUp("" if warm else "why")
    run = await one.start(warm_up)
    running = asyncio.create_task(run.run())
    await one.until(lambda: any(isinstance(event, Ready) for event in one.events))
    kinds = [type(event) for event in one.events[: 1 + warm]]
    assert kinds == ([Warming, Ready] if warm else [Ready])
    assert warm_up.following().begin() == warm
    assert ("warmup" in run.times.phases) == warm
    run.kill()
    await running
    await closed(one.launcher)


async def test_one_that_ends_while_it_is_warmed_up_has_never_been_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = Run(monkeypatch, WARMUP="1", FAKE_VLLM="stall")
    warm_up = WarmUp()
    run = await one.start(warm_up)
    running = asyncio.create_task(run.run())
    await one.until(lambda: bool(one.events))
    assert run.doing == "warming up"
    assert run.pid is not None
    psutil.Process(run.pid).kill()
    await running
    assert [type(event) for event in one.events] == [Warming, Ended, Exited]
    assert isinstance(one.events[-1], Exited)
    assert one.events[-1].doing == "warming up"
    assert not warm_up.following().begin()
    await closed(one.launcher)


async def test_a_fault_of_a_watch_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would watch the engine any more; the loop hears of it by the task."""

    async def faulty(*_asked: object, **_more: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(health, "watch", faulty)
    one = Run(monkeypatch)
    run = await one.start()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ExceptionGroup) as fault:
            await run.run()
    assert fault.group_contains(ZeroDivisionError)
    run.kill()
    (child,) = one.launcher.children
    await child.wait()
    await closed(one.launcher)
