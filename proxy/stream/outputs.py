"""Batches of events -> outputs in the caller's form, as large as the platform takes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from proxy.errors import AnswerTooLarge, ErrorInStream
from proxy.stream import finite, native, sse
from proxy.stream.ramp import MOST_BYTES
from proxy.stream.raw import Comment


class Outputs:
    """Makes the outputs of one stream.

    Args:
        own_form: in the native form.
        as_text: as text, which OpenAI clients need; otherwise as lists of chunks.
    """

    def __init__(self, *, own_form: bool, as_text: bool) -> None:
        self._native = native.Stream() if own_form else None
        self._as_text = as_text

    @property
    def finish(self) -> str | None:
        """Why the answer ended, where that was said and the outputs do not say it."""
        return self._native.finish if self._native is not None else None

    def of(self, events: Sequence[bytes], text: bytes) -> list[Any]:
        """The outputs of a batch.

        Args:
            events: of the batch, none of which is an error.
            text: the same in one piece.

        Raises:
            AnswerTooLarge: the platform would refuse this output.
        """
        size = len(text)
        if size > MOST_BYTES and not self._parted:
            # Only a single event can be too large.
            raise AnswerTooLarge(
                f"an event of the stream has {size / 1e6:.1f} MB, and the platform carries 1 MB;"
                " ask for less, or set RAW_OPENAI_OUTPUT=1"
            )
        return list(self._made(events, text))

    def parted(self, events: Sequence[bytes], place: int) -> tuple[list[Any], Sequence[bytes]]:
        """The outputs of what came before the error at `place`, and the events from there on.

        Where no token came before it, all of it goes with the error: without output the job can be
        sent again.
        """
        before = events[:place]
        if not any(map(sse.tokens, before)):
            return [], events
        return self.of(before, b"".join(before)), events[place:]

    def error(self, events: Sequence[bytes]) -> ErrorInStream:
        """The error for events of which one reports an error; with the outputs that hold them."""
        body = next(body for event in events if (body := sse.error(event)) is not None)
        last = tuple(self._made(events, b"".join(events)))
        return ErrorInStream(sse.status(body), body, last)

    @property
    def _parted(self) -> bool:
        return self._as_text and self._native is None

    def _made(self, events: Sequence[bytes], text: bytes) -> Iterator[Any]:
        """The outputs, none for nothing; text that is too large in parts.

        Who reads it puts them together again.
        """
        if self._native is not None:
            if (batch := self._native.batch(events)) is not None:
                yield batch
        elif not self._as_text:
            if chunks := [chunk for event in events if (chunk := sse.parsed(event))]:
                yield chunks
        elif len(text) > MOST_BYTES:
            told, most = _text(text), MOST_BYTES // 4  # characters: each may take four bytes
            yield from (told[start : start + most] for start in range(0, len(told), most))
        elif sse.is_comment(events[-1]) and all(map(sse.is_comment, events)):
            yield Comment(_text(text))
        else:
            yield _text(text)


def _text(events: bytes) -> str:
    """Events as text, with null for what JSON has not; bytes that are no UTF-8 show as such."""
    return finite.valid(events).decode(errors="replace")


def error_at(events: Sequence[bytes], text: bytes) -> int | None:
    """The place of the first event that reports an error; None where none does.

    Args:
        events: of a batch.
        text: the same in one piece.
    """
    if b'"error"' not in text:
        return None
    return next((place for place, event in enumerate(events) if sse.error(event) is not None), None)
