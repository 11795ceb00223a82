"""What docs/deploy.md and docker-compose.yml have to copy agrees with the code."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml
from hypothesis import strategies

from supervisor.command import plan
from supervisor.settings import table
from supervisor.settings.table import WORKER_VARIABLES
from supervisor.worker.control.access import Access
from supervisor.worker.control.message import Question
from supervisor.worker.lifecycle import Policy
from tests.image.containers import HARDENED, LIMITED
from tests.processes import ROOT
from tools import tags

PAGE = ROOT / "docs" / "deploy.md"
DEPLOY = PAGE.read_text()
DEFAULTS = plan.make({}, None).settings


def manifests() -> list[dict[str, Any]]:
    (block,) = re.findall(r"```yaml\n(.*?)```", DEPLOY, re.DOTALL)
    return list(yaml.safe_load_all(block))


def manifest(kind: str) -> dict[str, Any]:
    (found,) = [one for one in manifests() if one["kind"] == kind]
    return found


def pod() -> dict[str, Any]:
    found: dict[str, Any] = manifest("Deployment")["spec"]["template"]["spec"]
    return found


def container() -> dict[str, Any]:
    (found,) = pod()["containers"]
    assert isinstance(found, dict)
    return found


def until_its_end(env: Mapping[str, str]) -> float:
    """Seconds from SIGTERM on that a worker with these settings may take, jobs in hand first."""
    values = plan.make(env, None).settings
    return values.drain_delay + values[table.DRAIN_TIMEOUT] + Policy().stop_grace


def test_every_image_is_the_one_that_is_published() -> None:
    images = re.findall(r"vllmsupervisor/worker:v[\w.-]+", DEPLOY)
    assert len(images) >= 3
    assert set(images) == {tags.image(tags.DEFAULT_VLLM)}


def test_the_manifest_gives_time_to_stop() -> None:
    """The pause before SIGTERM is part of it, and so is what its own settings add."""
    given = {entry["name"]: entry["value"] for entry in container()["env"] if "value" in entry}
    program, pause = container()["lifecycle"]["preStop"]["exec"]["command"]
    assert (program, float(pause) >= 5) == ("sleep", True)
    assert pod()["terminationGracePeriodSeconds"] >= float(pause) + until_its_end(given) + 10
    told = re.search(r"# Above preStop \((\d+)\), DRAIN_DELAY \((\d+)\), DRAIN_TIMEOUT \((\d+)\) "
                     r"and the engine's own end \((\d+)\)", DEPLOY)  # fmt: skip
    assert told is not None
    values = plan.make(given, None).settings
    parts = [float(pause), values.drain_delay, values[table.DRAIN_TIMEOUT], Policy().stop_grace]
    assert [float(figure) for figure in told.groups()] == parts


def test_the_manifest_reaches_the_ports() -> None:
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert ports == {"http": DEFAULTS.engine_port, "control": DEFAULTS.control_port}
    probes = container()
    assert probes["livenessProbe"]["httpGet"] == {"path": "/ping", "port": "control"}
    assert probes["startupProbe"]["tcpSocket"] == {"port": "control"}
    home = "/opt/vllm-supervisor/"
    for word in probes["readinessProbe"]["exec"]["command"]:
        inside = word.removeprefix(home)
        assert word == inside or inside.startswith(".venv/") or (ROOT / inside).is_file()
    (port,) = manifest("Service")["spec"]["ports"]
    assert port["targetPort"] == "http"
    assert manifest("Service")["spec"]["selector"] == labels()


def labels() -> dict[str, str]:
    found: dict[str, str] = manifest("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert found == manifest("Deployment")["spec"]["selector"]["matchLabels"]
    return found


# --- as little as it needs ---


def test_the_pod_fits_the_restricted_standard() -> None:
    """Each rule of Kubernetes' Pod Security Standard `restricted`, and more than it asks."""
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(pod())
    assert {kind for volume in pod()["volumes"] for kind in set(volume) - {"name"}} <= {
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
        "projected", "secret",
    }  # fmt: skip
    of_pod, of_container = pod()["securityContext"], container()["securityContext"]
    assert of_pod["runAsNonRoot"] is True
    assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert of_container["allowPrivilegeEscalation"] is False
    assert of_container["capabilities"] == {"drop": ["ALL"]}
    assert not {"privileged", "procMount", "runAsUser"} & set(of_container)
    assert not any("hostPort" in port for port in container()["ports"])
    # Of our own: a user that the image's tests run as, to whom the volume is given.
    user = f"--user={of_pod['runAsUser']}:{of_pod['runAsGroup']}"
    assert user in HARDENED
    assert of_pod["fsGroup"] == of_pod["runAsGroup"] > 0
    assert pod()["automountServiceAccountToken"] is False


def test_what_has_to_be_writable_is() -> None:
    """The file system is not; what docs/image.md lists is mounted."""
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True
    mounted = {mount["mountPath"] for mount in container()["volumeMounts"]}
    text = (ROOT / "docs" / "image.md").read_text().partition("### What must be writable")[2]
    rows = re.findall(r"^\| `([/\w]+)`(?: \(`([/\w-]+)`\))?", text, re.MULTILINE)
    told = {path or name for name, path in rows}
    assert mounted == told == {"/tmp", "/dev/shm", table.BASE_PATH.default}  # noqa: S108
    given = {mount["name"] for mount in container()["volumeMounts"]}
    assert given == {volume["name"] for volume in pod()["volumes"]}


def let_through(address: str, protocol: str, port: int) -> bool:
    """Whether the policy lets the pod talk to `address` outside its own cluster's pods."""
    where = ipaddress.ip_address(address)
    for rule in manifest("NetworkPolicy")["spec"]["egress"]:
        if {"protocol": protocol, "port": port} not in rule["ports"]:
            continue
        for block in (to["ipBlock"] for to in rule["to"] if "ipBlock" in to):
            but = map(ipaddress.ip_network, block["except"])
            if where in ipaddress.ip_network(block["cidr"]) and not any(
                where in one for one in but
            ):
                return True
    return False


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.0", "10.96.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",  # noqa: S104
        "169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "198.18.0.1",
        "224.0.0.1", "255.255.255.255", "::1", "fe80::1", "fd00:ec2::254", "ff02::1",
        "::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::",
    ],
)  # fmt: skip
def test_the_policy_closes_the_inside(address: str) -> None:
    """Metadata services of the clouds, the cluster's own network, and disguises of either."""
    assert not any(let_through(address, "TCP", port) for port in (53, 80, 443, 8001, 8080))


@hypothesis.given(strategies.ip_addresses())
def test_the_policy_lets_nothing_through_that_is_not_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if let_through(str(address), "TCP", 443) and address.version == 4:
        documentation = [ipaddress.ip_network(one) for one in
                         ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]  # fmt: skip
        assert address.is_global or any(address in one for one in documentation)


def test_the_policy_lets_through_what_is_needed() -> None:
    for public in ("1.1.1.1", "18.155.0.1", "172.15.0.1", "172.32.0.1", "2600:9000::1"):
        assert let_through(public, "TCP", 443)
        assert not let_through(public, "TCP", 80)
        assert not let_through(public, "UDP", 443)
    spec = manifest("NetworkPolicy")["spec"]
    assert spec["podSelector"]["matchLabels"] == labels()
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    assert spec["ingress"] == [{"ports": [{"protocol": "TCP", "port": "http"}]}]
    names, internet = spec["egress"]
    assert {(port["protocol"], port["port"]) for port in names["ports"]} == {
        ("TCP", 53),
        ("UDP", 53),
    }
    (server,) = names["to"]
    assert set(server) == {"namespaceSelector", "podSelector"}
    assert all("ipBlock" in to for to in internet["to"])


# --- and Docker ---


def joined(page: Path) -> str:
    """Its text with continued lines put together."""
    return page.read_text().replace("\\\n", " ")


SERVING = [
    (page.name, command)
    for page in sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    for command in re.findall(
        r"^docker run .*", page.read_text().replace("\\\n", " "), re.MULTILINE
    )
    if " -p " in command
]


@pytest.mark.parametrize(("page", "command"), SERVING)
def test_every_container_that_serves_is_given_time_to_stop(page: str, command: str) -> None:
    """`docker stop` itself waits for 10 s. Nor is one opened to everybody by copying a line."""
    assert len({name for name, _ in SERVING}) >= 4
    (seconds,) = re.findall(r"--stop-timeout (\d+)", command)
    assert float(seconds) > until_its_end({}) + 10, page
    (published,) = re.findall(r" -p (\S+)", command)
    assert published == f"127.0.0.1:8000:{DEFAULTS.engine_port}"


def test_docker_gives_time_to_stop_also_behind_a_balancer() -> None:
    (told,) = re.findall(r"with the 15 s of a balancer take (\d+)", DEPLOY)
    env = {"WORKER_MODE": "load-balancer"}
    assert plan.make(env, None).settings.drain_delay == 15
    assert float(told) > until_its_end(env) + 10
    assert "`docker stop` has\n`-t 90`" in DEPLOY


def test_the_hardened_container_is_the_one_that_is_tested() -> None:
    (line,) = [command for page, command in SERVING if page == "deploy.md" and "--user" in command]
    told = re.findall(r"--(user|cap-drop|security-opt|tmpfs) (\S+)|--(read-only)", line)
    assert {f"--{name}={value}" if name else f"--{flag}" for name, value, flag in told} == set(
        HARDENED
    )


def test_the_manifest_is_all_there() -> None:
    """Nothing is named that is not made, and no Service whose name makes a setting of ours."""
    assert pod()["enableServiceLinks"] is False
    kinds = {one["kind"]: one["metadata"]["name"] for one in manifests()}
    assert set(kinds) == {"Deployment", "Service", "NetworkPolicy", "PersistentVolumeClaim"}
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod()["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    assert claims == [kinds["PersistentVolumeClaim"]]
    secrets = [
        entry["valueFrom"]["secretKeyRef"] for entry in container()["env"] if "valueFrom" in entry
    ]
    (made,) = re.findall(r"^kubectl create secret generic .*", joined(PAGE), re.MULTILINE)
    _, _, _, _, name, *literals = shlex.split(made)
    keys = {word.removeprefix("--from-literal=").partition("=")[0] for word in literals}
    assert {(name, key) for key in keys} == {(each["name"], each["key"]) for each in secrets}
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
    assert seconds > until_its_end({}) + 10
    assert worker["ports"] == [f"127.0.0.1:8000:{DEFAULTS.engine_port}"]
    limits = [f"--cap-drop={name}" for name in worker["cap_drop"]]
    limits += [f"--security-opt={name.removesuffix(':true')}" for name in worker["security_opt"]]
    assert tuple(limits) == LIMITED


@pytest.mark.parametrize("name", ["deploy", "operations"])
def test_the_page_is_reached_from_outside_as_it_is_said(name: str) -> None:
    """By the port that is published, with variables that let it in, and ask for the token."""
    text = (ROOT / "docs" / f"{name}.md").read_text()
    [options] = set(re.findall(r"`(-p 127\.0\.0\.1:8001\S* [^`]+)`", text))
    _, published, *rest = options.split()
    assert published == f"127.0.0.1:8001:{DEFAULTS.control_port}"
    assert f"https://POD_ID-{DEFAULTS.control_port}.proxy.runpod.net/" in text
    assert rest[::2] == ["-e", "-e"]
    env = dict(one.partition("=")[::2] for one in rest[1::2])
    assert env["CONTROL_TOKEN"] == "", "of the shell: no secret on a command line"
    settings = plan.make({**env, "CONTROL_TOKEN": "open-sesame"}, None).settings
    asked = Question("GET", "/", host="abc-8001.proxy.runpod.net", peer="172.17.0.1")
    access = Access(settings[table.CONTROL_TOKEN], settings.control_host)
    assert settings.control_host == "0.0.0.0"  # noqa: S104
    assert access.refusal_of_page(asked) is None
    assert Access(None, settings.control_host).refusal_of_page(asked) is not None


@pytest.mark.parametrize("name", ["deploy", "models", "image"])
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / "docs" / f"{name}.md").read_text()
    for link in re.findall(r"\]\(([\w./-]+)\)", text):
        assert (ROOT / "docs" / link).exists(), link
