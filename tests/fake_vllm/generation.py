"""A request, what vLLM would refuse of it, and what is in its answer."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ERROR_TYPES = {
    400: "BadRequestError",
    404: "NotFoundError",
    422: "UnprocessableEntityError",
    500: "InternalServerError",
    501: "NotImplementedError",
    503: "ServiceUnavailableError",
}


@dataclass
class Fake:
    """The field "fake" of a request."""

    tokens: int | None = None
    rate: float = 0
    first_token_s: float = 0
    wait_for: str = ""
    text: str = ""
    half_character: bool = False
    split_events: bool = False
    merge_events: int = 1
    crlf: bool = False
    keepalive: bool = False
    event_names: bool = False
    big: int = 0
    wide: int = 0
    error_after: int | None = None
    cut_after: int | None = None
    cut_when: str = ""
    hang_after: int | None = None
    prints: str = ""
    logs: str = ""
    kill: bool = False
    hang: bool = False
    no_done: bool = False
    no_open_turn: bool = False
    status: int = 200
    message: str = "as the test wished"
    body: str | None = None
    location: str = ""
    beside: dict[str, Any] = field(default_factory=dict)

    @property
    def may_begin(self) -> bool:
        """Whether nothing is waited for any more."""
        return not self.wait_for or Path(self.wait_for).exists()

    @property
    def may_cut(self) -> bool:
        """Whether the socket may be closed where it is to be."""
        return not self.cut_when or Path(self.cut_when).exists()

    def pieces(self, max_tokens: int) -> list[str]:
        """The texts of the answer's tokens."""
        words = re.findall(r"\s*\S+|\s+$", self.text)
        count = self.tokens if self.tokens is not None else len(words) or max_tokens
        texts = words[:count] + [f" w{i}" for i in range(len(words), count)]
        if self.half_character:
            texts = [text + "\N{SNOWMAN}" for text in texts]
        if self.wide:
            texts = ["x" * self.wide] * count
        if self.big and texts:
            texts[0] = "x" * self.big
        return texts


#: Of one request: vLLM would refuse what its context does not hold.
_MOST_TOKENS = 1_000_000


class Refusal(Exception):
    """A request that is answered with an error of the OpenAI form."""

    def __init__(self, status: int, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(status, message, param)


def error_body(status: int, message: str, param: str | None = None) -> dict[str, Any]:
    """An error as vLLM 0.32 writes it."""
    kind = ERROR_TYPES.get(status, "Error")
    return {"error": {"message": message, "type": kind, "param": param, "code": status}}


@dataclass
class Generation:
    """One request for tokens: what its answer looks like."""

    request: dict[str, Any]
    chat: bool
    model: str
    fake: Fake
    created: int = field(default_factory=lambda: int(time.time()))
    id: str = field(default_factory=lambda: os.urandom(8).hex())
    complete: bool = False  # every token of it was made

    def __post_init__(self) -> None:
        """Check what vLLM would refuse."""
        request = self.request
        asked = _whole(self._limit())
        if asked < 1:
            raise Refusal(400, f"max_tokens must be at least 1, got {asked}.", "max_tokens")
        if request.get("temperature", 0) < 0:
            raise Refusal(400, "temperature must be non-negative.", "temperature")
        if ("messages" if self.chat else "prompt") not in request:
            raise Refusal(400, "Field required: " + ("messages" if self.chat else "prompt"))
        self.stream = bool(request.get("stream"))
        prompt = request.get("prompt")
        many = not self.chat and isinstance(prompt, list) and not isinstance(prompt[0], int)
        self.choices = int(request.get("n", 1)) * (len(prompt or ()) if many else 1)
        if max(asked, self.fake.tokens or 0) * max(1, self.choices) > _MOST_TOKENS:
            raise Refusal(400, f"max_tokens={asked} is greater than the model's context length")
        self.texts = self._rest(asked, self._told_before()) or self.fake.pieces(asked)

    def _limit(self) -> Any:
        """A completion has `max_tokens` alone; vLLM ignores the other name there."""
        of_chat = self.request.get("max_completion_tokens") if self.chat else None
        return of_chat or self.request.get("max_tokens", 16)

    def _told_before(self) -> list[str]:
        """The words of an answer that is to be gone on with: an open turn, or the prompt."""
        if not self.chat:
            return words_of(self.request["prompt"])
        if not self.request.get("continue_final_message"):
            return []
        if self.request.get("add_generation_prompt", True):
            raise Refusal(
                400, "Cannot set both `continue_final_message` and `add_generation_prompt`"
            )
        if self.fake.no_open_turn:
            raise Refusal(400, "continue_final_message is set but the final message is not there")
        if _template(self.request):
            return []
        return words_of(self.request["messages"][-1:])

    def _rest(self, asked: int, told: list[str]) -> list[str]:
        """The tokens after what was told; none where that is no beginning of this answer."""
        pieces = self.fake.pieces(asked + len(told))
        words = [piece.strip() for piece in pieces]
        if not told or told[-1] not in words:
            return []
        return pieces[words.index(told[-1]) + 1 :][:asked]

    @property
    def prompt_tokens(self) -> int:
        """One for each word of the prompt."""
        request = self.request
        return max(1, len(rendered(request) if self.chat else words_of(request["prompt"])))

    def usage(self, completion: int) -> dict[str, int]:
        """The figures after `completion` tokens of all choices."""
        prompt = self.prompt_tokens
        figures = {"prompt_tokens": prompt, "total_tokens": prompt + completion}
        return {**figures, "completion_tokens": completion}

    def chunk(self, choices: list[dict[str, Any]], completion: int | None) -> dict[str, Any]:
        """The object of one event; with usage where `completion` is a number of tokens."""
        kind = "chat.completion.chunk" if self.chat else "text_completion"
        head = {"id": self._id(), "object": kind, "created": self.created, "model": self.model}
        tail = {} if completion is None else {"usage": self.usage(completion)}
        return {**head, "choices": choices, **tail}

    def role(self, index: int) -> dict[str, Any]:
        """The first event of a chat's choice."""
        delta = {"role": "assistant", "content": ""}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def beside(self, index: int) -> Iterator[dict[str, Any]]:
        """The events of what a chat's message has beside its text, a piece of it in each."""
        for name, value in self.fake.beside.items():
            parts = [[part] for part in value] if isinstance(value, list) else value.split(" ")
            for part in parts:
                delta = {"content": None, name: part}
                yield {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def token(self, index: int, number: int) -> dict[str, Any]:
        """The choice in the event of one token; the last one names the reason for the end."""
        text = self.texts[number] if self.texts else ""
        told = {"delta": {"content": text}} if self.chat else {"text": text}
        reason = "length" if number + 1 >= len(self.texts) else None
        choice = {"index": index, **told, "logprobs": self._logprobs([text])}
        choice |= {"finish_reason": reason, "stop_reason": None}
        return choice | ({"token_ids": [number]} if self._ids() and self.texts else {})

    def whole(self) -> dict[str, Any]:
        """The answer to a request without `stream`."""
        text = "".join(self.texts)
        said: dict[str, Any] = {
            "role": "assistant",
            "content": text,
            "tool_calls": [],
            "reasoning": None,
        }
        message = {"message": said | self.fake.beside}
        told: dict[str, Any] = message if self.chat else {"text": text}
        ids = {"token_ids": list(range(len(self.texts)))} if self._ids() else {}
        rest = {"logprobs": self._logprobs(self.texts), "finish_reason": "length", **ids}
        choices = [{"index": index, **told, **rest} for index in range(self.choices)]
        kind = "chat.completion" if self.chat else "text_completion"
        head = {"id": self._id(), "object": kind, "created": self.created, "model": self.model}
        return {**head, "choices": choices, "usage": self.usage(len(self.texts) * self.choices)}

    def stream_option(self, name: str) -> bool:
        """A boolean of `stream_options`."""
        return bool((self.request.get("stream_options") or {}).get(name))

    def _id(self) -> str:
        return ("chatcmpl-" if self.chat else "cmpl-") + self.id

    def _ids(self) -> bool:
        return bool(self.request.get("return_token_ids"))

    def _logprobs(self, texts: list[str]) -> dict[str, Any] | None:
        if not self.request.get("logprobs"):
            return None
        if self.chat:
            one = {"logprob": -0.5, "top_logprobs": []}
            return {"content": [{"token": t, "bytes": list(t.encode()), **one} for t in texts]}
        tops = [{text: -0.5} for text in texts]
        numbers = {"text_offset": [0] * len(texts), "token_logprobs": [-0.5] * len(texts)}
        return {**numbers, "tokens": texts, "top_logprobs": tops}


def _whole(limit: Any) -> int:
    """As pydantic reads it, which takes "40" and 40.0 for 40."""
    number = float(limit) if re.fullmatch(r"[+-]?\d+(\.0+)?", str(limit)) else None
    if number is None:
        message = f"Input should be a valid integer, got {limit!r}"
        raise Refusal(400, message, "max_tokens")
    return int(number)


def rendered(request: dict[str, Any]) -> list[str]:
    """The words of a chat's prompt: its template writes the messages and nothing between them."""
    messages = request.get("messages", [])
    told = request.get("chat_template_kwargs") or {}
    thought = ["<think>", "</think>"]
    if not request.get("continue_final_message"):
        return words_of(messages) + (thought if told.get("enable_thinking") is False else [])
    template = _template(request)
    before = thought if told.get("thinks_before") else []
    after = ["<end>"] if template.get("closes_turn") else []
    return [*words_of(messages[:-1]), *before, *words_of(messages[-1:]), *after]


def _template(request: dict[str, Any]) -> dict[str, Any]:
    """How the template spoils a turn that is to be left open, if it does."""
    told = request.get("chat_template_kwargs") or {}
    spoils = {name for name in ("closes_turn", "thinks_before") if told.get(name)}
    if told.get("enable_thinking") is False:
        spoils -= {"thinks_before"}  # as the first engine's prompt had it
    return {name: told[name] for name in spoils}


def words_of(asked: Any) -> list[str]:
    """The words in a prompt, a list of prompts or of messages; a token id counts as a word."""
    if isinstance(asked, list):
        return [word for each in asked for word in words_of(each)]
    if isinstance(asked, dict):
        return words_of(asked.get("content", asked.get("text", "")))
    return str(asked).split()
