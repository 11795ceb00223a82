"""What one run asks of a worker."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

# In the content of each token: its number in the stream and when the engine sent it
# (time.monotonic_ns, one clock for all processes of a machine).
MARK = re.compile(r"~(\d+):(\d+)~")
# In an answer that does not stream also how many ns the engine took for it.
TOOK = re.compile(rb"=(\d+)=")
LONGEST_MARK = 40  # characters
MODEL = "bench"
KINDS = ("burst", "steady", "cancelled", "tls")

_STEADY = 3  # times the length of a stream: for so long streams arrive steadily


@dataclass(frozen=True, slots=True)
class Load:
    """One run: so many jobs, each of that many tokens.

    They are submitted at random within `spread_s`; all at once where it is 0. With `at_once` so
    many are submitted at first, and one more whenever one is done.
    """

    jobs: int
    tokens: int
    rate: float = 50  # tokens/s of one stream
    round_trip_ms: float = 20
    spread_s: float = 1  # so that streams are not in lock-step
    at_once: int = 0
    streaming: bool = True
    half_cancelled: bool = False  # every other one when half of its tokens have arrived
    tls: bool = False
    name: str = ""
    seed: int = 1

    @property
    def stream_s(self) -> float:
        """How long the engine takes for one job."""
        return self.tokens / self.rate

    @property
    def limit_s(self) -> float:
        """When a run is given up: four times what it should take, and a minute."""
        rounds = self.jobs / self.at_once if self.at_once else 1
        return 60 + 4 * (self.spread_s + rounds * self.stream_s)


def named(name: str, model: Load) -> Load:
    """The load of that name: a number of streams, after the kinds that it has, parted by `-`.

    `300` is streams that run together, `burst-300` arrives at once; `steady-300` goes on arriving,
    so that about 300 run at any time; `cancelled-300` loses every other stream midway; `tls-300`
    comes over TLS. Kinds go together: `tls-burst-300`.

    Args:
        name: as a user gives it.
        model: tokens, rate and round trip are taken from it.

    Raises:
        ValueError: there is no such load; one sentence.
    """
    *kinds, count = name.split("-")
    wrong = [kind for kind in kinds if kind not in KINDS]
    if wrong or not count.isdecimal() or not int(count):
        raise ValueError(
            f"{name[:40]!r} is no load: give a number of streams, with"
            f" {', '.join(f'{kind}-' for kind in KINDS)} before it, as in burst-300"
        )
    if {"burst", "steady"} <= set(kinds):
        raise ValueError(f"{name[:40]!r} is no load: a burst does not arrive steadily")
    load = replace(model, name=name, jobs=int(count))
    if "burst" in kinds:
        load = replace(load, spread_s=0)
    if "steady" in kinds:
        load = replace(load, jobs=load.jobs * _STEADY, spread_s=load.stream_s * _STEADY)
    return replace(load, half_cancelled="cancelled" in kinds, tls="tls" in kinds)
