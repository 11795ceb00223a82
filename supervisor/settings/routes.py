"""The engine's routes that work for a caller. Pure."""

from __future__ import annotations

#: Those that take a form, with a file in it, instead of JSON.
FORMS = frozenset({"/v1/audio/transcriptions", "/v1/audio/translations"})

#: Inference, which is asked for by POST. Administration (sleep, LoRA loading, scaling, aborting,
#: profiling) is missing on purpose.
INFERENCE = FORMS | frozenset(
    """
    /v1/chat/completions /v1/completions /v1/responses /v1/messages /v1/messages/count_tokens
    /v1/embeddings /v1/score /score /v1/rerank /v2/rerank /rerank /pooling /classify
    /tokenize /detokenize
    """.split()
)
