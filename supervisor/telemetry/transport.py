"""The way to a collector: what becomes of each request on it.

The SDK says that only in its log, and of a failure that it tries again for a while not at last. It
follows no redirect, and takes one for a success.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import requests
from opentelemetry.exporter.otlp.proto.http._common import _load_session_from_envvar
from requests.adapters import BaseAdapter
from requests.exceptions import ProxyError

from ..secrets import masked
from ..settings.otel import Signal
from .causes import told

_SHOWN = 120  # characters of an address


class Redirected(requests.RequestException):
    """An answer that the SDK would take for a success; its text is what `refusal` says."""


def session(signal: Signal, note: Callable[[str], None]) -> requests.Session:
    """What an exporter sends a signal by.

    Args:
        signal: what is sent.
        note: gets for each request why it was not taken, and "" for one that was.

    Raises:
        RuntimeError: the credential provider that OpenTelemetry's variables name is not there.
    """
    provider = f"OTEL_PYTHON_EXPORTER_OTLP_HTTP_{signal.name}_CREDENTIAL_PROVIDER"
    # An exporter that is given a session does not ask for that of a provider any more.
    made = _load_session_from_envvar(cast("Any", provider)) or requests.Session()
    for prefix, adapter in list(made.adapters.items()):
        made.mount(prefix, _Noted(adapter, note))
    return made


class _Noted(BaseAdapter):
    """An adapter, and who hears of each request."""

    def __init__(self, adapter: BaseAdapter, note: Callable[[str], None]) -> None:
        super().__init__()
        self._adapter = adapter
        self._note = note

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: dict[str, str] | None = None,
    ) -> requests.Response:
        """See BaseAdapter.

        Raises:
            Redirected: the answer is a redirect.
        """
        try:
            answer = self._adapter.send(request, stream, timeout, verify, cert, proxies)
            _ = answer.content  # which is read here, or fails here
        except Exception as reason:
            by = "the HTTP proxy: " if isinstance(reason, ProxyError) else ""
            self._note(by + told(reason))
            raise
        why = refusal(answer.status_code, request.url or "", answer.headers.get("location", ""))
        self._note(why)
        if 300 <= answer.status_code < 400:
            raise Redirected(why)
        return answer

    def close(self) -> None:
        """See BaseAdapter."""
        self._adapter.close()


def refusal(status: int, asked: str, location: str = "") -> str:
    """What an answer says against a request; "" where it was taken. Pure.

    Args:
        status: of the answer.
        asked: the address of the request.
        location: to which the answer sends it on, as its header says it.
    """
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400 and (elsewhere := _address(asked, location)):
        return f"it redirects to {elsewhere}; set that address"
    try:
        return f"it answers {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"it answers {status}"


def _address(asked: str, location: str) -> str:
    """Without what may be secret in it: a user, a password, a query. Empty where there is none."""
    if not location:
        return ""
    try:
        found = urlsplit(urljoin(asked, location))
        port = "" if found.port is None else f":{found.port}"
    except ValueError:
        return ""
    if not found.hostname:
        return ""
    host = f"[{found.hostname}]" if ":" in found.hostname else found.hostname
    shown = masked("", f"{found.scheme}://{host}{port}{found.path}")
    shown = re.sub(r"[^!-~]", "?", shown)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
