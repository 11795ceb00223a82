"""Parses command lines and builds the configuration that the installed vLLM would start with.

    ENGINE_PYTHON configure.py FOLDER_OF_INTROSPECT

Each line of its input is a JSON list of argument lists, each of them from `serve` on. The line that
answers it says for each with which sentence it was refused, or null. No engine is started.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import importlib
import importlib.metadata
import io
import json
import os
import sys
from typing import Any


def main() -> None:
    output = os.dup(1)
    os.dup2(2, 1)  # libraries print to stdout while they are imported
    sys.path.insert(0, sys.argv[1])
    catalogue, entry = (
        importlib.import_module(f"introspect.{name}") for name in ("catalogue", "entry")
    )
    del sys.path[0]
    os.environ.update(catalogue.QUIET)
    sys.argv = ["vllm", "serve"]
    points = importlib.metadata.entry_points(group="console_scripts")
    parser = entry.trapped(next(point for point in points if point.name == "vllm"))
    with os.fdopen(output, "w", encoding="utf-8") as stdout:
        for line in sys.stdin:
            results = [refused(parser, arguments) for arguments in json.loads(line)]
            print(json.dumps(results), file=stdout, flush=True)
    os._exit(0)


def refused(parser: argparse.ArgumentParser, arguments: list[str]) -> str | None:
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            sys.argv = ["vllm", *arguments]
            build(parser.parse_args(arguments))
        except (Exception, SystemExit) as refusal:  # noqa: BLE001 - any end is a refusal
            return f"{said.getvalue()[-600:]} {refusal!r}"
    return None


def build(found: argparse.Namespace) -> None:
    """As `vllm serve` does it before it starts an engine."""
    found = copy.deepcopy(found)  # defaults are one object for all
    arg_utils: Any = importlib.import_module("vllm.engine.arg_utils")
    if getattr(found, "model_tag", None):
        found.model = found.model_tag
    if getattr(found, "reasoning_parser", ""):
        found.structured_outputs_config.reasoning_parser = found.reasoning_parser
    for name in ("vllm.entrypoints.launchers.launcher", "vllm.entrypoints.openai.api_server"):
        with contextlib.suppress(ImportError, AttributeError):
            check = importlib.import_module(name).validate_api_server_args
            check(found)
            break
    made = arg_utils.AsyncEngineArgs.from_cli_args(found).create_engine_config()
    loaders: Any = importlib.import_module("vllm.model_executor.model_loader")
    loaders.get_model_loader(made.load_config)
    tokenizers: Any = importlib.import_module("vllm.tokenizers")
    tokenizers.cached_tokenizer_from_config(made.model_config)


if __name__ == "__main__":
    main()
