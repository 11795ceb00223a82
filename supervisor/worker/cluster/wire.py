"""What nodes send each other, as JSON: both ends of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ...command.cluster.likeness import one_line
from ...secrets import masked
from ..lifecycle import (
    Doing,
    Lost,
    Order,
    Ordered,
    Reported,
    Start,
    StopAll,
    Wait,
)

_NUMBER_MOST = 1 << 31
_TEXT_MOST = 2000  # characters
_READ_MOST = 64 * 1024  # of which white space may be the most
_WORD_MOST = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """A follower's question.

    Attributes:
        reported: how it stands.
        size: how many nodes there are, as it was told.
        identity: what its engine would be started with.
        seen: the last answer that it got; None for the first question.
    """

    reported: Reported
    size: int
    identity: Mapping[str, Any]
    seen: Mapping[str, Any] | None = None


def question(asked: Asked) -> dict[str, Any]:
    """The body of a question."""
    said, lost = asked.reported, asked.reported.lost
    return {
        "rank": said.rank,
        "run": said.run,
        "doing": str(said.doing),
        "generation": said.generation,
        "lost": lost and asdict(lost),
        "stops": said.stops,
        "serves": said.serves,
        "size": asked.size,
        "identity": asked.identity,
        "seen": asked.seen,
    }


def read_question(body: bytes, peer: str) -> Asked:
    """A question from the address `peer`.

    Raises:
        ValueError: it is none; why, as the end of a sentence.
    """
    said = _object(body)
    try:
        reported = Reported(
            rank=_number(said["rank"]),
            run=_text(said["run"])[:_WORD_MOST],
            address=peer,
            doing=Doing(said["doing"]),
            generation=_number(said["generation"]),
            lost=_lost(said["lost"]),
            stops=bool(said["stops"]),
            serves=bool(said["serves"]),
        )
        identity, seen = said["identity"], said["seen"]
        if not isinstance(identity, dict) or not isinstance(seen, dict | None):
            raise ValueError("identity and seen are objects")  # noqa: TRY004 - as below
        return Asked(reported, _number(said["size"]), identity, seen)
    except (KeyError, TypeError) as reason:
        raise ValueError(f"{type(reason).__name__}: {reason}") from None


def answer(ordered: Ordered) -> dict[str, Any]:
    """The body of an answer."""
    rest: dict[str, Any] = {"phase": ordered.phase, "missing": list(ordered.missing)}
    match ordered.order:
        case Wait(generation):
            return {"order": "wait", "generation": generation, **rest}
        case Start(generation):
            return {"order": "start", "generation": generation, **rest}
        case StopAll(code, cause):
            return {"order": "stop", "code": int(code), "cause": masked("", cause), **rest}


def read_answer(body: bytes) -> Ordered:
    """An answer.

    Raises:
        ValueError: it is none; why, as the end of a sentence.
    """
    said = _object(body)
    try:
        missing = tuple(_number(each) for each in said["missing"])
        return Ordered(_order(said), _text(said["phase"]), missing)
    except (KeyError, TypeError) as reason:
        raise ValueError(f"{type(reason).__name__}: {reason}") from None


def without_secrets(reported: Reported) -> Reported:
    """The same with no secret in what it tells."""
    lost = reported.lost
    return (
        reported
        if lost is None
        else replace(reported, lost=replace(lost, cause=masked("", lost.cause)))
    )


def _order(said: Mapping[str, Any]) -> Order:
    match said["order"]:
        case "wait":
            return Wait(_number(said["generation"]))
        case "start":
            return Start(_number(said["generation"]))
        case "stop":
            return StopAll(_number(said["code"]), _text(said["cause"]))
    raise ValueError("the order is not known")


def _lost(said: Any) -> Lost | None:
    if said is None:
        return None
    cause, kind = _text(said["cause"]), _text(said["kind"])[:_WORD_MOST]
    return Lost(cause, kind, said["final"] is True, said.get("wanting") is True)


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    if not isinstance(said, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - it is about what was sent
    return said


def _number(said: Any) -> int:
    if type(said) is not int or not 0 <= said < _NUMBER_MOST:
        raise ValueError("a number is none, or out of range")
    return said


def _text(said: Any) -> str:
    if not isinstance(said, str):
        raise ValueError("a text is none")  # noqa: TRY004 - it is about what was sent
    return one_line(said[:_READ_MOST])[:_TEXT_MOST]
