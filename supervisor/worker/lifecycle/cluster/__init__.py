"""What the lifecycle is for one of several nodes that serve one model, where it is another one.

::

    leading      rank 0: waits for the others, starts a generation, ends it for all
    following    the others: do what rank 0 says, and report
    staying      an engine whose own requests are answered stays for those of other nodes
    blame        whose engine was the first to end, and why
    talk         what each says of its state to the other

Each takes a step, or leaves it to what is true of every worker.
"""

from __future__ import annotations

from ..events import Event
from ..failing import Step
from ..group import Following, Leading
from ..policy import Policy
from ..state import State
from . import following, leading


def step(state: State, event: Event, policy: Policy, now: float) -> Step | None:
    """What `event` makes of one of several nodes; None where it is what it makes of any worker."""
    match state.group:
        case Leading() as group:
            return leading.step(state, group, event, policy, now)
        case Following() as group:
            return following.step(state, group, event, policy, now)
    return None


def settle(before: State, after: State, event: Event, policy: Policy, now: float) -> Step:
    """`after`, a step from `before` by `event`, with what follows from how all nodes stand."""
    match after.group:
        case Leading() as group:
            return leading.settle(before, after, group, event, policy, now)
        case Following() as group:
            return following.settle(after, group, policy, now)
    return after, ()
