"""HTTP for tests: never through a proxy of the environment, and patient.

Certificates are not loaded: all of it is plain HTTP on this machine, and that would be most of the
cost of a question. A busy machine can leave a process without the CPU for seconds; that fails no
test.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import httpx

#: Seconds that a test waits for what is not its subject. Nothing takes a tenth of it on an idle
#: machine; a busy one must fail no test.
PATIENCE = 180.0


def get(url: str, **options: Any) -> httpx.Response:
    """`httpx.get`."""
    return httpx.get(url, trust_env=False, verify=False, **{"timeout": PATIENCE, **options})


def answers(url: str) -> bool:
    """Whether somebody answers there, and well."""
    try:
        return get(url).is_success
    except httpx.HTTPError:
        return False


def post(url: str, **options: Any) -> httpx.Response:
    """`httpx.post`."""
    return httpx.post(url, trust_env=False, verify=False, **{"timeout": PATIENCE, **options})


def delete(url: str, **options: Any) -> httpx.Response:
    """`httpx.delete`."""
    return httpx.delete(url, trust_env=False, verify=False, **{"timeout": PATIENCE, **options})


def running(engine: str) -> float:
    """How many requests the engine at this URL works on, by its own metrics."""
    lines = get(f"{engine}/metrics").text.splitlines()
    found = [line for line in lines if line.startswith("vllm:num_requests_running{")]
    assert found
    return sum(float(line.rsplit(" ", 1)[1]) for line in found)


def stream(method: str, url: str, **options: Any) -> AbstractContextManager[httpx.Response]:
    """`httpx.stream`."""
    return httpx.stream(
        method, url, trust_env=False, verify=False, **{"timeout": PATIENCE, **options}
    )
