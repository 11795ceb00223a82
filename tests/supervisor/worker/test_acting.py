"""What an action does to the processes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from supervisor.command import plan
from supervisor.diagnosis import kinds, rules
from supervisor.errors import CommandNotFound, SupervisorError
from supervisor.worker import acting
from supervisor.worker.acting import Acting
from supervisor.worker.engine.phases import Start
from supervisor.worker.lifecycle import (
    Action,
    Answering,
    Event,
    ExitCode,
    Exited,
    Hindered,
    JobsDone,
    Killed,
    NoEngine,
    NoProxy,
    Prepared,
    ProxyRunning,
    Ready,
    Reason,
    Serving,
    Starting,
    State,
)
from supervisor.worker.logs import LogSink
from supervisor.worker.process.launcher import Launcher
from supervisor.worker.pulse import Pulse
from supervisor.worker.tasks import Tasks
from tests.supervisor.worker.closing import closed

STARTS = State(Starting(9.0), ProxyRunning(0.0))
ANSWERS = State(NoEngine(), ProxyRunning(0.0), Answering(ExitCode.CONFIGURATION, 9.0))


class Run:
    """An `Acting` whose proxies are not started, and what it puts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **env: str) -> None:
        whole = {"PATH": os.environ["PATH"], "MODEL_NAME": "m", **env}
        self.launcher = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
        self.events: list[Event] = []
        self.checked: list[bool] = []
        self.tasks = Tasks(lambda: None)
        made = plan.make(whole, None)
        self.acting = Acting(made, whole, self.launcher, self.tasks, Pulse(), self.events.append)
        run = self

        class Proxy:
            def __init__(self, *_given: Any, checked: bool) -> None:
                run.checked.append(checked)
                self.checked = checked
                self.told: list[int] = []

            async def run(self) -> None: ...

            def tell(self, number: int) -> None:
                self.told.append(number)

        monkeypatch.setattr(acting, "ProxyRun", Proxy)

    async def act(self, action: Action, state: State) -> None:
        await self.acting.act(action, state)
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("first", "state", "checked"),
    [
        (None, STARTS, False),
        (None, ANSWERS, True),
        (CommandNotFound("no such file"), STARTS, True),
        (SupervisorError("Too many open files"), STARTS, False),
    ],
)
async def test_a_proxy_that_only_tells_the_cause_needs_no_machine_that_is_fit(
    monkeypatch: pytest.MonkeyPatch, first: SupervisorError | None, state: State, checked: bool
) -> None:
    run = Run(monkeypatch, WORKER_MODE="queue")
    if first is not None:
        run.acting.watch_engine(first)
        assert isinstance(run.events[0], Exited)
    await run.act(Action.SPAWN_PROXY, state)
    assert run.checked == [checked]
    await closed(run.launcher)


async def test_without_a_proxy_no_job_is_in_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, WORKER_MODE="queue")
    await run.act(Action.DRAIN_JOBS, State(Serving(1.0), NoProxy()))
    assert run.events == [JobsDone()]
    for action in (Action.TERMINATE_ENGINE, Action.KILL_PROXY, Action.ABORT_JOBS, Action.EXIT):
        await run.act(action, STARTS)  # there is nothing to act on
    await closed(run.launcher)


async def test_a_node_that_cannot_fetch_its_model_says_so_and_joins_once_it_has_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(monkeypatch, STARTUP_TIMEOUT="100")
    for prefetch in (None, Prefetch("no route")):
        run.acting._prefetch = prefetch  # type: ignore[assignment]
        await run.acting.prepare(looked_at)
    assert run.events == [Prepared(), Hindered("no route"), Prepared()]
    assert "no route; this node waits, and tries again" in caplog.text
    await closed(run.launcher)


async def looked_at() -> None:
    """What is told of a node."""


class Prefetch:
    """A download that has ended, and why."""

    def __init__(self, cause: str | None) -> None:
        self.cause = cause
        self.stopped = 0

    async def complete(self, within: float, tell: Callable[[str], None]) -> None:
        assert within == 50.0
        tell(str(self.cause))

    def stop(self) -> None:
        self.stopped += 1


@pytest.mark.parametrize(
    ("why", "doing", "kind", "loaded", "told"),
    [
        ("no space", "importing", "unknown", False, True),
        ("no space", None, "unknown", False, False),  # of an engine that had been ready
        (None, "importing", "unknown", False, False),
        ("no space", "loading the weights", "unknown", True, False),
        ("no space", "loading the weights", "gpu-out-of-memory", False, False),
        ("no space", "starting the server", "lora-not-found", True, True),
    ],
)
async def test_why_nothing_was_downloaded_stands_beside_an_end_that_may_come_of_it(
    monkeypatch: pytest.MonkeyPatch,
    why: str | None,
    doing: str | None,
    kind: str,
    loaded: bool,
    told: bool,
) -> None:
    run = Run(monkeypatch)
    run.acting._prefetch = Prefetch(why)  # type: ignore[assignment]
    run.acting._start = Start(loaded=loaded)
    run.acting._put_with_cause(Exited("it ended", kind, doing=doing))
    run.acting._start = Start()  # that of the next one, which has the same files
    run.acting._put_with_cause(Exited("it ended", doing="importing"))
    await closed(run.launcher)
    causes = [event.cause for event in run.events if isinstance(event, Exited)]
    assert causes[0] == ("it ended. Beside it: no space" if told else "it ended")
    assert causes[1] == ("it ended. Beside it: no space" if why and not loaded else "it ended")


def test_what_lies_in_files_has_the_names_of_the_rules() -> None:
    assert {rule.kind for rule in rules.RULES} >= kinds.OF_FILES


async def test_a_stop_ends_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch)
    run.acting.stop_prefetch()  # where there is none
    prefetch = Prefetch(None)
    run.acting._prefetch = prefetch  # type: ignore[assignment]
    run.acting.stop_prefetch()
    await closed(run.launcher)
    assert prefetch.stopped == 1


async def test_so_does_an_engine_that_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has what it needs from the hub, and asks for nothing more."""
    run = Run(monkeypatch)
    prefetch = Prefetch(None)
    run.acting._prefetch = prefetch  # type: ignore[assignment]
    run.acting._put_with_cause(Ready(1.0))
    await closed(run.launcher)
    assert (prefetch.stopped, run.events) == (1, [Ready(1.0)])


@pytest.mark.parametrize(("kind", "again"), [(kinds.NODE_LOST, True), ("unknown", False)])
async def test_a_warm_up_has_a_part_in_every_end_but_the_loss_of_a_node(
    monkeypatch: pytest.MonkeyPatch, kind: str, again: bool
) -> None:
    """Its requests run on all nodes, so that it may have ended the engine of another one."""
    run = Run(monkeypatch)
    killed: list[bool] = []
    engine = SimpleNamespace(kill=lambda: killed.append(True))
    run.acting.engine = engine  # type: ignore[assignment]
    assert run.acting._warm_up.begin()
    state = State(Killed(9.0, Reason("rank 1 (10.0.0.3): it is gone", kind)), NoProxy())
    await run.act(Action.KILL_ENGINE, state)
    assert killed == [True]
    assert run.acting._warm_up.following().begin() is again
    await closed(run.launcher)
