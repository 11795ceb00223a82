"""Finds the catalogue of the installed engine: kept under its version, made again when it is not.

Making one costs 10 to 15 s, nearly all of it the import of torch; that belongs into an image build.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..errors import CatalogError
from ..executable import executable
from ..files import is_file, write_whole
from ..records import dataclass, replace
from ..settings import handed
from . import options
from .options import Catalog

_ASKING = 30.0  # seconds for a version: a cold disk, not a slow answer
_MAKING = 600.0  # seconds: without compiled bytecode the imports alone take 42
_SHEBANG_MOST = 4096

_INTROSPECT = Path(__file__).parents[1] / "foreign" / "introspect"
_COMMON = Path(__file__).with_name("common.json")
_VERSION = Path(__file__).parents[1] / "foreign" / "version.py"


@dataclass(frozen=True, slots=True)
class Engine:
    """The installed engine: the interpreter behind its command, and its version where known."""

    interpreter: tuple[str, ...]
    version: str | None


class Asking:
    """The question for the version of the engine behind `command`, which is asked from now on.

    Raises:
        CatalogError: the command is no Python script.
        CommandNotFound, CommandNotExecutable: there is no such command.
    """

    def __init__(self, command: str, env: Mapping[str, str]) -> None:
        self._interpreter = interpreter(command, env)
        self._process: subprocess.Popen[str] | None = None
        with contextlib.suppress(OSError):
            self._process = _started([*self._interpreter, "-I", str(_VERSION)], env)

    def answer(self) -> Engine:
        """The engine, once its interpreter has answered, or did not in time."""
        if self._process is None:
            return Engine(self._interpreter, None)
        with self._process as process:
            try:
                said = process.communicate(timeout=_ASKING)[0]
            except (subprocess.TimeoutExpired, ValueError):
                process.kill()
                said = ""
        return Engine(self._interpreter, said.strip() or None if not process.returncode else None)


def find(
    command: str,
    env: Mapping[str, str],
    announce: Callable[[str], None],
    *,
    anew: bool = False,
    asking: Asking | None = None,
) -> tuple[Catalog, Path]:
    """The catalogue for the engine that `command` starts, and the file in which it is kept.

    `announce` is told before the long step. `anew` makes it even if there is one. `asking` has the
    version, where it has been asked for already.

    Raises:
        CatalogError: it can neither be found nor made.
        CommandNotFound, CommandNotExecutable: there is no such command.
    """
    engine = (asking or Asking(command, env)).answer()
    # Without a version a kept one cannot be told from another engine's.
    for folder in () if anew or engine.version is None else _folders(env):
        path = folder / _file_name(engine)
        if is_file(path):
            with contextlib.suppress(CatalogError):  # a damaged one is made again
                kept = options.load(path)
                if "tracing" in kept.features:  # an older worker did not ask for that
                    return kept, path
    announce(f"reading the options of vLLM {engine.version or '(version unknown)'}, once")
    text = make(engine, env)
    catalog = options.loads(text, "what the engine's interpreter printed")
    return catalog, _keep(text, _file_name(engine), _folders(env))


def common() -> Catalog:
    """The options that every known version takes in the same way, for an engine that cannot be
    asked. `make docs` makes the file from the catalogues of those versions.
    """
    return options.load(_COMMON)


def with_elsewhere(catalog: Catalog) -> Catalog:
    """`catalog`, knowing which variables mean something to other versions."""
    shared = common()
    known = {*shared.by_variable, *shared.elsewhere}
    read = catalog.environment or shared.environment
    return replace(
        catalog,
        elsewhere=frozenset(known - catalog.by_variable.keys()),
        environment=read,
        environment_elsewhere=shared.environment - read,
    )


def installed(command: str, env: Mapping[str, str]) -> Engine:
    """The engine behind `command`, found by the interpreter that its script names.

    Raises:
        CatalogError: the command is no Python script.
        CommandNotFound, CommandNotExecutable: there is no such command.
    """
    return Asking(command, env).answer()


def interpreter(command: str, env: Mapping[str, str]) -> tuple[str, ...]:
    """The interpreter that runs the engine behind `command`.

    Raises:
        CatalogError: the command is no Python script.
        CommandNotFound, CommandNotExecutable: there is no such command.
    """
    words = shlex.split(command)
    file = executable(words, env.get("PATH"))
    return (file,) if Path(file).name.startswith("python") else _interpreter(Path(file))


def make(engine: Engine, env: Mapping[str, str]) -> str:
    """The catalogue as JSON text, read by the engine's own interpreter.

    Raises:
        CatalogError: the interpreter failed or took too long; with its last lines.
    """
    try:
        done = ask(engine.interpreter, [str(_INTROSPECT)], env, _MAKING)
    except subprocess.TimeoutExpired:
        raise CatalogError(f"the engine's options were not read within {_MAKING:.0f} s") from None
    except OSError as reason:
        message = f"the engine's interpreter {engine.interpreter[0]} does not start"
        raise CatalogError(f"{message}: {reason.strerror}") from None
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise CatalogError(f"the engine's interpreter could not read its options:\n{last}")
    return done.stdout


def ask(
    python: Sequence[str], arguments: Sequence[str], env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run the engine's interpreter to one answer: without what would lead it to our modules, and
    without the platform's keys.

    Raises:
        OSError: it does not start.
        subprocess.TimeoutExpired: it took more than `timeout` seconds, and was killed.
    """
    with _started([*python, *arguments], env) as process:
        try:
            said, complained = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


def _started(command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env={
            **{
                name: value
                for name, value in handed.to_interpreter(env).items()
                if not name.startswith("PYTHON")
            },
            "PYTHONHASHSEED": options.HASH_SEED,
        },
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _interpreter(script: Path) -> tuple[str, ...]:
    with script.open("rb") as file:
        lines = file.read(_SHEBANG_MOST).decode(errors="replace").splitlines()
    first = lines[0] if lines else ""
    if first.startswith("#!") and "python" in first:
        return tuple(shlex.split(first[2:]))
    # pip writes a shell line where the interpreter's path is too long for a shebang
    if first == "#!/bin/sh" and len(lines) > 1 and lines[1].startswith("'''exec' "):
        return (shlex.split(lines[1])[1],)
    raise CatalogError(f"{script} is no Python script, so its options cannot be read")


def _file_name(engine: Engine) -> str:
    return f"vllm-{engine.version or 'unknown'}-{os.uname().machine}.json"


def _folders(env: Mapping[str, str]) -> list[Path]:
    """Where catalogues are kept: beside the worker's code (an image), then the user's cache."""
    cache = env.get("XDG_CACHE_HOME") or str(Path(env.get("HOME") or "/root") / ".cache")
    return [_BESIDE, Path(cache) / "vllm-supervisor" / "catalogs"]


_BESIDE = Path(__file__).parent / "kept"


def _keep(text: str, name: str, folders: Sequence[Path]) -> Path:
    for folder in reversed(folders):
        with contextlib.suppress(OSError):  # a read-only file system keeps nothing, and works
            write_whole(folder / name, text)
            return folder / name
    return Path(name)
