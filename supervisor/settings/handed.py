"""Which of the worker's variables its processes get. Pure.

The proxy gets what it, RunPod's SDK and their libraries read; the engine's interpreter all but the
platform's keys.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..secrets import is_secret, masked
from . import table
from .table import Reader

#: The variable with the folder from which the engine reads media by `file:`, for the proxy.
LOCAL_MEDIA = "ALLOWED_LOCAL_MEDIA_PATH"
#: The variable with what every chat's template is given, as the JSON of an object, for the proxy.
CHAT_DEFAULTS = "DEFAULT_CHAT_TEMPLATE_KWARGS"

_ROWS = [row for row in table.TABLE if row.reader not in {Reader.SUPERVISOR, Reader.BAKE}]
_OF_PROXY = frozenset(
    [
        *(row.name for row in _ROWS),
        *(row.former for row in _ROWS if row.former),
        "VLLM_API_KEY",  # it asks the engine
        # The system's, as programs and Python's own modules read them
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TZDIR", "TERM", "HOSTNAME"),
        *("TMPDIR", "TEMP", "TMP", "LOCALDOMAIN", "RES_OPTIONS", "NETRC", "OPENSSL_CONF"),
        # The way to the platform: requests (the SDK's pings), aiohttp and httpx
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "WS_PROXY", "WSS_PROXY"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    ]
)
#: RUNPOD_: the SDK builds some of its names. NVIDIA_, CUDA_: the GPUs that are checked. OTEL_:
#: where its traces go.
_OF_PROXY_BEGIN = (
    "RUNPOD_",
    "NVIDIA_",
    "CUDA_",
    "PYTHON",
    "LC_",
    "LD_",
    "MALLOC_",
    "AIOHTTP_",
    "OTEL_",
)
_OF_PLATFORM = frozenset(
    {table.CONTROL_TOKEN.name, table.CLUSTER_TOKEN.name, "JUPYTER_PASSWORD", "JUPYTER_TOKEN"}
)


def to_proxy(env: Mapping[str, str]) -> dict[str, str]:
    """What of the worker's environment its proxy gets: no token of the hub, no key of a cloud."""
    return {
        name: value
        for name, value in env.items()
        if name.upper() in _OF_PROXY or name.startswith(_OF_PROXY_BEGIN)
    }


def to_interpreter(env: Mapping[str, str]) -> dict[str, str]:
    """What of it the engine's interpreter gets, whatever that runs: no key of the platform's."""
    return {name: value for name, value in env.items() if not is_platforms(name, value)}


def is_platforms(name: str, value: str) -> bool:
    """Whether this is a key of the platform's or for this worker, or an address with one in it."""
    if not name.startswith("RUNPOD_"):
        return name in _OF_PLATFORM
    return is_secret(name) or "_WEBHOOK" in name or masked("", value) != value
