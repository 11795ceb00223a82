"""`python -m tests.emulator`: a local RunPod endpoint, usable by hand."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from tests.emulator.app import serving
from tests.emulator.environment import API_KEY, worker_environment
from tests.emulator.settings import Settings
from tests.emulator.world import World

_ANY_HOST = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - as given
_LOOK_EVERY = 0.2  # seconds


def main() -> int:
    """Serve until a signal; the exit code."""
    asked = _arguments()
    if asked.print_env:
        host = _ANY_HOST.get(asked.host, asked.host)
        base = f"http://{host}:{asked.port}"
        variables = worker_environment(base, asked.endpoint, api_key=asked.api_key)
        print("\n".join(f"{name}={value}" for name, value in variables.items()))
        return 0
    settings = Settings(
        endpoint=asked.endpoint,
        api_key=asked.api_key,
        round_trip=asked.latency_ms / 1000,
        poll=asked.poll_seconds,
        worker_lost=asked.worker_lost_seconds,
        keep_outputs=not asked.no_keep_outputs,
    )
    return asyncio.run(_serve(settings, asked.host, asked.port))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000, help="0: any free one")
    parser.add_argument("--endpoint", default="local", help="the endpoint's id")
    parser.add_argument("--api-key", default=API_KEY, help="what workers have to send")
    parser.add_argument("--latency-ms", type=float, default=0, help="round trip of workers")
    parser.add_argument("--poll-seconds", type=float, default=20, help="how long polls are held")
    parser.add_argument(
        "--worker-lost-seconds",
        type=float,
        default=60,
        help="jobs of a worker that says nothing for so long go to another",
    )
    parser.add_argument("--no-keep-outputs", action="store_true", help="for long measurements")
    parser.add_argument("--print-env", action="store_true", help="print a worker's variables")
    return parser.parse_args()


async def _serve(settings: Settings, host: str, port: int) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with serving(settings, host, port) as listening:
            url = f"http://localhost:{listening.port}/v2/{settings.endpoint}"
            print(f"RunPod endpoint for OpenAI clients: {url}/openai/v1", flush=True)
            print("Ctrl-C ends it", flush=True)
            telling = asyncio.create_task(_tell_when_ready(listening.world, url))
            await stop.wait()
            telling.cancel()
    except OSError as reason:
        why = reason.strerror or reason
        print(f"error: port {port} cannot be listened on: {why}", file=sys.stderr)
        return 1
    return 0


async def _tell_when_ready(world: World, url: str) -> None:
    """Print a command to try once a worker asks for jobs: then its engine is ready."""
    while not world.health()["workers"]["ready"]:
        await asyncio.sleep(_LOOK_EVERY)
    messages = [{"role": "user", "content": "What is this?"}]
    job = {"input": {"messages": messages, "sampling_params": {"max_tokens": 64}}}
    print(
        "a worker takes jobs; try: curl -s"
        f" {url}/runsync -H 'Content-Type: application/json' -d '{json.dumps(job)}'",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
