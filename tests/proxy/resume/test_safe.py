"""Which requests can be gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.request.forms import CHAT, COMPLETIONS, Request
from proxy.request.schema import Schema, parsed
from proxy.resume import safe
from proxy.resume.safe import WHY
from supervisor.link.figures import Unresumed

MESSAGES = [{"role": "user", "content": "x"}]
OPENAPI = Path(__file__).parents[1] / "request" / "openapi-0.32.0.json"
#: What a later version reads, and nobody has looked at, or what does need the first part.
LATER = {
    *("watermarking", "ec_transfer_params", "thinking_token_budget", "mm_payload"),
    *("return_mm_kwargs", "return_token_offsets", "logprob_token_ids"),
    *("routed_experts_prompt_start",),
}


@pytest.mark.parametrize(
    "also",
    [
        {},
        {"n": 1, "seed": 3, "stop": ["x"], "temperature": 1.0, "max_tokens": 9, "user": "u"},
        {"tools": [], "response_format": {"type": "text"}, "logprobs": False, "echo": False},
        {"presence_penalty": 0, "repetition_penalty": 1.0, "min_tokens": 0, "tool_choice": "none"},
        {"n": None, "best_of": None, "structured_outputs": None, "prompt_logprobs": None},
        {"stream_options": {"include_usage": True, "continuous_usage_stats": True}},
        {"continue_final_message": True, "add_generation_prompt": False},
        {"include_stop_str_in_output": True, "include_reasoning": True, "max_tokens": None},
        {"include_reasoning": "yes", "echo": "false", "ignore_eos": 0, "max_tokens": "40"},
        {"stop": "x", "include_stop_str_in_output": "off", "add_generation_prompt": "on"},
        {"add_generation_prompt": 0, "continue_final_message": "true"},
    ],
)
def test_plain_text_is_safe(also: dict[str, Any]) -> None:
    assert safe.unsafe(Request("POST", CHAT, {"messages": MESSAGES, **also})) is None


@pytest.mark.parametrize("said", [False, 0, "false", "no"])
def test_an_answer_without_a_turn_of_its_own_is_not_gone_on_with(said: Any) -> None:
    body = {"messages": MESSAGES, "add_generation_prompt": said, "continue_final_message": 0}
    assert safe.unsafe(Request("POST", CHAT, body)) is Unresumed.OTHER


def test_a_limit_that_versions_read_in_two_ways_is_not_gone_on_with() -> None:
    request = Request("POST", COMPLETIONS, {"prompt": "x", "max_tokens": None})
    assert safe.unsafe(request) is Unresumed.OTHER


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_limit_that_nobody_can_read_is_not_gone_on_with(name: str) -> None:
    body = {"messages": MESSAGES, name: "many"}
    assert safe.unsafe(Request("POST", CHAT, body)) is Unresumed.OTHER


def test_a_limit_of_chats_is_none_of_a_completion() -> None:
    """It is ignored there; a version that does not is none that is known."""
    given = Request("POST", COMPLETIONS, {"prompt": "x", "max_completion_tokens": 500})
    assert safe.others(given) == {"max_completion_tokens"}
    assert safe.others(Request("POST", CHAT, {"max_completion_tokens": 500})) == set()


@pytest.mark.parametrize("prompt", ["x", ["x"], [1, 2, 3], [[1, 2, 3]]])
def test_one_prompt_is_safe(prompt: Any) -> None:
    assert safe.unsafe(Request("POST", COMPLETIONS, {"prompt": prompt})) is None


@pytest.mark.parametrize(
    ("also", "reason"),
    [
        ({"n": 2}, Unresumed.SEQUENCES),
        ({"best_of": 2}, Unresumed.SEQUENCES),
        ({"prompt": ["a", "b"]}, Unresumed.SEQUENCES),
        ({"tools": [{"type": "function"}]}, Unresumed.TOOLS),
        ({"response_format": {"type": "json_object"}}, Unresumed.STRUCTURE),
        ({"structured_outputs": {"regex": "a"}}, Unresumed.STRUCTURE),
        ({"guided_choice": ["a"]}, Unresumed.STRUCTURE),
        ({"logprobs": True}, Unresumed.LOGPROBS),
        ({"logprobs": 0}, Unresumed.LOGPROBS),
        ({"prompt_logprobs": 0}, Unresumed.LOGPROBS),
        ({"echo": True}, Unresumed.ECHO),
        ({"use_beam_search": True}, Unresumed.BEAM_SEARCH),
        ({"presence_penalty": 0.1}, Unresumed.PENALTIES),
        ({"frequency_penalty": -1}, Unresumed.PENALTIES),
        ({"repetition_penalty": 1.1}, Unresumed.PENALTIES),
        ({"min_tokens": 3}, Unresumed.MIN_TOKENS),
        ({"return_token_ids": True}, Unresumed.OTHER),
        ({"suffix": "b"}, Unresumed.OTHER),
        ({"ignore_eos": True}, Unresumed.OTHER),
        ({"bad_words": ["a b"]}, Unresumed.OTHER),
        ({"include_reasoning": False}, Unresumed.REASONING),
        ({"include_reasoning": "false"}, Unresumed.REASONING),
        ({"include_reasoning": 0}, Unresumed.REASONING),
        ({"ignore_eos": "true"}, Unresumed.OTHER),
        ({"stop": ["a b"], "include_stop_str_in_output": True}, Unresumed.OTHER),
    ],
)
def test_what_an_engine_remembers_beside_the_text_is_not(
    also: dict[str, Any], reason: Unresumed
) -> None:
    assert safe.unsafe(Request("POST", COMPLETIONS, {"prompt": "x", **also})) is reason


@pytest.mark.parametrize("route", ["/v1/responses", "/v1/messages", "/v1/audio/speech"])
def test_other_routes_are_not(route: str) -> None:
    assert safe.unsafe(Request("POST", route, {})) is Unresumed.ROUTE


def test_a_chat_needs_an_engine_that_begins_in_an_open_turn() -> None:
    chat, completion = Request("POST", CHAT, {}), Request("POST", COMPLETIONS, {})
    names = frozenset({"messages", "continue_final_message", "add_generation_prompt"})
    assert safe.known(chat, Schema(names={CHAT: names}))
    assert not safe.known(chat, Schema(names={CHAT: names - {"continue_final_message"}}))
    assert safe.known(chat, Schema(names={CHAT: None})), "its prompts tell"
    assert safe.known(chat, None)
    assert safe.known(completion, None)


ORDINARY = {
    "user": "u",
    "metadata": {"a": "b"},
    "stream_options": {"include_usage": True},
    "service_tier": "auto",
    "store": False,
    "safety_identifier": "s",
    "prompt_cache_key": "k",
    "logit_bias": {"1": 2},
    "reasoning_effort": "low",
}


def test_what_openai_s_clients_send_is_known_to_be_safe() -> None:
    assert safe.others(Request("POST", CHAT, {"messages": MESSAGES, **ORDINARY})) == set()


@pytest.mark.parametrize("version", ["0.8.5", "0.10.2", "0.32.0"])
def test_a_name_that_is_not_known_is_not(version: str) -> None:
    """Of those that versions read: whoever adds one here has looked at what it needs."""
    document = OPENAPI.with_name(f"openapi-{version}.json").read_bytes()
    schema = parsed(document)
    assert schema is not None
    names = {name for route in (CHAT, COMPLETIONS) for name in schema.names[route] or ()}
    found = safe.others(Request("POST", CHAT, dict.fromkeys(names, 1)))
    assert found == (LATER if version == "0.32.0" else set())
    request = Request("POST", CHAT, {"thinking_token_budget": 5, "of_another_server": 1})
    odd = safe.others(request)
    assert odd == {"thinking_token_budget", "of_another_server"}
    assert safe.ignored(odd, request, schema) is (version != "0.32.0")
    assert safe.ignored(frozenset({"of_another_server"}), request, schema)
    assert not safe.ignored(odd, request, None)
    assert not safe.ignored(odd, request, Schema(names={CHAT: None}))
    assert safe.ignored(frozenset(), request, None)
    assert safe.others(Request("POST", CHAT, {"thinking_token_budget": None})) == set()


def test_each_reason_has_its_words() -> None:
    assert set(WHY) == set(Unresumed)
