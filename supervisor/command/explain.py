"""Shows a plan: as JSON for programs, as a table for people. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..findings import Applied, Fault, Finding, Remark
from ..secrets import masked
from .plan import Plan

_WIDEST = 40  # characters of a value in the table

_BOLD, _RED, _YELLOW, _DIM, _PLAIN = "\033[1m", "\033[31m", "\033[33m", "\033[2m", "\033[0m"


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as the `explain` command's JSON."""
    found = plan.findings
    return {
        "mode": str(plan.settings.mode),
        "vllm_version": plan.vllm_version,
        "command": shown_command(plan),
        "engine_env": {name: masked(name, value) for name, value in plan.engine_env.items()},
        "settings": [_shown(applied) for applied in found.applied],
        "ignored": [_shown(ignored) for ignored in found.ignored],
        "warnings": [_shown(warning) for warning in found.warnings],
        "errors": [_shown(error) for error in found.errors],
    }


def _shown(finding: Finding) -> dict[str, Any]:
    """A finding's fields, whatever looks like a secret masked, wherever it got in."""
    return {
        name: masked("", text) if isinstance(text, str) else text
        for name, text in asdict(finding).items()
    }


def shown_command(plan: Plan) -> list[str]:
    """The command with anything that looks like a secret masked."""
    return [masked("", token) for token in plan.command]


def as_text(plan: Plan, *, colour: bool = False) -> str:
    """The plan as a person reads it."""
    paint = _Paint(colour=colour)
    found = plan.findings
    version = plan.vllm_version or "of unknown version"
    parts = [
        [paint(_BOLD, f"mode {plan.settings.mode}, vLLM {version}")],
        _became(found.applied, paint),
        [paint(_BOLD, "command"), _pasteable(shown_command(plan))],
        _titled(
            paint(_BOLD, "environment of the engine, changed"),
            [f"{name}={masked(name, value)}" for name, value in plan.engine_env.items()],
        ),
        _titled(paint(_BOLD, "ignored"), [f"{row.env}: {row.reason}" for row in found.ignored]),
        [paint(_YELLOW, f"warning: {sentence(warning)}") for warning in found.warnings]
        + [paint(_RED, f"error: {sentence(error)}") for error in found.errors],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _titled(title: str, lines: list[str]) -> list[str]:
    return [title, *lines] if lines else []


def _became(applied: Sequence[Applied], paint: _Paint) -> list[str]:
    if not applied:
        return []
    rows = [
        (row.env, _shortened(row.value), row.flag or f"({row.source})",
         row.note or _SOURCES[row.source])
        for row in applied
    ]  # fmt: skip
    return [_table(("variable", "value", "became", "remarks"), rows, paint)]


def sentence(finding: Remark | Fault) -> str:
    """A warning or an error as one sentence with its remedy."""
    text = f"{finding.message}; {finding.suggestion}" if finding.suggestion else finding.message
    return masked("", text)


#: What is said of a variable that has no note of its own.
_SOURCES = {
    "option": "",
    "alias": "another name of the option",
    "legacy": "an old name",
    "config-file": "read by the engine",
    "extra-args": "put at the end",
    "worker": "",
}


def _shortened(value: str) -> str:
    """On one line of the table; the command has the whole."""
    value = masked("", value)
    value = "".join(c if c.isprintable() else repr(c)[1:-1] for c in value)
    return value if len(value) <= _WIDEST else f"{value[: _WIDEST - 1]}…"


def _pasteable(command: Sequence[str]) -> str:
    """A line for each option, which a shell takes as one command."""
    lines: list[list[str]] = [[]]
    for token in command:
        if token.startswith("-"):
            lines.append([])
        lines[-1].append(token)
    return " \\\n  ".join(shlex.join(line) for line in lines)


class _Paint:
    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def __call__(self, code: str, text: str) -> str:
        return f"{code}{text}{_PLAIN}" if self._colour else text


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], paint: _Paint) -> str:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join([paint(_DIM, lines[0]), *lines[1:]])
