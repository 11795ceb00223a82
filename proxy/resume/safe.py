"""Which requests a second engine can go on with from the middle of their answer. Pure.

It gets the text so far as the beginning of its answer. Whatever an engine remembers of an answer
beside its text is lost: counts of words for penalties, the state of a grammar, log probabilities.
Names that stand nowhere here may be of that kind, as those of later versions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from proxy.request import lax
from proxy.request.forms import CHAT, COMPLETIONS, Request
from proxy.request.schema import Schema
from proxy.resume import question
from supervisor.link.figures import Unresumed

#: For the caller: why the answer could not go on.
WHY: Mapping[Unresumed, str] = {
    Unresumed.OFF: "RESUME_STREAMS is 0",
    Unresumed.ROUTE: "answers of this route cannot be gone on with",
    Unresumed.SEQUENCES: "an answer of several sequences cannot be gone on with",
    Unresumed.TOOLS: "an answer that may call tools cannot be gone on with",
    Unresumed.REASONING: "an answer with reasoning cannot be gone on with",
    Unresumed.STRUCTURE: "an answer with structured outputs cannot be gone on with",
    Unresumed.LOGPROBS: "an answer with log probabilities cannot be gone on with",
    Unresumed.ECHO: "an answer with echo cannot be gone on with",
    Unresumed.BEAM_SEARCH: "a beam search cannot be gone on with",
    Unresumed.PENALTIES: "an answer with penalties cannot be gone on with",
    Unresumed.MIN_TOKENS: "an answer with min_tokens cannot be gone on with",
    Unresumed.OTHER: "an answer with one of this job's parameters cannot be gone on with",
    Unresumed.VERSION: "this version of vLLM cannot go on with an answer",
    Unresumed.TOO_LARGE: "the answer is too large to be gone on with",
    Unresumed.SECOND_LOSS: "it is the second engine that ended with this job",
    Unresumed.TEMPLATE: "the model's chat template makes another prompt of an answer to go on with",
    Unresumed.REFUSED: "the engine did not go on with the answer",
    Unresumed.FAILED: "the answer went on, and failed then",
    Unresumed.NO_ENGINE: "no engine was there in time to go on with it",
}

#: What a chat's request must know, so that the engine begins in the middle of an answer.
OPEN_TURN = frozenset({"continue_final_message", "add_generation_prompt"})


def _set(value: Any) -> bool:
    return bool(value)


def _on(value: Any) -> bool:
    return value is not None and lax.boolean(value) is not False


def _given(value: Any) -> bool:
    return value is not None


def _is_not(*neutral: Any) -> Callable[[Any], bool]:
    return lambda value: value is not None and value not in neutral


def _structured(value: Any) -> bool:
    return not (isinstance(value, Mapping) and value.get("type") == "text") and bool(value)


def _off(value: Any) -> bool:
    return value is not None and lax.boolean(value) is not True


def _asks_for_logprobs(value: Any) -> bool:
    return value is not None and value is not False  # a completion's 0: of the tokens chosen


def _several(value: Any) -> bool:
    return isinstance(value, list) and len(value) != 1 and not all(type(x) is int for x in value)


#: Name in the body -> whether its value is not safe, and why.
_FIELDS: Mapping[str, tuple[Callable[[Any], bool], Unresumed]] = {
    "n": (_is_not(1), Unresumed.SEQUENCES),
    "best_of": (_is_not(1), Unresumed.SEQUENCES),
    "prompt": (_several, Unresumed.SEQUENCES),
    "tools": (_set, Unresumed.TOOLS),
    "functions": (_set, Unresumed.TOOLS),
    "include_reasoning": (_off, Unresumed.REASONING),  # there may be some, and nobody sees it
    "response_format": (_structured, Unresumed.STRUCTURE),
    "structured_outputs": (_set, Unresumed.STRUCTURE),
    "guided_json": (_given, Unresumed.STRUCTURE),
    "guided_regex": (_given, Unresumed.STRUCTURE),
    "guided_choice": (_given, Unresumed.STRUCTURE),
    "guided_grammar": (_given, Unresumed.STRUCTURE),
    "structural_tag": (_given, Unresumed.STRUCTURE),
    "logprobs": (_asks_for_logprobs, Unresumed.LOGPROBS),
    "top_logprobs": (_set, Unresumed.LOGPROBS),
    "prompt_logprobs": (_given, Unresumed.LOGPROBS),
    "echo": (_on, Unresumed.ECHO),
    "use_beam_search": (_on, Unresumed.BEAM_SEARCH),
    "presence_penalty": (_set, Unresumed.PENALTIES),
    "frequency_penalty": (_set, Unresumed.PENALTIES),
    "repetition_penalty": (_is_not(1), Unresumed.PENALTIES),
    "min_tokens": (_set, Unresumed.MIN_TOKENS),
    "ignore_eos": (_on, Unresumed.OTHER),  # the ends that it went past are not in the text
    "suffix": (_set, Unresumed.OTHER),
    "bad_words": (_set, Unresumed.OTHER),  # one may begin in the first part
    "vllm_xargs": (_set, Unresumed.OTHER),
    "prompt_embeds": (_given, Unresumed.OTHER),
    "truncate_prompt_tokens": (_given, Unresumed.OTHER),
    "return_token_ids": (_on, Unresumed.OTHER),
    "return_tokens_as_token_ids": (_on, Unresumed.OTHER),
    "return_prompt_text": (_on, Unresumed.OTHER),
    "kv_transfer_params": (_given, Unresumed.OTHER),
    "logits_processors": (_set, Unresumed.OTHER),
    "repetition_detection": (_given, Unresumed.OTHER),
    "modalities": (_is_not(["text"]), Unresumed.OTHER),
}

#: Names whose value needs nothing of the first part, or that no version of vLLM reads.
_ANY = frozenset(
    """
    model messages stream stream_options max_tokens max_completion_tokens temperature top_p top_k
    min_p seed stop stop_token_ids include_stop_str_in_output logit_bias allowed_token_ids
    length_penalty early_stopping skip_special_tokens spaces_between_special_tokens
    add_special_tokens truncation_side add_generation_prompt continue_final_message chat_template
    chat_template_kwargs documents mm_processor_kwargs media_io_kwargs reasoning_effort tool_choice
    parallel_tool_calls function_call priority request_id session_id cache_salt stream_interval
    guided_decoding_backend guided_whitespace_pattern user safety_identifier metadata store
    service_tier prompt_cache_key prompt_cache_retention verbosity prediction web_search_options
    """.split()
)

#: Of these, what a completion has no use for; a version that reads it there is another one.
_OF_CHATS = frozenset({"max_completion_tokens"})


def one_text(request: Request) -> bool:
    """Whether the answer's events are of one sequence, in the form of chats or completions."""
    if request.route not in (CHAT, COMPLETIONS):
        return False
    told = {name: request.body[name] for name in _FIELDS.keys() & request.body.keys()}
    several = {name for name, (_, reason) in _FIELDS.items() if reason is Unresumed.SEQUENCES}
    return not any(_FIELDS[name][0](told[name]) for name in several & told.keys())


def unsafe(request: Request) -> Unresumed | None:
    """Why the answer to `request` cannot be gone on with; None where its text is all of it."""
    if request.route not in (CHAT, COMPLETIONS):
        return Unresumed.ROUTE
    for name, value in request.body.items():
        if name in _FIELDS:
            wrong, reason = _FIELDS[name]
            if wrong(value):
                return reason
    return Unresumed.OTHER if any(wrong(request) for wrong in _TOGETHER) else None


def _stop_is_told(request: Request) -> bool:
    """The engine then holds no text back, and a stop string may begin in the first part."""
    return bool(request.body.get("stop")) and _on(request.body.get("include_stop_str_in_output"))


def _no_turn(request: Request) -> bool:
    """The answer stands in no turn of its own, so that there is none to leave open."""
    body = request.body
    without = _off(body.get("add_generation_prompt"))
    return request.route == CHAT and without and not _on(body.get("continue_final_message"))


def _limit_of_a_version(request: Request) -> bool:
    """To some versions null is no limit, to others the default of 16 tokens."""
    return request.route == COMPLETIONS and request.body.get("max_tokens", 16) is None


def _unreadable_limit(request: Request) -> bool:
    return any(lax.whole(value) is None for _, value in question.limits(request))


_TOGETHER = (_stop_is_told, _no_turn, _limit_of_a_version, _unreadable_limit)


def others(request: Request) -> frozenset[str]:
    """The names with a value of which nothing is known here."""
    given = {name for name, value in request.body.items() if value is not None}
    harmless = _ANY if request.route == CHAT else _ANY - _OF_CHATS
    return frozenset(given - harmless - _FIELDS.keys())


def ignored(names: frozenset[str], request: Request, schema: Schema | None) -> bool:
    """Whether the engine reads none of these names."""
    if not names:
        return True
    read = schema.names.get(request.route) if schema is not None else None
    return read is not None and names.isdisjoint(read)


def known(request: Request, schema: Schema | None) -> bool:
    """Whether the engine may know how to begin in the middle of this answer.

    One that says nothing of its routes may. The prompts that it makes tell: both of a chat's names
    are read at `/tokenize` and in the chat by the same versions, and what ignores them there makes
    another prompt.
    """
    names = schema.names.get(CHAT) if schema is not None else None
    return request.route != CHAT or names is None or names >= OPEN_TURN
