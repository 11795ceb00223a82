"""One run of the worker: the plan is made, checked and told of, then the loop has it."""

from __future__ import annotations

import contextlib
import gc
import logging
import signal
import sys
from collections.abc import Coroutine, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from .. import planning
from ..catalog import store
from ..command import cluster, explain
from ..command import plan as planned
from ..command.doors import gate, jobs
from ..command.plan import Plan
from ..errors import ConfigurationError, SupervisorError
from ..executable import executable
from ..findings import Guarded
from ..models.placement import Download
from ..records import replace
from ..secrets import secret_values
from ..settings import otel, table
from ..settings.values import early
from . import preflight
from .engine.spawn import Spawned, try_spawn
from .logs import LogSink
from .logs.repeats import Folding
from .logs.sink import SinkHandler
from .process import descriptors, stray
from .process.launcher import Launcher

log = logging.getLogger("supervisor")


def run(
    process: MutableMapping[str, str],
    arguments: Sequence[str] = (),
    asking: store.Asking | None = None,
) -> int:
    """Serve until told to stop; from here on signals and the log are ours.

    Args:
        process: this process's environment, which the worker has as it is now.
        arguments: what is written for the engine on the worker's own command line.
        asking: the question for the engine's version, where it has been asked already.

    Returns:
        The exit code, as `docs/operations.md` lists them.
    """
    env = dict(process)
    if any(name.startswith(otel.FAMILY) for name in process):
        from ..telemetry import variables

        variables.settle(process)  # for OpenTelemetry's SDK
    # Until the loop takes over: a stop also ends what is being waited for, and is no fault.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    descriptors.raise_limit()
    with stray.sink(as_json=early(env, table.LOG_FORMAT) == "json") as sink:
        handler = Folding(SinkHandler(sink))
        logging.basicConfig(level=logging.INFO, handlers=[handler])
        logging.captureWarnings(True)  # they are lines as others are
        logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each probe helps nobody
        try:
            return _until_over(env, arguments, sink, asking)
        finally:
            handler.flush()


def _until_over(
    env: Mapping[str, str], arguments: Sequence[str], sink: LogSink, asking: store.Asking | None
) -> int:
    try:
        descriptors.check()
        return _run(env, arguments, sink, asking)
    except SupervisorError as reason:
        log.error("%s", reason)  # noqa: TRY400 - a sentence for the user, not a traceback
        if jobs.taken(planning.settings(env), env):
            from .proxy_run import tell_platform

            tell_platform(str(reason), env, sink.signature)
        return reason.exit_code
    except Exception:
        log.exception("a fault in the supervisor itself")
        return 1


def _run(
    given: Mapping[str, str],
    arguments: Sequence[str],
    sink: LogSink,
    asking: store.Asking | None,
) -> int:
    sink.secrets = secret_values(given)
    made = jobs.checked(planning.by_engine(given, log.info, arguments, asking=asking))
    env = made.environment
    sink.secrets = secret_values({**env, **made.engine_env})  # with what was moved into variables
    try:
        made = _checked(made, env)
    except SupervisorError as reason:
        if not _answers_jobs(made) or not _is_shared(reason):
            raise
        # There is no engine to start here nor elsewhere, but a proxy can tell that to each job.
        return _serve(made, env, sink, _all_of_it(made, reason))
    log.info("mode %s, vLLM %s", made.settings.mode, made.vllm_version or "of unknown version")
    if opened := gate.widened(made.settings, made.engine_env):
        log.info("%s", opened)
    log.info("%s", preflight.where_models_go(made, env))
    log.info("command: %s", " ".join(explain.shown_command(made)))
    return _serve(made, env, sink)


def _in_loop(serve: Coroutine[Any, Any, int]) -> int:
    """As `asyncio.run`, with the exit code also where its end finds no thread to be had."""
    import asyncio

    runner = asyncio.Runner()
    try:
        return runner.run(serve)
    finally:
        with contextlib.suppress(RuntimeError):
            runner.close()


def _checked(made: Plan, env: Mapping[str, str]) -> Plan:
    """`made` as it can be started here, with what the engine reads written down.

    Raises:
        SupervisorError: it cannot be.
    """
    _tell_findings(made)
    return preflight.prepared(_startable(made, env))


def _is_shared(reason: SupervisorError) -> bool:
    """Whether no worker of the endpoint could be started."""
    from .engine.end import not_spawned

    return not_spawned(reason).shared


def _answers_jobs(made: Plan) -> bool:
    told = made.settings[table.ANSWER_FAILED_FOR]
    if not told or not jobs.taken(made.settings, made.environment):
        return False
    return cluster.answers_jobs(made.environment, made.cluster, made.findings.errors)


def _all_of_it(made: Plan, reason: SupervisorError) -> SupervisorError:
    """`reason` for those who do not read the log: with every setting that cannot be used."""
    errors = [explain.sentence(error) for error in made.findings.errors]
    return ConfigurationError("; ".join(errors)) if errors else reason


def _serve(
    made: Plan, env: Mapping[str, str], sink: LogSink, refused: SupervisorError | None = None
) -> int:
    """Spawn the engine, then import what watches it, asyncio too: nothing is to delay the spawn.

    `refused` is why there is none to spawn. Where several nodes serve one model, engines are
    spawned once all nodes are there.
    """
    stops: list[signal.Signals] = []  # that come before the loop takes over
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda told, _: stops.append(signal.Signals(told)))
    launcher = Launcher(sink)
    first: Spawned | SupervisorError | None = refused
    if first is None and made.cluster is None:
        first = try_spawn(made, env, launcher)
    gc.freeze()  # what a start has made stays; else it would be looked through now, for 3 ms
    gc.enable()
    return _in_loop(_watched(made, env, launcher, first, stops))


async def _watched(
    made: Plan,
    env: Mapping[str, str],
    launcher: Launcher,
    first: Spawned | SupervisorError | None,
    stops: list[signal.Signals],
) -> int:
    """What the worker does from its first engine on; `stops` takes the signals until then."""
    import asyncio

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stops.append, number)
    prefetch = member = None
    if not isinstance(first, SupervisorError):
        from .early.prefetch import begin

        own = planned.engine_environment(env, made) if first is None else first.env
        prefetch = begin(made, own, launcher)
        await asyncio.sleep(0)  # where no volume is looked at, it runs behind this
    if first is None and made.cluster is not None:
        from .cluster import member as joining
        from .tasks import unless

        member = await unless(stops, joining(made, made.cluster, env))
        if member is None:
            log.info("%s received", stops[0].name)
            if prefetch is not None:
                await prefetch.end()
            return 0
    from .loop import Worker

    made = preflight.with_kept(made)
    return await Worker(made, env, launcher, first, prefetch, member).run(stops)


def _tell_findings(made: Plan) -> None:
    """Log what was found.

    Raises:
        ConfigurationError: something of it is an error.
    """
    for row in made.findings.ignored:
        if isinstance(row, Guarded):
            log.info("%s is not passed on: %s", row.env, row.reason)
    for warning in made.findings.warnings:
        log.warning("%s", explain.sentence(warning))
    for error in made.findings.errors:
        log.error("%s", explain.sentence(error))
    if made.findings.errors:
        raise ConfigurationError(
            f"{len(made.findings.errors)} setting(s) cannot be used; nothing was started"
        )


def _startable(made: Plan, env: Mapping[str, str]) -> Plan:
    """`made` with the file that its command starts, and with the download before it.

    Raises:
        CommandNotFound, CommandNotExecutable, CatalogError: there is no engine to start.
    """
    file = executable(made.command, env.get("PATH"))
    before = () if made.download is None else _download_first(made, made.download, env)
    return replace(made, command=(file, *made.command[1:]), before=before)


def _download_first(made: Plan, wanted: Download, env: Mapping[str, str]) -> tuple[str, ...]:
    """What fetches `wanted` by the engine's interpreter and then becomes the engine."""
    from ..models import bake

    interpreter = store.interpreter(made.settings[table.VLLM_COMMAND], env)
    folder = Path(wanted.folder)
    return (*bake.download(interpreter, wanted.name, wanted.revision, folder, "model"), "--")
