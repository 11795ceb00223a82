"""Parses command lines with the parser of the installed vLLM. Run by the engine's interpreter.

    ENGINE_PYTHON parse.py FOLDER_OF_INTROSPECT

Each line of its input is a JSON list of argument lists, each of them from `serve` on. The line that
answers it says, for each, what the parser made of it, `{"values": {dest: value}}`, or with which
sentence it refused, `{"refused": ...}`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.metadata
import io
import json
import os
import sys
from collections.abc import Callable
from typing import Any


def main() -> None:
    output = os.dup(1)
    os.dup2(2, 1)  # libraries print to stdout while they are imported
    sys.path.insert(0, sys.argv[1])
    catalogue, entry, plain = (
        importlib.import_module(f"introspect.{name}") for name in ("catalogue", "entry", "plain")
    )
    del sys.path[0]
    os.environ.update(catalogue.QUIET)
    sys.argv = ["vllm", "serve"]
    points = importlib.metadata.entry_points(group="console_scripts")
    point = next(point for point in points if point.name == "vllm")
    parser = entry.trapped(point)
    with os.fdopen(output, "w", encoding="utf-8") as stdout:
        for line in sys.stdin:
            results = [parse(parser, arguments, plain.plain) for arguments in json.loads(line)]
            print(json.dumps(results), file=stdout, flush=True)
    os._exit(0)


def parse(
    parser: argparse.ArgumentParser, arguments: list[str], plain: Callable[[Any], Any]
) -> dict[str, Any]:
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            sys.argv = ["vllm", *arguments]  # vLLM's own reading of --config looks here
            found = parser.parse_args(arguments)
        except (Exception, SystemExit) as refused:  # noqa: BLE001 - any end is a refusal
            return {"refused": f"{said.getvalue()[-600:]} {refused!r}"}
    return {"values": {name: plain(value) for name, value in vars(found).items()}}


if __name__ == "__main__":
    main()
