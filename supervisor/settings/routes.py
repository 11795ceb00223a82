"""The engine's routes that work for a caller. Pure."""

from __future__ import annotations

import re

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

#: What a client reads beside inference.
READ = frozenset("/v1/models /version /health /ping".split())

#: Those that jobs may ask for; what is missing there ALLOWED_ROUTES can add.
OFFERED = INFERENCE | READ

#: Those of the worker itself, which WORKER_ROUTES offers to jobs.
STATUS, METRICS = "/worker/status", "/worker/metrics"
WORKER = frozenset({STATUS, METRICS})

#: Every character that may stand in a route. No `%`: an encoded slash or dot is a disguise. No `?`,
#: `#`, `@`, `:` beyond model names, `\\`, white space or control characters.
_PATH = re.compile(r"(/[A-Za-z0-9._~:-]+)+")
_LONGEST = 512  # characters; no client takes an URL of any length


def is_route(text: str) -> bool:
    """Whether it is a path and nothing else, so that no spelling of it leads anywhere else."""
    if len(text) > _LONGEST or not _PATH.fullmatch(text):
        return False
    return {".", ".."}.isdisjoint(text.split("/"))
