"""The causes that are known, each with the phrases by which vLLM and what it stands on tell them.

A phrase is plain text, looked for in the lines that tell of errors; `details` is a pattern for the
part that is quoted, tried from the beginning of the phrase's line on. The first rule that fits
wins: the specific come before the general, and the same cause may stand twice, first with what its
message tells, then without.

That is for an engine that was never ready. One that was repeats what it is sent, so that it is
judged by a single line, the exception with which a process of it ended, and by how that begins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .known import FAULTS


@dataclass(frozen=True, slots=True)
class Rule:
    """One cause.

    Attributes:
        kind: its short name, for programs.
        phrases: by which it is told.
        cause, remedy: what is said of it.
        final: another start would end the same way.
        running: how the exception begins with which it ends an engine that has been ready; None
            where it cannot.
        shared: every worker of an endpoint meets it, because it lies in what they share: settings,
            image and model. The others are those of one machine: its GPUs, driver, memory, disk or
            network, or its copy of a file.
        configured: it fits only where the `path` that it quotes is one of the configuration.
        details: finds what is quoted. Of that `why` is for the log alone, and the others stand in
            a sentence where `known` lets them. Sentences may also name `subject`, the model or
            whatever else of that kind it is about, and `named_by`, what names that; `variable`, the
            one behind the `option` or `field` that is quoted or that `why` speaks of; and `auto`,
            what MAX_MODEL_LEN can be besides a number. What stands in square brackets is left out
            where a name in it is not there.
    """

    kind: str
    phrases: tuple[str, ...]
    cause: str
    remedy: str
    final: bool = True
    running: re.Pattern[str] | None = None
    shared: bool = False
    configured: bool = False
    details: re.Pattern[str] | None = None

    def ends(self, error: str) -> bool:
        """Whether it ended an engine that had been ready, by the exception of a process of it."""
        return self.running is not None and self.running.match(error) is not None

    def cause_with(self, said: Mapping[str, str]) -> str:
        """The cause's sentence with what the engine said."""
        return _filled(self.cause, said)

    def remedy_with(self, said: Mapping[str, str]) -> str:
        """The remedy's sentence with what the engine said."""
        return _filled(self.remedy, said)


def _filled(sentence: str, said: Mapping[str, str]) -> str:
    # Not str.format: what the engine said may hold braces.
    def whole(part: re.Match[str]) -> str:
        return part[1] if all(said.get(name) for name in _PLACE.findall(part[1])) else ""

    return _PLACE.sub(lambda name: said.get(name[1], ""), _OPTIONAL.sub(whole, sentence))


_PLACE = re.compile(r"\{(\w+)\}")
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")


def _rule(
    kind: str,
    phrases: str | tuple[str, ...],
    cause: str,
    remedy: str,
    *,
    details: str | None = None,
    final: bool = True,
    running: str | None = None,
    shared: bool = False,
    configured: bool = False,
) -> Rule:
    every = (phrases,) if isinstance(phrases, str) else phrases
    pattern = re.compile(details, re.DOTALL) if details else None
    ends = re.compile(running) if running else None
    return Rule(kind, every, cause, remedy, final, ends, shared, configured, pattern)


_FAULT = "(?:" + "|".join(map(re.escape, FAULTS)) + ")"
#: Classes of exceptions that the machine causes, not a request.
_MACHINES = r"(?:Runtime|OS|Accelerator|OutOfMemory|DistBackend|System)Error: "

_EXPLAIN = "`explain` shows what each variable became"
_SMALLER = (
    "use a quantised or smaller model, or more GPUs with TENSOR_PARALLEL_SIZE; lower MAX_MODEL_LEN"
    " or MAX_NUM_SEQS"
)
_FETCH_AGAIN = (
    "delete the model's folder and fetch it again; a file of a few hundred bytes is a pointer of"
    " Git LFS and not the weights"
)
_ACCEPT = "accept its licence on the model's page and set HF_TOKEN to a token of that account"
_NAME_IT = (
    "check {named_by}: a repository name such as"
    " Qwen/Qwen3-0.6B or the path of a folder with a config.json; a private repository needs"
    " HF_TOKEN"
)
_COMPLETE = (
    "{named_by} needs a model in the format of the Hugging Face Hub (for Mistral's own, with a"
    " params.json): complete its files, or name the folder or repository that has them"
)

_OTHER_TOKEN = (
    "set HF_TOKEN to a valid token that may read the repository, or unset it for a public one"
)
#: The beginning of an address of the hub's own, unlike the signed ones to which it sends one.
_HUB_PATH = r"https?://[^\s/?]{1,200}/(?:api/|[\w.-]{1,100}/[\w.-]{1,100}/resolve/)"
_OURS = r"(?P<why>(?P<ours>[^\n]{1,400}))"
_MISSING_FILE = r"No such file or directory: '(?P<path>[^'\n]{1,300}\.(?:ya?ml|json|jinja|pem))'"
#: To the end of a sentence that pydantic may follow with the value that it is about.
_SAID = r"(?P<why>(?:(?! \[type=)[^\n]){1,900})"
_QUANTIZATION_WHY = r"(?:Error: |Value error, )" + _SAID
#: A message of pydantic's that is about the machine: words of the hardware in its line.
_HARDWARE = (
    r"\b(?:GPU(?! memory utilization)s?|CUDA|ROCm|[Dd]evices?|[Cc]ompute capability|[Dd]rivers?)\b"
)

_PACKAGE = (
    r"(?:pip install [`'\"]?|Please install (?!\S{1,80} (?:via|with|by)|(?:the|an?|it|them) )"
    r"|No module named ')"
    r"(?P<package>[A-Za-z][\w.\[\]-]{0,80}(?:[=><~!]{1,2}\d[\w.]{0,20})?)"
)
#: Behind the line of an error: none follows but those that repeat it.
_AND_NO_OTHER = (
    r"(?!.{0,1200}\n[\w.]{0,80}(?:Error|Exception): (?!Engine core initialization|WorkerProc))"
)

_OTHER_BACKEND = (
    "set ATTENTION_BACKEND to another one, or unset it: vLLM then chooses one that fits"
)
_BACKEND = r"Selected backend [\w.]{1,80} is not valid for this configuration\. "
_REASON = r"(?P<why>Reason: [^\n]{1,900})"
_SEES_NONE = "the engine sees no GPU"
_GIVE_GPUS = (
    "start the container with GPUs (docker run --gpus all) and check CUDA_VISIBLE_DEVICES and"
    " NVIDIA_VISIBLE_DEVICES"
)

_COMMAND_LINE = (
    # Python's argparse, all versions
    _rule(
        "bad-json",
        ("error: argument --",),
        "the engine could not read the JSON of [{option}, ]one of its options",
        "write valid JSON, with double quotes, in {variable}; " + _EXPLAIN,
        details=r"error: argument (?P<option>--[\w-]+)[^\n:]{0,80}: "
        r"(?:Value|invalid loads value:) (?P<why>[^\n]{1,600}?)"
        r"(?: cannot be converted to <function loads|$|\n)",
        shared=True,
    ),
    _rule(
        "bad-json",
        (
            "error: Invalid JSON format for --lora-modules",
            "error: Invalid fields for --lora-modules",
        ),
        "the engine could not read --lora-modules",
        "write each adapter in LORA_MODULES as NAME=PATH, or as JSON with its name and its path",
        details=r"Invalid (?:JSON format|fields) for (?P<option>--lora-modules): "
        r"(?P<why>[^\n]{1,600})",
        shared=True,
    ),
    # Where a class of vLLM's reads the value, pydantic's report follows
    _rule(
        "bad-option",
        (" validation error for ", " validation errors for "),
        "the engine refused one of its options[, {option}][: what it says of {field}]",
        "correct {variable}, or VLLM_EXTRA_ARGS or VLLM_CONFIG_FILE if it stands there; "
        + _EXPLAIN,
        details=r"error: argument (?:-\w+/)?(?P<option>--[\w-]+)[^\n]{0,80}: \d+ validation errors?"
        r" for \w+\n(?P<field>[\w.]{1,100})\n  " + _SAID,
        shared=True,
    ),
    _rule(
        "bad-option",
        ("error: argument --",),
        "the engine refused its command line[: the value of {option}]",
        "correct {variable}, or VLLM_EXTRA_ARGS or VLLM_CONFIG_FILE if it stands there; "
        + _EXPLAIN,
        details=r"error: (?P<why>argument (?:-\w+/)?(?P<option>--[\w-]+)[^\n]{0,900})",
        shared=True,
    ),
    _rule(
        "bad-option",
        (
            "error: unrecognized arguments:",
            "error: argument ",
            "error: the following arguments",
            "error: ambiguous option",
        ),
        "the engine refused its command line[: it does not know {option}]",
        "correct the variable or VLLM_EXTRA_ARGS; " + _EXPLAIN,
        details=r"error: (?P<why>(?:unrecognized arguments: (?P<option>--[\w-]+))?[^\n]{0,900})",
        shared=True,
    ),
    # What vLLM's own checks of its command line say, in the parser's form
    _rule(
        "bad-option",
        (": error: ",),
        "the engine refused its command line",
        "correct {variable}; " + _EXPLAIN,
        details=r"\A(?:vllm(?: serve)?|api_server\.py): error: (?P<why>[^\n]{1,900})",
        shared=True,
    ),
)

_HUB = (
    # Named as the message does where it can be: a draft model or a tokenizer may be meant.
    _rule(
        "gated",
        ("Make sure to have access to it at ", "Access to model "),
        "{subject} is gated, and this account has no access to it",
        _ACCEPT,
        details=r"(?:access to it at https?://[^\s/]{1,100}/|Access to model )"
        r"(?P<what>[\w.-]{1,100}/[\w.-]{1,100})(?:\.|\s|$)",
        shared=True,
    ),
    _rule(
        "gated",
        (
            "GatedRepoError",
            "You are trying to access a gated repo",
            "is a gated repository",
        ),
        "{subject} is gated, and this account has no access to it",
        _ACCEPT,
        shared=True,
    ),
    _rule(
        "token-refused",
        (
            "Invalid credentials in Authorization header",
            "Invalid user token",
            "token is invalid",
            "Please enable access to public gated repositories",
        ),
        "the model's host refused the token",
        _OTHER_TOKEN,
        shared=True,
    ),
    # The hub itself says why it refuses, and at an address of its own.
    _rule(
        "token-refused",
        ("403 Forbidden: ", "403 Client Error: "),
        "the model's host refused the token",
        _OTHER_TOKEN,
        details=r"403 Forbidden: (?!None\b)[^\n]{1,300}\n[^\n]{0,40}?Cannot access content at: "
        + _HUB_PATH
        + r"|403 Client Error: Forbidden for url: "
        + _HUB_PATH
        + r"[^\s?]{0,300} \(Request ID: [^\n]{1,200}\n\s{0,4}[^\s][^\n]{0,200}\btoken\b",
        shared=True,
    ),
    _rule(
        "revision-not-found",
        ("RevisionNotFoundError", "is not a valid git identifier"),
        "{subject} has no such revision",
        "correct MODEL_REVISION: a branch, a tag or a commit of the repository, or unset it",
        shared=True,
    ),
    # Said by our own download, before the engine.
    _rule(
        "disk-full",
        ("the model could not be downloaded: ",),
        "{ours}",
        "{todo}",
        details=r"could not be downloaded: " + _OURS + r"; (?P<todo>give it more disk)$",
    ),
    _rule(
        "no-permission",
        ("the model could not be downloaded: ",),
        "{ours}",
        "{todo}",
        details=r"could not be downloaded: (?P<why>(?P<ours>[^\n]{1,400}));"
        r" (?P<todo>make the folder writable[^;\n]{0,100})$",
    ),
    _rule(
        "not-downloaded",
        ("the model could not be downloaded: ",),
        "{ours}",
        "{todo}",
        details=r"could not be downloaded: " + _OURS + r"; (?P<todo>[^;\n]{1,300})$",
        shared=True,
    ),
    _rule(
        "not-downloaded",
        ("the model is not downloaded yet: ",),
        "{ours}",
        "{todo}",
        details=r"the model is not downloaded yet: " + _OURS + r"; (?P<todo>[^;\n]{1,300})$",
        final=False,
    ),
    # The hub answers 401 for a repository that does not exist: this one before the token.
    _rule(
        "model-not-found",
        ("Invalid repository ID or local directory specified: '/",),
        "the folder[ {what}] that is named as a model does not exist, or has no config.json",
        _NAME_IT,
        details=r"directory specified: '(?P<what>/[^'\n]{1,300})'",
        shared=True,
    ),
    _rule(
        "model-not-found",
        (
            "does not appear to have a file named config.json",
            "Can't load the configuration of '",
            "No supported config format found in ",
        ),
        "{subject} has no config.json",
        _COMPLETE,
        details=r"(?:Error: |configuration of '|format found in )(?P<what>[^\s']{1,300}?)"
        r"(?:'|\.?(?:\s|$))",
        shared=True,
    ),
    _rule(
        "model-not-found",
        (
            "is not a local folder and is not a valid model identifier",
            "Repo id must ",
            "Invalid repository ID or local directory specified",
        ),
        "{subject} was not found",
        _NAME_IT,
        details=r"(?:Error: |Repo id must [^\n]{1,200}?: '|directory specified: ')"
        r"(?P<what>[^\s']{1,300})(?:' | is not a local|'\.)",
        shared=True,
    ),
    _rule(
        "model-not-found",
        (
            "RepositoryNotFoundError",
            "is not a local folder and is not a valid model identifier",
            "Repo id must be in the form",
            "Repo id must use alphanumeric",
            "Invalid repository ID or local directory specified",
        ),
        "{subject} was not found",
        _NAME_IT,
        shared=True,
    ),
    _rule(
        "token-refused",
        ("401 Client Error", "Invalid username or password"),
        "the model's host refused the token",
        "set HF_TOKEN to a valid token that may read the repository",
        shared=True,
    ),
    # Any other 403: a signed address that has expired, a firewall.
    _rule(
        "download-refused",
        ("403 Forbidden", "403 Client Error"),
        "a download was refused with status 403, and not for the token",
        "start again, because signed addresses expire; if it recurs, check the firewall and the"
        " proxy before this machine",
        final=False,
    ),
    # A full /dev/shm has "no space left" as well: this one before the disk.
    _rule(
        "shared-memory",
        ("/dev/shm", "shared memory", "</torch_", "unexpected bus"),  # noqa: S108 - its words
        "/dev/shm is too small",  # noqa: S108 - a sentence
        "give the container more shared memory: docker run --shm-size=8g or --ipc=host",
        details=r"(?:Insufficient|No) space[^\n]{0,200}/dev/shm|/dev/shm[^\n]{0,200}No space left"
        r"|Error while creating shared memory|unexpected bus"
        r"|unable to [^\n]{0,40}</torch_[^\n]{0,200}No space left",
        final=False,
        running=_MACHINES + r"(?:unable to [^\n]{0,40}</torch_[^\n]{0,60}No space left"
        r"|Error while creating shared memory|DataLoader worker|unexpected bus"
        r"|(?:\[Errno 28\] )?No space left on device[^\n]{0,4}/dev/shm)",
    ),
    _rule(
        "disk-full",
        ("No space left on device", "Not enough free disk space", "os error 28"),
        "the disk is full",
        "give the worker more disk, or keep models on a volume (HF_HOME)",
        final=False,
        running=_MACHINES + r"(?:\[Errno 28\] |I/O error: )?No space left on device",
    ),
    _rule(
        "rate-limited",
        ("429 Client Error", "429 Too Many Requests", "We had to rate limit"),
        "the model's host refuses requests, because there were too many",
        "set HF_TOKEN, keep models on a volume (HF_HOME), or wait",
        final=False,
    ),
    _rule(
        "hub-failed",
        (" Server Error for url", " Server Error: ", "502 Bad Gateway", "503 Service Unavailable"),
        "the model's host failed: {status}",
        "wait, or keep models on a volume (HF_HOME) so that a start does not need it",
        details=r"(?P<status>5\d\d (?:Server Error|Bad Gateway|Service Unavailable))",
        final=False,
    ),
    _rule(
        "download-broken",
        (
            "peer closed connection without sending complete message body",
            "IncompleteRead",
            "Consistency check failed: file should be of size",
            "Error while downloading from",
        ),
        "the download of the model broke off",
        "start again; a volume (HF_HOME) keeps what has been fetched",
        final=False,
    ),
    _rule(
        "network",
        (
            "couldn't connect to 'http",
            "LocalEntryNotFoundError",
            "OfflineModeIsEnabled",
            "outgoing traffic has been disabled",
            "Cannot reach http",
            "Name or service not known",
            "Temporary failure in name resolution",
            "Failed to resolve '",
        ),
        "{subject} is not on this disk and its host cannot be reached",
        "check {named_by} and the network, or unset HF_HUB_OFFLINE",
        final=False,
    ),
)

_MODEL = (
    _rule(
        "remote-code",
        (
            "trust_remote_code=True",
            "--trust-remote-code",
        ),
        "{subject} needs code of its own, which the engine runs only where that is allowed",
        "set TRUST_REMOTE_CODE=true if you trust its author",
        details=r"contains custom code|execute the (?:configuration|tokenizer|model) file|custom"
        r" (?:model|tokenizer) not yet available|Failed to load the (?:model config|tokenizer)"
        r"|allow custom code",
        shared=True,
    ),
    _rule(
        "unknown-architecture",
        (
            "are not supported for now",
            "was supported in vLLM until",
            "is not supported in-tree anymore",
            "failed to be inspected",
            "Transformers does not recognize this architecture",
            "Cannot find model module",
            "has no vLLM implementation",
        ),
        "this vLLM does not know the model's architecture[ ({architecture})]",
        "use an image with a newer vLLM (an older one for a model that was dropped), or another"
        " model",
        details=r"(?:architectures? \[?'?|model type [`'\"]|module\. [`'\"]|^[^\n]{0,40}?)"
        r"(?P<architecture>\w{2,80})[`'\"\]]{0,2}(?:, '[^\n\]]{0,200}\])? "
        r"(?:are not supported|was supported|is not supported|failed to be|but Transformers"
        r"|is not a registered|has no vLLM)",
        shared=True,
    ),
    _rule(
        "tokenizer-missing",
        ("No tokenizer registered for tokenizer_mode=", "No tokenizer file found"),
        "this tokenizer mode does not work for {subject}",
        "unset TOKENIZER_MODE, or set it to auto",
        details=r"Error: " + _SAID,
        shared=True,
    ),
    _rule(
        "tokenizer-missing",
        (
            "Couldn't instantiate the backend tokenizer",
            "Can't load tokenizer for",
            "Unable to load vocabulary from file",
            "Tokenizer class ",
        ),
        "the files of a tokenizer are missing or damaged in {subject}",
        "set TOKENIZER_NAME to a repository or folder that has them (a tokenizer.json, mostly), or"
        " complete the files",
        details=r"backend tokenizer|Can't load tokenizer|Unable to load vocabulary"
        r"|Tokenizer class \S{1,100} does not exist",
        shared=True,
    ),
    _rule(
        "chat-template",
        (
            "The supplied chat template",
            "but it failed to be opened. Reason:",
        ),
        "the chat template[ {what}] could not be opened",
        "correct CUSTOM_CHAT_TEMPLATE or CHAT_TEMPLATE: a file inside the container, or the"
        " template itself",
        details=r"chat template (?:string )?\((?P<what>[^)\n]{0,300})\)",
        shared=True,
    ),
    _rule(
        "weights-missing",
        ("Cannot find any model weights with", "No safetensors weights found"),
        "{subject} has no weights that could be loaded",
        "complete the model's files, or set LOAD_FORMAT to the one it has",
        shared=True,
    ),
    _rule(
        "weights-damaged",
        (
            "SafetensorError",
            "Error while deserializing header",
            "incomplete metadata, file not fully covered",
            "InvalidHeaderDeserialization",
            "invalid load key",
            "PytorchStreamReader failed",
        ),
        "a weight file of {subject} is damaged",
        _FETCH_AGAIN,
    ),
    _rule(
        "weights-damaged",
        (", in parse_safetensors_file_metadata",),
        "a weight file of {subject} is damaged",
        _FETCH_AGAIN,
        details=r"in parse_safetensors_file_metadata.{0,400}?\n"
        r"(?:MemoryError|UnicodeDecodeError|OverflowError|json\.|struct\.)",
    ),
    _rule(
        "weights-mismatch",
        ("must match the size of tensor b", "Attempted to load weight ("),
        "the weights of {subject} do not fit its config.json",
        "fetch the model again, or set MODEL_REVISION to one whose files belong together",
        details=r"(?P<why>The size of tensor a[^\n]{1,100}|Attempted to load weight[^\n]{1,150})",
        shared=True,
    ),
    _rule(
        "config-damaged",
        ("It looks like the config file at", "is not a valid JSON file"),
        "the config.json of {subject} cannot be read",
        "fetch the model again",
    ),
)

_FIT = (
    _rule(
        "batched-tokens",
        (") is smaller than max_model_len (",),
        "MAX_NUM_BATCHED_TOKENS is {asked}, less than the context of {most} tokens",
        "set MAX_NUM_BATCHED_TOKENS to {most} or more, MAX_MODEL_LEN to {asked} or less, or"
        " ENABLE_CHUNKED_PREFILL=true",
        details=r"max_num_batched_tokens \((?P<asked>\d+)\) is smaller than max_model_len"
        r" \((?P<most>\d+)\)",
        shared=True,
    ),
    _rule(
        "batched-tokens",
        (") must be greater than or equal to max_num_seqs (",),
        "MAX_NUM_BATCHED_TOKENS is {asked}, less than the {most} requests of MAX_NUM_SEQS",
        "set MAX_NUM_BATCHED_TOKENS to {most} or more, or MAX_NUM_SEQS to {asked} or less",
        details=r"max_num_batched_tokens \((?P<asked>\d+)\) must be[^\n]{1,40}max_num_seqs"
        r" \((?P<most>\d+)\)",
        shared=True,
    ),
    # Of the GPU first: another machine's may do.
    _rule(
        "bad-configuration",
        (" is not valid for this configuration. Reason: ",),
        "the attention backend that is set does not work on this machine's GPU",
        _OTHER_BACKEND + ", or use another GPU",
        details=_BACKEND + r"(?=[^\n]{0,800}?compute capability)" + _REASON,
    ),
    _rule(
        "bad-configuration",
        (" is not valid for this configuration. Reason: ",),
        "the attention backend that is set does not fit the model or the other settings",
        _OTHER_BACKEND,
        details=_BACKEND + _REASON,
        shared=True,
    ),
    _rule(
        "block-size",
        ("No common block size for ",),
        "no attention backend here takes blocks of {asked} tokens",
        "set BLOCK_SIZE to a size that it takes (a multiple of 64 fits nearly all), or unset it;"
        " ATTENTION_BACKEND chooses another one",
        details=r"No common block size for (?P<asked>\d+)\.? ?(?P<why>\([^\n']{1,200}\))?",
    ),
    _rule(
        "context-too-long",
        ("is greater than the derived max_model_len",),
        "MAX_MODEL_LEN is {asked}, and the model's context is {most}",
        "set MAX_MODEL_LEN to {most} or less, or unset it",
        details=r"max_model_len \((?P<asked>\d+)\)[^\n]{0,100}?derived max_model_len"
        r" \(\w+=(?P<most>\d+)",
        shared=True,
    ),
    _rule(
        "context-memory",
        ("To serve at least one request with the model", "larger than the available KV cache"),
        "the remaining memory holds a context of {most} tokens, but {asked} are configured",
        "set MAX_MODEL_LEN to {most} or less{auto}, or raise GPU_MEMORY_UTILIZATION",
        details=r"max seq len \((?P<asked>\d+)\).{0,400}?estimated maximum model length is"
        r" (?P<most>\d+)",
    ),
    # vLLM up to 0.8
    _rule(
        "context-memory",
        ("is larger than the maximum number of tokens that can be stored in KV cache",),
        "the remaining memory holds a context of {most} tokens, but {asked} are configured",
        "set MAX_MODEL_LEN to {most} or less{auto}, or raise GPU_MEMORY_UTILIZATION",
        details=r"max seq len \((?P<asked>\d+)\)[^\n]{0,120}KV cache \((?P<most>\d+)\)",
    ),
    _rule(
        "context-memory",
        ("To serve at least one request with the model", "larger than the available KV cache"),
        "the remaining memory is too small for a context of {asked} tokens",
        "set MAX_MODEL_LEN lower{auto}, or raise GPU_MEMORY_UTILIZATION",
        details=r"max seq len \((?P<asked>\d+)\)",
    ),
    _rule(
        "no-cache-memory",
        ("No available memory for the cache blocks",),
        "no memory is left for the context beside the model's weights",
        "raise GPU_MEMORY_UTILIZATION, lower MAX_NUM_BATCHED_TOKENS, use a quantised model, or more"
        " GPUs with TENSOR_PARALLEL_SIZE",
    ),
    _rule(
        "gpu-memory-taken",
        ("is less than desired GPU memory utilization",),
        "something else uses the GPU's memory: {free} of {all} GiB are free",
        "end the other process, or lower GPU_MEMORY_UTILIZATION",
        details=r"\((?P<free>[\d.]+)/(?P<all>[\d.]+) GiB\)",
        final=False,
    ),
    _rule(
        "gpu-memory-taken",
        ("Error in memory profiling",),
        "another process changed the GPU's memory while the engine measured it",
        "give the engine a GPU of its own, or set KV_CACHE_MEMORY_BYTES",
        final=False,
    ),
    _rule(
        "gpu-out-of-memory",
        (
            "CUDA out of memory",
            "OutOfMemoryError: ",
            "HIP out of memory",
            "CUDA error: out of memory",
            "CUBLAS_STATUS_ALLOC_FAILED",
        ),
        "the GPU's memory is too small for the model as it is configured",
        _SMALLER,
        final=False,
        running=r"OutOfMemoryError\b|" + _MACHINES + r"(?:(?:CUDA|HIP) out of memory"
        r"|CUDA error: (?:out of memory|CUBLAS_STATUS_ALLOC_FAILED))",
    ),
    _rule(
        "host-memory",
        ("on startup is less than desired CPU memory", "less than requested memory for kv"),
        "the machine has {free} GiB of memory free, less than the engine reserves",
        "set VLLM_CPU_KVCACHE_SPACE (GiB) or GPU_MEMORY_UTILIZATION lower, or give it more memory",
        details=r"\((?P<free>[\d.]+)/[\d.]+ GiB\)",
        final=False,
    ),
    _rule(
        "host-memory",
        ("can't allocate memory", "Cannot allocate memory", "std::bad_alloc", "MemoryError"),
        "the machine's memory is too small for the engine",
        "give the worker more memory, or use a smaller model",
        final=False,
        running=r"MemoryError\b|"
        + _MACHINES
        + r"(?:std::bad_alloc|(?:\[Errno 12\] )?Cannot allocate memory"
        r"|\[enforce fail at [^\]\n]{1,100}\][^\n]{0,80}can't allocate memory)",
    ),
    _rule(
        "heads-not-divisible",
        ("must be divisible by tensor parallel size", "must be divisible by tensor_parallel_size"),
        "the model's {heads} attention heads cannot be split across {ranks} GPUs",
        "set TENSOR_PARALLEL_SIZE to a divisor of {heads}",
        details=r"attention heads \((?P<heads>\d+)\)[^\n]{0,80}\((?P<ranks>\d+)\)",
        shared=True,
    ),
    _rule(
        "not-divisible",
        ("is not divisible by", "must be divisible by"),
        "the model cannot be split as TENSOR_PARALLEL_SIZE asks"
        "[: {whole} is not divisible by {ranks}]",
        "set TENSOR_PARALLEL_SIZE to a smaller power of two, or to 1",
        details=r"AssertionError: (?P<why>(?:(?P<whole>\d{1,9}) is not divisible by"
        r" (?P<ranks>\d{1,9})|[^\n]{0,80}\d[^\n]{0,40}divisible by) ?[^\n]{0,60})",
        shared=True,
    ),
    # The driver's library knows the GPU, and CUDA is to show none.
    _rule("no-gpu", (" is out of bounds for 0 devices",), _SEES_NONE, _GIVE_GPUS),
    _rule(
        "no-gpu",
        ("NVMLError_InvalidArgument", "NVMLError_NotFound"),
        "CUDA_VISIBLE_DEVICES names a GPU that this machine does not have",
        "set it to numbers or UUIDs that `nvidia-smi -L` shows here, or unset it",
    ),
    # Not shared: a GPU that has fallen off the bus looks the same.
    _rule(
        "too-few-gpus",
        ("is larger than the number of available GPUs",),
        "the engine is configured for {asked} GPUs, and this machine has {have}",
        "set TENSOR_PARALLEL_SIZE (times PIPELINE_PARALLEL_SIZE) to {have} or less, or take a"
        " machine with more GPUs",
        details=r"World size \((?P<asked>\d+)\)[^\n]{0,80}GPUs \((?P<have>\d+)\)",
    ),
    _rule(
        "too-few-gpus",
        (
            "invalid device ordinal",
            "to less than max local gpu count",
            "is less than than max local gpu count",
            "The number of required GPUs exceeds the total number",
            "exceeds assigned_physical_gpu_ids count",
            "is out of bounds for assigned_physical_gpu_ids",
            "DP adjusted local rank ",
        ),
        "the engine is configured for more GPUs than this machine has",
        "set TENSOR_PARALLEL_SIZE, PIPELINE_PARALLEL_SIZE and DATA_PARALLEL_SIZE so that their"
        " product is the number of GPUs",
    ),
    _rule(
        "quantization-mismatch",
        ("does not match the quantization method specified in the `quantization`",),
        "the model is quantised[ with {method}], and QUANTIZATION asks for another method",
        "unset QUANTIZATION: the engine reads it from the model",
        details=r"model config \((?P<method>[^)\n]{1,60})\)[^\n]{0,120}argument \(",
        shared=True,
    ),
    _rule(
        "quantization-missing",
        ("Cannot find the config file for", "Cannot find any of ['adapter_name"),
        "{subject} is not quantised with the method that QUANTIZATION asks for",
        "unset QUANTIZATION, or use a model that was quantised with it",
        shared=True,
    ),
    _rule(
        "quantization-unsupported",
        (
            "is not supported for the current GPU. Min",
            "quantization is currently not supported in",
        ),
        "this quantisation does not work here",
        "use another QUANTIZATION, a model quantised in another way, or a newer GPU",
        details=_QUANTIZATION_WHY,
    ),
    _rule(
        "quantization-unsupported",
        ("Unknown quantization method", "is not supported for quantization"),
        "this quantisation does not work",
        "use another QUANTIZATION or DTYPE, or a model quantised in another way",
        details=_QUANTIZATION_WHY,
        shared=True,
    ),
    _rule(
        "quantization-unsupported",
        ("Quantization scheme is not supported",),
        "this quantisation does not work here",
        "use a model quantised in another way, or a newer GPU",
        details=_QUANTIZATION_WHY,
    ),
    _rule(
        "dtype-unsupported",
        ("Bfloat16 is only supported on GPUs",),
        "this GPU cannot compute in bfloat16[: its compute capability is {capability}]",
        "set DTYPE=half",
        details=r"at least 8\.0\. (?P<why>Your [^\n]{1,120}?"
        r"(?:capability (?P<capability>\d+\.\d)|capability))",
    ),
    _rule(
        "dtype-unsupported",
        (" does not support float16", "does not support dtype", " does not support bfloat16"),
        "this machine cannot compute in this data type",
        "unset DTYPE or set it to float32, or use another GPU",
        details=r"\A[^\[\n]{0,300}?(?P<why>[^\[\n:]{0,100}" + _HARDWARE + r"[^\[\n]{0,200})",
    ),
    _rule(
        "dtype-unsupported",
        (" does not support float16", "does not support dtype", " does not support bfloat16"),
        "{subject} does not work in this data type",
        "unset DTYPE or set it to bfloat16 or float32",
        shared=True,
    ),
)

_DEVICE = (
    _rule(
        "driver-too-old",
        (
            "driver on your system is too old",
            "CUDA driver version is insufficient for CUDA runtime",
            "unsupported display driver / cuda driver combination",
            "the provided PTX was compiled with an unsupported toolchain",
        ),
        "the GPU's driver does not fit the CUDA that this vLLM was built for",
        "use a machine with a newer driver (on RunPod filter by CUDA version), or an image of vLLM"
        " for an older CUDA",
    ),
    _rule(
        "no-gpu",
        (
            "Failed to infer device type",
            "No CUDA GPUs are available",
            "Found no NVIDIA driver on your system",
            "no CUDA-capable device is detected",
            "Torch not compiled with CUDA enabled",
            "libcuda.so.1: cannot open shared object file",
        ),
        _SEES_NONE,
        _GIVE_GPUS,
    ),
    _rule(
        "gpu-unsupported",
        (
            "no kernel image is available for execution on the device",
            "GPUs with compute capability below",
        ),
        "this vLLM was not built for this kind of GPU",
        "use another GPU, or an image of vLLM that was built for it",
    ),
    # vLLM's own kernel, which exits at once with this line and nothing else
    _rule(
        "custom-all-reduce",
        ("Failed: ",),
        "the GPUs could not share their memory for vLLM's own all-reduce[: {fault}]",
        "set DISABLE_CUSTOM_ALL_REDUCE=true",
        details=r"Failed: (?:Cuda error )?\S{0,300}custom_all_reduce\S{0,40}:\d{1,6}"
        r" '(?P<why>(?P<fault>" + _FAULT + r")?[^'\n]{0,200})'",
    ),
    _rule(
        "nccl",
        ("NCCL error", "ncclUnhandledCudaError", "ncclSystemError", "ncclInternalError"),
        "the GPUs could not reach each other[: {fault}]",
        "set NCCL_DEBUG=INFO to see more; often NCCL_P2P_DISABLE=1, more /dev/shm (--shm-size) or"
        " the right NCCL_SOCKET_IFNAME help",
        details=r"(?P<why>(?=NCCL error|nccl\w+Error)(?:[^\n]{0,120}?(?P<fault>"
        + _FAULT
        + r"))?[^\n]{0,200})",
        final=False,
        running=r"DistBackendError\b|" + _MACHINES + "NCCL error",
    ),
    _rule(
        "gpu-fault",
        ("CUDA error: ", "uncorrectable ECC error", "CUDA driver error: "),
        "the GPU or its driver failed[: {fault}]",
        "the worker tries again; if it recurs, replace the worker (its GPU may be damaged) or try"
        " ENFORCE_EAGER=true",
        details=r"(?P<why>(?:CUDA (?:driver )?error: |(?=uncorrectable ECC))(?P<fault>"
        + _FAULT
        + r")?"
        r"[^\n]{0,160})",
        final=False,
        running=_MACHINES + r"(?:CUDA (?:driver )?error: |uncorrectable ECC error)",
    ),
)

_REST = (
    _rule(
        "lora-off",
        ("LoRA is not enabled. Use --enable-lora",),
        "LORA_MODULES names adapters, and the engine is not set up for any",
        "set ENABLE_LORA=true, or unset LORA_MODULES",
        shared=True,
    ),
    _rule(
        "lora-rank",
        ("is greater than max_lora_rank",),
        "a LoRA adapter has rank {rank}, and the engine takes up to {most}",
        "set MAX_LORA_RANK to {rank} or the next value above it",
        details=r"LoRA rank (?P<rank>\d+) is greater than max_lora_rank (?P<most>\d+)",
        shared=True,
    ),
    _rule(
        "lora-not-found",
        ("LoRAAdapterNotFoundError", "No adapter found for", "Loading lora "),
        "a LoRA adapter could not be loaded",
        "correct the path or repository in LORA_MODULES; the folder needs adapter_config.json",
        details=r"(?P<why>(?:Loading lora|No adapter found for)[^\n]{1,300})",
        shared=True,
    ),
    # torch's own ports, between the engine's processes.
    _rule(
        "inner-port-in-use",
        ("The server socket has failed to listen",),
        "a port over which the engine's processes talk to each other is taken",
        "the worker tries again; if it recurs, end the other engine on this machine",
        details=r"failed to listen[^\n]{0,200}(?:EADDRINUSE|errno: 98)",
        final=False,
    ),
    _rule(
        "port-in-use",
        ("Address already in use", "Errno 98", "EADDRINUSE"),
        "the engine's port is taken",
        "end the process that has it, or set VLLM_PORT (PORT in load-balancer mode)",
        final=False,
    ),
    _rule(
        "bad-tool-parser",
        (
            "invalid tool call parser",
            "invalid reasoning parser",
            "Reasoning parser '",
            "--enable-auto-tool-choice requires",
        ),
        "the engine refused its settings for tools or reasoning",
        "correct TOOL_CALL_PARSER, REASONING_PARSER or ENABLE_AUTO_TOOL_CHOICE",
        details=r"Error: (?:Error: )?[\"']?(?P<why>[^\n(.]{1,200})",
        shared=True,
    ),
    _rule(
        "no-permission",
        ("PermissionError: [Errno 13]", "OSError: [Errno 30]"),
        "the engine may not read or write a file",
        "correct the rights of that file or folder, or set HF_HOME to one that can be written",
        details=r"(?:Permission denied|Read-only file system): (?P<why>[^\n]{1,300})",
    ),
    _rule(
        "file-not-found",
        ("FileNotFoundError: [Errno 2]",),
        "a file that the configuration names does not exist[: {path}]",
        "correct the variable that names it (VLLM_CONFIG_FILE and the like): a path inside the"
        " container",
        details=_MISSING_FILE,
        shared=True,
        configured=True,
    ),
    # A broken copy of a model, a cache that was half removed.
    _rule(
        "file-not-found",
        ("FileNotFoundError: [Errno 2]",),
        "a file of the model or of a cache is missing here[: {path}]",
        "delete its folder, so that it is made or fetched again",
        details=_MISSING_FILE,
        final=False,
    ),
    _rule(
        "package-missing",
        ("No module named 'vllm_supervisor_gate'",),
        "the engine's Python did not find the gate, a file of this worker's on its PYTHONPATH",
        "let VLLM_COMMAND start Python without -I or -E, and keep PYTHONPATH, or set GATE=0",
        shared=True,
    ),
    # Its package has another name.
    _rule(
        "package-missing",
        ("No module named 'flashinfer",),
        "the engine's Python has no package flashinfer-python, which vLLM's GPU build requires",
        "add it to the image (RUN pip install flashinfer-python==..., the version that this vLLM"
        " requires); VLLM_USE_FLASHINFER_SAMPLER=0 lets vLLM sample without it",
        details=r"No module named 'flashinfer[\w.]{0,80}'" + _AND_NO_OTHER,
        shared=True,
    ),
    _rule(
        "package-missing",
        ("pip install ", "Please install ", "No module named '"),
        "the engine's Python has no package[ {package}], which the configuration asks for",
        "add it to the image[ (RUN pip install '{package}')], or change the variable that asks for"
        " it, such as LOAD_FORMAT, QUANTIZATION or DISTRIBUTED_EXECUTOR_BACKEND",
        details=r"\A[^\n]{0,80}?(?:Error: |Value error, )[^\n]{0,400}?" + _PACKAGE + _AND_NO_OTHER,
        shared=True,
    ),
    # pydantic's report of vLLM's own configuration classes; first what it says of the machine
    _rule(
        "bad-configuration",
        (" validation error for ", " validation errors for "),
        "the engine's configuration does not work on this machine",
        "correct the variable that sets it, or use another machine; " + _EXPLAIN,
        details=r"validation errors? for \w+\n(?:[\w.]{1,100}\n)?  (?:Value error, )?"
        r"(?=(?:(?! \[type=)[^\n]){0,400}?" + _HARDWARE + r")" + _SAID,
    ),
    _rule(
        "bad-configuration",
        (" validation error for ", " validation errors for "),
        "the engine refused its configuration[: what it says of {field}]",
        "correct {variable}; " + _EXPLAIN,
        details=r"validation errors? for (?P<owner>\w+)\n(?P<field>[\w.]{1,100})\n  " + _SAID,
        shared=True,
    ),
    _rule(
        "bad-configuration",
        (" validation error for ", " validation errors for "),
        "the engine refused its configuration",
        "correct {variable}; " + _EXPLAIN,
        details=r"validation errors? for (?P<owner>\w+)\s+(?:Value error, )?" + _SAID,
        shared=True,
    ),
)

_VALUES = (
    _rule(
        "bad-configuration",
        ("KeyError: 'rope_type'", "KeyError: 'rope_theta'"),
        "the rotary embedding's parameters have no {parameter}: vLLM takes them as a whole, with"
        " nothing of the model's own",
        "set ROPE_SCALING (with its rope_type) and ROPE_THETA together, or the whole of"
        " rope_parameters in HF_OVERRIDES",
        details=r"KeyError: '(?P<parameter>rope_(?:type|theta))'",
        shared=True,
    ),
    # An error of any place that lists what would have been right
    _rule(
        "bad-configuration",
        ("Valid options are: ",),
        "the engine refused its configuration",
        "correct {variable}; " + _EXPLAIN,
        details=r"\A[\w.]{0,80}Error: " + _SAID,
        shared=True,
    ),
)

RULES = (*_COMMAND_LINE, *_HUB, *_MODEL, *_FIT, *_DEVICE, *_REST, *_VALUES)
