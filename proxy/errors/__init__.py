"""What a job can fail with. Each is an OpenAI error object.

::

    JobError                 status, type
    ├── InvalidInput         400  invalid_request_error    the job's input is not understood
    ├── RouteRefused         403  invalid_request_error    the route is not offered here
    ├── LookupTooLate        503  service_unavailable      nobody told where an address leads
    ├── EngineRefused         *   the engine's own         the engine answered with an error
    │   └── ErrorInStream     *   the engine's own         as an event of its stream
    ├── EngineUnavailable    503  service_unavailable      the engine was not reached in time
    ├── StreamBroken         502  engine_error             an answer broke off
    │   ├── ConnectionLost   502  engine_error             before it began
    │   └── EngineRestarted  502  engine_error             because the engine ended
    ├── EndsEngine           500  engine_error             each engine that had the job ended
    ├── WorkerStopped        503  service_unavailable      the worker stopped first
    ├── EngineSilent         504  timeout                  nothing came for REQUEST_IDLE_TIMEOUT
    ├── AnswerNotUnderstood  502  engine_error             not what the route answers
    └── AnswerTooLarge       413  answer_too_large         larger than the platform carries

`said` reads what the engine says, `events` has the forms that clients read inside a stream. Inside
the proxy errors are raised; `platform` turns them into the form in which RunPod takes a failed job.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from proxy.errors import events, said


class JobError(Exception):
    """Ends one job as failed. `status` is an HTTP status, and the `code` of the error object."""

    status = 500
    type = "internal_error"
    param: str | None = None

    def as_object(self) -> dict[str, Any]:
        """The OpenAI error object: message, type, param, code."""
        return {
            "message": str(self),
            "type": self.type,
            "param": self.param,
            "code": self.status,
        }

    def as_json(self) -> str:
        """The object as JSON, for the job's `error`, which the platform takes as text only."""
        return json.dumps(self.as_object(), ensure_ascii=False)

    def as_event(self, route: str) -> str:
        """The object as the SSE event in which clients of the route read an error in a stream."""
        return events.event(route, self.as_object())


class InvalidInput(JobError):
    """The job's input has none of the accepted forms; `param` names the field."""

    status = 400
    type = "invalid_request_error"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class LookupTooLate(JobError):
    """Nobody told in time where the address in the field `param` leads; it can be tried again."""

    status = 503
    type = "service_unavailable"

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


class RouteRefused(JobError):
    """The route is not a path, or not one that this worker offers."""

    status = 403
    type = "invalid_request_error"
    param = "route"


class EngineRefused(JobError):
    """The engine answered with an error.

    Args:
        status: of the answer.
        body: of the answer; its message, type and param are kept.
        asked: the method and the route, for an engine that does not have it: `POST /v1/score`.
    """

    def __init__(self, status: int, body: bytes, asked: str = "") -> None:
        told = said.read(status, body, asked)
        super().__init__(told.message)
        self.status = status
        self.type = told.type
        self.param = told.param


class ErrorInStream(EngineRefused):
    """The engine reported an error as an event of its stream.

    Args:
        status: which the event names.
        body: the data of the event.
        last: the outputs that hold the event. The caller has not got them yet.
    """

    def __init__(self, status: int, body: bytes, last: Sequence[Any]) -> None:
        super().__init__(status, body)
        self.last = tuple(last)


class EngineUnavailable(JobError):
    """The engine was not reached in time."""

    status = 503
    type = "service_unavailable"


class StreamBroken(JobError):
    """The engine's answer broke off."""

    status = 502
    type = "engine_error"


class ConnectionLost(StreamBroken):
    """The engine closed the connection before its answer began."""


class EngineRestarted(StreamBroken):
    """The engine ended in the middle of an answer, and is being restarted."""


class EndsEngine(JobError):
    """The engine ended while it had this job alone, as others had that had it among others."""

    status = 500
    type = "engine_error"


class WorkerStopped(JobError):
    """The worker, or its proxy, stopped before the job was done."""

    status = 503
    type = "service_unavailable"


class EngineSilent(JobError):
    """The engine sent nothing for too long."""

    status = 504
    type = "timeout"


class AnswerNotUnderstood(JobError):
    """The engine's answer is not what its route answers."""

    status = 502
    type = "engine_error"


class AnswerTooLarge(JobError):
    """The answer is larger than the platform carries."""

    status = 413
    type = "answer_too_large"
