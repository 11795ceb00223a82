"""Which hosts go by an HTTP proxy: as urllib and aiohttp read the environment."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest

from proxy import detour

PROXY = "http://proxy:3128"
_bypass: Any = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("env", "schemes"),
    [
        ({}, ()),
        ({"HTTP_PROXY": PROXY}, ("http",)),
        ({"https_proxy": PROXY}, ("https",)),
        ({"http_proxy": PROXY, "HTTPS_PROXY": "HTTP://proxy"}, ("http", "https")),
        ({"http_proxy": "", "HTTP_PROXY": PROXY}, ()),
        ({"ALL_PROXY": PROXY, "all_proxy": PROXY}, ()),
        ({"HTTP_PROXY": "https://proxy"}, ()),
        ({"HTTP_PROXY": "socks5://proxy"}, ()),
        ({"HTTP_PROXY": "proxy:3128"}, ()),
    ],
)
def test_which_schemes(env: dict[str, str], schemes: tuple[str, ...]) -> None:
    found = detour.read(env)
    assert tuple(each for each in ("http", "https") if found.takes(each, "a.example")) == schemes


@pytest.mark.parametrize("past", ["", "*", "a.example", ".a.example", "b.example, A.Example"])
@pytest.mark.parametrize("host", ["a.example", "x.a.example", "ba.example", "b.example"])
def test_which_hosts_go_past_it(past: str, host: str) -> None:
    found = detour.read({"http_proxy": PROXY, "no_proxy": past})
    assert found.takes("http", host) is not bool(_bypass(host, {"no": past}))
