"""What an event says for itself."""

from __future__ import annotations

import pytest

from supervisor.worker.lifecycle import ProxyExited


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (ProxyExited(1, "no GPU"), "no GPU"),
        (ProxyExited(-9), "the proxy ended with code -9; its lines above say why"),
        (
            ProxyExited(None, "Too many open files"),
            "the proxy could not be started: Too many open files",
        ),
    ],
)
def test_the_end_of_a_proxy_is_one_sentence(event: ProxyExited, words: str) -> None:
    assert event.words == words
