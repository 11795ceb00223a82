"""The stand-in for the hub answers as the hub does: ranges, heads, lists of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.client import PATIENCE
from tests.hub import ranges
from tests.hub.files import etag
from tests.hub.serving import hub

_TLS = False  # the loopback's http; reading the CA certificates would be most of the time
WEIGHTS = bytes(range(256)) * 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("repository")
    (made / "model.safetensors").write_bytes(WEIGHTS)
    (made / "config.json").write_text("{}")
    (made / "a" / "b").mkdir(parents=True)
    (made / "a" / "b" / "c.json").write_text("[]")
    return made


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    with (
        hub(tiny=folder) as url,
        httpx.Client(base_url=url, verify=_TLS, timeout=PATIENCE) as made,
    ):
        yield made


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-99", (0, 100)),
        ("bytes=100-", (100, 1000)),
        ("bytes=-10", (990, 1000)),
        ("bytes=-5000", (0, 1000)),
        ("bytes=900-5000", (900, 1000)),
        ("bytes=999-999", (999, 1000)),
        ("", None),
        ("bytes=9-3", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
    ],
)
def test_a_range(header: str, part: tuple[int, int] | None) -> None:
    assert ranges.asked(header, 1000) == part


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=2000-3000", "bytes=-0"])
def test_a_range_behind_the_end(header: str) -> None:
    with pytest.raises(ValueError, match="bytes"):
        ranges.asked(header, 1000)


def test_a_part_is_sent_as_it_is_asked_for(client: httpx.Client) -> None:
    path = "/org/tiny/resolve/main/model.safetensors"
    part = client.get(path, headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, WEIGHTS[100:300])
    assert part.headers["Content-Range"] == f"bytes 100-299/{len(WEIGHTS)}"
    assert part.headers["Content-Length"] == "200"
    whole = client.get(path)
    assert (whole.status_code, whole.content) == (200, WEIGHTS)
    assert "Content-Range" not in whole.headers
    behind = client.get(path, headers={"Range": "bytes=9999999-"})
    assert (behind.status_code, behind.headers["Content-Range"]) == (
        416,
        f"bytes */{len(WEIGHTS)}",
    )
    sent = [(one["range"], one["sent"]) for one in client.get("/_hub/contents").json()]
    assert sent[-2:] == [("bytes=100-299", 200), ("", len(WEIGHTS))]


def test_a_head_says_what_the_file_is(client: httpx.Client, folder: Path) -> None:
    before = len(client.get("/_hub/contents").json())
    head = client.head("/org/tiny/resolve/main/model.safetensors", headers={"Range": "bytes=0-9"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == head.headers["X-Linked-Size"] == str(len(WEIGHTS))
    assert head.headers["ETag"] == f'"{hashlib.sha256(WEIGHTS).hexdigest()}"'
    small = client.head("/org/tiny/resolve/main/config.json").headers["ETag"]
    assert small == f'"{etag(folder / "config.json")}"'
    assert small == '"9e26dfeeb6e641a33dae4961196235bdb965b21b"'  # of git hash-object
    assert client.head("/org/tiny/resolve/main/nothing").status_code == 404
    assert len(client.get("/_hub/contents").json()) == before


def test_the_lists_of_files(client: httpx.Client) -> None:
    top = client.get("/api/models/org/tiny/tree/main").json()
    assert [(row["type"], row["path"]) for row in top] == [
        ("directory", "a"),
        ("file", "config.json"),
        ("file", "model.safetensors"),
    ]
    assert top[2]["lfs"]["size"] == top[2]["size"] == len(WEIGHTS)
    assert "lfs" not in top[1]
    every = client.get("/api/models/org/tiny/tree/main", params={"recursive": "True"}).json()
    assert {row["path"] for row in every} == {
        *("a", "a/b", "a/b/c.json"),
        *("config.json", "model.safetensors"),
    }
    inside = client.get("/api/models/org/tiny/tree/main/a").json()
    assert [(row["type"], row["path"]) for row in inside] == [("directory", "a/b")]
    missing = client.get("/api/models/org/tiny/tree/main/templates")
    assert (missing.status_code, missing.headers["X-Error-Code"]) == (404, "EntryNotFound")
    asked = {"paths": ["config.json", "nothing.json"], "expand": False}
    named = client.post("/api/models/org/tiny/paths-info/main", data=asked).json()
    assert [row["path"] for row in named] == ["config.json"]
