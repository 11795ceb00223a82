"""How containers end, with a stand-in engine where the real one would add nothing but time."""

from __future__ import annotations

import contextlib
import re
import threading

import httpx
import pytest

from tests import client
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.image.conftest import Images, Start
from tests.image.containers import HARDENED, HOST
from tests.processes import until

pytestmark = [pytest.mark.image, pytest.mark.slow, pytest.mark.timeout(2400)]

MEMORY = 256  # MiB: several times what the worker itself needs


def test_a_stop_finishes_the_jobs_in_hand(images: Images, start: Start) -> None:
    with Platform("--host", "0.0.0.0") as platform:  # noqa: S104
        one = start(images.fake, env=worker_environment(f"http://{HOST}:{platform.port}"))
        one.until_ready()
        body = {"model": "tiny", "prompt": "x", "stream": True, "fake": {"tokens": 60, "rate": 20}}
        given = {"openai_route": "/v1/completions", "openai_input": body}
        jobs = [platform.submit(given) for _ in range(3)]
        for job in jobs:
            until(lambda job=job: platform.job(job)["posts"], what="the first batch")  # type: ignore[misc]
        assert one.stop() == 0, one.log()
        for job in jobs:
            found = platform.job(job)
            assert found["status"] == "COMPLETED"
            assert "".join(found["output"]).count('"text"') >= 60
            assert found["done"] == 1


def test_a_stop_finishes_the_requests_in_hand(images: Images, start: Start) -> None:
    """Plain mode: the clients talk to the engine, so the engine drains itself."""
    one = start(images.fake, *HARDENED, engine=8000)
    one.until_ready()
    body = {"model": "tiny", "prompt": "x", "stream": True, "fake": {"tokens": 60, "rate": 20}}
    code = []
    with client.stream("POST", f"{one.url()}/v1/completions", json=body) as answer:
        lines = answer.iter_lines()
        assert next(lines)
        stop = threading.Thread(target=lambda: code.append(one.stop()))
        stop.start()
        rest = list(lines)
    stop.join(client.PATIENCE)
    assert rest[-2:] == ["data: [DONE]", ""] or "data: [DONE]" in rest
    assert code == [0], one.log()


@pytest.mark.parametrize(("options", "code"), [(["--stop-timeout=90"], 0), ([], 137)])
def test_a_stop_has_the_time_that_the_container_was_given(
    images: Images, start: Start, options: list[str], code: int
) -> None:
    """`docker stop` as it is: 10 s, which is too short for this request, or what `run` was told."""
    one = start(images.fake, *HARDENED, *options, engine=8000)
    one.until_ready()
    body = {"model": "tiny", "prompt": "x", "stream": True, "fake": {"tokens": 100, "rate": 5}}
    codes = []
    stop = threading.Thread(target=lambda: codes.append(one.stop(patience=None)))
    ended = ""
    with (
        contextlib.suppress(httpx.HTTPError),
        client.stream("POST", f"{one.url()}/v1/completions", json=body) as answer,
    ):
        for line in answer.iter_lines():
            if not ended:
                stop.start()
            ended = line or ended
    stop.join(client.PATIENCE)
    assert codes == [code], one.log()
    assert (ended == "data: [DONE]") == (code == 0)


def test_a_key_is_asked_for(images: Images, start: Start) -> None:
    one = start(images.fake, env={"VLLM_API_KEY": "sesame"}, engine=8000)
    one.until_ready()
    url = f"{one.url()}/v1/models"
    assert client.get(url).status_code == 401
    assert client.get(url, headers={"Authorization": "Bearer sesame"}).status_code == 200
    assert client.get(f"{one.url()}/health").status_code == 200


def test_a_kill_is_137(images: Images, start: Start) -> None:
    one = start(images.fake, "--network=none")
    one.until_ready()
    images.tool.run("kill", one.id)
    assert one.wait() == 137


def test_a_configuration_error_is_said_and_ends_with_78(images: Images, start: Start) -> None:
    one = start(images.fake, "--network=none", env={"MAX_MODEL_LEN": "many"})
    assert one.wait() == 78
    assert "MAX_MODEL_LEN=many" in one.log()


def test_the_load_balancers_ping(images: Images, start: Start) -> None:
    env = {"WORKER_MODE": "load-balancer", "PORT": "8080", "PORT_HEALTH": "8001"}
    one = start(images.fake, env={**env, "FAKE_VLLM": "wait-for=/go"}, engine=8080, control=8001)
    until(lambda: one.ping() == 204, what="/ping saying 204")
    one.inside("touch", "/go")
    until(lambda: one.ping() == 200, what="/ping saying 200")
    with contextlib.suppress(httpx.HTTPError):
        client.post(f"{one.url()}/fake", content="health=500")
    until(lambda: one.ping() == 503, what="/ping saying 503")
    assert one.stop() == 0, one.log()


def test_a_port_below_1024_that_may_not_be_taken_is_named(images: Images, start: Start) -> None:
    """Load-balancer mode has port 80 by default, and this user has no right to it here."""
    env = {"WORKER_MODE": "load-balancer", "PORT_HEALTH": "8001"}
    reserved = "--sysctl=net.ipv4.ip_unprivileged_port_start=1024"
    one = start(images.fake, *HARDENED, reserved, env=env)
    assert one.wait() == 78, one.log()
    assert "port 80 may not be listened on by this user (uid 1000)" in one.log()
    assert "engine spawned" not in one.log()


def test_a_memory_limit_is_named(images: Images, start: Start) -> None:
    """The kernel kills the engine. The worker lives, says so, tries again, and gives up at last."""
    limit = [f"--memory={MEMORY}m", f"--memory-swap={MEMORY}m", "--network=none"]
    one = start(images.fake, *limit, env={"FAKE_VLLM": "eat", "MAX_RESTARTS": "1"})
    assert one.wait() == 137, one.log()
    log = one.log()
    assert len(re.findall("engine spawned", log)) == 2, log
    assert re.search(r"giving up with exit code 137: .* memory ran out", log), log
