"""Where callers reach the engine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.catalog import options
from supervisor.command import plan as planned
from supervisor.worker.page import addresses
from tests.emulator.environment import worker_environment
from tests.processes import CATALOG

QUEUE = worker_environment("https://api.runpod.ai", "abc123")


def said(**env: str) -> dict[str, object]:
    env = {"MODEL_NAME": "org/m", **env}
    return addresses.of_callers(replace(planned.make(env, None), environment=env), env)


def test_on_a_machine_of_ones_own_it_is_where_the_page_is() -> None:
    assert said(VLLM_PORT="8005") == {
        "url": None, "scheme": "http", "port": 8005, "key": None, "model": "org/m",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("env", "url", "key"),
    [
        (QUEUE, "https://api.runpod.ai/v2/abc123/openai/v1", "RUNPOD_API_KEY"),
        (
            worker_environment("http://127.0.0.1:9000"),
            "http://127.0.0.1:9000/v2/local/openai/v1",
            "RUNPOD_API_KEY",
        ),
        ({"RUNPOD_ENDPOINT_ID": "abc"}, "https://abc.api.runpod.ai/v1", "RUNPOD_API_KEY"),
        ({"RUNPOD_POD_ID": "xyz"}, "https://xyz-8000.proxy.runpod.net/v1", None),
        (
            {"RUNPOD_POD_ID": "xyz", "VLLM_API_KEY": "K"},
            "https://xyz-8000.proxy.runpod.net/v1",
            "VLLM_API_KEY",
        ),
    ],
)
def test_on_the_platform_it_is_at_the_platform(
    env: dict[str, str], url: str, key: str | None
) -> None:
    found = said(**env)
    assert (found["url"], found["key"]) == (url, key)
    assert "emulator-key" not in str(found)


@pytest.mark.parametrize(("leader", "host"), [("node-0", "node-0"), ("fd00::1", "[fd00::1]")])
def test_a_node_whose_engine_opens_no_port_names_rank_0(leader: str, host: str) -> None:
    env = {"MODEL_NAME": "org/m", "NUM_NODES": "2", "PRIMARY_ADDR": leader, "NUM_TRAINERS": "8"}
    for rank, url in (("0", None), ("1", f"http://{host}:8000/v1")):
        made = planned.make({**env, "NODE_RANK": rank}, options.load(CATALOG))
        assert addresses.of_callers(made, {})["url"] == url
    assert addresses.of_callers(made, {"RUNPOD_POD_ID": "xyz"})["url"] == url
