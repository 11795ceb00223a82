"""What docs/cluster.md has to copy agrees with the code, and makes a command for each node."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from supervisor.catalog import options
from supervisor.command import plan
from supervisor.command.cluster import likeness
from supervisor.command.plan import Plan
from supervisor.models.placement import OnDisk
from supervisor.settings import table
from supervisor.worker.lifecycle import Policy
from tests.image.containers import HARDENED, LIMITED
from tests.processes import CATALOG, ROOT
from tests.test_deploy import DEFAULTS, until_its_end
from tests.test_deploy import container as container_of_one
from tests.test_deploy import pod as pod_of_one
from tests.tools.test_container import program
from tools import tags

PAGE = (ROOT / "docs" / "cluster.md").read_text()
#: Seconds that a word between rank 0 and another node may take: a question is held so long.
WORD = 5.0
SLURM_KILLS_AFTER = 30.0  # seconds after SIGTERM: its KillWait


def block(kind: str, start: str) -> str:
    """The one block of this language that begins so."""
    every = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (found,) = [text for language, text in every if language == kind and text.startswith(start)]
    return str(found)


def section(title: str) -> str:
    """The text under a title."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def manifest(kind: str) -> dict[str, Any]:
    every = yaml.safe_load_all(block("yaml", "apiVersion: leaderworkerset"))
    (found,) = [one for one in every if one["kind"] == kind]
    assert isinstance(found, dict)
    return found


def template() -> dict[str, Any]:
    found: dict[str, Any] = manifest("LeaderWorkerSet")["spec"]["leaderWorkerTemplate"]
    return found


def pod() -> dict[str, Any]:
    found: dict[str, Any] = template()["workerTemplate"]["spec"]
    return found


def container() -> dict[str, Any]:
    (found,) = pod()["containers"]
    assert isinstance(found, dict)
    return found


def given() -> dict[str, str]:
    """What the manifest itself says, without what it takes from elsewhere."""
    return {entry["name"]: entry["value"] for entry in container()["env"] if "value" in entry}


def served(env: Mapping[str, str], gpus: int) -> Plan:
    """The plan of a node; nothing of it is refused or has no effect."""
    made = plan.make(env, options.load(CATALOG), OnDisk(gpus=gpus))
    assert made.findings.errors == (), made.findings.errors
    assert not {row.env for row in made.findings.ignored} & {row.name for row in table.OF_CLUSTER}
    return made


def is_a_cluster(nodes: list[Plan], tensor: int) -> None:
    """Each is a rank of the same, and would be let in; only the first serves."""
    assert all(likeness.alike(made.options) == likeness.alike(nodes[0].options) for made in nodes)
    for rank, made in enumerate(nodes):
        assert made.value("--nnodes") == str(len(nodes))
        assert made.value("--node-rank") == str(rank)
        assert ("--headless" in made.command) is (rank > 0)
        assert made.value("--tensor-parallel-size") == str(tensor)
        assert made.value("--pipeline-parallel-size") == str(len(nodes))
        assert made.value("--master-addr") == nodes[0].value("--master-addr")
    assert len({made.cluster.token for made in nodes if made.cluster is not None}) == 1


def test_every_image_is_the_one_that_is_published() -> None:
    images = re.findall(r"vllmsupervisor/worker:v[\w.-]+", PAGE)
    assert len(images) >= 5
    assert set(images) == {tags.image(tags.DEFAULT_VLLM)}


def test_its_variables_are_settings_with_these_defaults() -> None:
    """And none of a cluster's is missing in the table."""
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \|([^|]*)\|", section("Variables"), re.MULTILINE))
    assert set(rows) == {row.name for row in (table.NUM_NODES, table.CLUSTER, *table.OF_CLUSTER)}
    for row in table.OF_CLUSTER:
        for other in row.also:
            assert f"`{other}`" in rows[row.name], row.name
    assert str(table.CLUSTER_PORT.default) in rows["CLUSTER_PORT"]
    assert str(table.PRIMARY_PORT.default) in rows["PRIMARY_PORT"]
    ports = dict(re.findall(r"^\| (\d+) \(`([A-Z_]+)`\)", section("Ports"), re.MULTILINE))
    assert {name: int(port) for port, name in ports.items()} == {
        row.name: row.default
        for row in (table.VLLM_PORT, table.PORT_HEALTH, table.CLUSTER_PORT, table.PRIMARY_PORT)
    }


def test_the_times_of_faults_are_those_of_the_code() -> None:
    text = section("Faults")
    assert f"after {Policy().silence_most:.0f} s without a word" in text
    assert f"`ENGINE_STALL_TIMEOUT` ({DEFAULTS[table.ENGINE_STALL_TIMEOUT]:.0f} s)" in text
    assert f"`STARTUP_TIMEOUT` ({DEFAULTS[table.STARTUP_TIMEOUT]:.0f} s)" in text
    assert f"`WARMUP_TIMEOUT` ({DEFAULTS[table.WARMUP_TIMEOUT]:.0f} s)" in text


def test_the_first_commands_make_two_nodes_and_give_time_to_stop() -> None:
    commands = re.findall(r"^docker run .*", PAGE.replace("\\\n", " "), re.MULTILINE)
    assert len(commands) == 2
    nodes = []
    for command in commands:
        said = dict(re.findall(r"-e ([A-Z_]+)=(\S+)", command))
        nodes.append(served({**said, "CLUSTER_TOKEN": "theirs"}, gpus=8))
        assert "-e CLUSTER_TOKEN " in command, "from the caller's environment, not in a list"
        (seconds,) = re.findall(r"--stop-timeout (\d+)", command)
        assert float(seconds) >= until_its_end({}) + 2 * WORD + 10
    is_a_cluster(nodes, tensor=8)


# --- LeaderWorkerSet ---


def test_the_manifest_makes_a_command_for_each_pod() -> None:
    """With what LeaderWorkerSet sets, and the pod's address."""
    size = template()["size"]
    gpus = container()["resources"]["limits"]["nvidia.com/gpu"]
    assert set(template()) == {"size", "restartPolicy", "workerTemplate"}, "one for all pods"
    name = manifest("LeaderWorkerSet")["metadata"]["name"]
    address = {entry["name"]: entry["valueFrom"] for entry in container()["env"]
               if "valueFrom" in entry}["NODE_ADDR"]  # fmt: skip
    assert address == {"fieldRef": {"fieldPath": "status.podIP"}}
    nodes = [
        served(
            {
                **given(),
                "NODE_ADDR": f"10.1.0.{rank + 2}",
                "CLUSTER_TOKEN": "theirs",
                "LWS_GROUP_SIZE": str(size),
                "LWS_WORKER_INDEX": str(rank),
                "LWS_LEADER_ADDRESS": f"{name}-0.{name}.default",
            },
            gpus,
        )
        for rank in range(size)
    ]
    is_a_cluster(nodes, tensor=gpus)


def test_the_manifest_gives_time_to_stop() -> None:
    """A node that is not rank 0 waits for it, and rank 0 has to hear of it first."""
    (_, pause) = container()["lifecycle"]["preStop"]["exec"]["command"]
    spare = pod()["terminationGracePeriodSeconds"] - float(pause) - until_its_end(given())
    assert spare >= 2 * WORD + 10
    comment = " ".join(re.findall(r"# (Above preStop.*?)\n +# (.*?)\n", PAGE)[0])
    values = plan.make(given(), None).settings
    assert [float(figure) for figure in re.findall(r"\((\d+)\)", comment)] == [
        *(float(pause), WORD, values.drain_delay, values[table.DRAIN_TIMEOUT]),
        *(Policy().stop_grace, WORD),
    ]


def test_the_manifest_reaches_the_ports() -> None:
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert ports == {
        "http": DEFAULTS.engine_port,
        "control": DEFAULTS.control_port,
        "cluster": table.CLUSTER_PORT.default,
    }
    (port,) = manifest("Service")["spec"]["ports"]
    assert port["targetPort"] == "http"


def test_requests_come_to_rank_0_alone() -> None:
    """LeaderWorkerSet makes a Service of its own name, by which pods find each other."""
    labels = template()["workerTemplate"]["metadata"]["labels"]
    service = manifest("Service")
    leads = {"leaderworkerset.sigs.k8s.io/worker-index": "0"}
    assert service["spec"]["selector"] == {**labels, **leads}
    assert service["metadata"]["name"] != manifest("LeaderWorkerSet")["metadata"]["name"]
    policy = manifest("NetworkPolicy")["spec"]
    assert policy["podSelector"]["matchLabels"] == labels
    among, http = policy["ingress"]
    assert among == {"from": [{"podSelector": {"matchLabels": labels}}]}, "on every port"
    assert http == {"ports": [{"protocol": "TCP", "port": "http"}]}


def test_rank_0_does_not_wait_to_be_ready_before_the_others_are_made() -> None:
    assert manifest("LeaderWorkerSet")["spec"]["startupPolicy"] == "LeaderCreated"
    assert template()["restartPolicy"] == "RecreateGroupOnPodRestart"
    told = section("Kubernetes: LeaderWorkerSet")
    assert "`RecreateGroupAfterStart`, from LWS 0.9 on" in told


def test_the_pod_is_as_one_that_serves_alone() -> None:
    """Its probes, its user, what it may write; of its own are the memory and the patience."""
    alone, each = pod_of_one(), pod()
    for key in ("enableServiceLinks", "automountServiceAccountToken", "securityContext"):
        assert each[key] == alone[key], key
    assert set(each) == set(alone)
    for key in ("securityContext", "startupProbe", "readinessProbe", "volumeMounts", "lifecycle"):
        assert container()[key] == container_of_one()[key], key
    probe = container()["livenessProbe"]
    assert probe["httpGet"] == container_of_one()["livenessProbe"]["httpGet"]
    patience = probe["periodSeconds"] * probe["failureThreshold"]
    assert patience > 2 * DEFAULTS[table.STARTUP_TIMEOUT], "all are awaited, then all start"
    user = each["securityContext"]
    assert f"--user={user['runAsUser']}:{user['runAsGroup']}" in HARDENED
    claims = [v["persistentVolumeClaim"] for v in each["volumes"] if "persistentVolumeClaim" in v]
    claim = manifest("PersistentVolumeClaim")
    assert claims == [{"claimName": claim["metadata"]["name"]}]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"], "several nodes mount it"


def test_its_secrets_are_those_that_are_made() -> None:
    command = block("sh", "kubectl create secret").replace("\\\n", " ")
    made = set(re.findall(r"--from-literal=([\w-]+)=", command))
    taken = [e["valueFrom"]["secretKeyRef"] for e in container()["env"]
             if "secretKeyRef" in e.get("valueFrom", {})]  # fmt: skip
    assert {ref["key"] for ref in taken} == made == {"api-key", "cluster-token"}
    assert {ref["name"] for ref in taken} == set(re.findall(r"secret generic (\w+)", command))


# --- Compose ---


def filled(value: object) -> str:
    """As Compose fills it in, with every variable set to the same word."""
    return re.sub(r"\$\{\w+[^}]*\}", "theirs", str(value))


def test_compose_makes_two_nodes_and_gives_time_to_stop() -> None:
    compose = yaml.safe_load(block("yaml", "x-node"))
    services = compose["services"]
    nodes, devices = [], []
    for service in services.values():
        env = {name: filled(value) for name, value in service["environment"].items()}
        nodes.append(served({name: text for name, text in env.items() if text}, gpus=1))
        assert float(service["stop_grace_period"].removesuffix("s")) >= (
            until_its_end({}) + 2 * WORD + 10
        )
        limits = [f"--cap-drop={name}" for name in service["cap_drop"]]
        limits += [
            f"--security-opt={name.removesuffix(':true')}" for name in service["security_opt"]
        ]
        assert tuple(limits) == LIMITED
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        devices += device["device_ids"]
    is_a_cluster(nodes, tensor=1)
    assert nodes[0].value("--master-addr") == next(iter(services)), "the name of rank 0's service"
    assert len(set(devices)) == len(devices) == len(nodes)
    assert [service.get("ports") for service in services.values()] == [
        [f"127.0.0.1:8000:{DEFAULTS.engine_port}"],
        None,
    ]
    assert compose["volumes"] == {"models": None}


# --- RunPod ---


def test_a_template_for_instant_clusters_names_settings() -> None:
    """What the platform sets on each node, and what the template adds, make two nodes."""
    text = block("", "Container image")
    said = dict(re.findall(r"^([A-Z][A-Z_]+)  +(\S.*)$", text, re.MULTILINE))
    secrets = {name: "theirs" for name, text in said.items() if "RUNPOD_SECRET_" in text}
    assert set(secrets) == {"CLUSTER_TOKEN", "VLLM_API_KEY"}
    said |= secrets  # as the platform replaces them
    platform = set(
        re.findall(r"`([A-Z_]+)`", section("RunPod Instant Cluster").partition("```")[0])
    )
    example = {
        "NUM_NODES": "2",
        "PRIMARY_ADDR": "10.65.0.2",
        "PRIMARY_PORT": "29400",
        "NUM_TRAINERS": "8",
    }
    assert platform == {*example, "NODE_RANK", "NODE_ADDR"}
    nodes = [
        served(
            {**said, **example, "NODE_RANK": str(rank), "NODE_ADDR": f"10.65.0.{rank + 2}/24"},
            gpus=8,
        )
        for rank in range(2)
    ]
    is_a_cluster(nodes, tensor=8)
    assert nodes[0].value("--master-port") == "29400"
    assert "Shared memory       8 GB" in text


# --- Slurm ---


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "job.sh"
    path.write_text(block("bash", "#!/bin/bash\n#SBATCH"))
    return path


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for Slurm's commands and Apptainer's; each node's environment is kept here."""
    bin_folder = tmp_path / "bin"
    program(bin_folder, "scontrol", '[ "$1 $2 $3" = "show hostnames node[07-08]" ] || exit 1\n'
            "printf 'node07\\nnode08\\n'")  # fmt: skip
    # A task on each node, beside each other; what stands before the command are options.
    # `--nodes=1` is one, by its number among them.
    program(bin_folder, "srun", 'nodes="0 1"\n'
            'while [ "${1#-}" != "$1" ]; do\n'
            '  case "$1" in --nodes=1) one=yes ;; --relative=*) at="${1#*=}" ;; esac; shift\n'
            'done\n'
            'if [ -n "${one:-}" ]; then nodes="${at:-0}"; fi\n'
            'for node in $nodes; do SLURM_NODEID=$node "$@" & done; wait')  # fmt: skip
    program(bin_folder, "getent", '[ "$1 $2" = "ahostsv4 node07" ] || exit 2\n'
            'if [ "$SLURM_NODEID" = 0 ]; then echo "127.0.1.1 STREAM node07"; exit; fi\n'
            'printf "10.1.0.7 STREAM node07\\n10.1.0.7 DGRAM\\n"')  # fmt: skip
    program(bin_folder, "apptainer", 'echo "$@" > "$KEPT/args$NODE_RANK"\n'
            'env > "$KEPT/env$NODE_RANK"')  # fmt: skip
    path = os.pathsep.join([str(bin_folder), os.environ["PATH"]])
    for name, text in {
        "PATH": path,
        "KEPT": str(tmp_path),
        "SLURM_NNODES": "2",
        "SLURM_GPUS_ON_NODE": "8",
        "SLURM_JOB_NODELIST": "node[07-08]",
    }.items():
        monkeypatch.setenv(name, text)
    return tmp_path


def test_the_script_for_slurm_starts_a_worker_on_each_node(script: Path, slurm: Path) -> None:
    subprocess.run(["bash", str(script)], check=True)
    nodes = []
    names = {"MODEL_NAME", "DRAIN_TIMEOUT", *(r.name for r in (table.NUM_NODES, *table.OF_CLUSTER))}
    for rank in (0, 1):
        lines = (slurm / f"env{rank}").read_text().splitlines()
        env = dict(line.split("=", 1) for line in lines if line.partition("=")[0] in names)
        nodes.append(served(env, gpus=8))
        assert (slurm / f"args{rank}").read_text() == "run --nv worker.sif\n"
        assert until_its_end(env) + WORD < SLURM_KILLS_AFTER, "all are told at once"
    is_a_cluster(nodes, tensor=8)
    assert nodes[0].value("--master-addr") == "10.1.0.7", "as the others have it"
    assert nodes[0].cluster is not None
    assert len(nodes[0].cluster.token) == 64


def test_the_script_for_slurm_asks_for_one_worker_a_node(script: Path) -> None:
    wanted = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", script.read_text(), re.MULTILINE))
    assert wanted["ntasks-per-node"] == "1"
    assert wanted["nodes"] == "2"
    shellcheck = Path(sys.executable).with_name("shellcheck")
    subprocess.run([shellcheck, "--severity=warning", script], check=True)


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([\w./-]+\.md)(?:#([\w-]+))?\)", PAGE)
    assert links
    for page, _ in links:
        assert (ROOT / "docs" / page).exists(), page
    assert "docs/cluster.md" in (ROOT / "README.md").read_text()
