"""One answer that streams, over all of the engines that give parts of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from proxy.job_log import Record
from proxy.request.forms import Request
from proxy.resume.keep_alive import Beat
from proxy.stream.outputs import Outputs, error_at
from proxy.stream.ramp import Batches
from supervisor.link.figures import Figures


@dataclass(frozen=True, slots=True)
class Streamed:
    """Makes outputs of its batches; `record` and `figures` are told what came.

    `waiting` has what one engine gave and was not handed over; `beat` tells when there is a
    comment while it waits, None where who reads the answer reads none.
    """

    request: Request
    record: Record
    figures: Figures
    outputs: Outputs
    waiting: Batches
    beat: Beat | None

    def anew(self) -> Streamed:
        """The same, ready for another engine's answer: the one before has no part in its end."""
        old = self.waiting
        return replace(self, waiting=Batches(old.ramp, old.exact, seen=old.seen))

    def batch(self, events: Sequence[bytes]) -> Iterator[Any]:
        """The outputs of a batch.

        Raises:
            ErrorInStream: an event of it says that the answer fails.
        """
        if not events:
            return
        record, outputs, waiting = self.record, self.outputs, self.waiting
        self.figures.tokens += record.streamed(waiting.seen, events)
        text = b"".join(events)
        self.figures.bytes += len(text)
        if (place := error_at(events, text)) is not None:
            before, wrong = outputs.parted(events, place)
            yield from before
            raise outputs.error(wrong)
        made = outputs.of(events, text)
        for number, output in enumerate(made, 1):
            record.answered = waiting.over and number == len(made)
            yield output

    def last(self, events: Sequence[bytes]) -> Iterator[Any]:
        """The outputs of an end that no engine gave; nothing comes after it."""
        self.waiting.complete = True
        return self.batch(events)
