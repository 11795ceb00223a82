"""What a plan finds wrong with the values of a command line."""

from __future__ import annotations

from supervisor.command import plan
from supervisor.command.plan import Plan
from tests.supervisor.command.test_translate import catalog

NEWEST_KNOWN_BOUNDS = "0.32.0"


def made(version: str = NEWEST_KNOWN_BOUNDS, **env: str) -> Plan:
    return plan.make({"MODEL_NAME": "org/m", **env}, catalog(version))


def errors(version: str = NEWEST_KNOWN_BOUNDS, **env: str) -> list[str]:
    return [error.message for error in made(version, **env).findings.errors]


def warnings(version: str = NEWEST_KNOWN_BOUNDS, **env: str) -> list[str]:
    return [warning.message for warning in made(version, **env).findings.warnings]


def remedies(version: str = NEWEST_KNOWN_BOUNDS, **env: str) -> list[str | None]:
    return [error.suggestion for error in made(version, **env).findings.errors]
