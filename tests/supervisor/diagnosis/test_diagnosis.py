"""Causes from real last lines, kept in `engine_ends`: a file's first line says where they are from.

Paths are shortened, and of each traceback only the last call is kept.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from supervisor.diagnosis import diagnose
from supervisor.diagnosis.known import FAULTS
from supervisor.diagnosis.rules import RULES

ENDS = Path(__file__).parent / "engine_ends"

FINAL = True
AGAIN = False  # another start may end in another way

CONFIGURED = ["--config=/models/none.yaml"]
#: What the configuration of these has beside that.
ALSO: dict[str, list[str]] = {
    "bad_flag": ["--no-such-flag=1"],
    "bad_value": ["--max-model-len=abc"],
    "bad_choice": ["--kv-cache-dtype=int3"],
    "bad_json": ["--speculative-config={bad"],
    "bad_field": ['--structured-outputs-config={"backend": "x"}'],
    "gated": ["org/gated"],
    "gated_without_token": ["org/gated"],
    "no_repository": ["org/missing"],
    "no_folder": ["/models/none"],
    "no_config": ["/models/noconfig"],
    "speculative_model": ['--speculative-config={"model": "/models/none"}'],
    "chat_template": ["--chat-template=/models/none.jinja"],
}

#: File, kind, words of the cause or of the engine, words of the remedy, whether it is final.
CASES = [
    # the command line and the configuration
    ("bad_flag", "bad-option", "it does not know --no-such-flag", "explain", FINAL),
    ("bad_value", "bad-option", "the value of --max-model-len", "t MAX_MODEL_LEN, or", FINAL),
    ("bad_choice", "bad-option", "the value of --kv-cache-dtype", "KV_CACHE", FINAL),
    ("bad_json", "bad-json", "JSON of --speculative-config, one", "in SPECULATIVE_CONFIG", FINAL),
    ("lora_json", "bad-json", "read --lora-modules", "as NAME=PATH", FINAL),
    ("lora_fields", "bad-json", "unexpected keyword argument 'pth'", "LORA_MODULES", FINAL),
    ("bad_field", "bad-option", "options, --structured-outputs-config: what it says of backend",
     "STRUCTURED_OUTPUTS_CONFIG", FINAL),
    ("attention_backend", "bad-configuration", "'NOPE'. Valid options are: FLASH_ATTN", "explain",
     FINAL),
    ("attention_backend_unfit", "bad-configuration", "does not fit the model", "ATTENTION_BACKEND",
     FINAL),
    ("rope_type", "bad-configuration", "no rope_type", "ROPE_SCALING (with its rope_type)", FINAL),
    ("tool_parser", "bad-tool-parser", "parser: nope", "TOOL_CALL_PARSER", FINAL),
    ("no_tool_parser", "bad-tool-parser", "requires --tool-call-parser", "TOOL_CALL", FINAL),
    ("reasoning_parser", "bad-tool-parser", "Reasoning parser 'nope'", "REASONING_PARSER", FINAL),
    ("bad_config_file", "file-not-found", "/models/none.yaml", "VLLM_CONFIG_FILE", FINAL),
    ("utilization", "bad-configuration", "Input should be less than",
     "explain", FINAL),
    ("batched_tokens", "batched-tokens", "128, less than the context of 4096 tokens",
     "MAX_MODEL_LEN to 128 or less", FINAL),
    ("batched_tokens_seqs", "batched-tokens", "64, less than the 128 requests", "MAX_NUM_S", FINAL),
    ("no_package", "package-missing", "package tensorizer", "pip install 'tensorizer'", FINAL),
    ("no_package_ray", "package-missing", "package ray", "DISTRIBUTED_EXECUTOR_BACKEND", FINAL),
    ("no_package_flashinfer", "package-missing", "package flashinfer-python",
     "VLLM_USE_FLASHINFER_SAMPLER=0", FINAL),
    ("no_gate", "package-missing", "did not find the gate", "without -I", FINAL),
    ("no_package_modelscope", "package-missing", "package modelscope>=1.18.1", "'models", FINAL),
    # the model's host
    ("gated", "gated", "org/gated is gated", "HF_TOKEN", FINAL),
    ("gated_without_token", "gated", "org/gated is gated", "HF_TOKEN", FINAL),
    ("bad_token", "token-refused", "refused the token", "HF_TOKEN", FINAL),
    ("no_repository", "model-not-found", "org/missing was not found", "MODEL_NAME", FINAL),
    ("no_folder", "model-not-found", "/models/none was not found", "MODEL_NAME", FINAL),
    ("no_config", "model-not-found", "noconfig that is named as", "config.json", FINAL),
    ("token_without_rights", "token-refused", "refused the token", "may read", FINAL),
    ("cdn_refused", "download-refused", "status 403", "expire", AGAIN),
    ("rate_limited", "rate-limited", "too many", "HF_TOKEN", AGAIN),
    ("hub_down", "hub-failed", "503 Service Unavailable", "HF_HOME", AGAIN),
    ("download_broken", "download-broken", "broke off", "HF_HOME", AGAIN),
    ("speculative_model", "model-not-found", "/models/none that is", "SPECULATIVE_CONFIG",
     FINAL),
    ("no_revision", "revision-not-found", "no such revision", "MODEL_REVISION", FINAL),
    ("offline", "network", "org/m is not on this disk", "HF_HUB_OFFLINE", AGAIN),
    ("connection_refused", "network", "org/m is not on this disk", "network", AGAIN),
    ("no_name", "network", "its host cannot be reached", "network", AGAIN),
    ("not_downloaded", "not-downloaded", "org/m has no revision v9", "MODEL_REVISION", FINAL),
    ("not_downloaded_yet", "not-downloaded", "broke off", "HF_ENDPOINT", AGAIN),
    ("read_only", "no-permission", "may not read or write", "HF_HOME", FINAL),
    ("disk_full", "disk-full", "disk is full", "HF_HOME", AGAIN),
    # the model's files
    ("unknown_architecture", "unknown-architecture", "(NewForCausalLM)", "newer vLLM", FINAL),
    ("unknown_architecture_0_28", "unknown-architecture", "(NewForCausalLM)", "newer", FINAL),
    ("unknown_architecture_0_6", "unknown-architecture", "(Cohere2ForCausalLM)", "newer", FINAL),
    ("unknown_model_type", "unknown-architecture", "(newmodel)", "newer vLLM", FINAL),
    ("remote_code", "remote-code", "code of its own", "TRUST_REMOTE_CODE=true", FINAL),
    ("no_tokenizer", "tokenizer-missing", "files of a tokenizer", "TOKENIZER_NAME", FINAL),
    ("no_tokenizer_0_28", "tokenizer-missing", "files of a tokenizer", "TOKENIZER_NAME", FINAL),
    ("tokenizer_slow", "tokenizer-missing", "tokenizer_mode='slow'", "unset TOKENIZER_MODE", FINAL),
    ("tokenizer_mistral", "tokenizer-missing", "No tokenizer file found", "TOKENIZER_MODE", FINAL),
    ("chat_template", "chat-template", "/models/none.jinja", "CUSTOM_CHAT_TEMPLATE", FINAL),
    ("weights_missing", "weights-missing", "no weights", "LOAD_FORMAT", FINAL),
    ("weights_truncated", "weights-damaged", "org/m is damaged", "fetch it again", FINAL),
    ("weights_pointer", "weights-damaged", "org/m is damaged", "Git LFS", FINAL),
    ("weights_shape", "weights-mismatch", "tensor a (512)", "MODEL_REVISION", FINAL),
    ("bad_config", "config-damaged", "config.json", "fetch the model again", FINAL),
    ("lora_path", "lora-not-found", "No adapter found for /models/none", "LORA_MODULES", FINAL),
    ("lora_off", "lora-off", "LORA_MODULES names adapters", "ENABLE_LORA=true", FINAL),
    ("lora_rank", "lora-rank", "rank 64, and the engine takes up to 16", "MAX_LORA_RANK", FINAL),
    # memory
    ("context_memory", "context-memory", "but 900000 are configured", "MAX_MODEL_LEN to 5", FINAL),
    ("context_memory_0_2", "context-memory", "4096", "MAX_MODEL_LEN to 3664 or less", FINAL),
    ("context_memory_0_8", "context-memory", "1048576", "MAX_MODEL_LEN lower", FINAL),
    ("context_memory_0_15", "context-memory", "262144", "MAX_MODEL_LEN to 34736 or", FINAL),
    ("context_too_long", "context-too-long", "99999", "MAX_MODEL_LEN to 4096 or less", FINAL),
    ("no_cache_memory", "no-cache-memory", "no memory is left", "GPU_MEMORY_UTIL", FINAL),
    ("gpu_memory_taken", "gpu-memory-taken", "3.12 of 23.68 GiB", "GPU_MEMORY_UTIL", AGAIN),
    ("memory_profiling", "gpu-memory-taken", "while the engine measured", "GPU of its", AGAIN),
    ("cuda_out_of_memory", "gpu-out-of-memory", "too small", "TENSOR_PARALLEL_SIZE", AGAIN),
    ("host_memory_share", "host-memory", "GiB of memory free", "GPU_MEMORY_UTIL", AGAIN),
    ("host_memory", "host-memory", "GiB of memory free", "VLLM_CPU_KVCACHE_SPACE", AGAIN),
    # what does not fit together
    ("block_size", "block-size", "(CPU_ATTN: [MultipleOf(32)])", "BLOCK_SIZE",
     FINAL),
    ("block_size_0_28", "block-size", "takes blocks of 20 tokens", "BLOCK_SIZE", FINAL),
    ("heads", "heads-not-divisible", "4 attention heads", "TENSOR_PARALLEL_SIZE", FINAL),
    ("not_divisible", "not-divisible", "152064 is not divisible by 7", "TENSOR_PARALLEL", FINAL),
    ("too_few_gpus", "too-few-gpus", "4 GPUs, and this machine has 2", "2 or less", FINAL),
    ("too_few_gpus_0_7", "too-few-gpus", "more GPUs than", "TENSOR_PARALLEL_SIZE", FINAL),
    ("too_few_gpus_0_8", "too-few-gpus", "more GPUs than", "TENSOR_PARALLEL_SIZE", FINAL),
    ("quantization_missing", "quantization-missing", "not quantised", "QUANTIZATION", FINAL),
    ("quantization_unknown", "quantization-unsupported", "Must be one of ['awq', 'auto_awq', 'fp8'",
     "QUANTIZATION", FINAL),
    ("quantization_mismatch", "quantization-mismatch", "gptq, and QUANTIZATION asks for another",
     "unset QUANTIZATION", FINAL),
    ("quantization_capability", "quantization-unsupported", "modelopt_fp4 is not supported",
     "QUANTIZATION", FINAL),
    ("bfloat16", "dtype-unsupported", "Tesla T4 GPU has compute capability 7.5", "DTYPE", FINAL),
    ("float16", "dtype-unsupported", "data type", "DTYPE", FINAL),
    # the machine
    ("driver_too_old", "driver-too-old", "driver does not fit", "newer driver", FINAL),
    ("driver_803", "driver-too-old", "driver does not fit", "newer driver", FINAL),
    ("no_gpu", "no-gpu", "sees no GPU", "--gpus all", FINAL),
    ("no_cuda_gpus", "no-gpu", "sees no GPU", "CUDA_VISIBLE_DEVICES", FINAL),
    ("no_gpu_left", "no-gpu", "sees no GPU", "CUDA_VISIBLE_DEVICES", FINAL),
    ("no_such_gpu", "no-gpu", "names a GPU that this machine does not have", "`nvidia-smi -L`",
     FINAL),
    ("no_such_gpu_uuid", "no-gpu", "CUDA_VISIBLE_DEVICES names a GPU", "UUIDs", FINAL),
    ("gpu_unsupported", "gpu-unsupported", "this kind of GPU", "another GPU", FINAL),
    ("gpu_fault", "gpu-fault", "uncorrectable ECC error", "replace the worker", AGAIN),
    ("custom_all_reduce", "custom-all-reduce", "all-reduce: invalid argument",
     "DISABLE_CUSTOM_ALL_REDUCE=true", FINAL),
    ("custom_all_reduce_0_5", "custom-all-reduce", "invalid argument", "DISABLE_CUSTOM", FINAL),
    ("nccl", "nccl", "unhandled cuda error", "NCCL_DEBUG", AGAIN),
    ("shared_memory", "shared-memory", "shm is too small", "--shm-size", AGAIN),
    ("shared_memory_check", "shared-memory", "shm is too small", "--shm-size", AGAIN),
    ("shared_memory_nccl", "shared-memory", "shm is too small", "--shm-size", AGAIN),
    ("inner_port", "inner-port-in-use", "talk to each other", "other engine", AGAIN),
    ("inner_port_old", "inner-port-in-use", "talk to each other", "other engine", AGAIN),
    ("port_in_use", "port-in-use", "port is taken", "VLLM_PORT", AGAIN),
]  # fmt: skip


#: What is named besides the model: file, an argument, words of the cause, words of the remedy.
ABOUT = [
    ("tokenizer_not_found", "--tokenizer=/models/none", "the tokenizer /models/none was not found",
     "check TOKENIZER_NAME: "),
    ("tokenizer_offline", "--tokenizer=org/none", "the tokenizer org/none is not on this disk",
     "check TOKENIZER_NAME and"),
    ("tokenizer_folder", "--tokenizer=/models/empty", "in the tokenizer /models/empty",
     "TOKENIZER_NAME"),
    ("no_tokenizer", "--dtype=float32", "in the model org/m", "TOKENIZER_NAME"),
    ("speculative_model", '--speculative-config={"model": "/models/none"}', "/models/none that is",
     "check SPECULATIVE_CONFIG: "),
    ("utilization", "--gpu-memory-utilization=1.5", "less than", "correct GPU_MEMORY_UTILIZATION;"),
    ("generation_config", "--generation-config=/models/none", "/models/none that is",
     "check GENERATION_CONFIG: "),
    ("speculative_method", '--speculative-config={"method": "nope"}', "method Input should be",
     "correct SPECULATIVE_CONFIG;"),
    ("attention_backend", "--attention-backend=NOPE", "'NOPE'", "correct ATTENTION_BACKEND;"),
    ("utilization", "--dtype=half", "less than", "correct the variable that sets it;"),
]  # fmt: skip


def last_lines(name: str) -> list[str]:
    """The lines of a file, without the one that says where they are from."""
    source, *lines = (ENDS / f"{name}.log").read_text().splitlines()
    assert source.startswith("# ")
    return lines


@pytest.mark.parametrize(("name", "kind", "cause", "remedy", "final"), CASES)
def test_a_cause_has_a_remedy(name: str, kind: str, cause: str, remedy: str, final: bool) -> None:
    configured = [*CONFIGURED, *ALSO.get(name, ())]
    found = diagnose(1, last_lines(name), "org/m", configured=configured)
    assert found.kind == kind
    assert cause in f"{found.cause} {found.said}"
    assert remedy in found.remedy
    assert found.final is final
    assert not re.search(r"[\n{}\[\]]", str(found))
    assert "\n" not in found.said


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_the_engines_words_are_in_no_sentence(case: tuple[str, str, str, str, bool]) -> None:
    """Where the configuration has none of its names; its own words are for the log."""
    name, kind, *_ = case
    if kind == "not-downloaded":
        return  # in the words of our own download
    lines = last_lines(name)
    shown = re.sub(r"\d+", "0", str(diagnose(1, lines, "org/m"))).split()
    log = re.sub(r"\d+", "0", " ".join(" ".join(lines).split()))
    ours = " ".join(f"{rule.cause} {rule.remedy}" for rule in RULES) + " ".join(FAULTS)
    ours = re.sub(r"\{\w+\}|\d+", "0", ours)
    for few in zip(shown, shown[1:], shown[2:], strict=False):
        words = " ".join(few)
        assert words not in log or words in ours, words


def test_what_a_hub_said_to_our_download_is_in_no_sentence() -> None:
    found = diagnose(1, last_lines("not_downloaded_yet"), "org/m")
    assert "Connection refused" in found.said
    assert "Connection refused" not in str(found)
    assert "the download of org/m broke off; check the network" in str(found)


@pytest.mark.parametrize(("name", "kind", "cause", "remedy", "final"), CASES)
def test_a_cause_is_found_behind_a_start_that_says_much(
    name: str, kind: str, cause: str, remedy: str, final: bool
) -> None:
    started = last_lines("good_start")
    ready = next(i for i, line in enumerate(started) if "startup complete" in line)
    configured = [*CONFIGURED, *ALSO.get(name, ())]
    found = diagnose(1, [*started[:ready], *last_lines(name)], "org/m", configured=configured)
    assert (found.kind, found.final) == (kind, final)
    assert cause in f"{found.cause} {found.said}"
    assert remedy in found.remedy


@pytest.mark.parametrize(("name", "argument", "cause", "remedy"), ABOUT)
def test_what_is_meant_is_named(name: str, argument: str, cause: str, remedy: str) -> None:
    found = diagnose(1, last_lines(name), "org/m", configured=["vllm", "serve", "org/m", argument])
    assert cause in f"{found.cause} {found.said}"
    assert remedy in found.remedy


def test_words_that_are_too_long_are_cut() -> None:
    found = diagnose(1, last_lines("quantization_unknown"))
    assert "'fp8', 'fbgemm_fp8'" in found.said
    assert found.said.endswith("' ...")


@pytest.mark.parametrize(
    ("name", "version", "remedy"),
    [
        ("context_memory_0_15", "0.15.0", "MAX_MODEL_LEN to 34736 or less, to auto, or raise"),
        ("context_memory_0_8", "0.14.1+cu128", "MAX_MODEL_LEN lower, to auto, or raise"),
        ("context_memory_0_8", "0.8.2", "MAX_MODEL_LEN lower, or raise"),
        ("context_memory_0_15", None, "MAX_MODEL_LEN to 34736 or less, or raise"),
    ],
)
def test_auto_is_offered_where_this_version_has_it(
    name: str, version: str | None, remedy: str
) -> None:
    assert remedy in diagnose(1, last_lines(name), version=version).remedy


@pytest.mark.parametrize(
    ("said", "package"),
    [
        ("ImportError: Please install b>=0.4 via `pip install b>=0.4` to use b.", "b>=0.4"),
        ("ImportError: Please install timm", "timm"),
        ("ValueError: Please install Ray with `pip install ray`.", "ray"),
        ("ImportError: Please install vllm[audio] for audio support", "vllm[audio]"),
        ("ModuleNotFoundError: No module named 'my.plugin'", "my.plugin"),
        # not a package that is missing
        ("ValueError: Please install the plugin at https://example.com", None),
        ("ValueError: too old, run `uv pip install --upgrade transformers`", None),
    ],
)  # fmt: skip
def test_the_package_that_is_missing(said: str, package: str | None) -> None:
    """Sentences of vLLM 0.32.0."""
    found = diagnose(1, [said])
    assert (found.kind == "package-missing") is (package is not None)
    assert package is None or f"no package {package}," in found.cause


def test_an_attention_backend_that_another_gpu_may_take_is_no_fault_of_all_workers() -> None:
    said = "ValueError: Selected backend FLASH_ATTN is not valid for this configuration. Reason: "
    of_the_gpu = diagnose(
        1, [said + "['head_size not supported', 'compute capability not supported']"]
    )
    assert (of_the_gpu.kind, of_the_gpu.shared) == ("bad-configuration", False)
    assert "another GPU" in of_the_gpu.remedy
    assert diagnose(1, [said + "['head_size not supported']"]).shared


def test_a_package_that_another_error_followed_is_no_cause() -> None:
    missing = "ModuleNotFoundError: No module named 'timm'"
    again = "RuntimeError: Engine core initialization failed. See root cause above."
    assert diagnose(1, [missing, again]).kind == "package-missing"
    assert diagnose(1, [missing, "ValueError: odd"]).kind == "unknown"
    assert diagnose(1, [f"WARNING 01-01 01:01:01 [x.py:1] {missing}"]).kind == "unknown"


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_colours_change_nothing(case: tuple[str, str, str, str, bool]) -> None:
    """As vLLM 0.10.2 writes the name of a process, into a file too."""
    lines = last_lines(case[0])
    coloured = [re.sub(r"^\(\w+ pid=\d+\)", "\x1b[1;36m\\g<0>\x1b[0;0m", line) for line in lines]
    assert diagnose(1, coloured, "org/m", configured=CONFIGURED) == diagnose(
        1, lines, "org/m", configured=CONFIGURED
    )


def test_a_coloured_start_holds_no_cause_either() -> None:
    started = [
        "\x1b[1;36m(APIServer pid=7)\x1b[0;0m INFO 11-26 11:45:01 [x.py:1] CUDA out of memory"
    ]
    ready = "\x1b[1;36m(APIServer pid=7)\x1b[0;0m INFO:     Application startup complete."
    assert diagnose(1, started).kind == "unknown"
    assert (
        diagnose(1, ["ValueError: No available memory for the cache blocks", ready]).told is False
    )


def test_every_file_is_tested() -> None:
    tested = {case[0] for case in (*CASES, *ABOUT, *LOST)}
    assert tested | {"good_start"} == {path.stem for path in ENDS.iterdir()}


# --- ends without a cause in the lines ---

LOST = [
    ("killed_core", 0, "process-lost", "memory"),
    ("killed_start", 1, "process-lost", "memory"),
    ("core_segv", 1, "segmentation-fault", "ENFORCE_EAGER"),
    ("engine_process_0_8", 0, "process-lost", "memory"),
    ("engine_process_start_0_8", 1, "process-lost", "memory"),
]


@pytest.mark.parametrize(("name", "code", "kind", "remedy"), LOST)
def test_a_process_that_was_killed(name: str, code: int, kind: str, remedy: str) -> None:
    found = diagnose(code, last_lines(name), "org/m")
    assert found.kind == kind
    assert remedy in found.remedy
    assert not found.final


@pytest.mark.parametrize(
    ("code", "kind", "name", "remedy"),
    [
        (-9, "killed", "SIGKILL", "memory"),
        (-15, "terminated", "SIGTERM", "somebody"),
        (-7, "bus-error", "SIGBUS", "--shm-size"),
        (-11, "segmentation-fault", "SIGSEGV", "ENFORCE_EAGER"),
        (-4, "illegal-instruction", "SIGILL", "processor"),
        (-6, "aborted", "SIGABRT", "above"),
        (-8, "arithmetic-fault", "SIGFPE", "image"),
        (-63, "killed", "63", "lines"),
        (137, "killed", "SIGKILL", "memory"),  # as a shell says it
    ],
)
def test_a_signal_is_named(code: int, kind: str, name: str, remedy: str) -> None:
    found = diagnose(code, last_lines("good_start"), "org/m")
    assert found.kind == kind
    assert name in found.cause
    assert remedy in found.remedy
    assert not found.final


def test_what_was_said_before_an_abort_is_its_cause() -> None:
    found = diagnose(-6, ["terminate called", "std::RuntimeError: odd thing"])
    assert (found.kind, found.said) == ("aborted", "RuntimeError: odd thing")
    assert found.remedy.startswith("its last error was of the class RuntimeError; ")


def test_a_process_that_vllm_ended_itself_is_no_cause() -> None:
    said = (
        "Engine core initialization failed. See root cause above. Failed core proc(s): {'a': -15}"
    )
    assert diagnose(1, [f"RuntimeError: {said}"]).kind == "terminated"
    assert diagnose(1, ["ValueError: odd thing", f"RuntimeError: {said}"]).kind == "unknown"


def test_memory_that_ran_out_explains_every_end_that_nothing_else_does() -> None:
    ends = [(-9, []), (1, ["RuntimeError: odd"]), (0, last_lines("killed_core"))]
    for code, lines in (*ends, (1, last_lines("nccl"))):  # what one rank says of another's end
        found = diagnose(code, lines, "org/m", out_of_memory=True)
        assert found.kind == "out-of-memory"
        assert "memory ran out" in found.cause
        assert not found.final
    assert diagnose(2, last_lines("bad_value"), "org/m", out_of_memory=True).kind == "bad-option"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("unable to write to file </torch_98_345>: No space left on device (28)", "shared-memory"),
        (
            "unable to resize file </torch_1> to the right size: No space left on device",
            "shared-memory",
        ),
        ("unable to open shared memory object </torch_1> in read-write mode: Too many", "unknown"),
        ("OSError: [Errno 28] No space left on device: '/models/x'", "disk-full"),
    ],
)
def test_torchs_files_in_shared_memory(said: str, kind: str) -> None:
    """The sentences of torch 2.13's library, with those of the system's errors."""
    assert diagnose(1, [f"RuntimeError: {said}"]).kind == kind


def test_an_engine_whose_lines_have_forgotten_that_it_was_ready() -> None:
    """Thousands of lines of access pushed out what said so."""
    lines = ["ValueError: No available memory for the cache blocks"]
    assert diagnose(1, lines).final
    assert not diagnose(1, lines, was_ready=True).final


# --- what is not a cause ---


def test_a_good_start_holds_no_cause() -> None:
    lines = last_lines("good_start")
    for end in range(len(lines)):
        assert diagnose(0, lines[:end], "org/m").kind == "ended"
        assert diagnose(1, lines[:end], "org/m").kind == "unknown"


WARNINGS = """\
WARNING 11-23 18:53:14 [model.py:1] The argument `trust_remote_code=True` is to be used with care.
(APIServer pid=1) INFO 11-23 18:53:14 [cuda.py:9] CUDA out of memory would be told here: gated
UserWarning: CUDA initialization: The NVIDIA driver on your system is too old (found version 1)
(Worker pid=9) WARNING 11-23 18:53:14 [x.py:1] No available memory for the cache blocks"""


def test_words_of_a_warning_are_no_cause() -> None:
    assert diagnose(1, WARNINGS.splitlines(), "org/m").kind == "unknown"


def test_an_engine_that_was_ready_did_not_fail_to_start() -> None:
    """What a user sent may stand in an error that a request ended with."""
    asked = (
        "(APIServer pid=1) ERROR 11-23 18:56:04 [serving.py:1] ValueError: template: model type"
        " `x` RepositoryNotFoundError trust_remote_code=True allow custom code Errno 98"
    )
    for name in ("good_start", "killed_core"):
        found = diagnose(1, [*last_lines(name), asked], "org/m")
        assert found.kind == ("unknown" if name == "good_start" else "process-lost")
        assert "template" not in str(found) + found.said
    lines = last_lines("gpu_fault")[1:]
    assert diagnose(1, [*last_lines("good_start"), *lines], "org/m").kind == "gpu-fault"
    # What was said before it was ready did not keep it from becoming so.
    assert diagnose(-9, [*lines, *last_lines("good_start")], "org/m").kind == "killed"


def test_an_unknown_end_names_the_last_error_that_tells_something() -> None:
    found = diagnose(
        1,
        [
            "Traceback (most recent call last):",
            "(EngineCore pid=1) ERROR 11-23 18:58:11 [core.py:1510] a.b.OddError: odd thing.",
            "Exception: WorkerProc initialization failed due to an exception",
            "RuntimeError: Engine core initialization failed. See root cause above.",
            "INFO bye",
        ],
    )
    assert found.kind == "unknown"
    assert "its last error was of the class OddError; " in str(found)
    assert found.said == "OddError: odd thing"


def test_a_secret_is_not_quoted() -> None:
    said = "vllm serve: error: unrecognized arguments: --x hf_abcdefghijklmnop"
    assert "hf_abc" not in repr(diagnose(2, [said]))
    assert "hf_abc" not in repr(diagnose(1, ["ValueError: hf_abcdefghijklmnop"]))
    said = "vllm serve: error: unrecognized arguments: --api-keyy mysecretkey --max-tokens 16"
    found = repr(diagnose(2, [said]))
    assert "mysecretkey" not in found
    assert "--api-keyy *** --max-tokens 16" in found
    mine = diagnose(1, ["ValueError: not mine-1234"], secrets=["mine-1234"])
    assert "mine-1234" not in repr(mine)
    line = "ValueError: CUDA error: mine-1234"
    assert "mine-1234" not in repr(diagnose(1, served(line), secrets=["mine-1234"]))


@pytest.mark.parametrize(
    "line",
    [
        "x" * 65536,
        " " * 65536,
        "(" * 65536,
        "(A) [B]: " * 8000,
        "Error: " * 10000,
        "a.b.c." * 10000 + "Error: ",
        "error: argument --" * 4000,
        "Value error, validation errors for XConfig " * 1500,
        "max seq len (1) larger than the available KV cache " * 1300,
        "".join(phrase for rule in RULES for phrase in rule.phrases) * 30,
        "\x00\udcff\u2028" * 20000,
        "{model}{why}{0}" * 4000,
    ],
)
def test_hostile_lines_cost_little(line: str) -> None:
    began = time.process_time()
    for _ in range(3):
        diagnose(1, [line[:65536]] * 200, "org/m")
    assert time.process_time() - began < 3 * 2


_CORE = "(EngineCore pid=68) ERROR 11-26 01:01:01 [core.py:1512] "


def served(*error: str, begin: str = _CORE) -> list[str]:
    """Of an engine that was ready, and whose EngineCore has ended with an exception."""
    frame = '  File "/x/core.py", line 9, in step'
    fatal = ["EngineCore encountered a fatal error.", _TRACEBACK, frame, "    step()", *error]
    return ["INFO:     Application startup complete.", *(begin + line for line in fatal)]


_TRACEBACK = "Traceback (most recent call last):"


def test_what_an_engine_said_before_we_killed_it() -> None:
    """Our own signal is no cause where its lines have one."""
    fault = diagnose(-9, served("RuntimeError: CUDA error: boom"), we_killed=True)
    assert (fault.kind, fault.told) == ("gpu-fault", True)
    said = diagnose(-9, served("ValueError: boom 7"), we_killed=True)
    assert (said.told, said.cause, said.said) == (True, "the engine failed", "ValueError: boom 7")
    assert said.remedy.startswith("its last error was of the class ValueError; ")
    lost = diagnose(-9, ["EngineDeadError: EngineCore encountered an issue."], we_killed=True)
    assert (lost.kind, lost.told) == ("process-lost", True)
    silent = diagnose(-9, ["nothing"], we_killed=True)
    assert (silent.kind, silent.told) == ("killed", False)
    assert diagnose(-9, served("ValueError: boom 7")).kind == "killed"


def test_a_disk_without_room_for_the_model_is_this_machines() -> None:
    """Our own download says it in the words in which it says everything."""
    for why in (
        "no space is left in /m for org/m",
        "org/m needs 2.00 GB more in /m, and only 1.00",
    ):
        found = diagnose(1, [f"the model could not be downloaded: {why}; give it more disk"])
        assert (found.kind, found.final, found.shared) == ("disk-full", True, False)
        assert str(found) == f"{why}; give it more disk"
