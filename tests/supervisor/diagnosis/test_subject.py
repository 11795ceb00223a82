"""Which repository or folder an error is about."""

from __future__ import annotations

import pytest

from supervisor.diagnosis import subject

TOKENIZER = "--tokenizer=org/tokens"
DRAFT = '--speculative-config={"model": "org/draft", "num_speculative_tokens": 3}'
IN_TOKENIZER = '  File "/site-packages/vllm/tokenizers/registry.py", line 2, in get_tokenizer\n'
IN_DRAFT = '  File "/site-packages/vllm/config/speculative.py", line 2, in __post_init__\n'
ALL = "MODEL_NAME, TOKENIZER_NAME and SPECULATIVE_CONFIG"


@pytest.mark.parametrize(
    ("what", "before", "configured", "words", "variables"),
    [
        ("", "", [], "the model org/m", "MODEL_NAME"),
        ("org/m", IN_TOKENIZER, [TOKENIZER], "the model org/m", "MODEL_NAME"),
        ("org/other", "", ["--x=a org/other"], "the model org/other", ALL),
        ("org/other", "", [TOKENIZER], "a model that is configured", ALL),
        # by its name
        ("org/tokens", "", [TOKENIZER], "the tokenizer org/tokens", "TOKENIZER_NAME"),
        ("org/tokens", "", ["--tokenizer", "org/tokens"], "the tokenizer org/tokens",
         "TOKENIZER_NAME"),
        ("org/draft", "", [TOKENIZER, DRAFT], "the draft model org/draft", "SPECULATIVE_CONFIG"),
        ("/g", "", ["--generation-config=/g"], "/g", "GENERATION_CONFIG"),
        ("/g", "", ["--generation-config", "/g"], "/g", "GENERATION_CONFIG"),
        # by the place where it was read
        ("", IN_TOKENIZER, [TOKENIZER], "the tokenizer org/tokens", "TOKENIZER_NAME"),
        ("", IN_DRAFT, [TOKENIZER, DRAFT], "the draft model org/draft", "SPECULATIVE_CONFIG"),
        ("", IN_DRAFT + IN_TOKENIZER, [TOKENIZER, DRAFT], "the tokenizer org/tokens",
         "TOKENIZER_NAME"),
        ("", IN_TOKENIZER, [], "the model org/m", "MODEL_NAME"),
        ("", IN_TOKENIZER, ["--tokenizer=org/m"], "the model org/m", "MODEL_NAME"),
        ("", IN_TOKENIZER + "x" * 9000, [TOKENIZER], "the model org/m", "MODEL_NAME"),
        # a draft that has no model, and what is no JSON
        ("", IN_DRAFT, ['--speculative-config={"method": "ngram"}'], "the model org/m",
         "MODEL_NAME"),
        ("", IN_DRAFT, ["--speculative-config={bad"], "the model org/m", "MODEL_NAME"),
        ("", IN_DRAFT, ["--speculative-config"], "the model org/m", "MODEL_NAME"),
    ],
)  # fmt: skip
def test_what_is_meant(
    what: str, before: str, configured: list[str], words: str, variables: str
) -> None:
    found = subject.of(what, before, "org/m", ["vllm", "serve", "org/m", *configured])
    assert (found.words, found.variables) == (words, variables)


def test_a_model_without_a_name() -> None:
    assert subject.of("", "", None, []).words == "the model without a name"
