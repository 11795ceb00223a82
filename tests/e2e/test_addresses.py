"""Real versions of vLLM read addresses as the proxy does, and take them from where it looks.

vLLM's own connector and its own reader of a chat's content are asked, each in its own environment;
no engine is started, and nothing is connected to.
"""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.media import address, places
from tests.proxy.media.test_places import FOUND, URL
from tests.proxy.media.tricks import NOT_READ, READ

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

FETCHES = Path(__file__).with_name("fetches.py")


class Real:
    """A real vLLM's own code."""

    def __init__(self, command: str) -> None:
        own = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/root")}
        self.process = subprocess.Popen(
            [str(Path(command).resolve().with_name("python")), str(FETCHES)],
            env={**own, "VLLM_MEDIA_FETCH_MAX_RETRIES": "1", "VLLM_LOGGING_LEVEL": "ERROR"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, what: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(what), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module", params=["VLLM_COMMAND", "OLDER_VLLM_COMMAND"])
def real(request: pytest.FixtureRequest) -> Iterator[Real]:
    command = os.environ.get(request.param)
    if not command:
        pytest.fail(f"{request.param} does not name a real vLLM; run the tests with `make test`")
    one = Real(command)
    with one.process:
        yield one


def test_it_asks_the_host_that_was_judged(real: Real) -> None:
    for url, host in READ.items():
        asked = real.ask(url)
        assert len(asked) == 1, url
        found = address.read(url)
        assert found is not None
        if found.ip is None:
            assert asked == [host]
        else:
            assert ipaddress.ip_address(asked[0]) == found.ip


def test_what_is_not_judged_would_be_read_by_it_in_part(real: Real) -> None:
    """So that it is right to refuse these; of most it reads nothing either."""
    asked = {url: real.ask(url) for url in NOT_READ}
    assert asked["http://127.0.0.1\\@good.example/x"] == ["127.0.0.1"]
    assert asked["http://good.example@127.0.0.1@x.example/x"] == ["x.example"]
    assert asked["http://0x7f000001/x"] == ["0x7f000001"]
    assert asked["http://[::1%25lo]/x"] == ["::1%lo"]
    assert asked["http://good%2eexample/x"] == ["good.example"]
    assert asked["file:///etc/passwd"] == []


def test_data_and_files_are_told_apart_alike(real: Real) -> None:
    for url in ("data:text/plain;base64,YQ==", "DATA:text/plain;base64,YQ=="):
        assert address.is_data(url)
        assert real.ask(url) == []


def test_it_takes_no_address_that_is_not_found(real: Real) -> None:
    """Of each part that it reads at all, the address is among those that the proxy judges."""
    taken = 0
    for name, (body, _field) in FOUND.items():
        for part in _parts(body):
            read = real.ask(part)
            if isinstance(read, list) and isinstance(read[1], str) and URL in read[1]:
                taken += 1
                assert read[1] in {place.text for place in places.named(body) if place}, name
    assert taken >= 6


def _parts(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of a chat's content."""
    for message in body.get("messages", ()):
        if isinstance(message, dict):
            yield from (part for part in message["content"] if isinstance(part, dict))
