"""Shows a plan: as JSON for programs, as a table for people. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..findings import Applied, Fault, Finding, Ignored, Kept, Remark
from ..records import replace
from ..secrets import masked, masked_tokens
from .plan import Plan, engine_environment

NARROWEST = 40  # characters of a line; below, nothing can be read
_WIDEST = 40  # characters of a value in the table
_LEAST = 20  # characters of a value that is shortened
_ASIDE = 24  # characters that remarks need to stand beside their row
_GAP = "  "
_UNDER = "    "

_BOLD, _RED, _YELLOW, _DIM, _PLAIN = "\033[1m", "\033[31m", "\033[33m", "\033[2m", "\033[0m"

#: What the caller knows of variables that the user did not set: name -> who did, and why.
SetBy = Mapping[str, str]
_NOBODY: SetBy = MappingProxyType({})


def as_json(plan: Plan, set_by: SetBy = _NOBODY, nodes: Sequence[Plan] = ()) -> dict[str, Any]:
    """The plan as the `explain` command's JSON.

    `nodes` is there where several were asked for. `environment` has what the engine reads from its
    environment. Secrets among it stand under `ignored` too, where they stood before there was that
    field.
    """
    found = plan.findings
    return {
        "mode": str(plan.settings.mode),
        "vllm_version": plan.vllm_version,
        "command": shown_command(plan),
        "engine_env": _shown_env(plan.engine_env),
        "settings": [_shown(applied) for applied in _noted(found.applied, set_by)],
        "environment": [_shown(kept) for kept in _kept(plan, set_by)],
        "ignored": [_shown(ignored) for ignored in found.ignored],
        "warnings": [_shown(warning) for warning in found.warnings],
        "errors": [_shown(error) for error in found.errors],
        **({"nodes": [_node(rank, node) for rank, node in enumerate(nodes)]} if nodes else {}),
    }


def _node(rank: int, plan: Plan) -> dict[str, Any]:
    """One of several nodes; what its environment gets at the spawn stands in it by names."""
    from .cluster import every  # a start shows no other node

    env = dict(plan.engine_env)
    if plan.cluster is not None:
        env.update(every.at_spawn(plan.cluster, engine_environment(plan.environment, plan)))
    return {
        "rank": rank,
        "role": "follower" if rank else "leader",
        "command": shown_command(plan),
        "engine_env": _shown_env(env),
    }


def _shown(finding: Finding) -> dict[str, Any]:
    """A finding's fields, whatever looks like a secret masked, wherever it got in."""
    from dataclasses import asdict  # a start does not show them

    return {
        name: masked("", text) if isinstance(text, str) else text
        for name, text in asdict(finding).items()
    }


def shown_command(plan: Plan) -> list[str]:
    """The command with anything that looks like a secret masked."""
    return masked_tokens(plan.command)


def as_text(
    plan: Plan,
    set_by: SetBy = _NOBODY,
    nodes: Sequence[Plan] = (),
    *,
    width: int = 80,
    colour: bool = False,
) -> str:
    """The plan as a person reads it; of several nodes with the command of each.

    No line is longer than `width` characters, but for what may be pasted (the command and the
    environment) and for words that are longer.
    """
    paint = _Paint(colour=colour)
    found = plan.findings
    version = plan.vllm_version or "of unknown version"
    ignored = [row for row in found.ignored if not isinstance(row, Kept)]
    parts = [
        [paint(_BOLD, f"mode {plan.settings.mode}, vLLM {version}")],
        _became(_noted(found.applied, set_by), width, paint),
        *_commands(plan, nodes, paint),
        _titled(paint(_BOLD, "kept in the environment"), _reasons(_kept(plan, set_by), width)),
        _titled(paint(_BOLD, "ignored"), _reasons(ignored, width)),
        [paint(_YELLOW, _wrapped(f"warning: {sentence(each)}", width)) for each in found.warnings]
        + [paint(_RED, _wrapped(f"error: {sentence(each)}", width)) for each in found.errors],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _commands(plan: Plan, nodes: Sequence[Plan], paint: _Paint) -> list[list[str]]:
    """What is run and in which environment, on one node or on each of several."""
    parts = []
    for node in [_node(rank, each) for rank, each in enumerate(nodes)] or [as_json(plan)]:
        where = f" of rank {node['rank']}, the {node['role']}" if nodes else ""
        changed = [f"{name}={value}" for name, value in node["engine_env"].items()]
        parts.append([paint(_BOLD, f"command{where}"), _pasteable(node["command"])])
        parts.append(_titled(paint(_BOLD, "environment of the engine, changed"), changed))
    return parts


def _shown_env(env: Mapping[str, str]) -> dict[str, str]:
    return {name: masked(name, value) for name, value in env.items()}


def sentence(finding: Remark | Fault) -> str:
    """A warning or an error as one sentence with its remedy."""
    text = f"{finding.message}; {finding.suggestion}" if finding.suggestion else finding.message
    return masked("", text)


def _noted(applied: Iterable[Applied], set_by: SetBy) -> list[Applied]:
    """With the word of who set a variable in its note."""
    return [
        replace(row, note="; ".join(filter(None, (row.note, set_by.get(row.env)))) or None)
        for row in applied
    ]


def _kept(plan: Plan, set_by: SetBy) -> list[Kept]:
    """What the engine reads from its environment: secrets, and what else somebody set for it."""
    found = plan.findings
    kept = [row for row in found.ignored if isinstance(row, Kept)]
    told = {row.env for row in found.applied} | {row.env for row in found.ignored}
    return kept + [Kept(name, reason) for name, reason in set_by.items() if name not in told]


def _titled(title: str, lines: list[str]) -> list[str]:
    return [title, *lines] if lines else []


def _reasons(rows: Iterable[Ignored], width: int) -> list[str]:
    return [_wrapped(f"{row.env}: {row.reason}", width) for row in rows]


#: What is said of a variable that has no note of its own.
_SOURCES = {
    "option": "",
    "alias": "another name of the option",
    "legacy": "an old name",
    "config-file": "read by the engine",
    "extra-args": "put at the end",
    "arguments": "they win over variables",
    "worker": "",
}


def _became(applied: Sequence[Applied], width: int, paint: _Paint) -> list[str]:
    """A table of the variables: remarks beside their rows where there is room, else below."""
    if not applied:
        return []
    rows = [
        (row.env, _shortened(row.value, _WIDEST), row.flag or f"({row.source})") for row in applied
    ]
    remarks = [row.note or _SOURCES[row.source] for row in applied]
    names, values, became = (
        max(map(len, column)) for column in zip(("variable", "value", "became"), *rows, strict=True)
    )
    aside = width - names - values - became - 3 * len(_GAP)
    if aside >= min(_ASIDE, max(map(len, remarks))):
        remarks = [_wrapped(text, aside, under="") for text in remarks]
        columns, head = (names, values, became), ["remarks"]
    else:
        remarks = [_wrapped(text, width, first=_UNDER, under=_UNDER) for text in remarks]
        left = width - became - 2 * len(_GAP)
        names = min(names, max(left - min(values, _LEAST), len("variable")))
        values = min(values, max(left - names, _LEAST))
        columns, head = (names, values, became), []
    lines = [paint(_DIM, _row(("variable", "value", "became", *head), columns))]
    for cells, remark in zip(rows, remarks, strict=True):
        if head:
            first, *more = remark.splitlines() or [""]
            lines.append(_row((*cells, first), columns))
            lines += [_row(("", "", "", text), columns) for text in more]
        else:
            lines += [_row(cells, columns), *remark.splitlines()]
    return lines


def _row(cells: Sequence[str], columns: Sequence[int]) -> str:
    """One row; a name that is wider than its column has a line for itself."""
    name, value, *others = cells
    padded = (name, _shortened(value, columns[1]), *others)
    # The last cell of all, the remark, needs no width.
    parts = [cell.ljust(width) for cell, width in zip(padded, (*columns, 0), strict=False)]
    line = _GAP.join(parts).rstrip()
    if len(name) <= columns[0]:
        return line
    return f"{name}\n{' ' * columns[0]}{line[len(name) :]}"


def _shortened(value: str, most: int) -> str:
    """On one line of the table; the command has the whole."""
    value = masked("", value)
    value = "".join(c if c.isprintable() else repr(c)[1:-1] for c in value)
    return value if len(value) <= most else f"{value[: most - 1]}…"


def _wrapped(text: str, width: int, *, first: str = "", under: str = _GAP) -> str:
    """Broken between words; names of options and values stay whole, so that they can be copied."""
    import textwrap  # a start needs `shown_command` and `sentence` alone

    lines: list[str] = []
    for line in text.splitlines():
        lines += textwrap.wrap(
            line,
            width,
            initial_indent=under if lines else first,
            subsequent_indent=under,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


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
