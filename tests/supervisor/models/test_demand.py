"""What a command asks of each GPU."""

from __future__ import annotations

from supervisor.models.demand import Demand


def test_the_weights_are_divided_by_both_sizes() -> None:
    assert Demand().parts == 1
    assert Demand(tensor=4, pipeline=2).parts == 8
