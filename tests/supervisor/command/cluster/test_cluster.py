"""Several nodes: variables in, the command of each node out."""

from __future__ import annotations

import subprocess
import sys

import pytest

from supervisor.catalog import options, versions
from supervisor.command import cluster, plan
from supervisor.command.cluster import config_file
from supervisor.command.plan import Plan
from supervisor.models.placement import OnDisk
from tests.processes import CATALOG, ROOT

TWO = {
    "MODEL_NAME": "org/name",
    "NUM_NODES": "2",
    "NODE_RANK": "1",
    "PRIMARY_ADDR": "10.0.0.2",
    "CLUSTER_TOKEN": "a-secret-of-theirs",
}
LWS = {
    "MODEL_NAME": "org/name",
    "LWS_GROUP_SIZE": "2",
    "LWS_WORKER_INDEX": "1",
    "LWS_LEADER_ADDRESS": "model-0.model.default",
    "CLUSTER_TOKEN": "a-secret-of-theirs",
}


def made(**env: str) -> Plan:
    return plan.make({**TWO, **env}, options.load(CATALOG), OnDisk(gpus=4))


def by_file(text: str, **env: str) -> Plan:
    """With a configuration file that says this."""
    disk = OnDisk(gpus=4, configuration=text, configured=frozenset(config_file.options(text)))
    given = {**TWO, "VLLM_CONFIG_FILE": "/c.yaml", **env}
    return plan.make(given, options.load(CATALOG), disk)


def test_one_node_is_told_of_the_others() -> None:
    one = made()
    for token in (
        "--nnodes=2",
        "--node-rank=1",
        "--headless",
        "--master-addr=10.0.0.2",
        "--master-port=29501",
        "--distributed-executor-backend=mp",
        "--distributed-timeout-seconds=1200",
        "--tensor-parallel-size=4",
        "--pipeline-parallel-size=2",
    ):
        assert one.command.count(token) == 1, token
    assert one.findings.errors == ()
    assert one.findings.warnings == ()
    assert one.cluster is not None
    assert (one.cluster.size, one.cluster.rank, one.cluster.gpus) == (2, 1, 4)
    assert one.cluster.headless
    assert not one.cluster.leads
    assert "a-secret-of-theirs" not in repr(one.cluster)


def test_rank_0_leads_and_serves() -> None:
    one = made(NODE_RANK="0")
    assert "--headless" not in one.command
    assert one.cluster is not None
    assert one.cluster.leads
    assert not one.cluster.headless


def test_what_a_leader_worker_set_says_is_enough() -> None:
    one = plan.make(LWS, options.load(CATALOG), OnDisk(gpus=1))
    assert one.findings.errors == ()
    assert {"--nnodes=2", "--node-rank=1", "--master-addr=model-0.model.default"} <= {*one.command}


def test_a_leader_worker_set_with_ray_has_a_way_out() -> None:
    """Nobody can unset what the platform sets."""
    env = {**LWS, "LWS_WORKER_INDEX": "0", "DISTRIBUTED_EXECUTOR_BACKEND": "ray"}
    (fault,) = plan.make(env, options.load(CATALOG), OnDisk(gpus=2)).findings.errors
    assert str(fault.suggestion).endswith("; set CLUSTER=off there")
    one = plan.make({**env, "CLUSTER": "off"}, options.load(CATALOG), OnDisk(gpus=2))
    assert one.findings.errors == ()
    assert one.value("--distributed-executor-backend") == "ray"


def test_other_workers_names_for_the_leader() -> None:
    env = {name: text for name, text in TWO.items() if name != "PRIMARY_ADDR"}
    env |= {"MASTER_ADDR": "10.0.0.7", "MASTER_PORT": "1234"}
    one = plan.make(env, options.load(CATALOG), OnDisk(gpus=1))
    assert {"--master-addr=10.0.0.7", "--master-port=1234"} <= {*one.command}
    assert not {row.env for row in one.findings.ignored} & {"MASTER_ADDR", "MASTER_PORT"}


@pytest.mark.parametrize(
    ("env", "why"),
    [({"NUM_NODES": "1"}, "NUM_NODES is not over 1"), ({"CLUSTER": "off"}, "CLUSTER is off")],
)
def test_a_node_alone_ignores_the_others(env: dict[str, str], why: str) -> None:
    one = made(**env)
    assert one.cluster is None
    assert not [token for token in one.command if token.startswith(("--nnodes", "--master"))]
    assert "--tensor-parallel-size=4" in one.command
    reasons = {row.env: row.reason for row in one.findings.ignored}
    assert reasons["NODE_RANK"] == f"this node serves alone: {why}"


def test_what_the_user_says_wins() -> None:
    one = made(
        VLLM_EXTRA_ARGS="--master-port 5 --distributed-timeout-seconds=7",
        TENSOR_PARALLEL_SIZE="8",
        PIPELINE_PARALLEL_SIZE="1",
    )
    assert one.value("--master-port") == "5"
    assert one.value("--distributed-timeout-seconds") == "7"
    assert one.value("--tensor-parallel-size") == "8"
    assert one.value("--pipeline-parallel-size") == "1"


def test_a_node_that_answers_nothing_has_no_servers() -> None:
    for env in ({"API_SERVER_COUNT": "2"}, {"VLLM_EXTRA_ARGS": "--api-server-count=2"}):
        assert made(**env).value("--api-server-count") is None
        assert made(NODE_RANK="0", **env).value("--api-server-count") == "2"
    (row,) = [row for row in made(API_SERVER_COUNT="2").findings.ignored if "API" in row.env]
    assert row.reason == "rank 1 answers no requests itself"


def test_nor_where_a_configuration_file_says_how_many() -> None:
    four = "api-server-count: 4\n"
    one = by_file(four)
    assert one.command.count("--api-server-count=0") == 1
    assert one.findings.errors == ()
    assert by_file(four, API_SERVER_COUNT="2").value("--api-server-count") == "0"
    for said in (by_file(four, NODE_RANK="0"), by_file("api-server-count: 0"), made()):
        assert said.value("--api-server-count") is None


@pytest.mark.parametrize(
    ("text", "headless"),
    [
        ("data-parallel-size: 2\ndata-parallel-hybrid-lb: true", False),
        ("data_parallel_size: 2\ndata_parallel_external_lb: on", False),
        ("data-parallel-size: 2\ndata-parallel-hybrid-lb: false", True),
        ("data-parallel-size: 2", True),
    ],
)
def test_a_configuration_file_decides_who_answers_requests(text: str, headless: bool) -> None:
    one = by_file(f"{text}\ntensor-parallel-size: 4\n")
    assert one.findings.errors == ()
    assert ("--headless" in one.command) is headless
    assert one.cluster is not None
    assert one.cluster.headless is headless
    sizes = ("--tensor-parallel-size", "--pipeline-parallel-size")
    assert [one.value(flag) for flag in sizes] == [None, None], "the file has them"
    off = {"VLLM_EXTRA_ARGS": "--no-data-parallel-hybrid-lb --no-data-parallel-external-lb"}
    assert "--headless" in by_file(text, **off).command, "the command line wins"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "tensor-parallel-size: 3",
            "TENSOR_PARALLEL_SIZE 3 x PIPELINE_PARALLEL_SIZE 1 x DATA_PARALLEL_SIZE 1 cannot be",
        ),
        (
            "distributed-executor-backend: 'ray'",
            "distributed-executor-backend: ray in VLLM_CONFIG_FILE and NUM_NODES=2 exclude",
        ),
        (
            "headless: true",
            "headless in VLLM_CONFIG_FILE and NODE_RANK=0 exclude",
        ),
    ],
)
def test_what_cannot_be_is_told_also_of_a_configuration_file(text: str, words: str) -> None:
    (fault,) = by_file(text, NODE_RANK="0").findings.errors
    assert fault.message.startswith(words)


def test_what_the_command_line_says_instead_of_a_configuration_file_counts() -> None:
    text = "tensor-parallel-size: 3\ndistributed-executor-backend: ray\n"
    one = by_file(text, TENSOR_PARALLEL_SIZE="8", DISTRIBUTED_EXECUTOR_BACKEND="mp")
    assert one.findings.errors == ()


def test_of_a_node_that_opens_no_port_nobody_is_warned() -> None:
    assert made().listener is None
    assert made(GATE="0", VLLM_API_KEY="theirs").listener is None
    balanced = {"DATA_PARALLEL_SIZE": "8", "DATA_PARALLEL_EXTERNAL_LB": "1"}
    for env in ({"NODE_RANK": "0"}, {"CLUSTER": "off"}, balanced):
        told = made(**env).listener
        assert told is not None, env
        assert told.message.startswith("VLLM_API_KEY is not set, and the engine listens on 0.0.0.0")


@pytest.mark.parametrize(
    ("env", "serving"),
    [
        ({}, [0]),
        ({"DATA_PARALLEL_SIZE": "4"}, [0]),
        ({"DATA_PARALLEL_SIZE": "4", "DATA_PARALLEL_HYBRID_LB": "1"}, [0, 1, 2, 3]),
        ({"DATA_PARALLEL_SIZE": "8", "DATA_PARALLEL_EXTERNAL_LB": "1"}, [0, 1, 2, 3]),
        ({"DATA_PARALLEL_SIZE": "2", "DATA_PARALLEL_EXTERNAL_LB": "1"}, [0, 2]),
    ],
)
def test_which_ranks_answer_requests(env: dict[str, str], serving: list[int]) -> None:
    env = {"TENSOR_PARALLEL_SIZE": "4", "NUM_NODES": "4", **env}
    ranks = [made(NODE_RANK=str(rank), **env) for rank in range(4)]
    found = [rank for rank, one in enumerate(ranks) if "--headless" not in one.command]
    assert found == serving
    assert [one.cluster and one.cluster.headless for one in ranks] == [
        rank not in serving for rank in range(4)
    ]


@pytest.mark.parametrize(
    ("env", "answers"),
    [
        ({"NODE_RANK": "0"}, True),
        ({"NODE_RANK": "0", "MAX_MODEL_LEN": "long"}, True),
        ({"NODE_RANK": "1"}, False),
        ({"NODE_RANK": "2"}, False),
        ({"NODE_RANK": ""}, False),
        ({"NODE_RANK": "first"}, False),
        ({"NODE_RANK": "0", "PRIMARY_ADDR": ""}, False),
        ({"NODE_RANK": "0", "PRIMARY_ADDR": "10.0.0.2:29501"}, False),
        ({"NODE_RANK": "0", "PRIMARY_ADDR": "", "MASTER_ADDR": "a b"}, False),
        ({"NODE_RANK": "0", "NODE_ADDR": "10.0.0.9"}, False),
        ({"NODE_RANK": "0", "VLLM_EXTRA_ARGS": "--node-rank 1"}, False),
        ({"NODE_RANK": "0", "VLLM_EXTRA_ARGS": "--headless"}, False),
        ({"NODE_RANK": "0", "NUM_NODES": "two"}, False),
        ({"NODE_RANK": "0", "NUM_NODES": "${NODES}"}, False),
        ({"NODE_RANK": "2", "CLUSTER": "off"}, True),
        ({"NODE_RANK": "2", "NUM_NODES": "1"}, True),
    ],
)
def test_whose_place_among_the_nodes_is_in_doubt_answers_no_jobs(
    env: dict[str, str], answers: bool
) -> None:
    one = made(**env)
    found = cluster.answers_jobs({**TWO, **env}, one.cluster, one.findings.errors)
    assert found is answers, one.findings.errors


@pytest.mark.parametrize("version", versions.known())
def test_every_catalogue(version: str) -> None:
    catalog = versions.load(version)
    one = plan.make(TWO, catalog, OnDisk(gpus=2))
    if catalog.option("--nnodes") is None:
        (fault,) = one.findings.errors
        assert fault.message == (
            f"vLLM {version} has no --nnodes and cannot share a model over nodes"
        )
        assert fault.suggestion == "use 0.12 or newer"
        return
    assert one.findings.errors == ()
    flags = {token.partition("=")[0] for token in one.command if token.startswith("--")}
    assert {flag for flag in flags if catalog.option(flag) is None} == set()
    known = catalog.option("--distributed-timeout-seconds") is not None
    assert ("--distributed-timeout-seconds" in flags) is known


def test_all_that_is_wrong_is_told_together() -> None:
    one = plan.make(
        {
            "MODEL_NAME": "org/name",
            "NUM_NODES": "3",
            "TENSOR_PARALLEL_SIZE": "4",
            "DISTRIBUTED_EXECUTOR_BACKEND": "ray",
        },
        versions.load("0.10.2"),
        OnDisk(gpus=2),
    )
    assert [fault.env for fault in one.findings.errors] == [
        "NODE_RANK",
        "PRIMARY_ADDR",
        "TENSOR_PARALLEL_SIZE",
        "NUM_NODES",
        "DISTRIBUTED_EXECUTOR_BACKEND",
    ]
    assert one.cluster is None


def test_the_engines_own_processes_are_not_kept_on_loopback() -> None:
    assert "GLOO_SOCKET_IFNAME" in made(CLUSTER="off").engine_env
    assert "GLOO_SOCKET_IFNAME" not in made().engine_env


#: Prints the modules of a cluster that the plan of an environment has loaded.
LOADED = """
import sys
from pathlib import Path
from supervisor.catalog import options
from supervisor.command import cluster, plan
env = dict(pair.split("=") for pair in sys.argv[2:])
plan.make(env, options.load(Path(sys.argv[1])))
print(*(name for name in sys.modules if name.startswith("supervisor.command.cluster.")))
"""


def test_a_node_alone_loads_nothing_of_it() -> None:
    def loaded(*pairs: str) -> str:
        command = [sys.executable, "-c", LOADED, str(CATALOG), "MODEL_NAME=a/b", *pairs]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert loaded() == loaded("NUM_NODES=1") == loaded("NUM_NODES=2", "CLUSTER=off") == ""
    assert "supervisor.command.cluster.options" in loaded("NUM_NODES=2")
