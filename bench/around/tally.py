"""What the platform saw of a run's jobs, and the figures that come of it. Pure.

Times are nanoseconds on the clock that the engine's tokens were marked with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.load import LONGEST_MARK, MARK, TOOK, Load


@dataclass(frozen=True)
class Delivered:
    """The figures of one run, from where callers stand."""

    seconds: float  # from the first job submitted to the last one over
    posts: int  # of pieces and results
    jobs_done: int
    jobs_stopped: int
    jobs_failed: int
    tokens: int  # that came before their job was over
    tokens_out_of_order: int  # or sent twice
    results_without_tokens: int  # final results that lack what was streamed
    jobs_not_stopped: int  # that were to be, and went on to their end
    first_p50_ms: float  # from a job's submission to its first token at the platform
    first_last_ms: float  # the longest of these
    delay_p50_ms: float  # from the engine's token to the same token at the platform
    delay_p90_ms: float
    delay_p99_ms: float
    delay_max_ms: float
    end_p50_ms: float  # from the engine's last token of a stream to its result
    added_p50_ms: float  # from submission to result, without the engine's time and the network's
    added_p99_ms: float
    problem: str = ""  # of the first job that failed
    #: Of the job in the middle: ms from its submission until the engine sent a token, and until it
    #: arrived at the platform, of each token.
    stream: Sequence[tuple[float, float]] = ()

    def complaint(self, load: Load) -> str:
        """Why this run does not count; empty if every token came once and in order."""
        over = self.jobs_done + self.jobs_stopped
        wrong = {
            f"only {over} of {load.jobs} jobs were over in time": over != load.jobs,
            f"{self.tokens} tokens of {load.jobs * load.tokens}": (
                not load.half_cancelled and self.tokens != load.jobs * load.tokens
            ),
            f"{self.tokens_out_of_order} tokens out of order": self.tokens_out_of_order > 0,
            f"{self.results_without_tokens} results lack tokens": self.results_without_tokens > 0,
            f"{self.jobs_not_stopped} jobs went on after a stop": self.jobs_not_stopped > 0,
        }
        return self.problem or ", ".join(what for what, is_so in wrong.items() if is_so)


@dataclass(slots=True)
class Job:
    """A job as the platform sees it."""

    submitted: int
    to_be_stopped: bool
    watched: bool  # token by token
    tokens: int = 0
    first: int = 0
    rest: str = ""  # of a token's mark that was torn between two pieces
    over: int = 0  # when it ended; 0 while it has not
    stopped: bool = False
    sent: int = 0  # when the engine sent its last token
    added_ms: float = 0
    problem: str = ""
    seen: list[tuple[int, int]] = field(default_factory=list)  # when sent, when arrived


@dataclass
class Tally:
    """All jobs of a run, by their ids."""

    load: Load
    jobs: dict[str, Job] = field(default_factory=dict)
    _delays_ms: list[float] = field(default_factory=list)
    _posts: int = 0
    _open: int = 0
    _out_of_order: int = 0
    _without_tokens: int = 0
    _not_stopped: int = 0

    def submit(self, name: str, now: int) -> None:
        """A job is in the platform's queue from now on."""
        stop = self.load.half_cancelled and len(self.jobs) % 2 == 1
        self.jobs[name] = Job(now, stop, len(self.jobs) == self.load.jobs // 2)
        self._open += 1

    @property
    def over(self) -> bool:
        """Whether every job has ended."""
        return not self._open and len(self.jobs) == self.load.jobs

    def piece(self, name: str, output: object, arrived: int) -> bool:
        """A piece of a stream has arrived.

        Returns:
            Whether its caller now wants no more of it.
        """
        self._posts += 1
        job = self.jobs[name]
        if job.over or not self.load.streaming:
            return False
        if not isinstance(output, str):
            job.problem = job.problem or f"a piece that is no text: {output!r:.200}"
            return False
        text = job.rest + output
        end = 0
        for mark in MARK.finditer(text):
            self._token(job, int(mark[1]), int(mark[2]), arrived)
            end = mark.end()
        job.rest = text[max(end, len(text) - LONGEST_MARK) :]
        if not job.to_be_stopped or job.tokens < self.load.tokens // 2:
            return False
        job.stopped = True
        self._end(job, arrived)
        return True

    def _token(self, job: Job, number: int, sent: int, arrived: int) -> None:
        if not job.first:
            job.first = arrived
        self._out_of_order += number != job.tokens
        job.tokens += 1
        job.sent = sent
        if job.watched:
            job.seen.append((sent, arrived))
        self._delays_ms.append((arrived - sent) / 1e6)

    def result(self, name: str, body: bytes, error: object, arrived: int) -> bool:
        """A job's final result has arrived.

        Returns:
            Whether the job was open until now.
        """
        self._posts += 1
        job = self.jobs[name]
        tokens = body.count(b"~") // 2  # two in each mark, and nowhere else
        if job.over:
            self._not_stopped += job.stopped and tokens == self.load.tokens
            return False
        if error:
            job.problem = job.problem or str(error)
        elif self.load.streaming:
            self._without_tokens += tokens != job.tokens
        else:
            self._whole(job, body, arrived)
        self._end(job, arrived)
        return True

    def _whole(self, job: Job, body: bytes, arrived: int) -> None:
        """An answer in one piece: all of its tokens are there, and how long the engine took."""
        for mark in MARK.finditer(body.decode(errors="replace")):
            self._token(job, int(mark[1]), int(mark[2]), arrived)
        if took := TOOK.search(body):
            whole = (arrived - job.submitted - int(took[1])) / 1e6
            job.added_ms = whole - self.load.round_trip_ms  # half of it each way

    def _end(self, job: Job, arrived: int) -> None:
        job.over = arrived
        self._open -= 1

    def delivered(self) -> Delivered:
        """The figures, with what is still open left out."""
        jobs = self.jobs.values()
        done = [job for job in jobs if job.over and not job.stopped]
        first = [(job.first - job.submitted) / 1e6 for job in jobs if job.first]
        added = [job.added_ms for job in done]
        begin = min((job.submitted for job in jobs), default=0)
        return Delivered(
            seconds=(max((job.over for job in jobs), default=begin) - begin) / 1e9,
            posts=self._posts,
            jobs_done=len(done),
            jobs_stopped=sum(job.stopped for job in jobs),
            jobs_failed=sum(bool(job.problem) for job in jobs),
            tokens=sum(job.tokens for job in jobs),
            tokens_out_of_order=self._out_of_order,
            results_without_tokens=self._without_tokens,
            jobs_not_stopped=self._not_stopped,
            first_p50_ms=percentile(first, 0.5),
            first_last_ms=max(first, default=0.0),
            delay_p50_ms=percentile(self._delays_ms, 0.5),
            delay_p90_ms=percentile(self._delays_ms, 0.9),
            delay_p99_ms=percentile(self._delays_ms, 0.99),
            delay_max_ms=max(self._delays_ms, default=0.0),
            end_p50_ms=percentile([(job.over - job.sent) / 1e6 for job in done], 0.5),
            added_p50_ms=percentile(added, 0.5),
            added_p99_ms=percentile(added, 0.99),
            problem=next((job.problem for job in jobs if job.problem), ""),
            stream=[
                ((sent - job.submitted) / 1e6, (arrived - job.submitted) / 1e6)
                for job in jobs
                for sent, arrived in job.seen
            ],
        )


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share (0 to 1) of the values lies; 0.0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
