"""For each option that takes JSON a value that works, shown where one does not. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ...catalog import Option

#: Option -> a value that every known version with this option takes.
EXAMPLES: Mapping[str, str] = {
    "--additional-config": '{"key":"value"}',
    "--allowed-headers": '["Authorization"]',
    "--allowed-methods": '["GET","POST"]',
    "--allowed-origins": '["https://app.example.com"]',
    "--attention-config": '{"backend":"FLASH_ATTN"}',
    "--aux-output-config": '{"max_bytes":1000000}',
    "--compilation-config": '{"cudagraph_capture_sizes":[1,2,4]}',
    "--custom-histogram-buckets": '{"vllm:time_to_first_token_seconds":[0.1,0.5,1.0]}',
    "--default-chat-template-kwargs": '{"enable_thinking":false}',
    "--default-mm-loras": '{"audio":"/adapters/audio"}',
    "--diffusion-config": '{"canvas_length":256}',
    "--eplb-config": '{"window_size":1000}',
    "--fault-tolerance-config": '{"engine_recovery_timeout_sec":120}',
    "--hf-overrides": '{"max_position_embeddings":32768}',
    "--kv-events-config": '{"enable_kv_cache_events":true,"publisher":"zmq"}',
    "--kv-transfer-config": '{"kv_connector":"NixlConnector","kv_role":"kv_both"}',
    "--limit-mm-per-prompt": '{"image":4}',
    "--logging-config": '{"log_level":"INFO"}',
    "--media-io-kwargs": '{"video":{"num_frames":40}}',
    "--mm-processor-kwargs": '{"num_crops":4}',
    "--model-class-overrides": '{"LlamaForCausalLM":"my_package:MyModel"}',
    "--model-loader-extra-config": '{"concurrency":16}',
    "--override-generation-config": '{"temperature":0.6}',
    "--override-pooler-config": '{"pooling_type":"MEAN"}',
    "--pooler-config": '{"pooling_type":"MEAN"}',
    "--profiler-config": '{"profiler":"torch","torch_profiler_dir":"/tmp/profile"}',
    "--pt-load-map-location": '{"cuda:1":"cuda:0"}',
    "--reasoning-config": '{"reasoning_parser":"qwen3"}',
    "--reasoning-effort-map": '{"high":"max"}',
    "--rope-scaling": '{"rope_type":"dynamic","factor":2.0}',
    "--speculative-config": '{"method":"ngram","num_speculative_tokens":3,"prompt_lookup_max":4}',
    "--structured-outputs-config": '{"backend":"xgrammar"}',
}


def example(option: Option) -> str:
    """A value of `option` in the form that works, as far as anything is known of it."""
    if found := EXAMPLES.get(option.flag):
        return found
    if isinstance(option.default, list):
        return json.dumps(option.default) if option.default else '["value"]'
    return f'{{"{option.keys[0] if option.keys else "key"}":"value"}}'
