"""Who answers for an end."""

from __future__ import annotations

import pytest

from supervisor.link.journal import Journal
from supervisor.worker.engine.suspect import Suspicion, WarmUp


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


# --- a warm-up ---


def test_one_that_went_well_is_done_again() -> None:
    one = WarmUp()
    assert one.begin()
    one.asked()
    one.over(answered=True)
    one.ready()
    assert one.following().begin()


@pytest.mark.parametrize("asked", [False, True])
def test_one_in_which_the_engine_ended_is_left_out_until_one_without_it_serves(
    caplog: pytest.LogCaptureFixture, asked: bool
) -> None:
    one = WarmUp()
    one.begin()
    if asked:
        one.asked()
        one.spare()  # it may not be well after them
    second = one.following()
    assert not second.begin()
    assert "not warmed up: the engine before ended in its warm-up" in caplog.text
    third = second.following()  # the second ended in its start, too
    assert not third.begin()
    third.ready()
    assert third.following().begin()


def test_one_without_an_answer_is_not_done_again(caplog: pytest.LogCaptureFixture) -> None:
    """Each would take all of its time once more."""
    one = WarmUp()
    for number in range(3):
        assert one.begin() is (number == 0)
        if not number:
            one.asked()
            one.over(answered=False)
        one.ready()
        one = one.following()
    assert caplog.text.count("an engine before answered nothing in its warm-up") == 2


def test_the_loss_of_a_node_amid_the_requests_says_nothing() -> None:
    one = WarmUp()
    one.spare()
    one.begin()
    one.spare()
    assert one.following().begin()
