"""What a parser's class understands is asked of it."""

from __future__ import annotations

import argparse
from typing import Any

from supervisor.foreign.introspect.features import features


class Underscores(argparse.ArgumentParser):
    """Takes --a_b for --a-b, as vLLM's does."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        said = [word.replace("_", "-") if word.startswith("--") else word for word in args]
        return super().parse_args(said, namespace)


def test_argparse_alone(capfd: Any) -> None:
    assert features(argparse.ArgumentParser()) == {
        "dotted_json": False,
        "dotted_list_plus": False,
        "underscore_ok": False,
        "abbrev": True,
        "config_file": False,
    }
    assert capfd.readouterr() == ("", "")


def test_a_class_of_its_own() -> None:
    parser = Underscores(allow_abbrev=False)
    parser.add_argument("--config")
    found = features(parser)
    assert (found["underscore_ok"], found["abbrev"], found["config_file"]) == (True, False, True)
