"""Asks the worker that runs on this machine how it stands, and says it to a person."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import BadArgument, ConfigurationError, SupervisorError
from .parts import Times

_LONGEST_WAIT = 3600.0  # seconds that a worker waits for a state
_CHART = 48  # columns of a bar: a line then has 80
_GRACE = 5.0  # seconds for an answer that comes when the wait is over


@dataclass(frozen=True, slots=True)
class Answer:
    """What the worker said: `/status` as it is, and for a person.

    `reached`: the state that was waited for came; without one, True.
    """

    body: Mapping[str, Any]
    text: str
    reached: bool


def ask(control_url: str, wait: str | None, timeout: float, token: str | None = None) -> Answer:
    """Ask for the state, or wait for one.

    Args:
        control_url: where the control port is, `http://HOST:PORT`.
        wait: answer when this state is reached; None: at once.
        timeout: seconds to wait at most.
        token: CONTROL_TOKEN; None where it is not set.

    Raises:
        BadArgument: the worker does not know this state, or does not wait that long.
        ConfigurationError: it asks for another token.
        SupervisorError: no worker answers there.
    """
    url = f"{control_url}/status"
    if wait:
        url += "?" + urllib.parse.urlencode({"wait": wait, "timeout": timeout})
    try:
        code, body = _get(url, max(0.0, min(_LONGEST_WAIT, timeout)) + _GRACE, token)
        if code == http.client.UNAUTHORIZED:
            raise ConfigurationError("the worker asks for its CONTROL_TOKEN; set it here as well")
        if code == http.client.BAD_REQUEST:
            raise BadArgument(body["error"])
        text = as_text(body, time.time())
    # The last three: the answer of another program, such as an engine.
    except (OSError, http.client.HTTPException, AttributeError, ValueError, KeyError, TypeError):
        raise SupervisorError(
            f"no worker answers at {control_url}; start one or set PORT_HEALTH to its port"
        ) from None
    return Answer(body, text, reached=http.client.OK <= code < http.client.MULTIPLE_CHOICES)


def _get(url: str, timeout: float, token: str | None) -> tuple[int, Any]:
    """The status and the decoded JSON at `url`, which no proxy and no redirection leads away."""
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.HTTPHandler())
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    question = urllib.request.Request(url, headers=headers)  # noqa: S310 - http alone is opened
    with opener.open(question, timeout=timeout) as answer:
        return answer.status, json.load(answer)


def _node(found: Mapping[str, Any]) -> str | None:
    """Which of several nodes it is, and who is not there."""
    if found.get("rank") is None:
        return None
    missing = ", ".join(map(str, found.get("missing") or ()))
    rest = f"; missing: {missing}" if missing else ""
    return f"rank {found['rank']} ({found['role']}), generation {found['generation']}{rest}"


def as_text(found: Mapping[str, Any], now: float) -> str:
    """The body of `/status` for a person; `now` in Unix time."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    start = Times.read(found).chart(_CHART) if found.get("start") else []
    rows = [
        ("state", f"{found['state']} for {max(0.0, now - found['since']):.0f} s"),
        ("doing", found["doing"]),
        ("mode", found["mode"]),
        ("model", found["model"]),
        ("versions", versions),
        ("engine", found["engine_pid"] and f"process {found['engine_pid']}"),
        ("node", _node(found)),
        ("restarts", str(found["restarts"])),
        ("last failure", found["last_failure"]),
        *(("" if number else "start", line) for number, line in enumerate(start)),
        ("first job", (first := found.get("first_job")) and f"{first:.1f} s after it was ready"),
    ]
    if found["jobs"] is not None:
        jobs = dict(found["jobs"])
        rows.append(("jobs", f"{jobs.pop('jobs')} in hand"))
        rows += [("", f"{count} {name.replace('_', ' ')}") for name, count in jobs.items()]
    return "\n".join(f"{name:<13} {value}" for name, value in rows if value)
