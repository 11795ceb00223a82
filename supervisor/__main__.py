"""The command line: `python -m supervisor [run|explain|status|catalog|bake|doctor]`.

The only place that reads `os.environ`. Little is imported before the engine is spawned.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from . import ports
from .catalog import Catalog, options, store
from .command import explain, plan
from .command.plan import Plan
from .errors import BadArgument, ConfigurationError, SupervisorError
from .files import write_whole
from .findings import Findings, Remark
from .models.disk import look
from .models.placement import Download
from .settings.config import Settings
from .worker.logs import LogSink, SinkHandler
from .worker.process import executable

log = logging.getLogger("supervisor")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code, as `docs/operations.md` lists them.
    """
    asked = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = asked.command
    try:
        return command(asked)
    except SupervisorError as reason:
        print(f"error: {reason}", file=sys.stderr)
        return reason.exit_code
    except KeyboardInterrupt:
        return 130


def run(_asked: argparse.Namespace) -> int:
    """Serve until told to stop."""
    # Until the loop takes over: a stop also ends what is being waited for, and is no fault.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sink = LogSink()
    logging.basicConfig(level=logging.INFO, handlers=[SinkHandler(sink)])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each probe helps nobody
    try:
        return _run(dict(os.environ), sink)
    except SupervisorError as reason:
        log.error("%s", reason)  # noqa: TRY400 - a sentence for the user, not a traceback
        return reason.exit_code
    finally:
        sink.flush(timeout=2.0)


def _run(env: Mapping[str, str], sink: LogSink) -> int:
    made = _plan(env, log.info)
    for warning in made.findings.warnings:
        log.warning("%s", explain.sentence(warning))
    for error in made.findings.errors:
        log.error("%s", explain.sentence(error))
    if made.findings.errors:
        raise ConfigurationError(
            f"{len(made.findings.errors)} setting(s) cannot be carried out; nothing was started"
        )
    made = replace(made, command=(executable(made.command, env.get("PATH")), *made.command[1:]))
    if made.download is not None:
        made = replace(made, before=_download_first(made, made.download, env))
    from .worker.loop import Worker, check_model

    check_model(made.model)
    _check_ports(made.settings)
    _write(made.files)
    log.info("mode %s, vLLM %s", made.settings.mode, made.vllm_version or "of unknown version")
    log.info("command: %s", " ".join(explain.shown_command(made)))
    return asyncio.run(Worker(made, env, sink).run())


def _plan(env: Mapping[str, str], announce: Callable[[str], None]) -> Plan:
    """The plan for `env`; by the options of every version where the engine cannot be asked."""
    settings = plan.make(env, None).settings
    disk = look(env)
    try:
        return plan.make(env, store.with_elsewhere(_catalog(settings, env, announce)), disk)
    except SupervisorError as reason:
        made = plan.make(env, store.common(), disk)
        message = f"{reason}\nOnly the options that every known vLLM has are taken from variables"
        suggestion = "VLLM_EXTRA_ARGS and VLLM_CONFIG_FILE set the others"
        at_fault = "ENGINE_CATALOG" if settings.engine_catalog else "VLLM_COMMAND"
        remark = Findings.of(Remark(at_fault, message, suggestion))
        return replace(made, findings=remark + made.findings)


def _download_first(made: Plan, wanted: Download, env: Mapping[str, str]) -> tuple[str, ...]:
    """What fetches `wanted` by the engine's interpreter and then becomes the engine."""
    from .models import bake

    interpreter = store.installed(made.settings.vllm_command, env).interpreter
    folder = Path(wanted.folder)
    return (*bake.download(interpreter, wanted.name, wanted.revision, folder, "model"), "--")


def _catalog(
    settings: Settings, env: Mapping[str, str], announce: Callable[[str], None]
) -> Catalog:
    if settings.engine_catalog:
        return options.load(Path(settings.engine_catalog))
    return store.find(settings.vllm_command, env, announce)[0]


def _write(files: Mapping[str, str]) -> None:
    for path, text in files.items():
        try:
            write_whole(Path(path), text)
        except OSError as reason:
            message = f"{path}, which the engine is to read, cannot be written: {reason.strerror}"
            raise ConfigurationError(f"{message}; set TMPDIR to a folder that can") from None


def _check_ports(settings: Settings) -> None:
    for name, host, number in settings.listening:
        if not ports.is_free(host, number):
            raise ConfigurationError(
                f"port {number} is taken by {ports.owner(number)};"
                f" end it or set {name} to a free port"
            )


def explain_command(asked: argparse.Namespace) -> int:
    """Show what would be run, without starting anything."""
    env = _env_file(asked.env_file) if asked.env_file else dict(os.environ)
    if asked.catalog:
        catalog = store.with_elsewhere(options.load(asked.catalog))
        made = plan.make(env, catalog, look(env))
    else:
        made = _plan(env, lambda line: print(line, file=sys.stderr))
    if asked.json:
        print(json.dumps(explain.as_json(made), indent=2))
    else:
        print(explain.as_text(made, colour=_in_colour()), end="")
    return ConfigurationError.exit_code if made.findings.errors else 0


def _env_file(path: Path) -> dict[str, str]:
    """Lines of NAME=VALUE as Docker reads them: no quoting, blank lines and comments skipped."""
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError as reason:
        raise ConfigurationError(f"--env-file {path} cannot be read: {reason.strerror}") from None
    env = {}
    for line in lines:
        name, equals, value = line.lstrip().partition("=")
        if equals and not name.startswith("#"):
            env[name.strip()] = value.removesuffix("\r")
    return env


def status(asked: argparse.Namespace) -> int:
    """Ask a running worker for its state.

    Returns:
        0 ready, 3 not ready, 4 the state that was waited for did not come, 1 nobody answers.
    """
    import httpx

    from .worker import status as shown

    settings = plan.make(dict(os.environ), None).settings
    query = {"wait": asked.wait, "timeout": str(asked.timeout)} if asked.wait else None
    try:
        answer = httpx.get(
            f"{settings.control_url}/status",
            params=query,
            timeout=asked.timeout + 5,
            trust_env=False,
        )
        found = answer.json()
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise BadArgument(found["error"])
        text = shown.as_text(found, time.time())
    except (httpx.HTTPError, ValueError, KeyError, TypeError):  # the last: of another program
        raise SupervisorError(
            f"no worker answers at {settings.control_url}; start one or set PORT_HEALTH to its port"
        ) from None
    print(json.dumps(found, indent=2) if asked.json else text)
    if asked.wait:
        return 0 if answer.is_success else 4
    return 0 if found["state"] == "READY" else 3


def catalog(asked: argparse.Namespace) -> int:
    """Make the catalogue of the installed engine, and keep it."""
    settings = plan.make(dict(os.environ), None).settings
    found, path = store.find(
        settings.vllm_command,
        dict(os.environ),
        lambda line: print(line, file=sys.stderr),
        anew=asked.anew,
    )
    print(f"vLLM {found.version}: {len(found.options)} options, kept in {path}")
    return 0


def bake_command(_asked: argparse.Namespace) -> int:
    """Download the model into the image that is built."""
    from .models import bake

    env = dict(os.environ)
    bake.announce(bake.bake(env, plan.make(env, None).settings.vllm_command))
    return 0


def doctor(_asked: argparse.Namespace) -> int:
    """Say what a start would find; 1 if something is bad."""
    from .doctor import Verdict, examine, report

    env = dict(os.environ)
    lines = examine(_plan(env, lambda line: print(line, file=sys.stderr)), env)
    print(report(lines, colour=_in_colour()), end="")
    return 1 if any(line.verdict is Verdict.BAD for line in lines) else 0


def _in_colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m supervisor", description=__doc__)
    parser.set_defaults(command=run)
    commands = parser.add_subparsers()
    commands.add_parser("run", help="serve (the default)").set_defaults(command=run)
    shown = commands.add_parser("explain", help="show what would be run, and why")
    shown.add_argument("--json", action="store_true", help="for programs")
    shown.add_argument("--catalog", type=Path, help="read options from this catalogue")
    shown.add_argument("--env-file", type=Path, help="read variables from here, not from outside")
    shown.set_defaults(command=explain_command)
    asked = commands.add_parser("status", help="the state of the worker that runs here")
    asked.add_argument("--json", action="store_true", help="for programs")
    asked.add_argument("--wait", metavar="STATE", help="answer when this state is reached")
    asked.add_argument("--timeout", type=float, default=60.0, help="seconds to wait at most")
    asked.set_defaults(command=status)
    made = commands.add_parser("catalog", help="read the installed engine's options and keep them")
    made.add_argument("--anew", action="store_true", help="even if they are kept already")
    made.set_defaults(command=catalog)
    baked = commands.add_parser("bake", help="download MODEL_NAME into BAKED_MODELS, for an image")
    baked.set_defaults(command=bake_command)
    helped = commands.add_parser("doctor", help="say what a start would find, without one")
    helped.set_defaults(command=doctor)
    return parser


if __name__ == "__main__":
    sys.exit(main())
