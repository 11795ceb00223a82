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
from proxy.request import routes
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

#: What to do instead, where no name is near.
_INSTEAD = {
    "extra_body": "it is an argument of the OpenAI client: its entries belong beside the others",
    "guided_whitespace_pattern": 'give structured_outputs: {..., "whitespace_pattern": ...}',
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
    unknown = () if names is None else tuple(name for name in request.body if name not in names)
    if names is None or not unknown:
        return Settled(request, _unsent(request, strict))
    message = _message(request.route, unknown, names)
    wrong = unknown if strict else [name for name in unknown if name in request.sampling]
    if wrong:
        raise InvalidInput(_message(request.route, wrong, names), excerpt.text(wrong[0]))
    beside = _unsent(request, strict)
    return Settled(request, f"{message}; {beside}" if beside else message)


def _unsent(request: Request, strict: bool) -> str | None:
    """What to say of keys that stand where no engine sees them."""
    if not request.unsent:
        return None
    where = "beside the body" if request.method == "POST" else "with a GET"
    message = f"{_listed(request.unsent)} {where} is not sent to the engine"
    if strict:
        raise InvalidInput(message, excerpt.text(request.unsent[0]))
    return message


def _message(route: str, unknown: Sequence[str], names: frozenset[str]) -> str:
    """`this engine's /v1/completions does not know temprature (temperature is near)`."""
    first, *_ = unknown
    near = {name: found for name in unknown[:_TOLD] if (found := nearest(name, names))}
    if len(unknown) == 1 and near:
        remedy = f"did you mean {near[first]}?"
    elif near:
        remedy = "; ".join(f"for {excerpt.text(name)} take {found}" for name, found in near.items())
    else:
        remedy = _INSTEAD.get(first) or (
            "a job with the route /openapi.json lists the names, where ALLOWED_ROUTES has it"
        )
    return f"{route} of this engine does not know {_listed(unknown)}: {remedy}"


def nearest(name: str, names: frozenset[str]) -> str | None:
    """The known name that is meant; None where none is near."""
    if name in _INSTEAD or len(name) > excerpt.MOST:
        return None
    found = difflib.get_close_matches(name.lower(), sorted(names), 1, _CLOSE)
    return found[0] if found else None


def _listed(names: Sequence[str]) -> str:
    told = ", ".join(excerpt.text(name) for name in names[:_TOLD])
    return f"{told} and {len(names) - _TOLD} more" if len(names) > _TOLD else told
