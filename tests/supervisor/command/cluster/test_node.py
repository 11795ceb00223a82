"""One node of a cluster."""

from __future__ import annotations

import pytest

from supervisor.command.cluster.node import Cluster


def node(rank: int, *, balanced: bool = False, token: str = "") -> Cluster:
    return Cluster(4, rank, "head", 29501, None, 8002, token, 8, balanced)


@pytest.mark.parametrize(
    ("rank", "balanced", "headless"), [(0, False, False), (1, False, True), (1, True, False)]
)
def test_who_leads_and_who_answers(rank: int, balanced: bool, headless: bool) -> None:
    one = node(rank, balanced=balanced)
    assert one.leads is (rank == 0)
    assert one.headless is headless


def test_the_token_is_not_shown() -> None:
    assert "of-theirs" not in repr(node(0, token="a-secret-of-theirs"))
