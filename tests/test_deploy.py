"""What docs/deploy.md and docker-compose.yml have to copy agrees with the code."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from supervisor.command import plan
from supervisor.settings import table
from supervisor.settings.table import WORKER_VARIABLES
from supervisor.worker.lifecycle import Policy
from tests.processes import ROOT
from tools import tags

DEPLOY = (ROOT / "docs" / "deploy.md").read_text()
DEFAULTS = plan.make({}, None).settings


def manifests() -> list[dict[str, Any]]:
    (block,) = re.findall(r"```yaml\n(.*?)```", DEPLOY, re.DOTALL)
    return list(yaml.safe_load_all(block))


def container() -> dict[str, Any]:
    found: dict[str, Any] = manifests()[0]["spec"]["template"]["spec"]["containers"][0]
    return found


def test_every_image_is_the_one_that_is_published() -> None:
    images = re.findall(r"vllmsupervisor/worker:v[\w.-]+", DEPLOY)
    assert len(images) >= 3
    assert set(images) == {tags.image(tags.DEFAULT_VLLM)}


def test_the_manifest_gives_time_to_stop_and_reaches_the_ports() -> None:
    pod = manifests()[0]["spec"]["template"]["spec"]
    given = {entry["name"]: entry.get("value") for entry in container()["env"]}
    needed = float(given["DRAIN_DELAY"]) + DEFAULTS[table.DRAIN_TIMEOUT] + Policy().stop_grace
    assert pod["terminationGracePeriodSeconds"] > needed
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert ports == {"http": DEFAULTS.engine_port, "control": DEFAULTS.control_port}
    probes = container()
    assert probes["livenessProbe"]["httpGet"] == {"path": "/ping", "port": "control"}
    assert probes["startupProbe"]["tcpSocket"] == {"port": "control"}
    home = "/opt/vllm-supervisor/"
    for word in probes["readinessProbe"]["exec"]["command"]:
        inside = word.removeprefix(home)
        assert word == inside or inside.startswith(".venv/") or (ROOT / inside).is_file()
    service = manifests()[1]["spec"]["ports"][0]
    assert service["targetPort"] == "http"


def test_docker_gives_time_to_stop_also_behind_a_balancer() -> None:
    """`docker stop` itself waits for 10 s."""
    longest = DEFAULTS[table.DRAIN_TIMEOUT] + Policy().stop_grace
    assert {float(found) for found in re.findall(r"--stop-timeout (\d+)", DEPLOY)} == {90.0}
    assert longest < 90
    balanced = plan.make({"WORKER_MODE": "load-balancer"}, None).settings
    (told,) = re.findall(r"with the 15 s of a balancer take (\d+)", DEPLOY)
    assert balanced.drain_delay == 15
    assert float(told) > balanced.drain_delay + longest


def test_the_manifest_is_all_there() -> None:
    """Nothing is named that is not made, and no Service whose name makes a setting of ours."""
    pod = manifests()[0]["spec"]["template"]["spec"]
    assert pod["enableServiceLinks"] is False
    kinds = {one["kind"]: one["metadata"]["name"] for one in manifests()}
    assert set(kinds) == {"Deployment", "Service", "PersistentVolumeClaim"}
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    assert claims == [kinds["PersistentVolumeClaim"]]
    secrets = [
        entry["valueFrom"]["secretKeyRef"] for entry in container()["env"] if "valueFrom" in entry
    ]
    for secret in secrets:
        made = f"kubectl create secret generic {secret['name']} --from-literal={secret['key']}="
        assert made in DEPLOY
    assert f"{kinds['Service'].upper().replace('-', '_')}_PORT" not in WORKER_VARIABLES


def test_liveness_waits_longer_than_the_restarts_take() -> None:
    probe = container()["livenessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] > DEFAULTS[table.STARTUP_TIMEOUT]


def test_its_settings_are_settings() -> None:
    given = {entry["name"] for entry in container()["env"]}
    known = {*WORKER_VARIABLES, "VLLM_API_KEY"}
    assert given <= known
    named = set(re.findall(r"^([A-Z][A-Z_]+)  +\S", DEPLOY, re.MULTILINE))
    assert named >= {"MODEL_NAME", "PORT_HEALTH", "MAX_CONCURRENCY"}
    assert named <= {*known, "HF_TOKEN"}


def test_compose_gives_time_to_stop_and_serves_this_machine_alone() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    worker = compose["services"]["worker"]
    images = re.sub(r"\$\{VLLM_VERSION:-([\d.]+)\}", r"\1", worker["image"])
    assert images == f"${{IMAGE:-{tags.image(tags.DEFAULT_VLLM)}}}"
    assert worker["build"]["args"]["VLLM_VERSION"] == f"${{VLLM_VERSION:-{tags.DEFAULT_VLLM}}}"
    seconds = float(worker["stop_grace_period"].removesuffix("s"))
    assert seconds > DEFAULTS.drain_delay + DEFAULTS[table.DRAIN_TIMEOUT] + Policy().stop_grace
    assert worker["ports"] == [f"127.0.0.1:8000:{DEFAULTS.engine_port}"]


@pytest.mark.parametrize("name", ["deploy", "models", "image"])
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / "docs" / f"{name}.md").read_text()
    for link in re.findall(r"\]\(([\w./-]+)\)", text):
        assert (ROOT / "docs" / link).exists(), link
