"""On which side a cause lies: with what all workers of an endpoint share, or with this machine.

One that is wrongly taken for shared makes a single broken worker fail everybody's jobs.
"""

from __future__ import annotations

import pytest

from supervisor.diagnosis import diagnose

SHARED, HERE = True, False

CONFIGURED = ("/usr/bin/vllm", "serve", "--config=/models/none.yaml", "--model", "/models/m")
_VALUE = "pydantic_core._pydantic_core.ValidationError: 1 validation error for"
_HUB = "https://huggingface.co/org/m/resolve/main/config.json"
_CDN = "https://cdn-lfs.hf.co/repos/aa/bb/cc?Expires=1&Signature=x"
_NO_FILE = "FileNotFoundError: [Errno 2] No such file or directory:"
_CACHE = "/root/.cache/vllm/torch_compile_cache/ab/meta.json"
_SNAPSHOT = "/hf/hub/models--org--m/snapshots/ab/model.safetensors.index.json"

#: Lines, kind, side. By the sources of vLLM, torch, huggingface_hub and our own download.
SIDES = [
    # the disk, by the download before the engine
    ("the model could not be downloaded: no space is left in /m for org/m; give it more disk",
     "disk-full", HERE),
    (("the model could not be downloaded: /m/x cannot be used for org/m (Read-only file system);"
     " make the folder writable, or take another machine"), "no-permission", HERE),
    ("the model could not be downloaded: org/m has no revision v9; correct MODEL_REVISION",
     "not-downloaded", SHARED),
    # the model's host
    ((f"HfHubHTTPError: 403 Forbidden: This token may not read org/m.\nCannot access content at:"
     f" {_HUB}.\nMake sure your token has the correct permissions."), "token-refused", SHARED),
    ((f"HfHubHTTPError: 403 Client Error: Forbidden for url: {_HUB} (Request ID: Root=1-2)\n\nYour"
     " token has no access to this resource."), "token-refused", SHARED),
    ((f"HfHubHTTPError: 403 Forbidden: None.\nCannot access content at: {_CDN}.\nMake sure your"
     " token has the correct permissions."), "download-refused", HERE),
    (f"requests.exceptions.HTTPError: 403 Client Error: Forbidden for url: {_CDN}",
     "download-refused", HERE),
    (f"requests.exceptions.HTTPError: 403 Client Error: Forbidden for url: {_HUB}",
     "download-refused", HERE),
    ("ProxyError: Tunnel connection failed: 403 Forbidden", "download-refused", HERE),
    (("HfHubHTTPError: Client error '401 Unauthorized' for url 'https://h/org/m'\nInvalid"
     " credentials in Authorization header"), "token-refused", SHARED),
    # GPUs
    ("RuntimeError: CUDA error: invalid device ordinal", "too-few-gpus", HERE),
    ("ValueError: World size (4) is larger than the number of available GPUs (3) in this node.",
     "too-few-gpus", HERE),
    ("AssertionError: DP adjusted local rank 3 is out of bounds.", "too-few-gpus", HERE),
    # files
    (f"{_NO_FILE} '/models/none.yaml'", "file-not-found", SHARED),
    (f"{_NO_FILE} '{_CACHE}'", "file-not-found", HERE),
    (f"{_NO_FILE} '{_SNAPSHOT}'", "file-not-found", HERE),
    (f"{_NO_FILE} '/models/m/model.safetensors.index.json'", "file-not-found", HERE),
    # the configuration, as far as it is that
    ((f"{_VALUE} SchedulerConfig\n  Value error, max_num_seqs must be positive. [type=value_error,"
     " input_value={'device': 'cuda'}]"), "bad-configuration", SHARED),
    ((f"{_VALUE} CacheConfig\ngpu_memory_utilization\n  Input should be less than or equal to 1"
     " [type=less_than_equal]"), "bad-configuration", SHARED),
    ((f"{_VALUE} CacheConfig\n  Value error, GPU memory utilization must be less than 1.0. Got 1.5."
     " [type=value_error]"), "bad-configuration", SHARED),
    ((f"{_VALUE} VllmConfig\n  Value error, fp8 cache needs a GPU with compute capability 8.9."
     " [type=value_error]"), "bad-configuration", HERE),
    (f"{_VALUE} DeviceConfig\ndevice\n  Value error, the device has gone away [type=value_error]",
     "bad-configuration", HERE),
    (f"{_VALUE} VllmConfig\n  Value error, CUDA graphs need a newer driver. [type=value_error]",
     "bad-configuration", HERE),
    ((f"{_VALUE} ModelConfig\n  Value error, The model type 'gemma2' does not support float16."
     " Reason: Numerical instability. [type=value_error, input_value={'device': 'cuda'}]"),
     "dtype-unsupported", SHARED),
    ("ValueError: this device does not support bfloat16", "dtype-unsupported", HERE),
    ("ValueError: FlashAttention does not support dtype float32 with compute capability 7.5",
     "dtype-unsupported", HERE),
    ("ValueError: Unknown quantization method: foo. Must be one of ['awq']",
     "quantization-unsupported", SHARED),
    ((f"{_VALUE} ModelConfig\n  Value error, Unknown quantization method: foo. Must be one of"
     " ['awq']. [type=value_error]"), "quantization-unsupported", SHARED),
    (("ValueError: torch.bfloat16 is not supported for quantization method awq. Supported dtypes:"
     " [torch.float16]"), "quantization-unsupported", SHARED),
    (("ValueError: The quantization method awq is not supported for the current GPU. Minimum"
     " capability: 75. Current capability: 70."), "quantization-unsupported", HERE),
    (("RuntimeError: Quantization scheme is not supported for the current GPU. Min capability: 80."
     " Current capability: 75."), "quantization-unsupported", HERE),
]  # fmt: skip


@pytest.mark.parametrize(("said", "kind", "shared"), SIDES)
def test_the_side_of_a_cause(said: str, kind: str, shared: bool) -> None:
    found = diagnose(1, said.splitlines(), "org/m", configured=CONFIGURED)
    assert (found.kind, found.shared) == (kind, shared), found
    assert "{" not in str(found)


def test_a_file_is_the_configurations_where_that_names_it() -> None:
    said = [f"{_NO_FILE} '/models/none.yaml'"]
    assert not diagnose(1, said).shared
    assert not diagnose(1, said).final
    assert diagnose(1, said, configured=["CHAT", "/models/none.yaml"]).final
