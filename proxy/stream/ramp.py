"""When a stream's events are handed over: the ramp and the latency budget. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from proxy.settings import Ramp
from proxy.stream import sse

#: Bytes of events in one yield. The platform takes 1 MB, and the SDK sends JSON, in which each
#: quote and each backslash takes two.
MOST_BYTES = 480_000

#: Bytes of all of a job's answer: the platform takes 20 MB, and its envelope needs some of them.
ANSWER_MOST = 19_900_000

#: The adaptive budget. A batch with all that belongs to it costs about 0.11 ms of CPU, so that N
#: streams with a batch of each every N/6000 s stay within one core. Below the least nothing is
#: gained: tokens of a usual stream come every 20 ms, and would go one by one.
_BUDGET_PER_STREAM = 1 / 6000  # seconds
_BUDGET_LEAST = 0.022
_BUDGET_MOST = 0.25


def budget(streams: int, fixed_ms: float | None) -> float | None:
    """Seconds that a token may wait for its batch.

    Args:
        streams: how many run now.
        fixed_ms: BATCH_MAX_LATENCY_MS; 0 turns the budget off, None makes it adaptive.

    Returns:
        None where a batch is handed over only when it is full.
    """
    if fixed_ms is not None:
        return fixed_ms / 1000 if fixed_ms else None
    return adaptive(streams)


def adaptive(streams: int) -> float:
    """The seconds between two looks at one stream's socket that `streams` of them can afford."""
    return min(_BUDGET_MOST, max(_BUDGET_LEAST, streams * _BUDGET_PER_STREAM))


@dataclass(slots=True)
class Batches:
    """Events that wait to be handed over, and how many tokens the next batch takes.

    With `exact` a batch has the size of the ramp; otherwise all that waits goes. `complete` is
    whether everything of the stream has been added.
    """

    ramp: Ramp
    exact: bool = False
    tokens: int = 0  # that wait
    seen: int = 0  # in all
    complete: bool = False
    comments: int = 0  # events that wait and are no more than comments
    _events: list[tuple[bytes, int]] = field(default_factory=list)
    _size: float = field(init=False)

    def __post_init__(self) -> None:
        self._size = self.ramp.begin

    @property
    def size(self) -> int:
        """How many tokens the next batch takes. A fraction grows on: 1, 1.5, 2.25 is 1, 2, 3."""
        return math.ceil(self._size)

    def add(self, events: Sequence[bytes]) -> None:
        """Take events and count the tokens in each."""
        for event in events:
            count = sse.tokens(event)
            if event[:1] == b":" and sse.is_comment(event):
                self.comments += 1
            self._events.append((event, count))
            self.tokens += count
            self.seen += count

    @property
    def full(self) -> bool:
        """Whether the next batch holds as many tokens as the ramp says."""
        return self.tokens >= self.size

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._events

    @property
    def over(self) -> bool:
        """Whether the last batch has been taken."""
        return self.complete and self.empty

    def take_comments(self) -> list[bytes]:
        """Take the comments alone: they are no part of the ramp, and in no order with the rest."""
        found = [event for event, _ in self._events if sse.is_comment(event)]
        self._events = [each for each in self._events if not sse.is_comment(each[0])]
        self.comments = 0
        return found

    def take(self) -> list[bytes]:
        """Take the next batch, and the ramp one step on.

        With `exact` a full batch is cut at the ramp's size; otherwise everything that waits goes,
        up to the largest size. Events without tokens go with those before them. No batch is over
        `MOST_BYTES`, save a single event that is larger by itself.
        """
        most = self.size if self.exact else self.ramp.most
        taken = length = count = 0
        for event, tokens in self._events:
            too_many = tokens and count + tokens > most
            if taken and (too_many or length + len(event) > MOST_BYTES):
                break
            taken += 1
            length += len(event)
            count += tokens
        batch = [event for event, _ in self._events[:taken]]
        del self._events[:taken]
        self.tokens -= count
        if self.comments:
            self.comments -= sum(map(sse.is_comment, batch))
        if count:
            self._size = min(self.ramp.most, self._size * self.ramp.growth)
        return batch
