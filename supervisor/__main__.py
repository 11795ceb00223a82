"""The command line: `python -m supervisor`, or `vllm-supervisor` where it is installed.

The only place that reads `os.environ`. Each command imports what it needs, so that little is loaded
before the engine is spawned.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

if __name__ == "__main__":
    gc.disable()  # until the engine is spawned: what is made for a start is no garbage

from . import __version__, began, planning  # noqa: F401 - began: it counts from here
from .command import command_line
from .errors import ConfigurationError, NoWorker, SupervisorError
from .findings import Findings
from .records import replace
from .settings import table

if TYPE_CHECKING:
    import argparse

_COMMANDS = ("run", "explain", "status", "catalog", "bake", "doctor")  # the first is the default
_DESCRIPTION = (
    "Turns environment variables into a command line of the stock vLLM OpenAI server: shows it,"
    " checks this machine for it and, in the worker's image or a checkout, runs and supervises it."
)
_ARGUMENTS = (
    "Arguments of vLLM's own win over variables: `serve MODEL --max-model-len 4096`, or behind"
    " `--` after run, explain and doctor: `explain -- serve MODEL --max-model-len 4096`."
)


def main(arguments: Sequence[str] | None = None, program: str = "vllm-supervisor") -> int:
    """Run one command; `program` is what its help calls it.

    Returns:
        The exit code, as `docs/operations.md` lists them.
    """
    if os.getpid() == 1:  # to which the kernel gives no signal that it does not handle
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    _let_any_text_out()
    asked = _asked(sys.argv[1:] if arguments is None else arguments, program)
    command: Callable[[SimpleNamespace], int] = asked.command
    try:
        return command(asked)
    except SupervisorError as reason:
        print(f"error: {reason}", file=sys.stderr)
        return reason.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        if command is _run:
            raise
        # The reader had enough, as `head` does. What is left must not be written at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def _run(asked: SimpleNamespace) -> int:
    env = dict(os.environ)
    try:
        from .link import hidden

        hidden.hide()  # before there is a thread, and a process of the engine's that could look
        asking = planning.asked_ahead(env)  # the answer takes as long as the imports
        from .worker import start
    except ModuleNotFoundError as missing:
        if missing.name not in {f"{__package__}.link", f"{__package__}.worker"}:
            raise
        raise NoWorker(
            "this package holds the command line alone: run the worker from its image, or by"
            " `make run` in a checkout"
        ) from None
    return start.run(os.environ, asked.engine, asking)


def _explain(asked: SimpleNamespace) -> int:
    import json

    from . import env_file, explaining
    from .command import explain

    env, of_file = dict(os.environ), Findings()
    if asked.env_file is not None:
        env, of_file = env_file.read(asked.env_file)
    make = explaining.by(asked.vllm, asked.catalog, asked.engine, _say)
    nodes = explaining.nodes(env, asked.nodes, make) if asked.nodes else ()
    made = nodes[0] if nodes else make(env)
    set_by = dict(asked.set_by)
    made = replace(made, findings=of_file + made.findings)
    if asked.json:
        print(json.dumps(explain.as_json(made, set_by, nodes), indent=2))
    else:
        width = max(_width(), explain.NARROWEST)
        print(explain.as_text(made, set_by, nodes, width=width, colour=_in_colour()), end="")
    return ConfigurationError.exit_code if made.findings.errors else 0


def _status(asked: SimpleNamespace) -> int:
    import json

    from .status import query

    settings = planning.settings(dict(os.environ))
    token = settings[table.CONTROL_TOKEN]
    answer = query.ask(settings.control_url, asked.wait, asked.timeout, token)
    print(json.dumps(answer.body, indent=2) if asked.json else answer.text)
    if asked.wait:
        return 0 if answer.reached else 4
    return 0 if answer.body["state"] == "READY" else 3


def _catalog(asked: SimpleNamespace) -> int:
    from .catalog import store

    env = dict(os.environ)
    found, path = store.find(planning.settings(env)[table.VLLM_COMMAND], env, _say, anew=asked.anew)
    print(f"vLLM {found.version}: {len(found.options)} options, kept in {path}")
    return 0


def _bake(_: SimpleNamespace) -> int:
    from .models import bake

    env = dict(os.environ)
    bake.announce(bake.bake(env, planning.settings(env)[table.VLLM_COMMAND]))
    return 0


def _doctor(asked: SimpleNamespace) -> int:
    from .doctor import Verdict, examine, report

    made = planning.by_engine(dict(os.environ), _say, asked.engine)
    lines = examine(made, made.environment)
    print(report(lines, colour=_in_colour()), end="")
    return 1 if any(line.verdict is Verdict.BAD for line in lines) else 0


def _let_any_text_out() -> None:
    """What a terminal's encoding does not have goes out as escapes; who reads slowly is awaited."""
    for fd, stream in enumerate((sys.stdout, sys.stderr), 1):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
            os.set_blocking(fd, True)  # else what a full pipe does not take at once is lost


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _width() -> int:
    """Characters of a line: the terminal's, 80 where none reads it."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 80


def _in_colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _asked(arguments: Sequence[str], program: str) -> SimpleNamespace:
    """What the command line asks for; a start is not to wait for argparse."""
    own, engine = command_line.parted(arguments, _COMMANDS)
    if own in ([], [_COMMANDS[0]]):
        return SimpleNamespace(command=_run, engine=engine)
    gc.enable()
    parser = _parser(program)
    asked = parser.parse_args(own, SimpleNamespace(engine=engine))
    if engine and asked.command not in {_run, _explain, _doctor}:
        parser.error("arguments for the engine go with run, explain and doctor alone")
    return asked


def _parser(program: str) -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(prog=program, description=_DESCRIPTION, epilog=_ARGUMENTS)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.set_defaults(command=_run)
    commands = parser.add_subparsers(metavar="COMMAND")
    commands.add_parser("run", help="serve (the default)").set_defaults(command=_run)
    _add_explain(commands.add_parser("explain", help="show what would be run, and why"))
    _add_status(commands.add_parser("status", help="show the state of the worker that runs here"))
    made = commands.add_parser("catalog", help="read the installed engine's options and keep them")
    made.add_argument("--anew", action="store_true", help="even if they are kept already")
    made.set_defaults(command=_catalog)
    baked = commands.add_parser("bake", help="download MODEL_NAME into BAKED_MODELS, for an image")
    baked.set_defaults(command=_bake)
    examined = commands.add_parser("doctor", help="say what a start would find, without one")
    examined.set_defaults(command=_doctor)
    return parser


def _add_explain(parser: argparse.ArgumentParser) -> None:
    from . import explaining
    from .catalog import versions

    parser.add_argument("--json", action="store_true", help="for programs")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--vllm",
        metavar="VERSION",
        help="by the options of this vLLM, which need not be installed;"
        f" one of {', '.join(versions.known())}",
    )
    source.add_argument("--catalog", type=Path, metavar="FILE", help="by those of this catalogue")
    parser.add_argument(
        "--nodes",
        type=explaining.node_count,
        metavar="N",
        help="for each of N nodes that serve the model together",
    )
    parser.add_argument(
        "--env-file",
        type=Path,
        metavar="FILE",
        help="by the variables in this file (NAME=VALUE) instead of the environment",
    )
    parser.add_argument(
        "--set-by",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "WHO"),
        help="say of this variable that WHO set it; for what starts this command",
    )
    parser.set_defaults(command=_explain)


def _add_status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
    states = "STARTING, READY, RESTARTING, DRAINING, STOPPED or FAILED"
    parser.add_argument("--wait", metavar="STATE", help=f"answer when it is {states}")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds, up to 3600 (60)")
    parser.set_defaults(command=_status)


if __name__ == "__main__":
    sys.exit(main(program=f"python -m {__package__}"))
