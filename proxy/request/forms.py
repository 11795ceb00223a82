"""A job's input -> the request that it asks for. Pure; input from outside is checked here.

Three forms are accepted::

    {"openai_route": "/v1/...", "openai_input": {...}}      from the platform's /openai/v1/...
    {"route": "/v1/...", "method": "POST", "body": {...}}   any offered route
    {"prompt" | "messages": ..., "sampling_params": {...}}  the native form of older workers

A key that is null counts as not given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from proxy.errors import InvalidInput
from proxy.request import audio, inputs, routes, sendable
from proxy.request.inputs import Native, OpenAI, Route
from proxy.request.routes import Method
from proxy.settings import Ramp, Settings
from proxy.traces import context

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"

_FORMS = "openai_route with openai_input, route with body, or prompt or messages"


@dataclass(frozen=True, slots=True)
class Request:
    """What to send to the engine, and how to hand its answer over: by `ramp`, as `native`.

    `content` is the body's JSON; None where the request was not made of a job. `said` is the method
    that the job names, if it names one; `sampling` are the names that stand in `sampling_params`;
    `unsent` are keys of the job that no engine sees.
    """

    method: Method
    route: str
    body: dict[str, Any]
    ramp: Ramp = field(default_factory=Ramp)
    native: bool = False
    content: bytes | None = None
    said: Method | None = None
    sampling: frozenset[str] = frozenset()
    unsent: tuple[str, ...] = ()

    @property
    def asked(self) -> str:
        """Method and route, for a message."""
        return f"{self.method} {self.route}"

    @property
    def stream(self) -> bool:
        """Whether the caller asked for a stream."""
        return self.method == "POST" and self.body.get("stream") is True

    def with_body(self, body: Mapping[str, Any]) -> Request:
        """The same with another body.

        Raises:
            InvalidInput: it cannot be sent.
        """
        return replace(self, body=dict(body), content=sendable.encoded(body))


#: vLLM's SamplingParams ends after 16 tokens by default. Chat would go on to the context's end,
#: which users of the native form do not expect.
_MAX_TOKENS = 16


def read(job: Mapping[str, Any], settings: Settings) -> Request:
    """The request in a job.

    Args:
        job: as the platform gives it, with `input`.
        settings: the default ramp and the routes that are offered.

    Raises:
        InvalidInput: the input has none of the accepted forms, or cannot be sent; names the field.
        RouteRefused: the route is not offered.
    """
    given = job.get("input")
    if not isinstance(given, dict):
        raise InvalidInput(f"input must be an object with {_FORMS}", "input")
    given = {name: value for name, value in given.items() if value is not None}
    if _says(given, "openai_route") or _says(given, "openai_input"):
        return _openai(inputs.checked(OpenAI, given), settings)
    if _says(given, "route"):
        form = inputs.checked(Route, given)
        return _routed(form.route, form.method, form.body, form.others, settings)
    if _says(given, "prompt") or _says(given, "messages"):
        empty = {"openai_route", "openai_input", "route"}
        native = {name: value for name, value in given.items() if name not in empty}
        return _native(inputs.checked(Native, native), settings)
    raise InvalidInput(f"input has none of the accepted forms: {_FORMS}", "input")


def _says(given: Mapping[str, Any], name: str) -> bool:
    return name in given and given[name] not in ("", {}, [])


def _openai(form: OpenAI, settings: Settings) -> Request:
    body = form.openai_input
    meant = COMPLETIONS if "prompt" in body and "messages" not in body else CHAT
    return _routed(form.openai_route or meant, None, body, form.others, settings)


def _routed(
    route: str,
    said: Method | None,
    body: dict[str, Any],
    beside: Mapping[str, Any],
    settings: Settings,
) -> Request:
    path = routes.check(route, settings.allowed_routes)
    # For a GET the platform sends no body, null or {}.
    takes = routes.methods(path) or (("POST", "GET") if body else ("GET", "POST"))
    method = routes.chosen(path, takes, said)
    ramp = settings.ramp
    if method == "GET":
        return Request(method, path, {}, ramp, said=said, unsent=(*beside, *_without_trace(body)))
    given = _with_stream(body)
    if path in audio.ROUTES:
        audio.check(given)
    if path == CHAT and isinstance(given.get("messages"), str):
        given["messages"] = [{"role": "user", "content": given["messages"]}]
    request = Request(method, path, given, ramp, said=said, unsent=tuple(beside))
    return request.with_body(given)


def _with_stream(body: Mapping[str, Any]) -> dict[str, Any]:
    """`body` with a boolean as `stream`, which decides how its answer is read.

    The engine takes "true" and 1 for true, too. Without a model none is named: the served one.
    """
    given = _without_trace(body)
    if not given.get("model"):
        given.pop("model", None)
    if (stream := given.get("stream")) is not None:
        given["stream"] = inputs.boolean("stream", stream)
    return given


def _without_trace(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in context.KEYS}


def _native(form: Native, settings: Settings) -> Request:
    default = settings.ramp
    ramp = Ramp(
        first=form.min_batch_size or default.first,
        growth=form.batch_size_growth_factor or default.growth,
        most=form.max_batch_size or default.most,
    )
    body = _with_stream({"max_tokens": _MAX_TOKENS, **form.others, **form.sampling_params})
    if form.model:
        body["model"] = form.model
    if form.stream is not None:
        body["stream"] = form.stream
    if body.get("stream"):
        options = body.get("stream_options")
        wanted = options if isinstance(options, dict) else {}
        body["stream_options"] = {**wanted, "include_usage": True, "continuous_usage_stats": True}
    else:
        body.pop("stream", None)
    route = _with_question(form, body)
    sampling = frozenset(form.sampling_params)
    return Request("POST", route, {}, ramp, native=True, sampling=sampling).with_body(body)


def _with_question(form: Native, body: dict[str, Any]) -> str:
    """Put the prompt or the messages into `body`; returns the route."""
    if form.messages:
        chat = form.messages
    elif form.apply_chat_template:
        chat = [{"role": "user", "content": form.prompt}]
    else:
        body["prompt"] = form.prompt
        return COMPLETIONS
    body["messages"] = chat
    if isinstance(count := body.get("logprobs"), int) and not isinstance(count, bool):
        body |= {"logprobs": True, "top_logprobs": count}  # a number on the other route
    return CHAT
