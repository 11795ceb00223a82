"""The base is the image with the digest, whatever its tag has become since."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.processes import ROOT
from tools.container import Tool

pytestmark = [pytest.mark.image, pytest.mark.slow, pytest.mark.timeout(2400)]

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
IMAGE = "localhost/vllm-supervisor-test:base"
#: The Dockerfile up to its base, with what tells it.
HEAD = (ROOT / "Dockerfile").read_text().partition("# 1. ")[0]


class Stored:
    """An image in a registry: a label, and a layer of one file."""

    def __init__(self, which: str) -> None:
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as archive:
            archive.addfile(tarfile.TarInfo(which))
        diff = _digest(layer.getvalue())
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Labels": {"which": which}},
                "rootfs": {"type": "layers", "diff_ids": [diff]},
            }
        ).encode()
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _described("container.image.v1+json", config),
                "layers": [_described("image.rootfs.diff.tar", layer.getvalue())],
            }
        ).encode()
        self.digest = _digest(manifest)
        self.manifest = manifest
        self.blobs = {_digest(blob): blob for blob in (layer.getvalue(), config)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _described(kind: str, blob: bytes) -> dict[str, Any]:
    return {
        "mediaType": f"application/vnd.docker.{kind}",
        "size": len(blob),
        "digest": _digest(blob),
    }


@contextmanager
def registry(images: dict[str, Stored]) -> Iterator[str]:
    """A registry on this machine with `base` under these tags; its address without a scheme."""
    every = {name: one for tag, one in images.items() for name in (tag, one.digest)}
    blobs = {digest: blob for one in images.values() for digest, blob in one.blobs.items()}

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            if self.path.startswith("/v2/base/manifests/") and name in every:
                self._say(200, every[name].manifest, MANIFEST)
            elif self.path.startswith("/v2/base/blobs/") and name in blobs:
                self._say(200, blobs[name], "application/octet-stream")
            else:
                self._say(200 if self.path == "/v2/" else 404, b"{}", "application/json")

        def do_HEAD(self) -> None:
            self.do_GET()

        def _say(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def built(tool: Tool, folder: Path, **arguments: str) -> str:
    """Which base a build took; the last lines of what it says where it failed."""
    (folder / "Dockerfile").write_text(HEAD)
    only = ["--format", "docker", "--tls-verify=false"] if tool.is_podman else []
    given = [f"--build-arg={name}={text}" for name, text in arguments.items()]
    done = tool.run("build", *only, *given, "-t", IMAGE, str(folder), check=False)
    if done.returncode != 0:
        return done.stderr
    label = '{{index .Config.Labels "which"}}'
    found = tool.run("image", "inspect", "-f", label, IMAGE).stdout.strip()
    tool.run("image", "rm", "-f", IMAGE)
    return found


def test_a_digest_wins_over_a_tag_that_was_moved(tool: Tool, tmp_path: Path) -> None:
    pinned, moved = Stored("pinned"), Stored("moved")
    with registry({"v1": moved, "earlier": pinned}) as address:
        base = f"{address}/base:v1"
        assert built(tool, tmp_path, BASE_IMAGE=base) == "moved"
        assert built(tool, tmp_path, BASE_IMAGE=base, BASE_DIGEST=pinned.digest) == "pinned"
        nowhere = "sha256:" + "0" * 64
        assert nowhere in built(tool, tmp_path, BASE_IMAGE=base, BASE_DIGEST=nowhere)


def test_a_version_is_a_build_argument_without_a_digest(tool: Tool, tmp_path: Path) -> None:
    """The names of vLLM's images, looked for in a registry where none is."""
    for given, name in (
        ({"VLLM_VERSION": "0.99.1"}, "vllm/vllm-openai:v0.99.1"),
        ({"WORKER_CUDA_VERSION": "129", "VLLM_VERSION": "0.9.1"}, "vllm-openai:v0.9.1-cu129"),
    ):
        with registry({}) as address:
            head = HEAD.replace("BASE_IMAGE=vllm/", f"BASE_IMAGE={address}/vllm/")
            (tmp_path / "Dockerfile").write_text(head)
            only = ["--tls-verify=false"] if tool.is_podman else []
            arguments = [f"--build-arg={key}={text}" for key, text in given.items()]
            done = tool.run("build", *only, *arguments, str(tmp_path), check=False)
            assert done.returncode != 0
            assert name in done.stdout + done.stderr
