"""vLLM's own processes wait for each other on loopback, unless other machines may take part."""

from __future__ import annotations

import pytest

from supervisor.command import plan
from supervisor.models.placement import OnDisk
from tests.supervisor.command.test_translate import catalog

NAME = "GLOO_SOCKET_IFNAME"
CURRENT = catalog("0.32.0")


def made(env: dict[str, str], configured: frozenset[str] = frozenset()) -> plan.Plan:
    return plan.make({"MODEL_NAME": "org/m", **env}, CURRENT, OnDisk(configured=configured))


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"WORKER_MODE": "queue"},
        {"TENSOR_PARALLEL_SIZE": "2"},
        {"DATA_PARALLEL_SIZE": "2", "DISTRIBUTED_EXECUTOR_BACKEND": "mp"},
        {NAME: " "},
    ],
)
def test_one_machine_keeps_them_on_loopback(env: dict[str, str]) -> None:
    assert made(env).engine_env[NAME] == "lo"


@pytest.mark.parametrize(
    "env",
    [
        {NAME: "eth0"},
        {"VLLM_EXTRA_ARGS": "--nnodes 2 --node-rank 0 --master-addr 10.0.0.2"},
        {"VLLM_EXTRA_ARGS": "--nnodes 2 --node-rank 1 --headless"},
        {"DATA_PARALLEL_SIZE": "2", "DATA_PARALLEL_ADDRESS": "10.0.0.2"},
        {"DATA_PARALLEL_SIZE": "2", "DATA_PARALLEL_SIZE_LOCAL": "1"},
        {"DISTRIBUTED_EXECUTOR_BACKEND": "ray"},
    ],
)
def test_where_other_machines_may_take_part_nothing_is_said(env: dict[str, str]) -> None:
    found = made(env)
    assert not found.findings.errors
    assert NAME not in found.engine_env


@pytest.mark.parametrize("key", ["nnodes", "data-parallel-address", "distributed-executor-backend"])
def test_a_configuration_file_may_name_other_machines(key: str) -> None:
    assert NAME not in made({}, frozenset({key})).engine_env
    assert made({}, frozenset({"max-model-len"})).engine_env[NAME] == "lo"
