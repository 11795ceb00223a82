"""One line a minute for the log while jobs come: most of what an operator asks first. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...link.figures import Figures
from .names import KV_CACHE, Metric


@dataclass(slots=True)
class Summary:
    """What has happened since the last line. One comes `every` so many seconds."""

    every: float = 60.0
    _since: float | None = None  # None: there is no work
    _before: Figures = field(default_factory=Figures)  # at that time
    _restarts: int = 0

    def see(
        self, figures: Figures, restarts: int, engine: Mapping[Metric, float], now: float
    ) -> str | None:
        """Take in the totals as they are now; call this about once a second.

        Args:
            figures: of the proxies.
            restarts: of the engine.
            engine: its own figures.
            now: seconds on a clock that never goes back.

        Returns:
            A line, once work has gone on, or ended, for so long; else None.
        """
        works = figures.jobs > 0 or figures.ended != self._before.ended
        if self._since is None:
            if works:
                self._since = now
            else:
                self._before, self._restarts = figures, restarts
            return None
        if now - self._since < self.every:
            return None
        line = self._line(figures, restarts - self._restarts, engine, now - self._since)
        self._before, self._restarts = figures, restarts
        self._since = now if figures.jobs else None
        return line

    def _line(
        self, now: Figures, restarts: int, engine: Mapping[Metric, float], seconds: float
    ) -> str:
        before = self._before
        jobs = (
            f"{now.answered - before.answered} answered",
            f"{now.failed - before.failed} failed",
            f"{now.cancelled - before.cancelled} cancelled",
            f"{now.jobs} in hand",
        )
        parts = [
            f"last {seconds:.0f} s: jobs: {', '.join(jobs)}",
            f"{(now.tokens - before.tokens) / seconds:.0f} tokens/s",
        ]
        first = now.first_token - before.first_token
        middle, late = first.quantile(0.5), first.quantile(0.95)
        if middle is not None and late is not None:
            parts.append(f"first token: {middle:.2f} s (p50), {late:.2f} s (p95)")
        if KV_CACHE in engine:
            parts.append(f"KV cache: {100 * engine[KV_CACHE]:.0f} %")
        parts.append(f"restarts of the engine: {restarts}")
        return "; ".join(parts)
