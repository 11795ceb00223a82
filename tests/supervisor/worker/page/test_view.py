"""What the page is told, and when."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from supervisor.command import plan as planned
from supervisor.status.parts import Part, Times
from supervisor.worker.lifecycle import History, NoProxy, Ready, Serving, Starting, State
from supervisor.worker.metrics import vllm
from supervisor.worker.page.recent import Recent
from supervisor.worker.page.view import View
from supervisor.worker.status import Status

READY = State(Serving(1.0), NoProxy(), history=History(was_ready=True))
BROKEN = History(failures=1, last_failure="it broke; mend it")


@dataclass
class Engine:
    pid: int | None = 7
    doing: str | None = "importing"
    times: Times = field(default_factory=lambda: Times({"imports": 2.0}, [Part("imports", 0, 2)]))
    seen: dict[Any, float] = field(default_factory=dict)


class Seen:
    """A view, and what one who looks at it is told."""

    def __init__(self, **env: str) -> None:
        env = {"MODEL_NAME": "org/m", **env}
        self.engine = Engine()
        self.status = Status("plain", "org/m", {}, State(Starting(9.0), NoProxy()), self._engine)
        self.log, self.now = Recent(), 1000.0
        made = replace(planned.make(env, None), environment=env)
        self.view = View(made, env, self.status, self.log, clock=lambda: self.now)
        self.look = self.view.looked_at
        self.news = self.look()

    def _engine(self) -> Engine:
        return self.engine


def read(event: bytes) -> dict[str, Any]:
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    assert event.count(b"\n") == 2, "one event"
    found: dict[str, Any] = json.loads(event[6:])
    return found


def test_everything_first_and_then_what_has_changed() -> None:
    seen = Seen()
    seen.log.feed(b"a line\n")
    seen.view.beat()
    first = read(seen.news())
    assert first.keys() == {"state", "start", "settings", "samples", "log", "now"}
    assert seen.news() == b"", "nothing has changed"
    seen.log.feed(b"another\n")
    assert read(seen.news()) == {"log": ["another"], "now": 1000.0}
    seen.now += 5
    seen.engine.seen = {}
    seen.view.beat()
    assert read(seen.news()) == {"samples": [[1005.0, *[None] * 5]], "now": 1005.0}
    seen.status.publish(READY)
    assert read(seen.news())["state"]["state"] == "READY"


def test_a_sample_is_taken_every_five_seconds() -> None:
    seen = Seen()
    for _ in range(20):
        seen.engine.seen = {}
        seen.view.beat()
        seen.now += 1.001
    assert [round(one[0]) for one in read(seen.news())["samples"]] == [1000, 1005, 1010, 1015]


def test_between_two_looks_at_the_engine_nothing_seems_to_stand_still() -> None:
    """They come every five seconds too, and each a little later."""
    seen = Seen()
    for second in range(60):
        if second % 6 == 0:
            seen.engine.seen = {vllm.TOKENS: 100.0 * second}
        seen.view.beat()
        seen.now += 1
    speeds = [one[3] for one in read(seen.news())["samples"]]
    assert speeds[0] is None
    assert set(speeds[1:]) == {100.0}


def test_an_engine_that_tells_nothing_is_a_sample_as_well() -> None:
    seen = Seen()
    for _ in range(60):
        seen.view.beat()
        seen.now += 1
    assert len(read(seen.news())["samples"]) >= 5


def test_whoever_looks_next_is_told_everything_as_well() -> None:
    seen = Seen()
    assert read(seen.news()).keys() == read(seen.look()()).keys()


def test_a_start_that_goes_on_failed_or_is_over() -> None:
    seen = Seen()
    start = read(seen.news())["start"]
    assert (start["outcome"], start["advice"]) == ("runs", None)
    assert start["parts"] == [["imports", 0, 2]]
    seen.engine.doing = None
    assert read(seen.news())["start"]["outcome"] == "failed"
    seen.status.note(Ready(2.0))
    start = read(seen.news())["start"]
    assert start["outcome"] == "over"
    assert "longest: imports, 2.0 of 2.0 s" in start["advice"]


def test_the_cause_stands_with_its_remedy() -> None:
    seen = Seen()
    seen.status.publish(State(Starting(9.0), NoProxy(), history=BROKEN))
    state = read(seen.news())["state"]
    assert (state["state"], state["ping"]) == ("RESTARTING", 503)
    assert state["last_failure"] == "it broke; mend it"


def test_the_configuration_is_as_explain_shows_it() -> None:
    seen = Seen(HF_TOKEN="hf_abcdefghijklmnopqrst", VLLM_API_KEY="sk-Zq81mVbT0pLsWc")
    told = seen.news()
    settings = read(told)["settings"]
    assert {"mode", "command", "settings", "warnings", "errors", "ignored"} <= settings.keys()
    assert settings["try"]["key"] == "VLLM_API_KEY"
    assert b"hf_abc" not in told
    assert b"sk-Zq81" not in told
