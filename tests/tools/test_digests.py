"""The digests of bases: what a registry says of them, and where they go."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools import digests, image, tags
from tools.docs import bake, known
from tools.errors import SetupError

MANIFEST = b'{"schemaVersion": 2, "manifests": []}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"


class Registry(http.server.BaseHTTPRequestHandler):
    """A registry that sends everybody for a token first, as that of Docker does."""

    def do_GET(self) -> None:
        host = f"http://{self.headers['Host']}"
        if self.path == "/token?service=here&scope=repository%3Aa%2Fb%3Apull":
            self._say(200, json.dumps({"token": "open"}).encode())
        elif self.headers.get("Authorization") != "Bearer open":
            challenge = f'Bearer realm="{host}/token",service="here",scope="repository:a/b:pull"'
            self._say(401, b"", ("WWW-Authenticate", challenge))
        elif self.path == "/v2/a/b/manifests/v1" and "index" in self.headers["Accept"]:
            # Whoever moves a tag may write what he likes into this one.
            self._say(200, MANIFEST, ("Docker-Content-Digest", "sha256:" + "0" * 64))
        else:
            self._say(404, b"{}")

    def _say(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def registry() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_digest_is_that_of_the_manifest_itself(registry: str) -> None:
    assert digests.asked("a/b:v1", registry) == DIGEST


def test_an_image_that_is_not_there_is_told(registry: str) -> None:
    with pytest.raises(SetupError, match=r"The digest of a/b:v2 could not be asked for \(.*404"):
        digests.asked("a/b:v2", registry)


def test_a_registry_that_is_not_reached_is_told() -> None:
    with pytest.raises(SetupError, match="make pin ARGS=wheels"):
        digests.asked("a/b:v1", "http://127.0.0.1:1")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "bases.txt"
    digests.write(file, {"a/b:v1": DIGEST})
    assert digests.read(file) == {"a/b:v1": DIGEST}
    file.write_text(file.read_text() + "a/b:v2@sha256:short\n")
    with pytest.raises(SetupError, match=r"bases\.txt has the line 'a/b:v2@sha256:short'"):
        digests.read(file)


def test_those_of_this_checkout_are_of_images_that_are_published() -> None:
    assert set(digests.read()) <= set(digests.published())
    assert tags.base(known.DEFAULT) in digests.published()
    assert tags.base(known.DEFAULT, "12.9") in digests.published()
    assert digests.FILE.read_text().startswith(digests.HEAD)


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {tags.base(known.DEFAULT): DIGEST}
    monkeypatch.setattr(digests, "read", lambda: given)


@pytest.mark.usefixtures("pinned")
def test_the_published_images_are_built_on_them() -> None:
    targets = bake.text().split("\ntarget ")[2:]
    assert len(targets) == len(digests.published())
    first, *others = targets
    assert f'BASE_DIGEST         = "{DIGEST}"' in first
    assert all('BASE_DIGEST         = ""' in each for each in others)


@pytest.mark.usefixtures("pinned")
def test_make_image_takes_the_digest_of_the_version_that_it_builds_on() -> None:
    assert image.wanted({}, "")[1]["BASE_DIGEST"] == DIGEST
    for other in ({"VLLM_VERSION": "0.32.0"}, {"VLLM_VERSION": "0.99.0"}, {"BASE_IMAGE": "mine"},
                  {"WORKER_CUDA_VERSION": "12.9"}):  # fmt: skip
        assert "BASE_DIGEST" not in image.wanted(other, "")[1]
    one = {"BASE_IMAGE": "mine", "BASE_DIGEST": "sha256:1"}
    assert image.wanted(one, "")[1]["BASE_DIGEST"] == "sha256:1"
