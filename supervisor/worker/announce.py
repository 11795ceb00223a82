"""What the log says of a step of the lifecycle; each cause once. Pure."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

from ..command.plan import Plan
from ..diagnosis import slowest
from ..status.parts import Times
from .lifecycle import (
    Answering,
    BackingOff,
    DrainingJobs,
    Event,
    ExitCode,
    Exited,
    Following,
    Killed,
    Leaving,
    Parting,
    Phase,
    Policy,
    Probed,
    ProxyExited,
    ProxyWaiting,
    Ready,
    Reason,
    Serving,
    State,
    StillServing,
    Thawed,
)
from .lifecycle.parts import Engine

Line = tuple[int, str]


def lines(before: State, event: Event, after: State, policy: Policy, now: float) -> list[Line]:
    """The lines about the step from `before` to `after`, each with its level.

    Args:
        before: where the worker stood.
        event: what happened.
        after: where it stands.
        policy: the times that are told.
        now: the time on the clock of the state's deadlines, in seconds.
    """
    if isinstance(event, Thawed):
        words = f"nothing ran here for {event.seconds:.0f} s: all deadlines are that much later"
        return [(logging.INFO, words)]
    end = _end(before, event, after, policy, now)
    if after.group is not None:
        from . import announce_nodes  # few workers are one of several nodes

        end = [*announce_nodes.lines(before, event, after), *end]
    if after.phase is Phase.FAILED:
        return end or _proxy_lost(event)
    if isinstance(after.group, Following) and after.group.headless:
        return end
    return end + _engine(before, event, after, policy, now) + _proxy(event, after, now)


def start(times: Times, plan: Plan) -> list[str]:
    """How long the parts of a start took, and what to do about the longest of them."""
    return [f"start: {line}" for line in (*times.chart(), slowest.advice(times, plan))]


def how_to_use(port: int, model: str | None, *, keyed: bool = False) -> str:
    """A command to try the engine with.

    Args:
        port: the engine's.
        model: by which name it is served; None where that is not known.
        keyed: whether it asks for a key.
    """
    url = f"http://localhost:{port}/v1"
    shown = ' -H "Authorization: Bearer KEY"' if keyed else ""
    if model is None:
        return f"try: curl {url}/models{shown}"
    body = {"model": model, "messages": [{"role": "user", "content": "What is this?"}]}
    return (
        f"try: curl {url}/chat/completions{shown} -H 'Content-Type: application/json'"
        f" -d '{json.dumps(body)}'"
    )


def _engine(before: State, event: Event, after: State, policy: Policy, now: float) -> list[Line]:
    match before.engine, after.engine:
        case was, Serving() if not isinstance(was, Serving) and isinstance(event, Ready):
            return [(logging.INFO, f"ready after {event.seconds:.1f} s")]
        case Serving(), Leaving() if isinstance(event, Probed):
            return [(logging.ERROR, "the engine says that it is dead")]
        case Leaving(), Serving():
            return [(logging.INFO, "the engine is healthy again")]
        case was, Killed(why=Reason(words, late=False, final=False)) if not isinstance(was, Killed):
            return [(logging.ERROR, f"restarting the engine: {words}")]
        case was, BackingOff(until=until) if isinstance(event, Exited):
            why = was.why.words if isinstance(was, Killed) and was.why is not None else None
            cause = after.history.last_failure
            told = "" if cause == why and not _is_late(was) else f": {cause}"
            wait = max(0.0, until - now)
            number = f"failure {after.history.failures} of at most {policy.max_restarts}"
            if event.excused:
                number = "no failure of its own: one job, alone in it, had ended engines before"
            if after.history.wanting:
                number = "no failure of its own"
            code = "" if event.code is None else f", exit code {event.code}"
            said = _said(event) if told else ""
            line = f"restarting the engine in {wait:.1f} s ({number}{code}){told}{said}"
            return [(logging.WARNING, line)]
    return []


def _said(event: Exited) -> str:
    """The engine's own words: the log alone has them, for a caller may have chosen them."""
    return f" (it said: {event.said})" if event.said else ""


def _is_late(engine: Engine) -> bool:
    """Whether its kill was not told of: it is gone at once, and then what it was doing is known."""
    return isinstance(engine, Killed) and engine.why is not None and engine.why.late


def _proxy(event: Event, after: State, now: float) -> list[Line]:
    if not isinstance(event, ProxyExited) or not isinstance(after.proxy, ProxyWaiting):
        return _proxy_lost(event)
    wait = max(0.0, after.proxy.until - now)
    return [(logging.ERROR, f"restarting the proxy in {wait:.1f} s: it {_ended(event)}")]


def _proxy_lost(event: Event) -> list[Line]:
    """In an end the proxy is expected to end, but not to leave jobs."""
    if isinstance(event, ProxyExited) and event.jobs:
        return [(logging.ERROR, f"the proxy {_ended(event)}")]
    return []


def _ended(event: ProxyExited) -> str:
    if event.code is None:
        return f"could not be started: {event.cause}"
    why = f": {event.cause}" if event.cause else ""
    return f"ended with code {event.code} and {event.jobs} jobs in hand{why}"


def _end(before: State, event: Event, after: State, policy: Policy, now: float) -> list[Line]:
    if isinstance(before.end, StillServing) and not isinstance(after.end, StillServing):
        before = replace(before, end=None)  # a drain begins, with a deadline of its own
    if after.phase is before.phase:
        return []
    match after.phase:
        case Phase.DRAINING:
            return [(logging.INFO, _stopping(after, policy, now))]
        case Phase.STOPPED:
            return [(logging.INFO, "stopped")]
        case Phase.FAILED:
            code = ExitCode.UNEXPECTED if after.exit_code is None else after.exit_code
            cause = after.history.last_failure
            said = _said(event) if isinstance(event, Exited) else ""
            line = (logging.ERROR, f"giving up with exit code {int(code)}: {cause}{said}")
            return [line, *_answering(after, policy)]
    return []


def _answering(after: State, policy: Policy) -> list[Line]:
    if not isinstance(after.end, Answering):
        return []
    how_long = f"for {policy.answer_failed_for:.0f} s, or until none came for"
    words = f"no worker of this endpoint could start: answering jobs with the cause {how_long}"
    return [(logging.WARNING, f"{words} {policy.quiet_most:.0f} s")]


def _stopping(after: State, policy: Policy, now: float) -> str:
    match after.end, after.engine:
        case Parting(), _:
            return "stopping: rank 0 drains, and then all nodes stop"
        case None, _:
            return "rank 0 drains, and then all nodes stop"
        case StillServing(until=until), _:
            return f"stopping: /ping says so, requests are still answered for {until - now:.0f} s"
        case DrainingJobs(until=until), _:
            return f"stopping: jobs in hand have {until - now:.0f} s"
        case _, Leaving():
            return f"stopping: requests in hand have {policy.drain_timeout:.0f} s"
    return "stopping"
