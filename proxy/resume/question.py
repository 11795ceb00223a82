"""The request that asks for the rest of an answer. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from proxy.request import lax
from proxy.request.forms import CHAT, Request

#: With the space that is part of its first token. What is longer is of a language without spaces.
_LAST_WORD = re.compile(r"(?: \S{0,40}|(?<=\s)\S{1,40})\Z")
_NEAR_END = 50  # characters, of which such a word is the end
_COMPLETION_TOKENS = 16  # what vLLM makes of a completion that names no limit


def stands_on(request: Request, text: str, *, half_words: bool = False) -> str:
    """What of `text` the engine is to go on from; it is to say again what follows.

    Templates of chats trim what they put in, so white space at the end would be lost there. With
    stop strings the engine holds back so many characters that the text may end within a token, and
    half a word is not what the model would have gone on from. The whole word comes again where
    the most likely tokens are asked for, save where two are nearly as likely; sampled, another one
    would. With `half_words` it goes on within the word.
    """
    likely = lax.number(request.body.get("temperature")) == 0
    if request.body.get("stop") and likely and not half_words:
        text = text[:-_NEAR_END] + _LAST_WORD.sub("", text[-_NEAR_END:])
    return text.rstrip() if request.route == CHAT else text


def limits(request: Request) -> list[tuple[str, Any]]:
    """What the request says of the most tokens, as names and values: the first one counts.

    A completion has one name for that. What it says by the other one, no version of vLLM reads.
    """
    names = ("max_completion_tokens", "max_tokens") if request.route == CHAT else ("max_tokens",)
    found = [(name, request.body.get(name)) for name in names]
    return [(name, value) for name, value in found if value is not None]


def left(request: Request, spent: int) -> int | None:
    """How many tokens may still come after `spent` of them; None: as many as the context holds."""
    found = limits(request)
    if not found:
        return None if request.route == CHAT else _COMPLETION_TOKENS - spent
    limit = lax.whole(found[0][1])
    return None if limit is None else limit - spent


def rest(request: Request, text: str, tokens: Sequence[int]) -> Request | None:
    """Ask for what comes after `text`.

    Args:
        request: the one whose answer began with it.
        text: as `stands_on` gives it; not empty.
        tokens: of the text.

    Returns:
        None where the prompt is of a form to which nothing can be added.
    """
    body = dict(request.body)
    if request.route == CHAT:
        messages = _with_answer(body.get("messages"), text, body)
        if messages is None:
            return None
        body |= {
            "messages": messages,
            "continue_final_message": True,
            "add_generation_prompt": False,
        }
    else:
        prompt = _longer(body.get("prompt"), text, tokens)
        if prompt is None:
            return None
        body["prompt"] = prompt
    if (most := left(request, len(tokens))) is not None:
        for name, _ in limits(request):
            del body[name]
        body["max_tokens"] = most
    return request.with_body(body)


def _with_answer(messages: Any, text: str, body: dict[str, Any]) -> list[Any] | None:
    """The messages with the answer so far; a last one that the caller left open grows longer."""
    if not isinstance(messages, list) or not messages:
        return None
    if not lax.boolean(body.get("continue_final_message")):
        return [*messages, {"role": "assistant", "content": text}]
    last = messages[-1]
    said = last.get("content") if isinstance(last, dict) else None
    if not isinstance(said, str):
        return None
    return [*messages[:-1], {**last, "content": said + text}]


def _longer(prompt: Any, text: str, tokens: Sequence[int]) -> Any:
    if isinstance(prompt, str):
        return prompt + text
    if not isinstance(prompt, list) or not prompt:
        return None
    if all(type(each) is int for each in prompt):
        return [*prompt, *tokens]
    return _longer(prompt[0], text, tokens) if len(prompt) == 1 else None
