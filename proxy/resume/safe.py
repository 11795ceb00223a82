"""Which requests a second engine can go on with from the middle of their answer. Pure.

It gets the text so far as the beginning of its answer. Whatever an engine remembers of an answer
beside its text is lost: counts of words for penalties, the state of a grammar, log probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from proxy.request.forms import CHAT, COMPLETIONS, Request
from proxy.request.schema import Schema


class Unsafe(StrEnum):
    """Why a stream ends with its engine; these words label a figure."""

    OFF = "off"
    ROUTE = "route"
    SEQUENCES = "sequences"
    TOOLS = "tools"
    REASONING = "reasoning"
    STRUCTURE = "structured_outputs"
    LOGPROBS = "log_probabilities"
    ECHO = "echo"
    BEAM_SEARCH = "beam_search"
    PENALTIES = "penalties"
    MIN_TOKENS = "min_tokens"
    OTHER = "other_parameters"
    VERSION = "version"
    TOO_LARGE = "too_large"
    SECOND_LOSS = "second_loss"
    REFUSED = "refused"
    NO_ENGINE = "no_engine"


#: For the caller: why the answer could not go on.
WHY: Mapping[Unsafe, str] = {
    Unsafe.OFF: "RESUME_STREAMS is 0",
    Unsafe.ROUTE: "answers of this route cannot be gone on with",
    Unsafe.SEQUENCES: "an answer of several sequences cannot be gone on with",
    Unsafe.TOOLS: "an answer that may call tools cannot be gone on with",
    Unsafe.REASONING: "an answer with reasoning cannot be gone on with",
    Unsafe.STRUCTURE: "an answer with structured outputs cannot be gone on with",
    Unsafe.LOGPROBS: "an answer with log probabilities cannot be gone on with",
    Unsafe.ECHO: "an answer with echo cannot be gone on with",
    Unsafe.BEAM_SEARCH: "a beam search cannot be gone on with",
    Unsafe.PENALTIES: "an answer with penalties cannot be gone on with",
    Unsafe.MIN_TOKENS: "an answer with min_tokens cannot be gone on with",
    Unsafe.OTHER: "an answer with one of this job's parameters cannot be gone on with",
    Unsafe.VERSION: "this version of vLLM cannot go on with an answer",
    Unsafe.TOO_LARGE: "the answer is too large to be gone on with",
    Unsafe.SECOND_LOSS: "it is the second engine that ended with this job",
    Unsafe.REFUSED: "the engine did not go on with the answer",
    Unsafe.NO_ENGINE: "no engine was there in time to go on with it",
}

#: What a chat's request must know, so that the engine begins in the middle of an answer.
OPEN_TURN = frozenset({"continue_final_message", "add_generation_prompt"})


def _set(value: Any) -> bool:
    return bool(value)


def _given(value: Any) -> bool:
    return value is not None


def _is_not(*neutral: Any) -> Callable[[Any], bool]:
    return lambda value: value is not None and value not in neutral


def _structured(value: Any) -> bool:
    return not (isinstance(value, Mapping) and value.get("type") == "text") and bool(value)


def _asks_for_logprobs(value: Any) -> bool:
    return value is not None and value is not False  # a completion's 0: of the tokens chosen


def _several(value: Any) -> bool:
    return isinstance(value, list) and len(value) != 1 and not all(type(x) is int for x in value)


#: Name in the body -> whether its value is not safe, and why.
_FIELDS: Mapping[str, tuple[Callable[[Any], bool], Unsafe]] = {
    "n": (_is_not(1), Unsafe.SEQUENCES),
    "best_of": (_is_not(1), Unsafe.SEQUENCES),
    "prompt": (_several, Unsafe.SEQUENCES),
    "tools": (_set, Unsafe.TOOLS),
    "functions": (_set, Unsafe.TOOLS),
    "response_format": (_structured, Unsafe.STRUCTURE),
    "structured_outputs": (_set, Unsafe.STRUCTURE),
    "guided_json": (_given, Unsafe.STRUCTURE),
    "guided_regex": (_given, Unsafe.STRUCTURE),
    "guided_choice": (_given, Unsafe.STRUCTURE),
    "guided_grammar": (_given, Unsafe.STRUCTURE),
    "structural_tag": (_given, Unsafe.STRUCTURE),
    "logprobs": (_asks_for_logprobs, Unsafe.LOGPROBS),
    "top_logprobs": (_set, Unsafe.LOGPROBS),
    "prompt_logprobs": (_given, Unsafe.LOGPROBS),
    "echo": (_set, Unsafe.ECHO),
    "use_beam_search": (_set, Unsafe.BEAM_SEARCH),
    "presence_penalty": (_set, Unsafe.PENALTIES),
    "frequency_penalty": (_set, Unsafe.PENALTIES),
    "repetition_penalty": (_is_not(1), Unsafe.PENALTIES),
    "min_tokens": (_set, Unsafe.MIN_TOKENS),
    "ignore_eos": (_set, Unsafe.OTHER),  # the ends that it went past are not in the text
    "suffix": (_set, Unsafe.OTHER),
    "prompt_embeds": (_given, Unsafe.OTHER),
    "truncate_prompt_tokens": (_given, Unsafe.OTHER),
    "return_token_ids": (_set, Unsafe.OTHER),
    "return_tokens_as_token_ids": (_set, Unsafe.OTHER),
    "return_prompt_text": (_set, Unsafe.OTHER),
    "kv_transfer_params": (_given, Unsafe.OTHER),
    "logits_processors": (_set, Unsafe.OTHER),
    "repetition_detection": (_given, Unsafe.OTHER),
    "modalities": (_is_not(["text"]), Unsafe.OTHER),
}


def unsafe(request: Request) -> Unsafe | None:
    """Why the answer to `request` cannot be gone on with; None where its text is all of it."""
    if request.route not in (CHAT, COMPLETIONS):
        return Unsafe.ROUTE
    for name, value in request.body.items():
        if name in _FIELDS:
            wrong, reason = _FIELDS[name]
            if wrong(value):
                return reason
    return None


def known(request: Request, schema: Schema | None) -> bool:
    """Whether the engine knows how to begin in the middle of this answer."""
    if request.route != CHAT:
        return True
    names = schema.names.get(CHAT) if schema is not None else None
    return names is not None and names >= OPEN_TURN
