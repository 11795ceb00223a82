"""`python -m proxy`: takes jobs from the platform and answers them from a running engine."""

from __future__ import annotations

from supervisor.link import hidden

if __name__ == "__main__":
    hidden.hide()  # before what takes long is imported: until then its keys can be read

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Mapping, Sequence

import uvloop

from proxy.awake import Awake
from proxy.engine import supervision
from proxy.engine.requests import Engine
from proxy.handler import Handler
from proxy.platform import logs
from proxy.settings import (
    FITNESS_CHECKS,
    JOBS_FD,
    REPORT_FD,
    ProxyConfigurationError,
    Settings,
    read,
)
from proxy.traces.trace import Traces
from supervisor.link import handover
from supervisor.link.handover import Check
from supervisor.link.report import Report, inherited
from supervisor.settings import otel, table

log = logging.getLogger("proxy")


def main() -> int:
    """Run until told to stop.

    Returns:
        The exit code: 0 after a stop, 78 for a setting that cannot be carried out, of which the
        platform has been told, 130 after SIGINT before the first job.
    """
    env = dict(os.environ)
    logs.configure(env)
    if why := env.get(handover.UNHEALTHY):
        _tell_platform(why)
        return 0
    try:
        settings = read(env)
    except ProxyConfigurationError as reason:
        log.error("%s", reason)  # noqa: TRY400 - a sentence for the user
        _tell_platform(str(reason))
        return 78
    os.environ |= for_the_sdk(env, settings)
    # Only now: the SDK reads these variables when it is imported.
    from proxy.platform import fitness, heartbeat, sdk

    logs.of_the_sdk()
    heartbeat.install(env)
    report = Report(settings[REPORT_FD])
    fitness.register(settings, env, report.cause)
    left = list(inherited(settings[JOBS_FD]))
    traces = _traces(env, [one.id for one in left])
    if settings.control_url is not None:
        asyncio.run(supervision.first_question(settings.control_url))
    _tune()
    awake = Awake()
    handler = Handler(settings, Engine(settings, awake.now), alone=report.alone, traces=traces)
    try:
        sdk.serve(handler, settings[table.MAX_CONCURRENCY], report, left, awake)
    except KeyboardInterrupt:
        return 130
    return 0


def _traces(env: Mapping[str, str], left: Sequence[str]) -> Traces:
    target = otel.targets(env).traces
    if target is None:
        return Traces(left)
    try:
        from supervisor.telemetry import variables

        variables.settle(os.environ)
        from proxy.traces.spans import Spans

        return Spans(target, env, left)
    except Exception as reason:  # noqa: BLE001 - whatever its SDK does not like, jobs are answered
        why = " ".join(str(reason).split())
        log.error("no traces are exported: %s", why)  # noqa: TRY400 - a sentence for the user
        return Traces(left)


def _tell_platform(why: str) -> None:
    """Say that this worker is unhealthy; a short wait, and no fault, where nobody listens."""
    os.environ.setdefault("RUNPOD_LOG_LEVEL", "WARN")
    from proxy.platform import fitness

    logs.of_the_sdk()
    fitness.report_unhealthy(why)


def for_the_sdk(env: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """The variables for the SDK: our defaults, which what the user has set replaces. Pure.

    At its default level the SDK prints every chunk of every answer. Its own checks open a CUDA
    context on every GPU, beside an engine that needs the memory; once the machine has been found
    fit, they are not made again, whatever the user has set.
    """
    checks = {"RUNPOD_SKIP_GPU_CHECK": "true", "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true"}
    defaults = {"RUNPOD_LOG_LEVEL": "WARN", **checks}
    own = {name: env[name] for name in defaults.keys() & env.keys()}
    gpu_is_fit = Check.GPU not in settings[FITNESS_CHECKS].split(",")
    return {**defaults, **own, **(checks if gpu_is_fit else {})}


def _tune() -> None:
    """Make the process cheaper and its pauses shorter, once everything is imported.

    The SDK and what it brings are hundreds of thousands of objects that live as long as the
    process; to look through them again and again stops every stream for tens of milliseconds. And
    uvloop's event loop costs a tenth less for a token than asyncio's own.
    """
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


if __name__ == "__main__":
    sys.exit(main())
