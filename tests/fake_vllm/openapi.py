"""What `/openapi.json` says: the names in requests, as vLLM 0.32 lists them, and `fake`."""

from __future__ import annotations

from typing import Any

SAMPLING = """
    fake model stream stream_options max_tokens min_tokens temperature top_p top_k min_p n seed stop
    stop_token_ids include_stop_str_in_output ignore_eos presence_penalty frequency_penalty
    repetition_penalty length_penalty use_beam_search logit_bias logprobs prompt_logprobs user
    skip_special_tokens spaces_between_special_tokens add_special_tokens allowed_token_ids bad_words
    truncate_prompt_tokens response_format structured_outputs return_token_ids request_id priority
    cache_salt echo vllm_xargs
"""
CHAT = """
    messages max_completion_tokens top_logprobs tools tool_choice parallel_tool_calls
    reasoning_effort include_reasoning chat_template chat_template_kwargs add_generation_prompt
    continue_final_message documents mm_processor_kwargs thinking_token_budget
"""
NAMES = {
    "ChatCompletionRequest": SAMPLING + CHAT,
    "CompletionRequest": f"{SAMPLING} prompt suffix prompt_embeds",
    "EmbeddingCompletionRequest": "fake model input user encoding_format dimensions priority",
    "EmbeddingChatRequest": "fake model messages user encoding_format dimensions priority",
    "AnthropicMessagesRequest": "fake model messages max_tokens stream system temperature metadata",
    "TokenizeCompletionRequest": "fake model prompt add_special_tokens return_token_strs",
    "TokenizeChatRequest": "fake model messages add_special_tokens return_token_strs tools",
}
BODIES = {
    "/v1/chat/completions": ["ChatCompletionRequest"],
    "/v1/completions": ["CompletionRequest"],
    "/v1/embeddings": ["EmbeddingCompletionRequest", "EmbeddingChatRequest"],
    "/v1/messages": ["AnthropicMessagesRequest"],
    "/tokenize": ["TokenizeCompletionRequest", "TokenizeChatRequest"],
}
READ = ("/health", "/version", "/metrics", "/v1/models")


def document() -> dict[str, Any]:
    """The document, as far as FastAPI writes it for these routes."""
    paths: dict[str, Any] = {path: {"get": {}} for path in READ}
    for path, names in BODIES.items():
        refs = [{"$ref": f"#/components/schemas/{name}"} for name in names]
        schema = refs[0] if len(refs) == 1 else {"anyOf": refs, "title": "Request"}
        content = {"application/json": {"schema": schema}}
        paths[path] = {"post": {"requestBody": {"content": content, "required": True}}}
    schemas = {
        name: {
            "properties": {each: {"title": each} for each in names.split()},
            "additionalProperties": True,
            "type": "object",
        }
        for name, names in NAMES.items()
    }
    info = {"title": "FastAPI", "version": "0.1.0"}
    components = {"schemas": schemas}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": components}
