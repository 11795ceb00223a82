"""The prompt that a chat's template makes: whether an answer goes on in it. Pure.

That the engine knows `continue_final_message` says little: the encoders that vLLM has for some
models ignore it, and templates put an empty thought before an answer, or leave out the beginning
of one that the answer stands in. The model would go on from another prompt, and nobody would know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from proxy.request.forms import CHAT, Request

#: Of a request: what makes its prompt.
_ASKED = (
    *("messages", "prompt", "tools", "chat_template", "chat_template_kwargs"),
    *("add_special_tokens", "continue_final_message", "add_generation_prompt"),
    *("mm_processor_kwargs", "media_io_kwargs"),
)
#: What vLLM hands to a chat's template besides; `/tokenize` takes it among the arguments alone.
_ARGUMENTS = ("documents", "reasoning_effort")

#: Tokens of the answer, and of what stands for them, that may be other ones where it begins.
_BORDER = 3


def asked(request: Request, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The question to `/tokenize` for the prompt of this request, without the model's name.

    Args:
        request: one for text.
        defaults: what the engine gives every template of a chat. Several versions leave that out
            at `/tokenize`.
    """
    body = request.body
    found = {name: body[name] for name in _ASKED if name in body}
    told = {name: body[name] for name in _ARGUMENTS if body.get(name) is not None}
    if (told or defaults) and request.route == CHAT:
        own = body.get("chat_template_kwargs") or {}
        given = {name: value for name, value in own.items() if value is not None}
        found["chat_template_kwargs"] = {**defaults, **told, **given}
    return found


def goes_on(prompt: Sequence[int], longer: Sequence[int], text: Sequence[int]) -> bool:
    """Whether the `longer` prompt is the `prompt` and then the `text`, all of them as tokens.

    Where the text begins, a token may be another one: a letter merges with the white space before
    it, and templates trim. What is left out of the prompt, or put in, leaves the text as it is.
    """
    whole = len(prompt)
    kept = whole if longer[:whole] == prompt else whole - 1
    if longer[:kept] != prompt[:kept]:
        return False
    rest = longer[kept:]
    if rest == text:
        return kept == whole
    both = zip(reversed(rest), reversed(text), strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
    new, old = len(rest) - same, len(text) - same
    respelled = 0 < old <= _BORDER and new <= _BORDER and abs(new - old - (whole - kept)) <= 1
    return same > 0 and respelled
