"""A job's input -> the request that it asks for. Pure; input from outside is checked here.

Three forms are accepted::

    {"openai_route": "/v1/...", "openai_input": {...}}      from the platform's /openai/v1/...
    {"route": "/v1/...", "method": "POST", "body": {...}}   any offered route
    {"prompt" | "messages": ..., "sampling_params": {...}}  the native form of older workers
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from proxy.errors import InvalidInput
from proxy.request import routes
from proxy.settings import Ramp, Settings

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"

_FORMS = "openai_route with openai_input, route with body, or prompt or messages"


@dataclass(frozen=True, slots=True)
class Request:
    """What to send to the engine, and how to hand its answer over: by `ramp`, as `native`."""

    method: Literal["GET", "POST"]
    route: str
    body: dict[str, Any]
    ramp: Ramp = field(default_factory=Ramp)
    native: bool = False

    @property
    def asked(self) -> str:
        """Method and route, for a message."""
        return f"{self.method} {self.route}"

    @property
    def stream(self) -> bool:
        """Whether the caller asked for a stream, which only a POST can."""
        return self.method == "POST" and self.body.get("stream") is True


class _Input(BaseModel):
    model_config = ConfigDict(extra="allow")


class _OpenAI(_Input):
    openai_route: str
    openai_input: dict[str, Any] | None = None


class _Route(_Input):
    route: str
    method: Literal["GET", "POST"] | None = None
    body: dict[str, Any] | None = None


class _Native(_Input):
    prompt: str | None = None
    messages: list[dict[str, Any]] | None = None
    apply_chat_template: bool = False
    sampling_params: dict[str, Any] = Field(default_factory=dict)
    stream: bool = False
    model: str | None = None
    max_batch_size: int | None = Field(None, ge=1)
    min_batch_size: int | None = Field(None, ge=1)
    batch_size_growth_factor: float | None = Field(None, ge=1)


M = TypeVar("M", bound=BaseModel)

#: vLLM's SamplingParams ends after 16 tokens by default. Chat would go on to the context's end,
#: which users of the native form do not expect.
_MAX_TOKENS = 16


def read(job: Mapping[str, Any], settings: Settings) -> Request:
    """The request in a job.

    Args:
        job: as the platform gives it, with `input`.
        settings: the default ramp and the routes that are offered.

    Raises:
        InvalidInput: the input has none of the accepted forms; names the field.
        RouteRefused: the route is not offered.
    """
    given = job.get("input")
    if not isinstance(given, dict):
        raise InvalidInput(f"input must be an object with {_FORMS}", "input")
    if "openai_route" in given:
        openai = _checked(_OpenAI, given)
        return _routed(openai.openai_route, None, openai.openai_input, settings)
    if "route" in given:
        form = _checked(_Route, given)
        return _routed(form.route, form.method, form.body, settings)
    if given.get("prompt") or given.get("messages"):
        return _native(_checked(_Native, given), settings)
    raise InvalidInput(f"input has none of the accepted forms: {_FORMS}", "input")


def _checked(model: type[M], given: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(given)
    except ValidationError as reason:
        fault = reason.errors()[0]
        name = ".".join(str(part) for part in fault["loc"])
        raise InvalidInput(f"{name}: {fault['msg']}", name) from None


def _routed(
    route: str,
    method: Literal["GET", "POST"] | None,
    body: dict[str, Any] | None,
    settings: Settings,
) -> Request:
    path = routes.check(route, settings.allowed_routes)
    # For a GET the platform sends no body, null or {}.
    method = method or ("POST" if body else "GET")
    given = dict(body or {})
    if path == CHAT and isinstance(given.get("messages"), str):
        given["messages"] = [{"role": "user", "content": given["messages"]}]
    return Request(method, path, given, settings.ramp)


def _native(form: _Native, settings: Settings) -> Request:
    default = settings.ramp
    ramp = Ramp(
        first=form.min_batch_size or default.first,
        growth=form.batch_size_growth_factor or default.growth,
        most=form.max_batch_size or default.most,
    )
    body: dict[str, Any] = {"max_tokens": _MAX_TOKENS, **form.sampling_params}
    if form.model:
        body["model"] = form.model
    if form.stream:
        usage = {"include_usage": True, "continuous_usage_stats": True}
        body |= {"stream": True, "stream_options": usage}
    if form.messages:
        chat = form.messages
    elif form.apply_chat_template:
        chat = [{"role": "user", "content": form.prompt}]
    else:
        body["prompt"] = form.prompt
        return Request("POST", COMPLETIONS, body, ramp, native=True)
    body["messages"] = chat
    if isinstance(count := body.get("logprobs"), int) and not isinstance(count, bool):
        body |= {"logprobs": True, "top_logprobs": count}  # a number on the other route
    return Request("POST", CHAT, body, ramp, native=True)
