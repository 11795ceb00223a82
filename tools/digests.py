"""The digests of the images of vLLM on which ours are built: image/bases.txt, and the registry's.

A tag can be moved to another image, a digest is that of the image's content.
"""

import hashlib
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools import tags
from tools.docs import known
from tools.errors import SetupError
from tools.worker import CHECKOUT

FILE = CHECKOUT / "image" / "bases.txt"
HEAD = """\
# The images of vLLM on which the published ones are built, by digest; `make pin` writes this file.
# A version that is not here is taken by its tag.
"""
REGISTRY = "https://registry-1.docker.io"
# An index of several platforms comes first: its digest holds for each of them.
MANIFESTS = ", ".join(
    f"application/vnd.{kind}"
    for kind in (
        "oci.image.index.v1+json",
        "docker.distribution.manifest.list.v2+json",
        "oci.image.manifest.v1+json",
        "docker.distribution.manifest.v2+json",
    )
)
PATIENCE = 30  # seconds
_LINE = re.compile(r"(?P<name>\S+:\S+)@(?P<digest>sha256:[0-9a-f]{64})")


def read(file: Path = FILE) -> dict[str, str]:
    """The digest of each image that has one here: `vllm/vllm-openai:v0.33.0` -> `sha256:...`.

    Raises:
        SetupError: a line is none.
    """
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise SetupError(f"{file.name} has the line {line!r}; `make pin` writes it anew.")
        found[match["name"]] = match["digest"]
    return found


def write(file: Path, digests: Mapping[str, str]) -> None:
    """Write them down."""
    lines = [f"{name}@{digest}\n" for name, digest in digests.items()]
    file.write_text(HEAD + "".join(lines), encoding="utf-8")


def published() -> list[str]:
    """The images of vLLM under those that are published."""
    return [
        tags.base(version, cuda)
        for version in known.CUDA
        for cuda in ("", *known.MORE_CUDA.get(version, []))
    ]


def asked(name: str, registry: str = REGISTRY) -> str:
    """The digest of the image `name`, as the registry has it now.

    It is taken of the manifest itself, not from what the registry says of it.

    Raises:
        SetupError: the registry cannot be reached, or has no such image.
    """
    repository, _, tag = name.partition(":")
    url = f"{registry}/v2/{repository}/manifests/{tag}"
    try:
        try:
            manifest = _get(url, {"Accept": MANIFESTS})
        except urllib.error.HTTPError as refused:
            if refused.code != 401:
                raise
            token = _token(refused.headers.get("WWW-Authenticate", ""))
            headers = {"Accept": MANIFESTS, "Authorization": f"Bearer {token}"}
            manifest = _get(url, headers)
    except (OSError, ValueError) as reason:
        raise SetupError(
            f"The digest of {name} could not be asked for ({reason}): run this where the registry"
            " can be reached; `make pin ARGS=wheels` does without it."
        ) from reason
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def _token(challenge: str) -> str:
    """A token for anybody, from where the registry sends us: `Bearer realm="...",service="..."`."""
    parts = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = parts.pop("realm", "")
    answer: dict[str, Any] = json.loads(_get(f"{realm}?{urllib.parse.urlencode(parts)}", {}))
    return str(answer.get("token") or answer.get("access_token") or "")


def _get(url: str, headers: Mapping[str, str]) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url} is no address of a registry")
    request = urllib.request.Request(url, headers=dict(headers))
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        body: bytes = answer.read()
        return body
