"""What the engine's parser refuses of VLLM_EXTRA_ARGS; the real one says the same (e2e)."""

from __future__ import annotations

import pytest

from supervisor.catalog import store
from supervisor.command import plan
from tests.supervisor.command.checks.refusals import errors, made, remedies
from tests.supervisor.command.test_translate import VERSIONS

#: Taken by every version that is known.
TAKEN = [
    "-tp 2", "-pp=2", "-q awq", "-qawq", "--max_model_len 4096", "--max-model-l 4096",
    "--max_model_le=4096", "--enforce-eager --seed 1", "--served-model-name a b", "--seed=-1",
    "--enable-lora --lora-modules a=/x", "--max-num-seqs 2 --max-num-seqs 3",
]  # fmt: skip
#: Taken by those that know dotted JSON.
TAKEN_NOW = [
    "--limit-mm-per-prompt.image 4", "--limit_mm_per_prompt.image=4", "--hf-overrides.a.b 1",
    "--compilation-config.cudagraph_capture_sizes+ 1,2", "--hf-over.a 1", "-O3", "-O 2 --seed 1",
    '--limit-mm-per-prompt {"image":4}', "--no-enforce-eager", "--no-enable-prefix-caching",
]  # fmt: skip
REFUSED = [
    ("--max-model-length 4", "--max-model-length", "is no option", "did you mean --max-model-len?"),
    ("--zzz", "--zzz", "is no option of vLLM", "take it out"),
    ("-zz 1", "-zz", "is no option of vLLM", "take it out"),
    (
        "--enforce-eager true", "true", "belongs to no option",
        "--enforce-eager takes no value: take the word out",
    ),
    (
        "--enforce-eager=true", "--enforce-eager=true", "is a value, and the option takes none",
        "take it out",
    ),
    (
        "--seed 1 2", "2", "belongs to no option", "--seed takes one value: take the word out",
    ),
    ("org/other --seed 1", "org/other", "belongs to no option", "take it out"),
    (
        "--seed --enforce-eager", "--seed", "has no value", "give it one, or take the option out",
    ),
    ("--seed one", "--seed=one", "is not a whole number", None),
    ("--dtype float99", "--dtype=float99", "is not one of auto, ", None),
]  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("extra", TAKEN)
def test_what_the_parser_takes_is_left_alone(version: str, extra: str) -> None:
    found = made(version, VLLM_EXTRA_ARGS=extra)
    assert found.findings.errors == ()
    assert " ".join(found.command).endswith(extra)


@pytest.mark.parametrize("version", ["0.32.0", "0.33.0"])
@pytest.mark.parametrize("extra", TAKEN_NOW)
def test_forms_of_newer_versions(version: str, extra: str) -> None:
    assert errors(version, VLLM_EXTRA_ARGS=extra.replace('"', '\\"')) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("extra", "what", "said", "remedy"), REFUSED)
def test_what_it_refuses(
    version: str, extra: str, what: str, said: str, remedy: str | None
) -> None:
    (message,) = errors(version, VLLM_EXTRA_ARGS=extra)
    assert message.startswith(f"{what} in VLLM_EXTRA_ARGS {said}")
    if remedy is not None:
        assert remedies(version, VLLM_EXTRA_ARGS=extra) == [remedy]


def test_a_name_that_is_cut_too_short() -> None:
    (message,) = errors("0.32.0", VLLM_EXTRA_ARGS="--max-num 2")
    assert message.startswith("--max-num in VLLM_EXTRA_ARGS may be any of --max-num-active-seqs, ")


def test_an_option_of_other_versions() -> None:
    assert remedies("0.32.0", VLLM_EXTRA_ARGS="--swap-space 4") == [
        "take it out, or use a version that has it"
    ]
    (message,) = errors("0.6.2", VLLM_EXTRA_ARGS="--hf-overrides.a 1")
    assert message == "--hf-overrides.a in VLLM_EXTRA_ARGS is no option of vLLM 0.6.2"


@pytest.mark.parametrize(
    ("extra", "today"),
    [
        ("--rope-scaling {}", "ROPE_SCALING"),
        ("--task embed", "TASK"),
        ("--disable-log-requests", "DISABLE_LOG_REQUESTS"),
        ("--guided-decoding-backend xgrammar", "GUIDED_DECODING_BACKEND"),
        ("--cuda-graph-sizes 1 2", "CUDAGRAPH_CAPTURE_SIZES"),
        ("--eplb_window_size=5", 'EPLB_CONFIG={"window_size": 5}'),
    ],
)
def test_an_option_for_which_a_variable_stands(extra: str, today: str) -> None:
    name = extra.replace("=", " ").split()[0]
    (message,) = errors("0.32.0", VLLM_EXTRA_ARGS=extra)
    assert message.startswith(f"{name} in VLLM_EXTRA_ARGS is no option of vLLM 0.32.0")
    assert remedies("0.32.0", VLLM_EXTRA_ARGS=extra) == [f"take it out, and set {today}"]
    assert remedies("0.6.2", VLLM_EXTRA_ARGS="--task embed") == [
        "take it out, or use a version that has it"
    ]


def test_one_word_may_be_the_model_where_there_is_none() -> None:
    known = store.common()
    for extra in ("org/m --seed 1", "--seed 1 --enforce-eager org/m"):
        found = plan.make({"VLLM_EXTRA_ARGS": extra}, known)
        assert found.findings.errors == ()


def test_words_for_json_become_json() -> None:
    found = made(VLLM_EXTRA_ARGS="--limit-mm-per-prompt image=4 --seed 1")
    assert found.findings.errors == ()
    assert found.command[-3:] == ('--limit-mm-per-prompt={"image":4}', "--seed", "1")


def test_without_the_whole_catalogue_nothing_is_unknown() -> None:
    env = {"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "--zzz 1 --seed one"}
    for catalog in (store.common(), None):
        assert plan.make(env, catalog).findings.errors == ()


def test_no_secret_is_shown() -> None:
    (message,) = errors(VLLM_EXTRA_ARGS="--enforce-eager hf_abcdefghijkl")
    assert message.startswith("*** in VLLM_EXTRA_ARGS belongs to no option")


@pytest.mark.parametrize(
    "extra",
    [
        '--override-generation-config {"max_new_tokens": 512} --seed 1',
        '--override-generation-config={"max_new_tokens": 512, "top_k": 2}',
        '--speculative-config {"method":"ngram"}',
        '--hf-overrides {\\"a\\": 5}',
        '--lora-modules {"name": "a", "path": "/a"} --enable-lora',
    ],
)
def test_json_without_quotes_is_one_error_with_what_to_do(extra: str) -> None:
    (message,) = errors("0.32.0", VLLM_EXTRA_ARGS=extra)
    assert "is not JSON: a shell takes its quotes away" in message
    assert remedies("0.32.0", VLLM_EXTRA_ARGS=extra) == ["put the JSON in single quotes"]
