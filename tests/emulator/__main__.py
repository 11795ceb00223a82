"""`python -m tests.emulator`: a local RunPod endpoint, usable by hand."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from aiohttp import web

from tests.emulator.app import application
from tests.emulator.environment import worker_environment
from tests.emulator.settings import Settings


def main() -> int:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--endpoint", default="local", help="the endpoint's id")
    parser.add_argument("--latency-ms", type=float, default=0, help="round trip of workers")
    parser.add_argument("--poll-seconds", type=float, default=20, help="how long polls are held")
    parser.add_argument("--worker-lost-seconds", type=float, default=60)
    parser.add_argument("--no-keep-outputs", action="store_true", help="for long measurements")
    parser.add_argument("--print-env", action="store_true", help="print a worker's variables")
    asked = parser.parse_args()
    if asked.print_env:
        url = f"http://127.0.0.1:{asked.port}"
        for name, value in worker_environment(url, asked.endpoint).items():
            print(f"{name}={value}")
        return 0
    settings = Settings(
        endpoint=asked.endpoint,
        round_trip=asked.latency_ms / 1000,
        poll=asked.poll_seconds,
        worker_lost=asked.worker_lost_seconds,
        keep_outputs=not asked.no_keep_outputs,
    )
    return asyncio.run(_serve(settings, asked.host, asked.port))


async def _serve(settings: Settings, host: str, port: int) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # A client that goes away ends its handler: a job of a closed poll goes back at once.
    runner = web.AppRunner(
        application(settings), access_log=None, handler_cancellation=True, shutdown_timeout=0.1
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as reason:
        print(f"error: port {port} cannot be listened on: {reason.strerror}", file=sys.stderr)
        await runner.cleanup()
        return 1
    url = f"http://localhost:{port}/v2/{settings.endpoint}/openai/v1"
    print(f"RunPod endpoint for OpenAI clients: {url}", flush=True)
    print("Ctrl-C ends it", flush=True)
    await stop.wait()
    await runner.cleanup()
    return 0


if __name__ == "__main__":
    sys.exit(main())
