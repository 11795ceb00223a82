"""Every place where vLLM takes an address is found, and what only tells is left alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.media import places

URL = "http://10.0.0.1/x.png"


def chat(part: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}, part]}]}


FOUND: dict[str, tuple[dict[str, Any], str]] = {
    "an image": (
        chat({"type": "image_url", "image_url": {"url": URL, "detail": "auto"}}),
        "messages.0.content.1.image_url.url",
    ),
    "an image as a text": (chat({"image_url": URL}), "messages.0.content.1.image_url"),
    "an image with a uuid": (
        chat({"type": "text", "uuid": "1", "text": "x", "image_url": {"url": URL}}),
        "messages.0.content.1.image_url.url",
    ),
    "audio": (
        chat({"type": "audio_url", "audio_url": {"url": URL}}),
        "messages.0.content.1.audio_url.url",
    ),
    "video": (
        chat({"type": "video_url", "video_url": {"url": URL}}),
        "messages.0.content.1.video_url.url",
    ),
    "several in a list": (chat({"image_url": [URL]}), "messages.0.content.1.image_url.0"),
    "a result of a tool": (
        {"messages": [{"role": "tool", "content": [{"type": "image_url", "image_url": URL}]}]},
        "messages.0.content.0.image_url",
    ),
    "a batch of conversations": (
        {"messages": [[{"role": "user", "content": [{"image_url": {"url": URL}}]}]]},
        "messages.0.0.content.0.image_url.url",
    ),
    "responses": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": URL}]}]},
        "input.0.content.0.image_url",
    ),
    "responses, what a function gave back": (
        {
            "input": [
                {
                    "type": "function_call_output",
                    "output": [{"type": "input_image", "image_url": URL}],
                }
            ]
        },
        "input.0.output.0.image_url",
    ),
    "responses, a screen": (
        {
            "input": [
                {
                    "type": "computer_call_output",
                    "output": {"type": "computer_screenshot", "image_url": URL},
                }
            ]
        },
        "input.0.output.image_url",
    ),
    "responses, a file": (
        {"input": [{"content": [{"type": "input_file", "file_url": URL}]}]},
        "input.0.content.0.file_url",
    ),
    "responses, at the top under a type that tells": (
        {"type": "tool_use", "input": [{"content": [{"image_url": URL}]}]},
        "input.0.content.0.image_url",
    ),
    "Anthropic": (
        chat({"type": "image", "source": {"type": "url", "url": URL}}),
        "messages.0.content.1.source.url",
    ),
    "Anthropic, a result of a tool": (
        chat(
            {
                "type": "tool_result",
                "content": [{"type": "image", "source": {"type": "url", "url": URL}}],
            }
        ),
        "messages.0.content.1.content.0.source.url",
    ),
    "tokens in, tokens out": (
        {"token_ids": [1, 2], "content_parts": [{"type": "image_url", "url": URL}]},
        "content_parts.0.url",
    ),
    "score": (
        {"queries": "x", "documents": {"content": [{"type": "image_url", "image_url": URL}]}},
        "documents.content.0.image_url",
    ),
    "embeddings of pictures": ({"images": ["data:,", URL]}, "images.1"),
    "decisions": ({"state": "x", "questions": {}, "videos": [URL]}, "videos.0"),
    "a plugin of pooling": ({"data": {"data": URL, "data_format": "url"}}, "data.data"),
    "a processor, in a picture": (
        {"mm_processor_kwargs": {"images_kwargs": {"images": ["/etc/passwd"]}}},
        "mm_processor_kwargs.images_kwargs.images.0",
    ),
    "a processor, in anything": (
        {"mm_processor_kwargs": {"other": [[URL]]}},
        "mm_processor_kwargs.other.0.0",
    ),
    "Mistral's tokenizer, beside what vLLM reads": (
        chat({"type": "image", "uuid": "1", "image_url": "data:,", "url": URL}),
        "messages.0.content.1.url",
    ),
    "Mistral's tokenizer, a path": (
        chat({"type": "audio", "uuid": "1", "audio_url": "data:,", "path": "/etc/passwd"}),
        "messages.0.content.1.path",
    ),
    "Mistral's tokenizer, what is no base64": (
        chat({"type": "audio", "uuid": "1", "audio_url": "data:,", "base64": URL}),
        "messages.0.content.1.base64",
    ),
    "after many numbers": (
        {"messages": [{"content": [*range(100), {"image_url": URL}]}]},
        "messages.0.content.100.image_url",
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_it_is_found(name: str) -> None:
    body, field = FOUND[name]
    assert field in [place.field for place in places.named(body) if place]


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": f"what is at {URL}?"}]},
        {"messages": [{"role": "user", "content": URL}], "stop": [URL], "user": URL},
        {"prompt": [URL], "input": [URL], "documents": [URL]},
        chat({"type": "image_url", "image_url": {"url": ""}, "uuid": "1"}),
        chat({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
        chat({"type": "image", "source": {"type": "base64", "data": "iVBORw0KGgo="}}),
        chat({"type": "tool_use", "name": "look", "input": {"image_url": URL}}),
        {"messages": [{"tool_calls": [{"function": {"arguments": {"image_url": URL}}}]}]},
        {"tools": [{"function": {"parameters": {"examples": [{"image_url": URL}]}}}]},
        {"input": [{"content": [{"annotations": [{"type": "url_citation", "url": URL}]}]}]},
        {"input": [{"type": "web_search_call", "action": {"type": "open_page", "url": URL}}]},
        {"audio": {"voice": "alloy", "format": "wav"}, "modalities": ["text", "audio"]},
        {"images": ["iVBORw0KGgo="], "mm_processor_kwargs": {"size": {"height": 2}, "x": "pt"}},
        {"prompt": list(range(1000)), "metadata": {"image_url": URL}},
    ],
)
def test_what_only_tells_is_no_address(body: dict[str, Any]) -> None:
    assert list(places.named(body)) == []


NESTED = st.recursive(
    st.just({"image_url": {"url": URL}}),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(
            st.sampled_from(["content", "messages", "x", "image_url", "data", "type", "output"]),
            inner,
            min_size=1,
            max_size=3,
        ),
    ),
    max_leaves=8,
)


@given(NESTED)
def test_an_address_is_found_at_any_depth(nested: Any) -> None:
    assert list(places.named({"messages": nested}))


def test_a_name_of_a_megabyte_over_many_entries_costs_no_copy_of_it() -> None:
    """Each would be a path of its own: 100 GB."""
    body = {"x" * 1_000_000: [[{"a": "b"}] for _ in range(100_000)], "image_url": URL}
    (place,) = filter(None, places.named(body))
    assert place.field == "image_url"


def test_a_long_field_is_shown_short() -> None:
    (place,) = filter(None, places.named({"x" * 10_000: {"image_url": URL}}))
    assert len(place.field) < 150
