"""An engine stays when its own requests are answered, as long as another node answers its own: the
engines of all nodes are one, and what one of them has in hand is lost with any of them.
"""

from __future__ import annotations

from dataclasses import replace

from ..ending import while_jobs_drain
from ..events import Event, JobsDone, ProxyExited
from ..failing import Step
from ..parts import DrainingJobs, DrainingProcesses, NoProxy, Serving
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
