"""An engine stays when its own requests are answered, as long as another node answers its own: the
engines of all nodes are one, and what one of them has in hand is lost with any of them.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ..ending import stop, while_jobs_drain, while_processes_end
from ..events import Event, Exited, JobsDone, ProxyExited
from ..failing import Step
from ..parts import DrainingJobs, DrainingProcesses, NoProxy, Parting, Serving, Starting
from ..policy import Policy
from ..state import State


def step(state: State, event: Event, policy: Policy, now: float) -> Step | None:
    """What `event` makes of a node whose jobs drain; None where it is what it makes of any worker.

    With the last of its jobs it is `done`; when its engine ends is then to be settled.
    """
    end = state.end
    if not isinstance(end, DrainingJobs) or not isinstance(state.engine, Serving):
        return None
    if not isinstance(event, JobsDone | ProxyExited):
        return None
    if end.done:
        return state, ()
    after, actions = while_jobs_drain(state, end, event, policy, now)
    if not isinstance(after.end, DrainingProcesses):
        return after, actions
    return replace(state, proxy=NoProxy(), end=replace(end, done=True)), ()


def stop_of_rank_0(state: State, policy: Policy, now: float, *, others: bool) -> Step:
    """Rank 0 is asked to stop. Its own engine may still start while others answer already.

    `others`: some have requests in hand.
    """
    starts = isinstance(state.engine, Starting) and isinstance(state.proxy, NoProxy)
    if not starts or not others:
        return stop(state, policy, now)
    drained = now + policy.drain_delay + policy.drain_timeout
    return replace(state, engine=Starting(math.inf), end=Parting(drained)), ()


def no_more(state: State, policy: Policy, now: float, event: Event | None = None) -> Step:
    """Rank 0, whose engine stayed for others, ends it; with `Exited` as `event` it has ended."""
    if isinstance(event, Exited):
        return while_processes_end(state, DrainingProcesses(), event, policy, now)
    return stop(replace(state, end=None), policy, now)
