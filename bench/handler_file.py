"""`python -m bench.handler_file FILE`: the stock SDK with the handler that FILE defines.

It is started as worker-vllm starts it: streams are aggregated, MAX_CONCURRENCY jobs run at once.
The handler finds the engine by VLLM_BASE_URL or VLLM_PORT.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class NoHandlerError(Exception):
    """A file defines no handler; one sentence."""


def main(arguments: list[str]) -> int:
    """Take jobs until told to stop. Returns 2 if there is no handler in the file."""
    if len(arguments) != 1:
        print("usage: python -m bench.handler_file FILE", file=sys.stderr)
        return 2
    os.environ |= _engine(os.environ["ENGINE_URL"])
    try:
        handler = load(Path(arguments[0]))
    except NoHandlerError as reason:
        print(reason, file=sys.stderr)
        return 2
    serve(handler)
    return 0


def load(file: Path) -> Callable[[dict[str, Any]], Any]:
    """The function `handler` of a file, which is run as a module of its own.

    Raises:
        NoHandlerError: the file is no Python or defines no `handler`; one sentence.
    """
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise NoHandlerError(f"{file} is no file of Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    handler: Callable[[dict[str, Any]], Any] | None = getattr(module, "handler", None)
    if not callable(handler):
        raise NoHandlerError(f"{file} defines no function `handler`")
    return handler


def serve(handler: Callable[[dict[str, Any]], Any]) -> None:
    """Take jobs with the stock SDK until told to stop."""
    import runpod  # only now: the handler may set what it reads

    concurrency = int(os.environ.get("MAX_CONCURRENCY", "30"))
    runpod.serverless.start(
        {
            "handler": handler,
            "concurrency_modifier": lambda _current: concurrency,
            "return_aggregate_stream": True,
        }
    )


def _engine(url: str) -> dict[str, str]:
    return {"VLLM_BASE_URL": url, "VLLM_PORT": str(urlsplit(url).port)}


if __name__ == "__main__":
    sys.argv[1:], given = [], sys.argv[1:]  # the SDK reads the command line too
    sys.exit(main(given))
