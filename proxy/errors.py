"""What a job can fail with. Each is an OpenAI error object, which any client knows how to read.

::

    JobError                 status, type
    ├── InvalidInput         400  invalid_request_error    the job's input is not understood
    ├── RouteRefused         403  invalid_request_error    the route is not offered here
    ├── EngineRefused         *   the engine's own         answered with an error, kept as it is
    ├── EngineUnavailable    503  service_unavailable      not reached in time
    ├── StreamBroken         502  engine_error             ended in the middle of an answer
    │   ├── ConnectionLost   502  engine_error             ended before an answer began
    │   └── EngineRestarted  502  engine_error             the engine itself ended
    ├── WorkerStopped        503  service_unavailable      the worker was stopped first
    ├── EngineSilent         504  timeout                  nothing came for REQUEST_IDLE_TIMEOUT
    └── AnswerTooLarge       413  answer_too_large         more than the platform carries
"""

from __future__ import annotations

import json
from typing import Any


class JobError(Exception):
    """Ends one job. `status` is an HTTP status, and the `code` of the error object."""

    status = 500
    type = "internal_error"
    param: str | None = None
    told = False  # whether the caller has it already, as an event of the stream
    held: Any = None  # the first output, which it came in: not handed over yet

    def as_object(self) -> dict[str, Any]:
        """The OpenAI error object: message, type, param, code."""
        return {
            "message": str(self),
            "type": self.type,
            "param": self.param,
            "code": self.status,
        }

    def as_json(self) -> str:
        """The object as text, for the job's `error`; of a dict the SDK would make Python's repr."""
        return json.dumps(self.as_object(), ensure_ascii=False)

    def as_event(self) -> str:
        """The object as the SSE event in which vLLM reports an error inside a stream."""
        return f"data: {json.dumps({'error': self.as_object()}, ensure_ascii=False)}\n\n"


class InvalidInput(JobError):
    """The job's input is none of the accepted forms; `param` names the field."""

    status = 400
    type = "invalid_request_error"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class RouteRefused(JobError):
    """The route is no path, or not one that is offered."""

    status = 403
    type = "invalid_request_error"
    param = "route"


class EngineRefused(JobError):
    """The engine answered with an error. Its status, type, message and param are kept."""

    def __init__(self, status: int, body: bytes) -> None:
        error = _error_object(body)
        super().__init__(str(error.get("message") or f"the engine answered with status {status}"))
        self.status = status
        self.type = str(error.get("type") or "engine_error")
        param = error.get("param")
        self.param = None if param is None else str(param)


class EngineUnavailable(JobError):
    """The engine could not be reached."""

    status = 503
    type = "service_unavailable"


class StreamBroken(JobError):
    """The engine's answer ended before its end."""

    status = 502
    type = "engine_error"


class ConnectionLost(StreamBroken):
    """The engine closed the connection before its answer began."""


class EngineRestarted(StreamBroken):
    """The engine ended in the middle of an answer, and is started again."""


class WorkerStopped(JobError):
    """The worker ends, and the job was not done in time."""

    status = 503
    type = "service_unavailable"


class EngineSilent(JobError):
    """The engine sent nothing for too long."""

    status = 504
    type = "timeout"


class AnswerTooLarge(JobError):
    """The platform would refuse the answer for its size."""

    status = 413
    type = "answer_too_large"


def _error_object(body: bytes) -> dict[str, Any]:
    """The error in a body of vLLM's ({"error": {...}}), of older ones (flat) or of FastAPI's."""
    try:
        data = json.loads(body)
    except ValueError:
        return {"message": body.decode(errors="replace").strip()[:1000]}
    if not isinstance(data, dict):
        return {"message": str(data)[:1000]}
    error = data.get("error", data)
    if isinstance(error, str):
        return {"message": error}
    if "message" not in error and "detail" in error:
        return {"message": json.dumps(error["detail"])[:1000]}
    return dict(error)
