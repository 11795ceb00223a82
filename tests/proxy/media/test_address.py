"""An address is read as every parser reads it, or not at all."""

from __future__ import annotations

import ipaddress
import urllib.parse

import httpx
import pytest
import yarl
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.media import address
from tests.proxy.media.tricks import NOT_READ, READ


@pytest.mark.parametrize(("text", "host"), READ.items())
def test_what_it_reads(text: str, host: str) -> None:
    found = address.read(text)
    assert found is not None
    assert found.host == host
    assert found.scheme == text.partition(":")[0].lower()
    assert (found.ip is not None) is (host[0] == "[" or host[-1].isdigit())


@pytest.mark.parametrize("text", NOT_READ)
def test_what_it_does_not_read(text: str) -> None:
    assert address.read(text) is None


#: What parsers trip over, in any order.
PIECES = st.lists(
    st.sampled_from(
        "http https :// : / // \\ @ # ? [ ] % %40 %2f . .. 127.0.0.1 127.1 good.example [::1]"
        " [::1%lo] 0x7f 80 :80 a:b \t \n \r \x00 ü ｡ user".split(" ")
    ),
    max_size=9,
).map("".join)


@given(st.one_of(PIECES, PIECES.map("http://".__add__), st.text().map("http://".__add__)))
@example("http://good.example\\@127.0.0.1")
@example("http://a@b@127.0.0.1/")
def test_what_it_reads_other_parsers_read_alike(text: str) -> None:
    found = address.read(text)
    if found is None:
        return
    others = (urllib.parse.urlsplit(text).hostname, yarl.URL(text).host, httpx.URL(text).host)
    for host in others:
        assert host is not None
        assert found.ip == ipaddress.ip_address(host) if found.ip else host == found.host
    assert yarl.URL(text).scheme == httpx.URL(text).scheme == found.scheme


@pytest.mark.parametrize("text", ["data:,", "DATA:text/plain;base64,YQ==", "data:x,"])
def test_data(text: str) -> None:
    assert address.is_data(text)
    assert not address.is_file(text)


@pytest.mark.parametrize("text", ["file:///etc/passwd", "FILE:/x", "file://host/x"])
def test_a_file(text: str) -> None:
    assert address.is_file(text)
    assert not address.is_data(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://user:secret@good.example:80/x?token=secret", "good.example:80"),
        ("http://a@secret@host/x", "host"),
        ("ftp://host/secret", "host"),
        ("//host\\secret", "host"),
        ("host/secret", "host"),
        ("http://127.0.0.1\\@good.example/x", "127.0.0.1"),
        ("", ""),
    ],
)
def test_what_is_shown_is_the_host_alone(text: str, host: str) -> None:
    assert address.host_of(text) == host
