"""What the parser's class understands beyond argparse, found by asking it."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from typing import Any


def features(parser: argparse.ArgumentParser) -> dict[str, bool]:
    """What the parser's class understands, found by asking it."""

    def answers(arguments: list[str], name: str, kind: Any, expected: object) -> bool:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                asked = type(parser)(add_help=False)
                asked.add_argument(name, type=kind)
                got = vars(asked.parse_args(arguments)).get(name.strip("-").replace("-", "_"))
            except (Exception, SystemExit):  # noqa: BLE001 - a refusal is an answer
                return False
        return bool(got == expected)

    return {
        "dotted_json": answers(["--j-x.a.b", "1"], "--j-x", json.loads, {"a": {"b": 1}}),
        "dotted_list_plus": answers(["--j-x.a+", "p,q"], "--j-x", json.loads, {"a": ["p", "q"]}),
        "underscore_ok": answers(["--a_b", "1"], "--a-b", str, "1"),
        "abbrev": bool(parser.allow_abbrev),
        "config_file": "--config" in parser._option_string_actions,
    }
