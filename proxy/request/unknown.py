"""Names in a request that its engine does not know. Pure.

vLLM ignores them: it would answer as if they were not there. In `sampling_params` such a name is an
error, as it was with older workers. Elsewhere clients send names of other servers on purpose, so
that a line in the log has to do, unless STRICT_PARAMETERS asks for the error.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from proxy import excerpt
from proxy.errors import InvalidInput
from proxy.request import audio, routes
from proxy.request.forms import CHAT, COMPLETIONS, Request
from proxy.request.schema import Schema

_CLOSE = 0.6  # of difflib's ratio: max_new_tokens and max_length are close to max_tokens
_TOLD = 3  # names in one message

_SAMPLING = frozenset(
    """
    model stream stream_options max_tokens min_tokens temperature top_p top_k min_p n seed stop
    stop_token_ids ignore_eos presence_penalty frequency_penalty repetition_penalty logit_bias
    logprobs user skip_special_tokens
    """.split()
)
#: Names that every vLLM knows. A request that has no others needs no schema: a vLLM that has just
#: started takes more than a second to write one, while its tokens wait.
WELL_KNOWN: Mapping[str, frozenset[str]] = {
    CHAT: _SAMPLING | {"messages", "top_logprobs", "tools", "tool_choice", "response_format"},
    COMPLETIONS: _SAMPLING | {"prompt"},
    "/v1/responses": frozenset(("model", "input", "instructions", "max_output_tokens", "stream")),
    "/v1/messages": frozenset(("model", "messages", "max_tokens", "system", "stream")),
    "/v1/embeddings": frozenset(("model", "input")),
}

#: What to do instead, where that is not to write it as the nearest name.
_INSTEAD = {
    "extra_body": "it is an argument of the OpenAI client: its entries belong beside the others",
}


@dataclass(frozen=True, slots=True)
class Settled:
    """A request that can be sent, and what is to be said of it in the log, if anything."""

    request: Request
    remark: str | None = None


def needs_schema(request: Request) -> bool:
    """Whether what the engine says of its routes matters."""
    if routes.methods(request.route) is None:
        return True
    if request.method != "POST":
        return False
    return not request.body.keys() <= WELL_KNOWN.get(request.route, frozenset())


def settle(request: Request, schema: Schema | None, *, strict: bool) -> Settled:
    """The request as its route takes it.

    Args:
        request: as the job asks for it.
        schema: None where this engine serves none; nothing is checked by it then.
        strict: whether each unknown name is an error.

    Raises:
        InvalidInput: a name is not known, or the method is not the route's.
    """
    schema = schema or Schema()
    takes = schema.methods.get(request.route)
    if routes.methods(request.route) is None and takes:
        request = replace(request, method=routes.chosen(request.route, takes, request.said))
    names = schema.names.get(request.route)
    known = audio.known if request.route in audio.ROUTES else _is_one
    unknown = tuple(name for name in request.body if names is not None and not known(name, names))
    if names is None or not unknown:
        return Settled(request, _unsent(request, strict))
    message = _message(request.route, unknown, names)
    wrong = unknown if strict else [name for name in unknown if name in request.sampling]
    if wrong:
        raise InvalidInput(_message(request.route, wrong, names), excerpt.text(wrong[0]))
    beside = _unsent(request, strict)
    return Settled(request, f"{message}; {beside}" if beside else message)


def _is_one(name: str, names: frozenset[str]) -> bool:
    return name in names


def _unsent(request: Request, strict: bool) -> str | None:
    """What to say of keys that stand where no engine sees them."""
    if not request.unsent:
        return None
    if request.method == "POST":
        message = "the engine gets the body, and nothing that stands beside it: "
    else:
        message = "the engine gets no parameters with a GET: "
    names = [excerpt.text(name) for name in request.unsent[:_TOLD]]
    message += _listed(names, len(request.unsent))
    if strict:
        raise InvalidInput(message, excerpt.text(request.unsent[0]))
    return message


def _message(route: str, unknown: Sequence[str], names: frozenset[str]) -> str:
    """`/v1/completions of this engine does not know temprature (did you mean temperature?)`."""
    remedies = [_remedy(name, names) for name in unknown[:_TOLD]]
    told = [excerpt.text(name) + remedy for name, remedy in zip(unknown, remedies, strict=False)]
    message = f"{route} of this engine does not know {_listed(told, len(unknown))}"
    if any(remedies):
        return message
    return (
        f"{message}; a job with the route /openapi.json lists the names, once ALLOWED_ROUTES has it"
    )


def _remedy(name: str, names: frozenset[str]) -> str:
    if instead := _INSTEAD.get(name):
        return f" ({instead})"
    near = nearest(name, names)
    return f" (did you mean {near}?)" if near else ""


def nearest(name: str, names: frozenset[str]) -> str | None:
    """The known name that is meant; None where none is near."""
    if len(name) > excerpt.MOST:
        return None
    found = difflib.get_close_matches(name.lower(), sorted(names), 1, _CLOSE)
    return found[0] if found else None


def _listed(told: Sequence[str], count: int) -> str:
    more = f" and {count - _TOLD} more" if count > _TOLD else ""
    return ", ".join(told[:_TOLD]) + more
