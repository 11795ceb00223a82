"""A real Prometheus asks a worker under load, and each panel and each alert finds its figures."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import psutil
import pytest

from supervisor.settings import table
from tests import client, programs
from tests.client import PATIENCE
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import ROOT, Worker, free_port, until
from tools.docs.boards import kubernetes, prometheus
from tools.docs.boards.alerts import ALERTS, JOB
from tools.docs.boards.panels import BOARDS

TOKEN = "a-token-of-the-control-port"
DEPLOY = ROOT / "deploy" / "prometheus"
#: What a board's variables are, and a window that holds some scrapes of one a second.
GIVEN = {
    "$job": ".*",
    "$instance": ".*",
    "$__rate_interval": "1m",
    kubernetes.CHOSEN: f'job="{JOB}"',
}


def filled(expression: str) -> str:
    """With what a board would put in."""
    for name, value in GIVEN.items():
        expression = expression.replace(name, value)
    return expression


EXPRESSIONS = {
    **{
        f"{board.name}: {panel.title}, {number}": filled(query.expression)
        for board in BOARDS
        for panel in board.panels
        for number, query in enumerate(panel.queries)
    },
    **{alert.name: alert.value for alert in ALERTS},
    "KEDA": filled(kubernetes.REQUESTS),
}


class Prometheus:
    """One with the configuration of `deploy/`, but for who is asked, how often, and the token."""

    def __init__(self, folder: Path, worker: Worker) -> None:
        self.port = free_port()
        token = folder / "token"
        token.write_text(f"{TOKEN}\n")
        given = {
            prometheus.TOKEN_FILE: str(token),
            f"worker:{table.PORT_HEALTH.default}": f"127.0.0.1:{worker.control_port}",
            "interval: 15s": "interval: 1s",
        }
        text = (DEPLOY / "prometheus.yml").read_text()
        for name, value in given.items():
            assert name in text
            text = text.replace(name, value)
        (folder / "prometheus.yml").write_text(text)
        (folder / prometheus.RULES).write_text((DEPLOY / prometheus.RULES).read_text())
        self.process = subprocess.Popen(
            [
                programs.prometheus(),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=warn",
            ]
        )
        until(lambda: client.answers(f"http://127.0.0.1:{self.port}/-/ready"), what="Prometheus")

    def ask(self, what: str, **query: str) -> Any:
        """The data of an answer of its API."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{what}"
        answer = client.get(url, params=query)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    def finds(self, expression: str) -> bool:
        """Whether it returns a series with a number."""
        found = self.ask("query", query=expression)["result"]
        return any(not math.isnan(float(series["value"][1])) for series in found)

    def end(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(PATIENCE)


@dataclass
class Scene:
    """A worker at work, and who looks at it."""

    platform: Platform
    worker: Worker
    prometheus: Prometheus
    jobs: list[str] = field(default_factory=list)

    def load(self) -> None:
        """A few jobs more, unless many are on their way."""
        states = [self.platform.job(job)["status"] for job in self.jobs[-8:]]
        if sum(state in {"IN_QUEUE", "IN_PROGRESS"} for state in states) > 4:
            return
        self.jobs += [self.platform.submit(job) for _, job in zip(range(4), KINDS, strict=False)]


def job(**fake: Any) -> dict[str, Any]:
    body = {"model": "tiny", "prompt": "one two", "stream": True, "fake": fake}
    return {"openai_route": "/v1/completions", "openai_input": body}


#: Streams, and some that the engine refuses or fails.
KINDS = cycle([job(tokens=20, rate=50), job(tokens=5), job(status=500), job(status=400)])


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Under load, after the end of an engine and of a proxy, and a post that was refused once."""
    folder = tmp_path_factory.mktemp("monitoring")
    with Platform() as platform:
        environment = {**worker_environment(platform.root), "CONTROL_TOKEN": TOKEN}
        worker = Worker(folder / "log", environment)
        seen = None
        try:
            worker.until_ready()
            seen = Scene(platform, worker, Prometheus(folder, worker))
            ready = "vllm_supervisor_ready == 1"
            until(lambda: seen.prometheus.finds("up == 1"), what="a scrape")
            platform.fault(path="job-stream", status=500)
            psutil.Process(worker.engine_pid()).kill()
            until(lambda: "ready" in worker.text().rpartition("restarting")[2], what="a new engine")
            until(lambda: seen.prometheus.finds(ready), what="its scrape")
            yield seen
        finally:
            if seen is not None:
                seen.prometheus.end()
            worker.end()


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_expression_finds_its_figures(scene: Scene, name: str) -> None:
    def found() -> bool:
        scene.load()
        return scene.prometheus.finds(EXPRESSIONS[name])

    until(found, what=EXPRESSIONS[name], pause=0.2)


def test_without_the_token_nothing_is_told(scene: Scene) -> None:
    url = f"http://127.0.0.1:{scene.worker.control_port}/metrics"
    assert client.get(url).status_code == 401


def test_the_alerts_are_loaded_and_sound(scene: Scene) -> None:
    """None of them meets an error on real figures."""

    def rules() -> list[dict[str, Any]]:
        (group,) = scene.prometheus.ask("rules")["groups"]
        found: list[dict[str, Any]] = group["rules"]
        return found

    until(lambda: all(rule["health"] == "ok" for rule in rules()), what="the rules' evaluation")
    assert [rule["name"] for rule in rules()] == [alert.name for alert in ALERTS]


def test_an_alert_begins_on_a_real_worker(scene: Scene) -> None:
    """A quarter of the jobs fails; it is pending until five minutes are over."""

    def pending() -> bool:
        scene.load()
        alerts = scene.prometheus.ask("alerts")["alerts"]
        return any(alert["labels"]["alertname"] == "VllmJobsFail" for alert in alerts)

    until(pending, what="the alert", pause=0.2)
