"""Which requests pass, and what is said of the others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from proxy import settings
from proxy.errors import InvalidInput, LookupTooLate
from proxy.media.judge import Judge
from proxy.media.lookup import Lookup
from proxy.request.forms import Request
from tests.proxy.media.tricks import NOT_READ

NAMES: Mapping[str, tuple[str, ...]] = {
    "good.example": ("93.184.216.34", "2606:4700::1"),
    "half.example": ("93.184.216.34", "10.0.0.1"),
    "inside.example": ("10.0.0.1",),
    "meta.example": ("169.254.169.254",),
    "odd.example": ("something",),
}


def judge(**env: str) -> Judge:
    asked = Lookup(lambda host: NAMES.get(host, ()))
    return Judge(settings.read(env), asked)


def request(*urls: Any, route: str = "/v1/chat/completions") -> Request:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return Request("POST", route, {}).with_body({"messages": [{"role": "user", "content": parts}]})


async def refusal(*urls: Any, **env: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        await judge(**env).check(request(*urls))
    assert caught.value.status == 400
    assert (caught.value.param or "").startswith("messages.0.content.")
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 400
    return said


@pytest.mark.parametrize(
    "url",
    [
        "https://good.example/x.png",
        "http://8.8.8.8:8080/x",
        "http://[2606:4700::1]/x",
        "data:image/png;base64,iVBORw0KGgo=",
        "https://good.example/" + "x" * 5000,
    ],
)
async def test_what_passes(url: str) -> None:
    await judge().check(request(url))


@pytest.mark.parametrize("url", NOT_READ[1:])
async def test_what_is_not_read_is_refused(url: str) -> None:
    await refusal(url)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[fe80::1]", "0.0.0.0"),  # noqa: S104
        *("localhost", "x.localhost", "metadata", "metadata.google.internal", "printer.local"),
        *("inside.example", "half.example", "meta.example", "odd.example", "nobody.example"),
    ],
)
async def test_what_is_not_public_is_refused_in_one_sentence(host: str) -> None:
    """The same one for a name that leads inside and for one that nobody knows."""
    said = await refusal("data:,", f"http://{host}:22/x?token=secret")
    assert said == (
        f"messages.0.content.1.image_url.url: the host '{host}:22' has no public address to fetch"
        " from: use one that has, or send the data itself (data:image/png;base64,...);"
        " MEDIA_PRIVATE=1 on the worker allows private ones"
    )


async def test_the_second_of_two_is_judged_too() -> None:
    assert "'inside.example'" in await refusal("https://good.example/x", "https://inside.example/x")


@pytest.mark.parametrize("host", ["127.0.0.1", "inside.example", "nobody.example", "metadata"])
async def test_media_private(host: str) -> None:
    await judge(MEDIA_PRIVATE="1").check(request(f"http://{host}/x"))
    assert "can check" in await refusal("http://127.1/x", MEDIA_PRIVATE="1")


async def test_allowed_domains() -> None:
    listed = {"ALLOWED_MEDIA_DOMAINS": "Good.example, inside.example"}
    await judge(**listed).check(request("https://GOOD.example/x", "data:,"))
    assert await refusal("https://sub.good.example/x?secret", **listed) == (
        "messages.0.content.0.image_url.url: the host 'sub.good.example' is not one of"
        " ALLOWED_MEDIA_DOMAINS; name one that is, or send the data itself"
        " (data:image/png;base64,...)"
    )
    assert "no public address" in await refusal("https://inside.example/x", **listed)
    await judge(**listed, MEDIA_PRIVATE="1").check(request("https://inside.example/x"))


async def test_files() -> None:
    said = await refusal("file:///etc/passwd")
    assert "ALLOWED_LOCAL_MEDIA_PATH names no folder" in said
    assert "passwd" not in said
    await judge(ALLOWED_LOCAL_MEDIA_PATH="/media").check(request("file:///media/x.png"))


async def test_where_a_proxy_resolves_names() -> None:
    by = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "inside.example"}
    await judge(**by).check(request("https://nobody.example/x"))
    for url in (
        "https://inside.example/x",  # goes past the proxy
        "http://nobody.example/x",  # of this scheme there is none
        "https://127.0.0.1/x",
        "https://metadata/x",
        "https://metadata.google.internal/x",
    ):
        assert "no public address" in await refusal(url, **by)


@pytest.mark.parametrize("entry", [{"a": 1}, [], "x", {"image_url": "data:,"}])
async def test_the_look_at_a_large_job_holds_nobody_up(entry: Any) -> None:
    """Of 20 MB there are millions of entries: seconds in one go."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await judge().check(Request("POST", "/v1/chat/completions", {"messages": [entry] * 50_000}))
    task.cancel()
    assert turns >= 100


async def test_many_hosts() -> None:
    assert "more than 64 hosts" in await refusal(*(f"http://h{n}.example/" for n in range(65)))


async def test_a_form_and_a_question_have_no_addresses() -> None:
    body = {"file": "UklGRg==", "image_url": "http://127.0.0.1/"}
    await judge().check(Request("POST", "/v1/audio/transcriptions", body))
    await judge().check(Request("GET", "/v1/models", {}))


async def test_a_name_that_is_told_late_is_nobodys_fault() -> None:
    """Others may keep the name server busy; "no public address" would send the caller astray."""
    may = threading.Event()

    def late(_host: str) -> tuple[str, ...]:
        may.wait()
        return ("93.184.216.34",)

    try:
        one = Judge(settings.read({}), Lookup(late, within=0.05))
        with pytest.raises(LookupTooLate, match="could not be looked up in time: try again"):
            await one.check(request("https://good.example/x.png"))
    finally:
        may.set()
