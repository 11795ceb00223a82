"""The table of the worker's own settings: one row is all that a setting needs.

The supervisor and the proxy read their values by these rows, `explain` lists what is set, and
`make docs` writes docs/configuration.md and RunPod's forms from them. The order is that of the
docs. A row with a `form` that tools/docs/settings.py does not place stands at the end of the forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from ..records import dataclass
from .parsers import (
    amount,
    boolean,
    command,
    count,
    domains,
    folder,
    growth,
    is_none,
    latency,
    log_format,
    mode,
    port,
    positive,
    routes,
    seconds,
    some_seconds,
    text,
    token,
    unless_off,
    warmup,
)

T = TypeVar("T", covariant=True)
Form = Literal["text", "number", "toggle"]

KUBERNETES = "tcp://"  # it writes that into NAME_PORT for a Service called NAME, such as vllm


class Reader(StrEnum):
    """Which process makes something of a setting.

    The supervisor also checks those of its proxy, so that a wrong one is named before a model is
    loaded. LONE_PROXY is one without a supervisor, which would tell it its addresses.
    """

    SUPERVISOR = "supervisor"
    PROXY = "proxy"
    BOTH = "supervisor and proxy"
    LONE_PROXY = "proxy without a supervisor"
    BAKE = "bake"


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One setting.

    Args:
        name: of the variable.
        parse: makes the value of its text, or raises ValueError with the end of a sentence.
        default: the value where the variable is not set; None for nothing.
        sentence: what it is for.
        reader: which process makes something of it.
        unit: of a number.
        form: the kind of field that offers it in RunPod's forms; None where none does.
        none: the text that stands for a default of None, where there is one.
        listed: whether `explain` lists its text; the others are listed as what is made of them.
        foreign: a text that begins so was not written for us, and counts as not set.
        former: the variable of older workers, read where the one of today is not set.
        also: variables of the same meaning that platforms set, read in this order where the own one
            is not set. The engine gets them, too.
    """

    name: str
    parse: Callable[[str], T]
    default: T
    sentence: str
    reader: Reader
    unit: str = ""
    form: Form | None = None
    none: str = ""
    listed: bool = True
    foreign: str = ""
    former: str = ""
    also: tuple[str, ...] = ()

    @property
    def default_text(self) -> str:
        """The default as a user would write it; empty for nothing."""
        if self.default is None or self.default == ():
            return self.none
        if isinstance(self.default, bool):
            return str(self.default).lower()
        if isinstance(self.default, float) and self.default.is_integer():
            return str(int(self.default))
        return str(self.default)

    def is_foreign(self, env: Mapping[str, str]) -> bool:
        """Whether `env` holds a text under its name that was not written for us."""
        return bool(self.foreign) and env.get(self.name, "").strip().startswith(self.foreign)

    def written(self, env: Mapping[str, str]) -> str:
        """What `env` says of it, without white space around it; empty where it is not set."""
        return self._own(env) or self._of(env, self.variable(env))

    def variable(self, env: Mapping[str, str]) -> str:
        """The variable that counts in `env`: today's, that of older workers, a platform's."""
        names = (self.name, self.former, *self.also)
        return next((name for name in names if name and self._of(env, name)), self.name)

    def _own(self, env: Mapping[str, str]) -> str:
        return self._of(env, self.name)

    def _of(self, env: Mapping[str, str], name: str) -> str:
        found = _said(env, name)
        return "" if self.foreign and found.startswith(self.foreign) else found

    def of(self, env: Mapping[str, str]) -> T:
        """Its value in `env`, the default where it is not set or blank.

        Raises:
            ValueError: the parser's, the end of a sentence.
        """
        written = self.written(env)
        return self.parse(written) if written else self.default


def _said(env: Mapping[str, str], name: str) -> str:
    text_ = env.get(name, "").strip()
    return "" if is_none(text_) else text_


MODEL_NAME = Setting(
    "MODEL_NAME",
    text,
    None,
    "Repository or absolute path of the model.",
    Reader.SUPERVISOR,
    form="text",
    listed=False,
)
VLLM_EXTRA_ARGS = Setting(
    "VLLM_EXTRA_ARGS",
    text,
    None,
    "More arguments for vllm serve, split as a shell would, put at the end.",
    Reader.SUPERVISOR,
    form="text",
    listed=False,
)
VLLM_CONFIG_FILE = Setting(
    "VLLM_CONFIG_FILE",
    text,
    None,
    "A YAML file of options, handed to --config.",
    Reader.SUPERVISOR,
    form="text",
    listed=False,
)
BASE_PATH = Setting(
    "BASE_PATH",
    folder,
    "/runpod-volume",
    "Folder of the network volume. Where it can be written, or made, models (HF_HOME) and what"
    " vLLM, Triton and FlashInfer compile are kept there; a model that the platform keeps there is"
    " found.",
    Reader.SUPERVISOR,
    form="text",
    listed=False,
)
WORKER_MODE = Setting(
    "WORKER_MODE",
    mode,
    None,
    "How requests come; found out from the platform's variables if it is not set. `queue` needs"
    " `RUNPOD_WEBHOOK_GET_JOB`, which RunPod sets.",
    Reader.SUPERVISOR,
)
PORT = Setting(
    "PORT",
    port,
    80,
    "Port of the engine, in load-balancer mode only.",
    Reader.SUPERVISOR,
    unit="TCP port",
)
VLLM_PORT = Setting(
    "VLLM_PORT",
    port,
    8000,
    "Port of the engine, in queue and plain mode.",
    Reader.BOTH,
    unit="TCP port",
    foreign=KUBERNETES,
)
VLLM_COMMAND = Setting(
    "VLLM_COMMAND",
    command,
    "vllm",
    "The engine's command.",
    Reader.SUPERVISOR,
)
CONTROL_HOST = Setting(
    "CONTROL_HOST",
    text,
    "127.0.0.1",
    "Address on which PORT_HEALTH listens; in load-balancer mode /ping answers on every address.",
    Reader.SUPERVISOR,
)
PORT_HEALTH = Setting(
    "PORT_HEALTH",
    port,
    8001,
    "Port of /ping, /status, /metrics and the page of the worker (/).",
    Reader.BOTH,
    unit="TCP port",
)
CONTROL_TOKEN = Setting(
    "CONTROL_TOKEN",
    token,
    None,
    "What whoever asks PORT_HEALTH for /status or /metrics has to send, as Authorization: Bearer,"
    " and what the page asks for; without it they answer on the machine itself alone.",
    Reader.BOTH,
)
HEALTH_CHECK_PATH = Setting(
    "HEALTH_CHECK_PATH",
    text,
    None,
    "Another path on PORT_HEALTH that answers like /ping, and like it everybody; the platform sets"
    " it. Not /status, /metrics or /.",
    Reader.SUPERVISOR,
)
ENGINE_CATALOG = Setting(
    "ENGINE_CATALOG",
    text,
    None,
    "A catalogue file to use as it is, instead of the engine's own.",
    Reader.SUPERVISOR,
)
STARTUP_TIMEOUT = Setting(
    "STARTUP_TIMEOUT",
    some_seconds,
    1200.0,
    "Seconds that a start of the engine may take.",
    Reader.SUPERVISOR,
    unit="s",
    form="number",
)
PREFETCH = Setting(
    "PREFETCH",
    boolean,
    True,
    "Download what vLLM would fetch from the hub while it still imports, into its own cache.",
    Reader.SUPERVISOR,
    form="toggle",
)
WARMUP = Setting(
    "WARMUP",
    warmup,
    None,
    "Whether each start sends the engine a few short requests before the worker is ready, so that"
    " the first caller does not wait for what vLLM loads only then; or the absolute path of a file"
    ' with one {"route": ..., "body": {...}} on each line, to be sent instead. 1 in queue and'
    " load-balancer mode, 0 in plain mode.",
    Reader.SUPERVISOR,
)
WARMUP_TIMEOUT = Setting(
    "WARMUP_TIMEOUT",
    some_seconds,
    60.0,
    "Seconds that those requests may take; then the worker is ready without them. Of several nodes"
    " none is ready without one answer: the first request has ENGINE_STALL_TIMEOUT where that is"
    " longer, and the engines start anew where it gets none.",
    Reader.SUPERVISOR,
    unit="s",
)
READ_AHEAD = Setting(
    "READ_AHEAD",
    boolean,
    True,
    "Read weights that are on this machine into the page cache while vLLM imports, as far as memory"
    " is free; on FUSE let vLLM do so, too (SAFETENSORS_LOAD_STRATEGY=prefetch), where it can.",
    Reader.SUPERVISOR,
    form="toggle",
)
DRAIN_TIMEOUT = Setting(
    "DRAIN_TIMEOUT",
    seconds,
    60.0,
    "Seconds that jobs in hand have at a stop.",
    Reader.SUPERVISOR,
    unit="s",
    form="number",
)
DRAIN_DELAY = Setting(
    "DRAIN_DELAY",
    seconds,
    None,
    "Seconds for which requests are still answered after SIGTERM, while /ping says 503 already, so"
    " that a balancer can look. 15 in load-balancer mode, 0 in the others.",
    Reader.SUPERVISOR,
    unit="s",
)
ENGINE_STALL_TIMEOUT = Setting(
    "ENGINE_STALL_TIMEOUT",
    seconds,
    300.0,
    "Seconds without a token while requests run. Then a one-token request tests the engine, and it"
    " is restarted if that fails too. 0: never.",
    Reader.SUPERVISOR,
    unit="s",
)
MAX_RESTARTS = Setting(
    "MAX_RESTARTS",
    count,
    5,
    "Restarts of the engine in a row before the worker gives up.",
    Reader.SUPERVISOR,
    unit="restarts",
    form="number",
)
ANSWER_FAILED_FOR = Setting(
    "ANSWER_FAILED_FOR",
    seconds,
    60.0,
    "Seconds for which a worker that cannot start answers jobs with the cause, where no other"
    " worker of the endpoint could either (queue mode); fewer after 10 s without a job. 0: never.",
    Reader.SUPERVISOR,
    unit="s",
)
STRICT_ENV = Setting(
    "STRICT_ENV",
    boolean,
    False,
    "A name that looks misspelt is an error, not a warning.",
    Reader.SUPERVISOR,
    form="toggle",
)
BAKED_MODELS = Setting(
    "BAKED_MODELS",
    folder,
    "/models",
    "Folder into which `bake` puts models, and where they are found.",
    Reader.SUPERVISOR,
)
GPU_MEMORY_GB = Setting(
    "GPU_MEMORY_GB",
    amount,
    None,
    "Memory of one GPU, such as 24 or 80. `explain` and `doctor` then say whether the weights fit"
    " into it, also without that GPU; a start goes by it where the GPU does not say its size.",
    Reader.SUPERVISOR,
    unit="GB",
)
HF_TOKEN_FILE = Setting(
    "HF_TOKEN_FILE",
    text,
    "/run/secrets/HF_TOKEN",
    "File with the token, for `bake` alone.",
    Reader.BAKE,
)
NUM_NODES = Setting(
    "NUM_NODES",
    positive,
    1,
    "Machines that serve one model together, each with a worker of its own.",
    Reader.SUPERVISOR,
    unit="nodes",
    also=("LWS_GROUP_SIZE",),
)
CLUSTER = Setting(
    "CLUSTER",
    unless_off,
    True,
    "With off this node serves alone, whatever NUM_NODES says.",
    Reader.SUPERVISOR,
)
NODE_RANK = Setting(
    "NODE_RANK",
    count,
    None,
    "Number by which the nodes are told apart, from 0, which leads, to NUM_NODES - 1.",
    Reader.SUPERVISOR,
    unit="rank",
    also=("LWS_WORKER_INDEX",),
)
PRIMARY_ADDR = Setting(
    "PRIMARY_ADDR",
    text,
    None,
    "Name or address of the node of rank 0.",
    Reader.SUPERVISOR,
    also=("MASTER_ADDR", "LWS_LEADER_ADDRESS"),
)
PRIMARY_PORT = Setting(
    "PRIMARY_PORT",
    port,
    29501,
    "Port on rank 0 at which the engines of all nodes meet.",
    Reader.SUPERVISOR,
    unit="TCP port",
    foreign=KUBERNETES,
    also=("MASTER_PORT",),
)
NODE_ADDR = Setting(
    "NODE_ADDR",
    text,
    None,
    "Address at which the other nodes reach this one; by default that of its route to rank 0.",
    Reader.SUPERVISOR,
)
NUM_TRAINERS = Setting(
    "NUM_TRAINERS",
    positive,
    None,
    "GPUs of each node; by default those that are seen.",
    Reader.SUPERVISOR,
    unit="GPUs",
)
CLUSTER_PORT = Setting(
    "CLUSTER_PORT",
    port,
    8002,
    "Port on rank 0 at which the workers of the other nodes ask what to do.",
    Reader.SUPERVISOR,
    unit="TCP port",
    foreign=KUBERNETES,
)
CLUSTER_TOKEN = Setting(
    "CLUSTER_TOKEN",
    token,
    None,
    "What these workers have to send there, the same on each node; without it whoever reaches that"
    " port can stop the cluster.",
    Reader.SUPERVISOR,
)
MAX_CONCURRENCY = Setting(
    "MAX_CONCURRENCY",
    positive,
    300,
    "Jobs that one worker has in hand at the same time.",
    Reader.PROXY,
    unit="jobs",
    form="number",
)
DEFAULT_BATCH_SIZE = Setting(
    "DEFAULT_BATCH_SIZE",
    positive,
    50,
    "Most tokens in one batch of a stream.",
    Reader.PROXY,
    unit="tokens",
    form="number",
)
DEFAULT_MIN_BATCH_SIZE = Setting(
    "DEFAULT_MIN_BATCH_SIZE",
    positive,
    1,
    "Tokens in the first batch of a stream.",
    Reader.PROXY,
    unit="tokens",
    form="number",
    former="MIN_BATCH_SIZE",
)
DEFAULT_BATCH_SIZE_GROWTH_FACTOR = Setting(
    "DEFAULT_BATCH_SIZE_GROWTH_FACTOR",
    growth,
    3.0,
    "How fast batches grow: 1, 3, 9, 27.",
    Reader.PROXY,
    unit="factor",
    form="number",
    former="BATCH_SIZE_GROWTH_FACTOR",
)
BATCH_MAX_LATENCY_MS = Setting(
    "BATCH_MAX_LATENCY_MS",
    latency,
    None,
    "Milliseconds that a token may wait for its batch; auto follows the load, 0: only full"
    " batches.",
    Reader.PROXY,
    unit="ms",
    form="text",
    none="auto",
)
RAW_OPENAI_OUTPUT = Setting(
    "RAW_OPENAI_OUTPUT",
    boolean,
    True,
    "Streams as server-sent events, which OpenAI clients need; off: as lists.",
    Reader.PROXY,
    form="toggle",
)
STRICT_PARAMETERS = Setting(
    "STRICT_PARAMETERS",
    boolean,
    False,
    "Refuse jobs with parameters that the engine does not know, and would ignore, wherever they"
    " stand; off: those in sampling_params, the others are logged.",
    Reader.PROXY,
    form="toggle",
)
RESUME_STREAMS = Setting(
    "RESUME_STREAMS",
    boolean,
    True,
    "A stream whose engine is lost in its middle goes on from its last token once the engine is"
    " back, where its text is all of it; off: it ends with an error.",
    Reader.PROXY,
    form="toggle",
)
LOG_CONTENT = Setting(
    "LOG_CONTENT",
    boolean,
    False,
    "Log the input and output of every job; off, the worker logs neither. What the engine logs is"
    " its own ENABLE_LOG_REQUESTS.",
    Reader.PROXY,
    form="toggle",
)
LOG_FORMAT = Setting(
    "LOG_FORMAT",
    log_format,
    "text",
    "The form of the log: text, or json, in which all that the worker and its processes print is"
    " one object a line.",
    Reader.BOTH,
)
FOLD_ACCESS_LOG = Setting(
    "FOLD_ACCESS_LOG",
    boolean,
    True,
    "Count the requests that the engine answered well, in one line a minute, instead of showing"
    " its line for each.",
    Reader.SUPERVISOR,
)
REQUEST_IDLE_TIMEOUT = Setting(
    "REQUEST_IDLE_TIMEOUT",
    some_seconds,
    600.0,
    "Seconds of silence after which a request to the engine is given up.",
    Reader.PROXY,
    unit="s",
    form="number",
)
ENGINE_WAIT_TIMEOUT = Setting(
    "ENGINE_WAIT_TIMEOUT",
    seconds,
    600.0,
    "Seconds that a job waits for an engine.",
    Reader.PROXY,
    unit="s",
    form="number",
)
ALLOWED_ROUTES: Setting[tuple[str, ...]] = Setting(
    "ALLOWED_ROUTES",
    routes,
    (),
    "Routes that callers may use beside the inference routes, parted by commas, such as /sleep: for"
    " jobs in queue mode, for clients with a key where the gate stands.",
    Reader.BOTH,
    form="text",
)
WORKER_ROUTES = Setting(
    "WORKER_ROUTES",
    boolean,
    False,
    "Answer jobs for the routes /worker/status and /worker/metrics: how the worker that takes the"
    " job stands, and its figures (queue mode). Every caller of the endpoint can then ask.",
    Reader.PROXY,
)
GATE = Setting(
    "GATE",
    boolean,
    True,
    "Where VLLM_API_KEY is set, in plain and load-balancer mode, vLLM's server asks for a key on"
    " every route but /health and /ping, and refuses administration. 0: vLLM's own check alone,"
    " which leaves /invocations, /metrics and others open.",
    Reader.SUPERVISOR,
)
GATE_BODY_MB = Setting(
    "GATE_BODY_MB",
    positive,
    64,
    "Largest body of a request that the gate lets through; a larger one is answered with 413.",
    Reader.SUPERVISOR,
    unit="MB",
)
MEDIA_PRIVATE = Setting(
    "MEDIA_PRIVATE",
    boolean,
    False,
    "Let jobs name pictures, audio and video on private networks and on this machine, for vLLM to"
    " fetch; off, only public addresses are fetched (queue mode). See docs/security.md.",
    Reader.PROXY,
    form="toggle",
)
ALLOWED_MEDIA_DOMAINS = Setting(
    "ALLOWED_MEDIA_DOMAINS",
    domains,
    None,
    "The only hosts from which media are fetched, parted by commas, each as it stands in the"
    " address. Becomes vLLM's own option as well, where it has one; redirects are then not"
    " followed, unless VLLM_MEDIA_URL_ALLOW_REDIRECTS=1.",
    Reader.BOTH,
)
ENGINE_URL = Setting(
    "ENGINE_URL",
    text,
    None,
    "For the proxy alone: the engine to relay to.",
    Reader.LONE_PROXY,
)
CONTROL_URL = Setting(
    "CONTROL_URL",
    text,
    None,
    "For the proxy alone: its supervisor.",
    Reader.LONE_PROXY,
)

#: Every row above, in its order.
TABLE: tuple[Setting[Any], ...] = tuple(
    row for row in list(globals().values()) if isinstance(row, Setting)
)

#: What is read only where several nodes serve together; else these names are anybody's.
OF_CLUSTER: tuple[Setting[Any], ...] = (
    NODE_RANK,
    PRIMARY_ADDR,
    PRIMARY_PORT,
    NODE_ADDR,
    NUM_TRAINERS,
    CLUSTER_PORT,
    CLUSTER_TOKEN,
)

#: Never handed to the engine: vLLM warns of unknown VLLM_ variables, and VLLM_PORT has another
#: meaning there (its internal ports).
WORKER_VARIABLES = frozenset(name for row in TABLE for name in (row.name, row.former) if name)
