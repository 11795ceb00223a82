"""Every old name on every version: carried over, or named with its reason and remedy."""

from __future__ import annotations

import json

import pytest

from supervisor.command import plan
from supervisor.command.plan import Plan
from tests.supervisor.command.test_translate import VERSIONS, catalog

#: The tables of older workers, each name with a value that works on old versions.
OLD_NAMES = {
    "TOKENIZER": "t", "SKIP_TOKENIZER_INIT": "1", "TOKENIZER_MODE": "auto",
    "TRUST_REMOTE_CODE": "1", "DOWNLOAD_DIR": "/d", "LOAD_FORMAT": "auto", "DTYPE": "half",
    "KV_CACHE_DTYPE": "auto", "QUANTIZATION_PARAM_PATH": "/q", "MAX_MODEL_LEN": "4096",
    "GUIDED_DECODING_BACKEND": "outlines", "DISTRIBUTED_EXECUTOR_BACKEND": "mp",
    "WORKER_USE_RAY": "1", "PIPELINE_PARALLEL_SIZE": "1", "TENSOR_PARALLEL_SIZE": "1",
    "MAX_PARALLEL_LOADING_WORKERS": "2", "RAY_WORKERS_USE_NSIGHT": "1",
    "ENABLE_PREFIX_CACHING": "1", "DISABLE_SLIDING_WINDOW": "1", "USE_V2_BLOCK_MANAGER": "1",
    "NUM_LOOKAHEAD_SLOTS": "1", "SEED": "0", "NUM_GPU_BLOCKS_OVERRIDE": "9",
    "MAX_NUM_BATCHED_TOKENS": "2048", "MAX_NUM_SEQS": "256", "MAX_LOGPROBS": "20",
    "DISABLE_LOG_STATS": "1", "QUANTIZATION": "awq",
    "ROPE_SCALING": '{"type": "dynamic", "factor": 2.0}', "ROPE_THETA": "10000",
    "TOKENIZER_POOL_SIZE": "1", "TOKENIZER_POOL_TYPE": "ray", "TOKENIZER_POOL_EXTRA_CONFIG": "{}",
    "ENABLE_LORA": "1", "MAX_LORAS": "1", "MAX_LORA_RANK": "16", "LORA_EXTRA_VOCAB_SIZE": "256",
    "LORA_DTYPE": "auto", "LONG_LORA_SCALING_FACTORS": "1.0", "MAX_CPU_LORAS": "2",
    "FULLY_SHARDED_LORAS": "1", "SCHEDULER_DELAY_FACTOR": "0.5", "ENABLE_CHUNKED_PREFILL": "1",
    "SPECULATIVE_MODEL": "draft", "NUM_SPECULATIVE_TOKENS": "3",
    "SPECULATIVE_DRAFT_TENSOR_PARALLEL_SIZE": "1", "SPECULATIVE_MAX_MODEL_LEN": "1024",
    "SPECULATIVE_DISABLE_BY_BATCH_SIZE": "8", "NGRAM_PROMPT_LOOKUP_MAX": "4",
    "NGRAM_PROMPT_LOOKUP_MIN": "1", "SPEC_DECODING_ACCEPTANCE_METHOD": "rejection_sampler",
    "TYPICAL_ACCEPTANCE_SAMPLER_POSTERIOR_THRESHOLD": "0.1",
    "TYPICAL_ACCEPTANCE_SAMPLER_POSTERIOR_ALPHA": "0.3", "MODEL_LOADER_EXTRA_CONFIG": "{}",
    "PREEMPTION_MODE": "recompute", "PREEMPTION_CHECK_PERIOD": "1.0",
    "PREEMPTION_CPU_CAPACITY": "2", "DISABLE_LOGGING_REQUEST": "1", "MAX_LOG_LEN": "100",
    "TOKENIZER_NAME": "t", "TOKENIZER_REVISION": "main", "CUSTOM_CHAT_TEMPLATE": "{{ messages }}",
    "GPU_MEMORY_UTILIZATION": "0.95", "BLOCK_SIZE": "16", "SWAP_SPACE": "4", "ENFORCE_EAGER": "1",
    "MAX_SEQ_LEN_TO_CAPTURE": "8192", "DISABLE_CUSTOM_ALL_REDUCE": "1",
    "OPENAI_SERVED_MODEL_NAME_OVERRIDE": "name", "OPENAI_RESPONSE_ROLE": "assistant",
    "DISABLE_LOG_REQUESTS": "1", "MODEL_NAME": "org/m", "MODEL_REVISION": "main",
    "HF_TOKEN": "hf_something_secret", "MAX_CONTEXT_LEN_TO_CAPTURE": "8192",
}  # fmt: skip


def made(version: str, **env: str) -> Plan:
    return plan.make({"MODEL_NAME": "org/m", **env}, catalog(version))


def flag(found: Plan, name: str) -> str | None:
    """The value of an option on the command line."""
    values = [t.partition("=")[2] for t in found.command if t.startswith(f"{name}=")]
    assert len(values) <= 1
    return values[0] if values else None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", OLD_NAMES)
def test_no_old_name_is_lost(version: str, name: str) -> None:
    """Set alone, each takes effect, or is named in a warning or as ignored; never an error."""
    found = made(version, **{name: OLD_NAMES[name]})
    findings = found.findings
    assert not findings.errors
    effective = {setting.env for setting in findings.settings}
    named = {w.env for w in findings.warnings} | {i.env for i in findings.ignored}
    assert name in effective | named
    for warning in findings.warnings:
        assert warning.suggestion


@pytest.mark.parametrize("version", VERSIONS)
def test_all_old_names_together(version: str) -> None:
    """A whole template at once: one token for each option, and a command that is sound."""
    found = made(version, **OLD_NAMES)
    assert not found.findings.errors
    flags = [token.partition("=")[0] for token in found.command if token.startswith("--")]
    assert len(flags) == len(set(flags))
    assert "hf_something_secret" not in " ".join(found.command)


@pytest.mark.parametrize("version", ["0.10.2", "0.14.1", "0.32.0", "0.33.0"])
def test_fields_of_speculative_decoding_are_one_object(version: str) -> None:
    found = made(
        version,
        SPECULATIVE_MODEL="draft",
        NUM_SPECULATIVE_TOKENS="3",
        SPECULATIVE_MAX_MODEL_LEN="0",
    )
    assert json.loads(flag(found, "--speculative-config") or "") == {
        "model": "draft",
        "num_speculative_tokens": 3,
    }
    assert [ignored.env for ignored in found.findings.ignored] == ["SPECULATIVE_MAX_MODEL_LEN"]
    settings = {s.env: s.flag for s in found.findings.settings if s.source == "legacy"}
    assert settings == dict.fromkeys(
        ("SPECULATIVE_MODEL", "NUM_SPECULATIVE_TOKENS"), "--speculative-config"
    )


def test_the_users_own_json_wins() -> None:
    found = made(
        "0.32.0",
        SPECULATIVE_MODEL="old",
        NUM_SPECULATIVE_TOKENS="3",
        SPECULATIVE_CONFIG='{"model": "new", "method": "eagle"}',
    )
    assert json.loads(flag(found, "--speculative-config") or "") == {
        "model": "new",
        "num_speculative_tokens": 3,
        "method": "eagle",
    }


def test_ngram_is_a_method_without_a_model() -> None:
    found = made("0.32.0", SPECULATIVE_MODEL="[ngram]", NGRAM_PROMPT_LOOKUP_MAX="4")
    assert json.loads(flag(found, "--speculative-config") or "") == {
        "method": "ngram",
        "prompt_lookup_max": 4,
    }


def test_a_part_of_speculative_decoding_alone_is_said_to_have_no_effect() -> None:
    found = made("0.32.0", NUM_SPECULATIVE_TOKENS="3")
    assert flag(found, "--speculative-config") is None
    assert [w.env for w in found.findings.warnings] == ["NUM_SPECULATIVE_TOKENS"]


def test_rope_is_merged_into_the_overrides() -> None:
    found = made(
        "0.32.0",
        ROPE_SCALING='{"type": "dynamic", "factor": 2.0}',
        ROPE_THETA="500000",
        HF_OVERRIDES='{"a": 1, "rope_parameters": {"factor": 4.0}}',
    )
    assert json.loads(flag(found, "--hf-overrides") or "") == {
        "a": 1,
        "rope_parameters": {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 500000.0},
    }
    old = made("0.10.2", ROPE_THETA="500000")
    assert flag(old, "--rope-theta") == "500000"


@pytest.mark.parametrize("name", ["ROPE_SCALING", "NUM_SPECULATIVE_TOKENS"])
def test_a_wrong_field_is_named(name: str) -> None:
    (error,) = made("0.32.0", **{name: "many"}).findings.errors
    assert error.env == name
    assert error.message.startswith(f"{name}=many is not ")


def test_an_alias_wins_over_the_options_own_name() -> None:
    found = made("0.32.0", TOKENIZER_NAME="alias", TOKENIZER="own")
    assert flag(found, "--tokenizer") == "alias"
    (warning,) = found.findings.warnings
    assert "TOKENIZER_NAME and TOKENIZER differ" in warning.message
    assert not made("0.32.0", TOKENIZER_NAME="x", TOKENIZER="x").findings.warnings


def test_a_wrong_value_of_an_alias_is_named_by_the_alias() -> None:
    found = made("0.6.2", OPENAI_SERVED_MODEL_NAME_OVERRIDE="--port")
    (error,) = found.findings.errors
    assert error.message.startswith("OPENAI_SERVED_MODEL_NAME_OVERRIDE=--port ")


def test_the_override_stands_first_and_the_models_name_behind_it() -> None:
    command = list(made("0.32.0", OPENAI_SERVED_MODEL_NAME_OVERRIDE="my model").command)
    place = command.index("--served-model-name")
    assert command[place + 1 : place + 3] == ["my model", "org/m"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["DISABLE_LOG_REQUESTS", "DISABLE_LOGGING_REQUEST"])
def test_request_logging_off(version: str, name: str) -> None:
    said = {"--disable-log-requests", "--no-enable-log-requests"}
    assert said & set(made(version, **{name: "true"}).command)


def test_ray_only_if_true() -> None:
    assert flag(made("0.32.0", WORKER_USE_RAY="1"), "--distributed-executor-backend") == "ray"
    assert flag(made("0.32.0", WORKER_USE_RAY="0"), "--distributed-executor-backend") is None
    explicit = made("0.32.0", WORKER_USE_RAY="1", DISTRIBUTED_EXECUTOR_BACKEND="mp")
    assert flag(explicit, "--distributed-executor-backend") == "mp"


@pytest.mark.parametrize("name", ["MAX_MODEL_LEN", "MAX_LOG_LEN", "ROPE_THETA", "MAX_CPU_LORAS"])
def test_zero_means_not_set_for_the_names_that_had_it(name: str) -> None:
    found = made("0.32.0", **{name: "0"})
    assert [ignored.env for ignored in found.findings.ignored] == [name]
    assert not found.findings.errors


def test_zero_is_zero_elsewhere() -> None:
    assert flag(made("0.32.0", SEED="0"), "--seed") == "0"


def test_a_field_that_later_versions_dropped() -> None:
    name = {"SPECULATIVE_DISABLE_BY_BATCH_SIZE": "8", "SPECULATIVE_MODEL": "d"}
    old = json.loads(flag(made("0.14.1", **name), "--speculative-config") or "")
    assert old == {"model": "d", "disable_by_batch_size": 8}
    new = made("0.32.0", **name)
    assert json.loads(flag(new, "--speculative-config") or "") == {"model": "d"}
    assert [w.env for w in new.findings.warnings] == ["SPECULATIVE_DISABLE_BY_BATCH_SIZE"]
