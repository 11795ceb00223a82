"""How the worker stands: the body of `/status`, written by the supervisor, read by the proxy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

#: States in which there is no engine for jobs, whatever answers in its place.
AWAY = frozenset({"STARTING", "RESTARTING"})
#: States from which no engine comes back.
OVER = frozenset({"DRAINING", "STOPPED", "FAILED"})


@dataclass(frozen=True, slots=True)
class Standing:
    """The keys of `/status` by their names, and what each means.

    Attributes:
        state: the phase of the supervisor's lifecycle.
        since: when it began, in Unix time.
        mode: how requests reach the engine.
        model: as it is served.
        doing: what a start of the engine is doing.
        engine_pid: the engine's process; None while there is none.
        restarts: starts of the engine after the first one.
        last_failure: the last cause; one sentence.
        exit_code: what the worker ends with, once that is decided.
        answering: it has given up, and answers jobs with the cause before it ends.
        phases: seconds of each phase of the last start, and of all of it.
        start: `name`, `begin` and `seconds` of each part of that start, those that ran beside each
            other too; one that was interrupted comes several times.
        first_job: seconds that the first engine, ready, waited for its first job; None until then.
        jobs: the proxy's figures; None in the other modes.
        versions: of the worker and of vLLM.
        role: among nodes that serve one model together: `leader`, which is rank 0, or `follower`.
        rank: its number among them.
        generation: how often their engines were started together.
        missing: the ranks that are waited for, or were lost.
    """

    state: str = ""
    since: float = 0.0
    mode: str = ""
    model: str | None = None
    doing: str | None = None
    engine_pid: int | None = None
    restarts: int = 0
    last_failure: str | None = None
    exit_code: int | None = None
    answering: bool = False
    phases: Mapping[str, float] = field(default_factory=dict)
    start: Sequence[Mapping[str, Any]] = ()
    first_job: float | None = None
    jobs: Mapping[str, int] | None = None
    versions: Mapping[str, str | None] = field(default_factory=dict)
    role: str | None = None
    rank: int | None = None
    generation: int | None = None
    missing: Sequence[int] | None = None

    def as_json(self) -> dict[str, Any]:
        """The body of `/status`."""
        return asdict(self)

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Standing:
        """Read the body of `/status`; a supervisor of another version may leave things out.

        Only what the proxy goes by is read.

        Raises:
            ValueError, AttributeError: it is no such body.
        """
        return cls(
            state=str(body.get("state", "")),
            since=float(body.get("since") or 0),
            engine_pid=body.get("engine_pid"),
            restarts=int(body.get("restarts") or 0),
            last_failure=body.get("last_failure"),
            answering=bool(body.get("answering")),
        )

    @property
    def away(self) -> bool:
        """Whether there is no engine for jobs yet, or none any more."""
        return self.state in AWAY

    @property
    def ready(self) -> bool:
        """Whether there is one; since then."""
        return self.state == "READY"

    @property
    def over(self) -> bool:
        """Whether no engine comes back."""
        return self.state in OVER

    @property
    def words(self) -> str:
        """What is the matter, for the message of an error."""
        what = {
            "STARTING": "the engine is starting",
            "RESTARTING": "the engine is being restarted",
            "DRAINING": "the worker is being stopped",
            "STOPPED": "the worker has stopped",
            "FAILED": "the worker has given up",
        }.get(self.state, "the engine cannot be reached")
        return f"{what}: {self.last_failure}" if self.last_failure else what
