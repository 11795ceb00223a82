"""The alerts: Prometheus takes them, each of them fires and is quiet, each has a section."""

from __future__ import annotations

import math
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from supervisor.worker.metrics.names import OF_JOBS
from tests import programs
from tools.docs.boards import alerts, kubernetes, prometheus, promql
from tools.docs.boards.alerts import ALERTS
from tools.worker import CHECKOUT

RULES = CHECKOUT / "deploy" / "prometheus" / prometheus.RULES
OPERATORS = CHECKOUT / "deploy" / "kubernetes" / "prometheusrule.yaml"
CONFIGURATION = RULES.with_name("prometheus.yml")
PAGE = (CHECKOUT / alerts.RUNBOOKS).read_text()

WORKER = 'instance="w:8001", job="vllm-supervisor"'
POD = 'instance="10.0.0.7:8001", job="llm/vllm-supervisor"'


@dataclass(frozen=True)
class Case:
    """Series of one value a minute, and when an alert is and is not."""

    alert: str
    series: dict[str, str]  # name and labels -> values as promtool writes them
    fires: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    summary: str = ""
    labels: str = WORKER  # of the alert

    @property
    def test(self) -> dict[str, object]:
        """As promtool reads it."""
        said = {alert.name: alert for alert in ALERTS}[self.alert]
        told = {
            "exp_labels": {
                "severity": said.severity,
                **dict(re.findall(r'(\w+)="([^"]*)"', self.labels)),
            },
            "exp_annotations": {"summary": self.summary, "runbook_url": said.runbook},
        }
        return {
            "interval": "1m",
            "input_series": [
                {"series": each, "values": values} for each, values in self.series.items()
            ],
            "alert_rule_test": [
                *(
                    {"eval_time": time, "alertname": self.alert, "exp_alerts": [told]}
                    for time in self.fires
                ),
                *(
                    {"eval_time": time, "alertname": self.alert, "exp_alerts": []}
                    for time in self.quiet
                ),
            ],
        }


def of(name: str, *labels: str, worker: str = WORKER) -> str:
    return f"vllm_supervisor_{name}{{{', '.join([*labels, worker])}}}"


def waits(within_20_s: str, within_40_s: str, every: str, point: str = ".0") -> dict[str, str]:
    """How many jobs waited for how long; `point` is empty in bounds that came by OTLP."""
    name = "job_wait_seconds_bucket"
    return {
        of(name, f'le="20{point}"'): within_20_s,
        of(name, f'le="40{point}"'): within_40_s,
        of(name, f'le="80{point}"'): every,
        of(name, 'le="+Inf"'): every,
    }


#: Up for two minutes of four, and never ready.
LOOPS_UP = "1 1 0 0 1 1 0 0 1 1 0 0 1 1 0 0"
LOOPS = "0 0 stale _ 0 0 stale _ 0 0 stale _ 0 0 stale _"

CASES = {
    "a worker that does not answer": Case(
        "VllmWorkerNotScraped",
        {f"up{{{WORKER}}}": "1 0x10"},
        ("6m",),
        ("5m",),
        "w:8001 does not answer Prometheus.",
    ),
    "a pod that does not answer": Case(
        "VllmWorkerNotScraped",
        {f"up{{{POD}}}": "0x10", 'up{instance="x:1", job="another"}': "0x10"},
        ("6m",),
        (),
        "10.0.0.7:8001 does not answer Prometheus.",
        POD,
    ),
    "a worker that answers again": Case(
        "VllmWorkerNotScraped", {f"up{{{WORKER}}}": "0x3 1 0x3 1x3"}, (), ("4m", "8m", "10m")
    ),
    "an engine that is gone": Case(
        "VllmNoReadyEngine",
        {
            of("ready"): "1 0x10",
            of("cold_start_seconds"): "60x11",
            of("unavailable_seconds_total"): "60 70+60x10",
        },
        ("4m", "10m"),
        ("3m",),
        "w:8001 has had no ready engine for 3 minutes.",
    ),
    "an engine that comes back": Case(
        "VllmNoReadyEngine",
        {
            of("ready"): "1 0x2 1 0x2 1",
            of("cold_start_seconds"): "60x7",
            of("unavailable_seconds_total"): "60 70+60x2 190 200+60x2 330",
        },
        (),
        ("2m", "3m", "6m", "7m"),
    ),
    "a drain that lasts": Case(
        "VllmNoReadyEngine",
        {
            of("ready"): "1x3 0x20",
            of("cold_start_seconds"): "60x24",
            of("unavailable_seconds_total"): "60x24",
        },
        (),
        ("4m", "7m", "8m", "20m"),
    ),
    "a drain that lasts, just after a restart": Case(
        "VllmNoReadyEngine",
        {
            of("ready"): "1x2 0x2 1 0x20",
            of("cold_start_seconds"): "60x30",
            of("unavailable_seconds_total"): "60x2 70 130 190 210 210x20",
        },
        (),
        ("5m", "6m", "7m", "8m", "9m", "10m", "20m"),
    ),
    "an engine that was never ready": Case(
        "VllmNoReadyEngine", {of("ready"): "0x20"}, (), ("20m",)
    ),
    "a worker that begins again and again": Case(
        "VllmNeverReady",
        {f"up{{{WORKER}}}": f"{LOOPS_UP} {LOOPS_UP}", of("ready"): f"{LOOPS} {LOOPS}"},
        ("16m", "30m"),
        ("14m",),
        "w:8001 has begun and has had no ready engine for 15 minutes.",
    ),
    "a pod that begins again and again": Case(
        "VllmNeverReady",
        {
            f"up{{{POD}}}": f"{LOOPS_UP} {LOOPS_UP}",
            f"vllm_supervisor_ready{{{POD}}}": f"{LOOPS} {LOOPS}",
        },
        ("16m",),
        (),
        "10.0.0.7:8001 has begun and has had no ready engine for 15 minutes.",
        POD,
    ),
    "a worker that is ready now and then": Case(
        "VllmNeverReady",
        {
            f"up{{{WORKER}}}": f"{LOOPS_UP} {LOOPS_UP}",
            of("ready"): f"{LOOPS[:-1]} 1 {LOOPS}",
            of("cold_start_seconds"): f"_x{len(LOOPS.split()) - 2} 1 stale",
        },
        (),
        ("16m", "22m"),
    ),
    "a worker that has ended": Case(
        "VllmNeverReady",
        {f"up{{{WORKER}}}": "1x10 0x40", of("ready"): "1x10 stale"},
        (),
        ("20m", "26m", "30m", "50m"),
    ),
    "a worker that has been told wrong where to find its token": Case(
        "VllmNeverReady", {f"up{{{WORKER}}}": "0x40"}, (), ("16m", "40m")
    ),
    "a drain or an engine that is gone": Case(
        "VllmNeverReady",
        {
            f"up{{{WORKER}}}": "1x40",
            of("ready"): "1x5 0x40",
            of("cold_start_seconds"): "60x40",
        },
        (),
        ("30m", "40m"),
    ),
    "a start that takes ten minutes": Case(
        "VllmNeverReady",
        {
            f"up{{{WORKER}}}": "1x40",
            of("ready"): "0x9 1x30",
            of("cold_start_seconds"): "_x10 600x30",
        },
        (),
        ("10m", "16m", "40m"),
    ),
    "a start that lasts": Case(
        "VllmSlowStart",
        {of("unavailable_seconds_total"): "0+60x10"},
        ("6m",),
        ("5m",),
        "w:8001 has taken 6m 0s to start.",
    ),
    "a start that lasted": Case(
        "VllmSlowStart",
        {
            of("unavailable_seconds_total"): "0+60x7 420x60",
            of("cold_start_seconds"): "_x7 420x60",
        },
        ("7m", "36m"),
        ("37m", "50m"),
        "w:8001 has taken 7m 0s to start.",
    ),
    "a slow start long ago, and Prometheus away for a while since": Case(
        "VllmSlowStart",
        {
            of("unavailable_seconds_total"): "420x60 _x20 420x60",
            of("cold_start_seconds"): "420x60 _x20 420x60",
        },
        (),
        ("61m", "85m", "95m", "105m", "120m", "140m"),
    ),
    "a quick start, and much time without an engine afterwards": Case(
        "VllmSlowStart",
        {of("unavailable_seconds_total"): "0+60x60", of("cold_start_seconds"): "_ 60x60"},
        (),
        ("1m", "10m", "60m"),
    ),
    "two restarts": Case(
        "VllmEngineRestarts",
        {of("restarts_total"): "0x5 1x5 2x40", of("unavailable_seconds_total"): "60x60"},
        ("13m",),
        ("10m", "40m"),
        "w:8001 has started its engine again 2 times in half an hour.",
    ),
    "a restart an hour": Case(
        "VllmEngineRestarts",
        {of("restarts_total"): "0x40 1x60 2x60", of("unavailable_seconds_total"): "60x170"},
        (),
        ("41m", "42m", "101m", "102m", "120m"),
    ),
    "a worker that begins anew and is ready each time": Case(
        "VllmEngineRestarts",
        {
            of("restarts_total"): "0x50",
            of("unavailable_seconds_total"): "10 60x8 10 60x8 10 60x40",
        },
        ("21m", "35m"),
        ("12m", "41m"),
        "w:8001 has started its engine again 2 times in half an hour.",
    ),
    "a restart as soon as a worker has begun": Case(
        "VllmEngineRestarts",
        {of("restarts_total"): "_x5 0 1x40", of("unavailable_seconds_total"): "_x5 10 60x40"},
        (),
        ("7m", "8m", "9m"),
    ),
    "jobs that wait": Case(
        "VllmJobsWait",
        waits("0+50x20", "0+50x20", "0+60x20"),
        ("10m",),
        ("3m",),
        "16.67% of the jobs wait longer than 40 s for the engine.",
        'job="vllm-supervisor"',
    ),
    "jobs that wait, of a worker whose metrics come by OTLP": Case(
        "VllmJobsWait",
        waits("0+50x20", "0+50x20", "0+60x20", point=""),
        ("10m",),
        ("3m",),
        "16.67% of the jobs wait longer than 40 s for the engine.",
        'job="vllm-supervisor"',
    ),
    "jobs that all wait a little less long, told by OTLP": Case(
        "VllmJobsWait", waits("0x20", "0+60x20", "0+60x20", point=""), (), ("20m",)
    ),
    "jobs of which one in eleven waits": Case(
        "VllmJobsWait",
        waits("0+10x20", "0+10x20", "0+11x20"),
        ("10m",),
        (),
        "9.091% of the jobs wait longer than 40 s for the engine.",
        'job="vllm-supervisor"',
    ),
    "jobs that all wait a little less long": Case(
        "VllmJobsWait", waits("0x20", "0+60x20", "0+60x20"), (), ("20m",)
    ),
    "one in a hundred that waits": Case(
        "VllmJobsWait", waits("0+99x20", "0+99x20", "0+100x20"), (), ("20m",)
    ),
    "no jobs": Case("VllmJobsWait", waits("7x20", "7x20", "9x20"), (), ("20m",)),
    "jobs that fail": Case(
        "VllmJobsFail",
        {
            of("jobs_total", 'outcome="failed"', 'route="/v1/completions"'): "0+2x20",
            of("jobs_total", 'outcome="answered"', 'route="/v1/completions"'): "0+6x20",
        },
        ("10m",),
        ("3m",),
        "25% of the jobs fail.",
        'job="vllm-supervisor"',
    ),
    "the first jobs of a worker, which all fail": Case(
        "VllmJobsFail",
        {
            of("jobs_total", 'outcome="failed"', 'route="/v1/completions"'): "0x3 200x20",
            of("jobs_total", 'outcome="answered"', 'route="/v1/completions"'): "0+1x20",
        },
        ("12m",),
        ("3m", "18m"),
        "95.24% of the jobs fail.",
        'job="vllm-supervisor"',
    ),
    "no jobs that end": Case(
        "VllmJobsFail",
        {
            of("jobs_total", 'outcome="failed"', 'route="other"'): "3x30",
            of("jobs_total", 'outcome="answered"', 'route="other"'): "3x30",
        },
        (),
        ("10m", "20m"),
    ),
    "jobs that callers got wrong, and few that fail": Case(
        "VllmJobsFail",
        {
            of("jobs_total", 'outcome="failed"', 'route="other"'): "0+1x20",
            of("jobs_total", 'outcome="refused"', 'route="other"'): "0+9x20",
            of("jobs_total", 'outcome="answered"', 'route="other"'): "0+10x20",
        },
        (),
        ("20m",),
    ),
    "an output that is lost": Case(
        "VllmOutputsLost",
        {of("platform_posts_total", 'outcome="lost"'): "0x5 1x30"},
        ("6m", "19m"),
        ("5m", "25m"),
        "w:8001 could not hand outputs to the platform.",
        f'outcome="lost", {WORKER}',
    ),
    "outputs that came at a later try": Case(
        "VllmOutputsLost",
        {
            of("platform_posts_total", 'outcome="retried"'): "0+9x30",
            of("platform_posts_total", 'outcome="lost"'): "3x30",
        },
        (),
        ("5m", "25m"),
    ),
    "a full cache": Case(
        "VllmKvCacheFull",
        {of("engine_kv_cache_usage_ratio"): "0.5 0.96x20"},
        ("15m",),
        ("2m", "6m"),
        "The KV cache of w:8001 is 96% full.",
    ),
    "a cache that is full for moments": Case(
        "VllmKvCacheFull",
        {of("engine_kv_cache_usage_ratio"): "1 0.5 1 0.5 1 0.5 1 0.5 1 0.5 1 0.5 1 0.5 1 0.5"},
        (),
        ("15m",),
    ),
}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [programs.promtool(), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", CASES)
def test_an_alert_fires_when_it_has_to_and_only_then(name: str, tmp_path: Path) -> None:
    file = tmp_path / "test.yml"
    given = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [CASES[name].test]}
    file.write_text(yaml.safe_dump(given))
    done = promtool("test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_limit_of_a_histogram_is_where_a_bucket_ends() -> None:
    """A quantile is a guess within its bucket: no limit is compared with one."""
    asked = " ".join(alert.expression for alert in ALERTS)
    assert "histogram_quantile" not in asked
    found = re.findall(r'vllm_supervisor_(\w+)_bucket\{[^}]*le=~?"([^"]+)"', asked)
    assert {bound for _, bound in found} == {r"40(\\.0)?", "+Inf"}
    of_name = {one.name: one for one in OF_JOBS.values()}
    for name, bound in found:
        least = float(bound.removesuffix(r"(\\.0)?"))
        assert least in (*promql.bounds(of_name[name]), math.inf)


def test_a_bound_is_found_in_both_spellings() -> None:
    """As the worker's own text has it, and as collectors write what came by OTLP."""
    assert promql.ending(40.0) == r'''le=~"40(\\.0)?"'''
    assert promql.ending(0.5) == 'le="0.5"'


#: Of a pod of the deployment; of its neighbours.
OURS = 'namespace="default", pod="llm-7d4b9c6f5-x2x9k"'
SECOND = 'namespace="default", pod="llm-7d4b9c6f5-aaaaa"'
OTHERS = ('namespace="other", pod="llm-7d4b9c6f5-bbbbb"', 'namespace="default", pod="llm-big-1-2"')


def test_workers_are_scaled_by_the_requests_of_their_own_deployment(tmp_path: Path) -> None:
    """From nothing on, where nobody is scraped; a start has no requests, and is no fault."""
    given = {
        of("ready", worker=OURS): "_x5 0x4 1x30",
        of("engine_requests_running", worker=OURS): "_x10 30x10 stale _x3 30x10",
        of("engine_requests_waiting", worker=OURS): "_x10 4x10 stale _x3 4x10",
        of("ready", worker=SECOND): "_x15 0x20",
        of("engine_requests_running", worker=SECOND): "_x17 5x20",
        of("engine_requests_waiting", worker=SECOND): "_x17 1x20",
        **{of("ready", worker=other): "_x3 1x40" for other in OTHERS},
        **{of("engine_requests_running", worker=other): "_x3 99x40" for other in OTHERS},
        **{of("engine_requests_waiting", worker=other): "_x3 99x40" for other in OTHERS},
    }
    seen = {"4m": None, "6m": 0, "9m": 0, "12m": 34, "16m": 34, "18m": 40, "22m": 6, "28m": 40}
    test = {
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in given.items()],
        "promql_expr_test": [
            {
                "expr": kubernetes.REQUESTS,
                "eval_time": time,
                "exp_samples": [] if value is None else [{"labels": "{}", "value": value}],
            }
            for time, value in seen.items()
        ],
    }
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    done = promtool("test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_seen_firing_and_quiet() -> None:
    both = [{case.alert for case in CASES.values() if getattr(case, s)} for s in ("fires", "quiet")]
    assert both == [{alert.name for alert in ALERTS}] * 2


def test_prometheus_takes_the_rules() -> None:
    done = promtool("check", "rules", str(RULES))
    assert done.returncode == 0, done.stderr
    assert f"SUCCESS: {len(ALERTS)} rules found" in done.stdout


def test_prometheus_takes_the_configuration(tmp_path: Path) -> None:
    """With the file of the token where it is; the rules beside it."""
    token = tmp_path / "token"
    token.write_text("x")
    for path in (CONFIGURATION, RULES):
        text = path.read_text().replace(prometheus.TOKEN_FILE, str(token))
        (tmp_path / path.name).write_text(text)
    done = promtool("check", "config", str(tmp_path / CONFIGURATION.name))
    assert done.returncode == 0, done.stderr
    assert f"SUCCESS: {len(ALERTS)} rules found" in done.stdout


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_has_a_section_that_says_what_to_do(alert: alerts.Alert) -> None:
    found = re.search(rf"^### {alert.name}\n\n(.+?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    meaning, look, do = re.split(r"^- \*\*(?:Look at|Do)\*\*", found[1], flags=re.MULTILINE)
    assert all(part.strip() for part in (meaning, look, do))
    assert alert.runbook == f"{alerts.RUNBOOKS}#{alert.name.lower()}"


@pytest.mark.parametrize("told_by", ["the page", "the file"])
@pytest.mark.parametrize("path", [RULES, OPERATORS], ids=lambda path: path.name)
def test_an_address_can_be_put_before_every_runbook(
    tmp_path: Path, path: Path, told_by: str
) -> None:
    """By the line that the page and the head of each file have; what it makes can be opened."""
    text = PAGE if told_by == "the page" else path.read_text()
    [line] = re.findall(r"^(?:# )?(sed -i '[^']+')", text, re.MULTILINE)
    copy = tmp_path / path.name
    copy.write_text(path.read_text())
    subprocess.run(["sh", "-c", f"{line} {copy}"], check=True)
    base = "https://git.example.com/me/vllm/blob/main/"
    found = re.findall(r'^ *runbook_url: "(.+)"$', copy.read_text(), re.MULTILINE)
    assert found == [base + alert.runbook for alert in ALERTS]
    assert copy.read_text().replace(base, "") == path.read_text().replace(base, "")


def test_no_section_is_of_an_alert_that_is_gone() -> None:
    assert re.findall(r"^### (\w+)$", PAGE, re.MULTILINE) == [alert.name for alert in ALERTS]
