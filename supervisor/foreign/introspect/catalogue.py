"""The whole catalogue: schema 1, as `supervisor.catalog.options` reads it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
from typing import Any

from . import tracing
from .entry import find_parser
from .environment import variables
from .features import features
from .limits import limits
from .options import options, positionals

SCHEMA = 1
_STARTED = time.perf_counter()

#: Reading a parser must not reach for the network or a hub, and its log is not ours.
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def main() -> None:
    """Write the catalogue to standard output, and nothing else.

    Raises:
        RuntimeError: no way in leads to a parser.
    """
    os.environ.update(QUIET)
    output = os.dup(1)
    os.dup2(2, 1)  # libraries print to stdout while they are imported
    # 0.10 to 0.20 build help texts only for "mkdocs", later ones only where "--help" is part of an
    # argument; neither is --help itself, which would leave --model out.
    sys.argv = ["mkdocs", "serve", "x--help"]
    found = find_parser()
    loaded = time.perf_counter()
    catalogue = {
        "schema": SCHEMA,
        "vllm_version": _version(),
        "route": found.route,
        "python": "{}.{}".format(*sys.version_info[:2]),
        "problems": found.problems,
        "features": {**features(found.parser), "tracing": tracing.available()},
        "positionals": positionals(found.parser),
        "options": _with(limits(), options(found.parser)),
        "environment": variables(),
        "seconds": {
            "load": round(loaded - _STARTED, 3),
            "describe": round(time.perf_counter() - loaded, 3),
        },
    }
    with os.fdopen(output, "w", encoding="utf-8") as stdout:
        json.dump(catalogue, stdout)
        stdout.write("\n")


def _with(more: dict[str, dict[str, Any]], records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record | more.get(record["flag"], {}) for record in records]


def _version() -> str | None:
    try:
        return importlib.metadata.version("vllm")
    except importlib.metadata.PackageNotFoundError:
        return getattr(sys.modules.get("vllm"), "__version__", None)
