"""How long each thing may take."""

from __future__ import annotations

from dataclasses import dataclass

from ...settings import table


@dataclass(frozen=True, slots=True)
class Policy:
    """Times in seconds; every figure has its reason beside it."""

    startup_timeout: float = table.STARTUP_TIMEOUT.default
    drain_delay: float = 0.0  # until a balancer has seen that no request is wanted here
    drain_timeout: float = table.DRAIN_TIMEOUT.default
    max_restarts: int = table.MAX_RESTARTS.default
    engine_drains_itself: bool = False
    backoff_first: float = 1.0
    backoff_most: float = 60.0
    wanting_pause: float = 5.0  # nothing is left to start it; a try costs little, and a line
    healthy_again: float = 600.0  # after ten healthy minutes a crash is a new story
    proxy_backoff_most: float = 5.0  # jobs wait for it, and its start costs no model
    proxy_healthy_again: float = 60.0
    hung_after: int = 3  # one lost probe is noise, three in a row are an engine that hangs
    stop_grace: float = 10.0  # an idle engine ends 1.6 s after SIGTERM; then SIGKILL
    end_grace: float = 15.0  # an engine that calls itself dead ends within 3 s; then SIGKILL
    kill_grace: float = 60.0  # a killed process may hang in a driver; then it is given up
    silence_most: float = 15.0  # nodes speak every 5 s; one that missed three times is gone
    answer_failed_for: float = 0.0  # in queue mode ANSWER_FAILED_FOR
    quiet_most: float = 10.0  # without a job nobody waits for the cause
    proxy_start_most: float = 30.0  # it takes jobs after two, on a busy machine after ten
    tell_grace: float = 10.0  # for the proxy to tell the platform and each job why it fails
    last_proxies: int = 2  # for jobs of one that died in the end; a third would die of the same
    abort_grace: float = 5.0  # the same where somebody wants the worker gone


def backoff(failures: int, policy: Policy, jitter: float) -> float:
    """Seconds before the next start: doubling, with up to half of it taken off by `jitter`."""
    full = min(policy.backoff_most, policy.backoff_first * 2.0 ** min(failures, 30))
    return full * (1.0 - 0.5 * jitter)
