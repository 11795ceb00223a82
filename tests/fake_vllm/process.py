"""Its life: what it does before it listens, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .log import say
from .words import Command, Words

if TYPE_CHECKING:
    from .engine import Engine

VERSION = "0.32.0"
ORPHAN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Behave as told. Returns the exit code; most ways out end the process themselves."""
    if arguments == ["--version"]:
        print(VERSION)
        return 0
    words = Words.parse(environment.get("FAKE_VLLM", ""))
    signal.signal(signal.SIGTERM, signal.SIG_IGN if words.ignore_term else _exit_at_once)
    command = Command.parse(arguments)
    started = count_start(environment.get("FAKE_VLLM_STATE", ""))
    last_lines = environment.get("FAKE_VLLM_LINES", "")
    _start_others(words)
    if words.eat:
        _eat()
    for line in range(words.log):
        say(f"INFO 01-01 00:00:00 [core.py:1] line {line}")
    if words.log_flood:
        threading.Thread(target=_flood, daemon=True).start()
    time.sleep(words.start)
    while words.wait_for and not Path(words.wait_for).exists():
        time.sleep(0.02)
    if words.ends_at_start(started):
        leave(last_lines, words.exit if words.exit is not None else 1)
    if words.hang_start and last_lines:
        say(last_lines)
    while words.hang_start:
        time.sleep(60)
    if command.headless:
        _follow(words)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(command, words, environment, last_lines))
    return 0


def leave(last_lines: str, code: int) -> NoReturn:
    """End without any tidying, as a crash does."""
    if last_lines:
        say(last_lines)
    os._exit(code)


def count_start(path: str) -> int:
    """Count this start in the file at `path`, if there is one. Returns its number, from 1."""
    if not path:
        return 1
    state = Path(path)
    number = int(state.read_text() or 0) + 1 if state.exists() else 1
    state.write_text(str(number))
    return number


def _follow(words: Words) -> NoReturn:
    """Wait for a head for ever, as one of several nodes; end with 0 when the core has, as vLLM."""
    say(f"(HeadlessServer pid={os.getpid()}) INFO 01-01 00:00:00 [serve.py:1] Launching vLLM")
    if words.exit_after is not None:
        time.sleep(words.exit_after)
        os._exit(0)
    core = subprocess.Popen([sys.executable, "-c", ORPHAN]) if words.core else None
    if core is None:
        while True:
            signal.pause()
    say(f"core {core.pid}")
    core.wait()
    os._exit(0)


async def _serve(
    command: Command, words: Words, environment: Mapping[str, str], last_lines: str
) -> None:
    """Listen until told to stop."""
    from aiohttp import web  # imported here so that a start that fails does so at once

    from .engine import Engine

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def end_after(seconds: float) -> None:
        loop.call_later(seconds, leave, last_lines, 1)

    engine = Engine(
        command.names,
        words,
        environment.get("VLLM_API_KEY", ""),
        VERSION,
        environment.get("FAKE_VLLM_DONE", ""),
        end_after,
        docs=command.docs,
        chat_defaults=json.loads(command.chat_defaults),
    )
    runner = web.AppRunner(engine.app(), handler_cancellation=True, access_log=None)
    await runner.setup()
    if not words.ignore_term:
        loop.add_signal_handler(signal.SIGTERM, stop.set)
    # vLLM sets SO_REUSEPORT, too: a second server on the same port gives no error.
    site = web.TCPSite(runner, command.host, command.port, reuse_port=True)
    await site.start()
    port = runner.addresses[0][1]
    say(f"(APIServer pid={os.getpid()}) INFO 01-01 00:00:00 [entry.py:140] Starting vLLM server")
    say("INFO:     Application startup complete.")
    say(f"INFO:     Uvicorn running on http://{command.host}:{port} (Press CTRL+C to quit)")
    if words.exit_after is not None:
        end_after(words.exit_after)
    watching = asyncio.create_task(_watch_core(words, engine, last_lines)) if words.core else None
    await stop.wait()
    del watching
    await asyncio.sleep(words.stop_time)
    await engine.drain(command.shutdown_timeout_s)
    os._exit(0)


async def _watch_core(words: Words, engine: Engine, last_lines: str) -> None:
    """Have a core, and be without one once it has ended."""
    core = await asyncio.create_subprocess_exec(sys.executable, "-c", ORPHAN)
    say(f"core {core.pid}")
    await core.wait()
    if last_lines:
        say(last_lines)
    engine.lose_core()
    if words.core_end is not None:
        asyncio.get_running_loop().call_later(words.core_end, os._exit, 1)


def _start_others(words: Words) -> None:
    if words.orphan:
        say(f"orphan {subprocess.Popen([sys.executable, '-c', ORPHAN]).pid}")
    if words.daemon:
        daemon = subprocess.Popen([sys.executable, "-c", ORPHAN], start_new_session=True)
        say(f"daemon {daemon.pid}")


def _eat() -> NoReturn:
    eaten = []
    while True:
        eaten.append(bytearray(1 << 24))


def _flood() -> NoReturn:
    """Log without end, up to 100,000 lines/s."""
    lines = "\n".join(f"INFO 01-01 00:00:00 [core.py:1] flood {n}" for n in range(100))
    while True:
        say(lines)
        time.sleep(0.001)


def _exit_at_once(*_: object) -> None:
    os._exit(0)
