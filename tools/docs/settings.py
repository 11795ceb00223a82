"""What the forms offer and in which order.

The worker's own settings have their sentences in supervisor/settings/table.py, the engine's options
have them here. A name that a version cannot carry out is left out of that version's form; see
`fields`.
"""

from __future__ import annotations

from supervisor.settings.table import TABLE

#: Title of a category -> the names in it, each with its sentence; "" for the worker's own settings.
_PLACES: dict[str, dict[str, str]] = {
    "Model": {
        "MODEL_NAME": "",
        "HF_TOKEN": "",
        "MODEL_REVISION": "Branch, tag or commit of the model's repository.",
        "TOKENIZER": "Repository or path of a tokenizer other than the model's own.",
        "TOKENIZER_REVISION": "Branch, tag or commit of the tokenizer's repository.",
        "TOKENIZER_MODE": "Which implementation of the tokenizer is used.",
        "SKIP_TOKENIZER_INIT": "Do not load the tokenizer; prompts are then token ids.",
        "TRUST_REMOTE_CODE": "Run code that comes with the model's repository.",
        "DTYPE": "Data type of weights and activations.",
        "QUANTIZATION": "How the weights are quantised; by default as the model's files say.",
        "LOAD_FORMAT": "Format of the weights.",
        "CONFIG_FORMAT": "Format of the model's configuration: Hugging Face's or Mistral's.",
        "BASE_PATH": "",
        "DOWNLOAD_DIR": "Folder for downloaded weights.",
        "MODEL_LOADER_EXTRA_CONFIG": "More settings of the loader, as JSON.",
        "HF_OVERRIDES": "Overrides of the model's configuration, as JSON.",
        "GENERATION_CONFIG": "Where default sampling parameters come from: auto, vllm or a folder.",
        "ROPE_SCALING": "RoPE scaling, as JSON.",
        "ROPE_THETA": "RoPE theta.",
    },
    "Context and batching": {
        "MAX_MODEL_LEN": "Longest context in tokens; by default the model's own.",
        "MAX_NUM_SEQS": "Most sequences in one step; by default the engine decides.",
        "MAX_NUM_BATCHED_TOKENS": "Most tokens in one step; by default the engine decides.",
        "ENABLE_CHUNKED_PREFILL": "Cut long prompts into chunks.",
        "ENABLE_PREFIX_CACHING": "Keep the KV cache of common beginnings.",
        "DISABLE_SLIDING_WINDOW": "Cap the context at the sliding window instead.",
        "SCHEDULING_POLICY": "First come first served, or by priority.",
        "SCHEDULER_DELAY_FACTOR": "Delay before the next prompt is scheduled.",
        "PREEMPTION_MODE": "What happens to a sequence that has to wait: recompute or swap.",
        "MAX_LOGPROBS": "Most log probabilities that a request may ask for.",
        "SEED": "Seed of the random numbers.",
    },
    "Memory": {
        "GPU_MEMORY_UTILIZATION": "Share of the GPU's memory that the engine may use.",
        "KV_CACHE_DTYPE": "Data type of the KV cache.",
        "KV_CACHE_MEMORY_BYTES": "Size of the KV cache per GPU, instead of a share.",
        "BLOCK_SIZE": "Tokens in one block of the KV cache.",
        "NUM_GPU_BLOCKS_OVERRIDE": "Number of blocks, instead of what profiling finds.",
        "CPU_OFFLOAD_GB": "GiB of the weights that are kept in the machine's memory, per GPU.",
        "SWAP_SPACE": "GiB of the machine's memory for swapped sequences, per GPU.",
        "ENFORCE_EAGER": "No CUDA graphs: less memory and a faster start, slower answers.",
        "MAX_SEQ_LEN_TO_CAPTURE": "Longest sequence that CUDA graphs cover.",
        "QUANTIZATION_PARAM_PATH": "JSON file with the scaling factors of the KV cache.",
        "USE_V2_BLOCK_MANAGER": "Use the second version of the block manager.",
        "NUM_LOOKAHEAD_SLOTS": "Slots for speculative decoding.",
    },
    "Several GPUs": {
        "TENSOR_PARALLEL_SIZE": "GPUs that share each layer.",
        "PIPELINE_PARALLEL_SIZE": "Groups of GPUs that hold layers one after the other.",
        "DATA_PARALLEL_SIZE": "Copies of the model that serve side by side.",
        "ENABLE_EXPERT_PARALLEL": "Spread the experts of a mixture over the GPUs.",
        "DISTRIBUTED_EXECUTOR_BACKEND": "How the ranks are run.",
        "WORKER_USE_RAY": "Run the ranks with Ray.",
        "MAX_PARALLEL_LOADING_WORKERS": "Ranks that load weights at the same time.",
        "DISABLE_CUSTOM_ALL_REDUCE": "Use NCCL instead of the engine's own all-reduce.",
        "RAY_WORKERS_USE_NSIGHT": "Profile Ray's workers with nsight.",
    },
    "LoRA": {
        "ENABLE_LORA": "Serve LoRA adapters.",
        "LORA_MODULES": "Adapters: name=path, parted by commas, or a JSON list.",
        "MAX_LORAS": "Most adapters in one batch.",
        "MAX_LORA_RANK": "Highest rank of an adapter.",
        "MAX_CPU_LORAS": "Adapters that are kept in the machine's memory.",
        "LORA_DTYPE": "Data type of the adapters.",
        "LORA_EXTRA_VOCAB_SIZE": "Most tokens that an adapter may add.",
        "LONG_LORA_SCALING_FACTORS": "Scaling factors of long LoRA.",
        "FULLY_SHARDED_LORAS": "Spread adapters fully over the GPUs.",
    },
    "Speculative decoding": {
        "SPECULATIVE_CONFIG": "All of it, as one JSON object.",
        "SPECULATIVE_MODEL": "The draft model; [ngram] looks in the prompt instead.",
        "NUM_SPECULATIVE_TOKENS": "Tokens that are drafted at a time.",
        "SPECULATIVE_DRAFT_TENSOR_PARALLEL_SIZE": "GPUs that share the draft model.",
        "SPECULATIVE_MAX_MODEL_LEN": "Longest context of the draft model.",
        "SPECULATIVE_DISABLE_BY_BATCH_SIZE": "No drafting while more requests than this wait.",
        "NGRAM_PROMPT_LOOKUP_MAX": "Longest n-gram that is looked for.",
        "NGRAM_PROMPT_LOOKUP_MIN": "Shortest n-gram that is looked for.",
        "SPEC_DECODING_ACCEPTANCE_METHOD": "How drafted tokens are accepted.",
        "TYPICAL_ACCEPTANCE_SAMPLER_POSTERIOR_THRESHOLD": "Threshold of the typical sampler.",
        "TYPICAL_ACCEPTANCE_SAMPLER_POSTERIOR_ALPHA": "Entropy factor of the typical sampler.",
    },
    "Chat": {
        "OPENAI_SERVED_MODEL_NAME_OVERRIDE": "A name for the model; its own works beside it.",
        "CUSTOM_CHAT_TEMPLATE": "A Jinja chat template, or the path of one.",
        "DEFAULT_CHAT_TEMPLATE_KWARGS": "What every chat template is given, as JSON.",
        "OPENAI_RESPONSE_ROLE": "Role of the answers.",
        "ENABLE_AUTO_TOOL_CHOICE": "Let the model choose tools; needs TOOL_CALL_PARSER.",
        "TOOL_CALL_PARSER": "How this model writes tool calls.",
        "REASONING_PARSER": "How this model marks its reasoning.",
        "GUIDED_DECODING_BACKEND": "What enforces JSON schemas and grammars.",
        "LIMIT_MM_PER_PROMPT": "Most images, videos and so on in a prompt, as JSON.",
    },
    "Streaming": {
        "DEFAULT_MIN_BATCH_SIZE": "",
        "DEFAULT_BATCH_SIZE_GROWTH_FACTOR": "",
        "DEFAULT_BATCH_SIZE": "",
        "BATCH_MAX_LATENCY_MS": "",
        "RAW_OPENAI_OUTPUT": "",
    },
    "Worker": {
        "MAX_CONCURRENCY": "",
        "ALLOWED_ROUTES": "",
        "MEDIA_PRIVATE": "",
        "STRICT_PARAMETERS": "",
        "STARTUP_TIMEOUT": "",
        "DRAIN_TIMEOUT": "",
        "ENGINE_WAIT_TIMEOUT": "",
        "REQUEST_IDLE_TIMEOUT": "",
        "MAX_RESTARTS": "",
        "ENABLE_LOG_REQUESTS": "Log every request.",
        "DISABLE_LOG_REQUESTS": "Do not log requests.",
        "LOG_CONTENT": "",
        "MAX_LOG_LEN": "Most characters of a prompt in the log.",
        "DISABLE_LOG_STATS": "Do not log throughput.",
        "STRICT_ENV": "",
        "VLLM_CONFIG_FILE": "",
        "VLLM_EXTRA_ARGS": "",
    },
}


def form() -> dict[str, dict[str, str]]:
    """Title of a category -> its names with their sentences; what has no place comes last."""
    placed = {name for names in _PLACES.values() for name in names}
    rest = {row.name: "" for row in TABLE if row.form and row.name not in placed}
    *_, last = _PLACES
    return {**_PLACES, last: {**_PLACES[last], **rest}}
