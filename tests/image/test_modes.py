"""The three modes with the real vLLM in containers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests import client
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.image.conftest import OLDER, Images, Start
from tests.image.containers import HARDENED, HOST, LIMITED, READY_WITHIN, Container
from tests.processes import ROOT, until
from tools import run

pytestmark = [
    pytest.mark.image,
    pytest.mark.slow,
    pytest.mark.own_engine,
    pytest.mark.timeout(2400),
]

ASK: Any = [{"role": "user", "content": "Who are you?"}]
# vLLM on a CPU exchanges tensors in shared memory, also with one worker; docker gives it 64 MB.
MODEL = ["--shm-size=1g", "-v", f"{ROOT / 'demo' / 'model'}:/demo:ro"]
REAL = {**run.CPU_DEFAULTS, **run.DEMO_DEFAULTS, "MODEL_NAME": "/demo", "MAX_MODEL_LEN": "512"}

# What is known of the engine's processes: their folder, and the names in their environment.
ENGINE = """
import psutil
for p in psutil.process_iter():
    words = p.cmdline()
    if any(w.endswith("/vllm") for w in words) and "serve" in words:
        print(p.cwd(), "PYTHONPATH" in p.environ(), p.uids().real)
"""
KILL_CORE = """
import psutil
own = psutil.Process()
found = [p for p in psutil.process_iter() if "EngineCore" in " ".join(p.cmdline()) and p != own]
print(len(found))
for p in found:
    p.kill()
"""


@pytest.fixture
def platform() -> Iterator[Platform]:
    """RunPod's side, where a container reaches it."""
    with Platform("--host", "0.0.0.0", "--worker-lost-seconds", "3600") as one:  # noqa: S104
        yield one


def asked(one: Container, **options: Any) -> str:
    with openai.OpenAI(base_url=f"{one.url()}/v1", api_key="none", max_retries=0, **options) as api:
        answer = api.chat.completions.create(
            model="demo", messages=ASK, temperature=0, max_tokens=24
        )
    return answer.choices[0].message.content or ""


def test_plain(images: Images, start: Start) -> None:
    """As compose has it: as root, on a file system that can be written, without a capability."""
    one = start(images.newer, *MODEL, *LIMITED, env=REAL, engine=8000)
    one.until_ready()
    assert asked(one)
    assert one.healthcheck() == "/ping says 200"
    folder, has_path, _ = one.python(ENGINE).splitlines()[0].split()
    assert not folder.startswith("/opt/vllm-supervisor")
    assert has_path == "False"
    assert one.stop() == 0, one.log()


def test_another_vllm_read_only_without_a_network_and_not_as_root(
    images: Images, start: Start
) -> None:
    """With a key, too. Without a network nothing is published: questions come from inside."""
    env = {**REAL, "VLLM_API_KEY": "sesame"}
    one = start(images.older, *MODEL, *HARDENED, "--network=none", env=env)
    one.until_ready()
    code = (
        "import httpx\n"
        "for key in ('', 'wrong', 'sesame'):\n"
        "    head = {'Authorization': f'Bearer {key}'} if key else {}\n"
        "    for path in ('v1/models', 'metrics', 'health'):\n"
        "        url = f'http://127.0.0.1:8000/{path}'\n"
        "        print(httpx.get(url, headers=head, timeout=60).status_code)\n"
        "url = 'http://127.0.0.1:8000/version'\n"
        "print(httpx.get(url, headers=head, timeout=60).json()['version'])\n"
    )
    *statuses, version = one.python(code).split()
    assert statuses == ["401", "401", "200"] * 2 + ["200"] * 3
    assert version.startswith(OLDER)
    assert {line.split()[-1] for line in one.python(ENGINE).splitlines()} == {"1000"}
    assert "sesame" not in one.log()
    assert one.stop() == 0, one.log()


def test_queue(images: Images, start: Start, platform: Platform) -> None:
    """The platform is on this machine, reached over the container's network."""
    env = {**REAL, **worker_environment(f"http://{HOST}:{platform.port}")}
    one = start(images.newer, *MODEL, *HARDENED, env=env)
    given = {"messages": ASK, "sampling_params": {"temperature": 0, "max_tokens": 24}}
    early = platform.submit(given)  # taken when the engine is ready
    one.until_ready()
    until(lambda: platform.job(early)["status"] == "COMPLETED", what="the first job", pause=0.2)
    with openai.OpenAI(
        base_url=f"{platform.url}/openai/v1", api_key="none", max_retries=0
    ) as through:
        chunks = through.chat.completions.create(
            model="demo", messages=ASK, temperature=0, max_tokens=24, stream=True
        )
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    (answer,) = platform.job(early)["output"]
    assert answer["choices"][0]["tokens"] == [text]
    assert text
    assert one.stop() == 0, one.log()


def test_load_balancer(images: Images, start: Start) -> None:
    """The platform sees 204, 200 and, when the engine dies, 503."""
    env = {
        **REAL,
        "RUNPOD_ENDPOINT_ID": "local",
        "PORT": "8080",
        "PORT_HEALTH": "8001",
    }
    one = start(images.newer, *MODEL, *HARDENED, env=env, engine=8080, control=8001)
    until(lambda: one.ping() == 204, what="/ping saying 204")
    until(lambda: one.ping() == 200, READY_WITHIN, f"/ping saying 200\n{one.log()}", pause=0.5)
    assert asked(one)
    assert client.get(f"{one.url('control')}/status").status_code == 403
    assert int(one.python(KILL_CORE)) >= 1
    until(lambda: one.ping() == 503, what="/ping saying 503", pause=0.1)
    assert one.stop() == 0, one.log()
