"""Who answers for an end."""

from __future__ import annotations

from supervisor.link.journal import Journal
from supervisor.worker.engine.suspect import Suspicion


def test_what_the_proxy_has_said_is_read_first() -> None:
    kept = Journal()
    suspicion = Suspicion(kept, lambda: kept.feed(b"~a\n"))
    assert not suspicion.found
    suspicion.look()
    assert suspicion.found


def test_the_first_sign_counts() -> None:
    """By the last one the proxy may be at other jobs."""
    kept = Journal()
    suspicion = Suspicion(kept, lambda: None)
    kept.feed(b"~a\n")
    suspicion.look()
    kept.feed(b"~\n*a\n")
    suspicion.look()
    assert suspicion.found


def test_an_engine_that_is_well_clears_it() -> None:
    kept = Journal()
    suspicion = Suspicion(kept, lambda: None)
    kept.feed(b"~a\n")
    suspicion.look()
    suspicion.drop()
    kept.feed(b"*a\n")
    suspicion.look()
    assert not suspicion.found
