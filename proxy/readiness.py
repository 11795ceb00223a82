"""Waits until jobs can be answered, before the first one is taken."""

from __future__ import annotations

import time

import httpx

from proxy.config import Settings

_POLL = 0.05  # seconds between two tries
_ASK_FOR = 30.0  # seconds that the supervisor holds one question


def wait(settings: Settings) -> None:
    """Until the supervisor says that the engine is ready; without one, until the engine does."""
    with httpx.Client(trust_env=False, timeout=_ASK_FOR + 10) as client:
        if settings.control_url is None:
            question, query = f"{settings.engine_url}/health", {}
        else:
            question = f"{settings.control_url}/status"
            query = {"wait": "ready", "timeout": f"{_ASK_FOR:.0f}"}
        while not _answers(client, question, query):
            time.sleep(_POLL)


def _answers(client: httpx.Client, question: str, query: dict[str, str]) -> bool:
    try:
        return client.get(question, params=query).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
