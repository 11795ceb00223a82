"""The names of older workers, and what the tests ask of a plan made of them."""

from __future__ import annotations

from supervisor.command import plan
from supervisor.command.plan import Plan
from supervisor.models.placement import OnDisk
from tests.supervisor.command.test_translate import catalog

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
    "SPECULATIVE_METHOD": "ngram", "TASK": "generate", "VLLM_ATTENTION_BACKEND": "FLASHINFER",
    "VLLM_USE_V1": "0", "ENABLE_REASONING": "true", "MIN_BATCH_SIZE": "2",
    "BATCH_SIZE_GROWTH_FACTOR": "2",
}  # fmt: skip


#: What a model says of itself, as far as old names need it.
CONFIG = {"rope_theta": 500000.0, "max_position_embeddings": 4096}


def made(version: str, **env: str) -> Plan:
    """The plan for a model whose config.json is at hand."""
    return plan.make({"MODEL_NAME": "org/m", **env}, catalog(version), OnDisk(config=CONFIG))


def unseen(version: str, **env: str) -> Plan:
    """The plan for a model of which nothing is on this machine."""
    return plan.make({"MODEL_NAME": "org/m", **env}, catalog(version))


def flag(found: Plan, name: str) -> str | None:
    """The value of an option on the command line."""
    values = [t.partition("=")[2] for t in found.command if t.startswith(f"{name}=")]
    assert len(values) <= 1
    return values[0] if values else None
