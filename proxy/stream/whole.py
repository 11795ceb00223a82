"""An answer in one piece: read up to what the platform carries, and handed over as it is."""

from __future__ import annotations

import asyncio
import re
from typing import Any, NamedTuple

from proxy.errors import AnswerTooLarge
from proxy.stream import finite
from proxy.stream.ramp import ANSWER_MOST
from proxy.stream.raw import RawJson
from proxy.wire.answer import Answer as Source

ERROR_MOST = 1_000_000  # bytes of an error's body

_PARSED_MOST = 256 * 1024  # bytes that are parsed at once: a few milliseconds
_SLICE = 32 * 1024  # bytes that are looked through before other jobs have their turn
_USAGE = re.compile(rb'"(?:completion_tokens|output_tokens)":\s*(\d{1,15})\b')
_USAGE_WITHIN = 1000  # bytes of a usage object


class Answer(NamedTuple):
    """What the engine answered: `body` as it came, of this content type."""

    body: bytes
    kind: str

    @property
    def is_json(self) -> bool:
        """Whether it says and looks so."""
        return "json" in self.kind and self.body.lstrip()[:1] in b'{["'


async def read(source: Source, most: int = ANSWER_MOST) -> Answer:
    """The answer that `source` brings.

    Raises:
        AnswerTooLarge: it has more than `most` bytes. No more of it than that was read.
        EngineSilent, StreamBroken: it did not come to its end.
    """
    if source.length is not None and source.length > most:
        raise too_large(source.length, most)
    pieces, size = [], 0
    while piece := await source.read():
        size += len(piece)
        if size > most:
            raise too_large(None, most)
        pieces.append(piece)
    return Answer(b"".join(pieces), source.kind)


async def read_error(source: Source) -> bytes:
    """The beginning of an error's body, up to `ERROR_MOST` bytes.

    Raises:
        EngineSilent, StreamBroken: it did not come to its end.
    """
    body = bytearray()
    while len(body) <= ERROR_MOST and (piece := await source.read()):
        body += piece
    return bytes(body[:ERROR_MOST])


def too_large(size: int | None, most: int = ANSWER_MOST) -> AnswerTooLarge:
    """The error for an answer of `size` bytes, None where it goes on."""
    has = f"more than {most / 1e6:.1f} MB" if size is None else f"{size / 1e6:.1f} MB"
    return AnswerTooLarge(
        f"the answer has {has}, and the platform carries {most / 1e6:.0f} MB; ask for less"
    )


def parsed(answer: Answer) -> Any:
    """The JSON of an answer, in which NaN and Infinity are None; its text where it is none."""
    try:
        return finite.parsed(answer.body)
    except ValueError:
        return answer.body.decode(errors="replace")


async def output(answer: Answer) -> tuple[Any, int | None]:
    """What is handed over of an answer, and its tokens, where it says how many it has.

    A large one stays JSON as the engine wrote it: to read and to write it takes longer than any
    other job may be held up.
    """
    if len(answer.body) <= _PARSED_MOST or not answer.is_json:
        found = parsed(answer)
        return found, _tokens_of(found)
    body = await _without_constants(answer.body)
    return RawJson(body), _tokens_at_the_end(body)


def _tokens_of(answer: Any) -> int | None:
    usage = answer.get("usage") if isinstance(answer, dict) else None
    if not isinstance(usage, dict):
        return None
    count = usage.get("completion_tokens", usage.get("output_tokens"))
    return count if isinstance(count, int) else None


def _tokens_at_the_end(body: bytes) -> int | None:
    """The tokens in the last usage object. In a string its quotes would have backslashes."""
    place = body.rfind(b'"usage":')
    found = _USAGE.search(body, place, place + _USAGE_WITHIN) if place >= 0 else None
    return None if found is None else int(found[1])


async def _without_constants(body: bytes) -> bytes:
    """`body` with null for each NaN and Infinity that is not inside a string."""
    if not finite.suspicious(body):
        return body
    places = {word: body.find(word) for word in (b"NaN", b"Infinity")}
    pieces: list[bytes] = []
    start = looked = 0  # where the next piece begins; up to where quotes are counted
    turn = _SLICE  # where others have theirs
    in_text = False
    while found := {place: word for word, place in places.items() if place >= 0}:
        place = min(found)
        word = found[place]
        places[word] = body.find(word, place + len(word))
        while looked < place:
            part = body[looked : min(place, looked + _SLICE)]
            if looked + len(part) < place:
                part = part.rstrip(b"\\") or part  # an escape is not cut in two
            in_text ^= part.replace(b"\\\\", b"").replace(b'\\"', b"").count(b'"') % 2 == 1
            looked += len(part)
            if looked >= turn:
                turn = looked + _SLICE
                await asyncio.sleep(0)
        looked = place + len(word)
        if not in_text:
            pieces += [body[start : place - body.startswith(b"-", place - 1)], b"null"]
            start = looked
    return b"".join([*pieces, body[start:]]) if pieces else body
