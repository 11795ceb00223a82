"""What a reading of the environment found: the vocabulary of `config`, `flags` and `explain`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Source = Literal["option", "alias", "legacy", "config-file", "extra-args", "worker"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable that took effect: what it was and what it became."""

    env: str
    value: str
    flag: str | None
    source: Source
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """One variable that is set and deliberately has no effect."""

    env: str
    reason: str


@dataclass(frozen=True, slots=True)
class Remark:
    """A warning: nothing is wrong enough to stop the start."""

    env: str
    message: str
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A value that cannot be carried out; any of these ends the start with code 78."""

    env: str
    value: str
    message: str
    suggestion: str | None = None


def unsayable(name: str) -> Remark:
    """The warning of a variable that cannot be carried over while the options are not known."""
    message = f"{name} is not passed on: this vLLM did not say which options it takes"
    return Remark(name, message, "set the option in VLLM_EXTRA_ARGS")


@dataclass(slots=True)
class Findings:
    """Collects while reading; everything wrong is reported together."""

    settings: list[Setting] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)
    errors: list[Fault] = field(default_factory=list)
