"""Programs that `make test` gets beside Python's packages (`tools.programs`)."""

from __future__ import annotations

import os

import pytest

from tools import programs


def prometheus() -> str:
    """The path of a Prometheus; a skip without one, with CI set a failure."""
    return _needed("prometheus", programs.find("prometheus"))


def promtool() -> str:
    """The path of its tool, likewise."""
    return _needed("promtool", programs.find("promtool"))


def browser() -> str:
    """The path of a Chromium, likewise."""
    return _needed("chromium", programs.browser())


def ip() -> str:
    """The path of `ip`; raises OSError without one, as where it may not be used."""
    if (path := programs.ip()) is None:
        raise OSError("there is no ip: `python3 -m tools.programs` gets it or says how")
    return path


def _needed(name: str, path: str | None) -> str:
    if path is not None:
        return path
    said = f"there is no {name}: `python3 -m tools.programs` gets it or says how"
    if os.environ.get("CI"):
        pytest.fail(said)
    pytest.skip(said)
