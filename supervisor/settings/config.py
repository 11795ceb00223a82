"""The worker's own settings, read from a mapping of environment variables.

Pure: no process, no socket, no `os.environ`. The engine's options are the business of `flags`.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from ..findings import Applied, Fault, Finding, Findings, Ignored, Remark
from ..secrets import masked

T = TypeVar("T")
D = TypeVar("D")


class Mode(StrEnum):
    """How requests reach the engine."""

    QUEUE = "queue"
    LOAD_BALANCER = "load-balancer"
    PLAIN = "plain"


#: Variables that mean something to the worker. They are never handed to the engine: vLLM warns of
#: unknown VLLM_ variables, and VLLM_PORT has another meaning there (its internal ports).
WORKER_VARIABLES = frozenset(
    """
    WORKER_MODE VLLM_COMMAND VLLM_PORT VLLM_CONFIG_FILE VLLM_EXTRA_ARGS PORT PORT_HEALTH
    CONTROL_HOST ENGINE_CATALOG ENGINE_URL CONTROL_URL STARTUP_TIMEOUT DRAIN_TIMEOUT
    ENGINE_STALL_TIMEOUT ENGINE_WAIT_TIMEOUT REQUEST_IDLE_TIMEOUT MAX_RESTARTS MAX_CONCURRENCY
    STRICT_ENV ALLOWED_ROUTES DEFAULT_BATCH_SIZE DEFAULT_MIN_BATCH_SIZE
    DEFAULT_BATCH_SIZE_GROWTH_FACTOR BATCH_MAX_LATENCY_MS RAW_OPENAI_OUTPUT LOG_CONTENT BASE_PATH
    BAKED_MODELS HF_TOKEN_FILE MODEL_NAME
    """.split()
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The worker's settings; times in seconds, ports as TCP port numbers."""

    mode: Mode = Mode.PLAIN
    vllm_command: str = "vllm"
    engine_host: str = "0.0.0.0"  # noqa: S104 - plain and load-balancer mode serve the outside
    engine_port: int = 8000
    engine_tls: bool = False
    control_host: str = "127.0.0.1"
    control_port: int = 8001
    engine_catalog: str | None = None
    startup_timeout: float = 1200.0
    drain_timeout: float = 60.0
    stall_timeout: float = 300.0
    max_restarts: int = 5
    strict: bool = False

    @property
    def listening(self) -> tuple[tuple[str, str, int], ...]:
        """What will listen on this machine: the variable that sets the port, address, port."""
        return (
            ("VLLM_PORT", self.engine_host, self.engine_port),
            ("PORT_HEALTH", self.control_host, self.control_port),
        )

    @property
    def engine_url(self) -> str:
        """Where this machine reaches the engine."""
        scheme = "https" if self.engine_tls else "http"
        return f"{scheme}://{_reachable(self.engine_host)}:{self.engine_port}"

    @property
    def control_url(self) -> str:
        """Where this machine reaches `/ping` and `/status`."""
        return f"http://{_reachable(self.control_host)}:{self.control_port}"


def _reachable(host: str) -> str:
    """Where this machine reaches what listens on `host`."""
    if host in {"0.0.0.0", "::", "localhost"}:  # noqa: S104 - only compared
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def read(env: Mapping[str, str]) -> tuple[Settings, Findings]:
    """The worker's settings in `env`, and what was found while they were read."""
    found: list[Finding] = []
    reader = _Reader(env, found)
    mode = _mode(reader)
    defaults = Settings()
    if mode is Mode.LOAD_BALANCER:
        engine_port = reader.get("PORT", port, 80)
        if not reader.is_set("PORT_HEALTH"):
            found.append(
                Remark(
                    "PORT_HEALTH",
                    "PORT_HEALTH is not set, so the platform pings the engine's own port, which"
                    " refuses while the model loads",
                    "set PORT_HEALTH=8001 on the endpoint",
                )
            )
    elif env.get("VLLM_PORT", "").startswith("tcp://"):
        reason = "Kubernetes sets it for a Service named vllm; it is no setting of this worker"
        found.append(Ignored("VLLM_PORT", reason))
        engine_port = defaults.engine_port
    else:
        engine_port = reader.get("VLLM_PORT", port, defaults.engine_port)
    settings = Settings(
        mode=mode,
        vllm_command=reader.get("VLLM_COMMAND", command, defaults.vllm_command),
        engine_host="127.0.0.1" if mode is Mode.QUEUE else defaults.engine_host,
        engine_port=engine_port,
        control_host=reader.get("CONTROL_HOST", str, defaults.control_host),
        control_port=reader.get("PORT_HEALTH", port, defaults.control_port),
        engine_catalog=reader.get("ENGINE_CATALOG", str, "") or None,
        startup_timeout=reader.get("STARTUP_TIMEOUT", seconds, defaults.startup_timeout),
        drain_timeout=reader.get("DRAIN_TIMEOUT", seconds, defaults.drain_timeout),
        stall_timeout=reader.get("ENGINE_STALL_TIMEOUT", seconds, defaults.stall_timeout),
        max_restarts=reader.get("MAX_RESTARTS", count, defaults.max_restarts),
        strict=reader.get("STRICT_ENV", boolean, default=False),
    )
    for name in ("BAKED_MODELS", "HF_TOKEN_FILE"):  # for `models`
        reader.get(name, str, None)
    for name, parse in _OF_THE_PROXY.items():
        reader.get(name, parse, None)
    idle, used = ("VLLM_PORT", "PORT") if mode is Mode.LOAD_BALANCER else ("PORT", "VLLM_PORT")
    if reader.is_set(idle):
        reason = f"in mode {mode} it is {used} that sets the engine's port"
        found.append(Ignored(idle, reason))
    found += [
        Ignored(name, "the worker knows its own; it counts for python -m proxy alone")
        for name in ("ENGINE_URL", "CONTROL_URL")
        if reader.is_set(name)
    ]
    return settings, Findings.of(*found)


def _mode(reader: _Reader) -> Mode:
    chosen = reader.get("WORKER_MODE", worker_mode, None)
    if chosen is not None:
        return chosen
    if reader.is_set("RUNPOD_WEBHOOK_GET_JOB"):
        return Mode.QUEUE
    if reader.is_set("RUNPOD_ENDPOINT_ID"):
        return Mode.LOAD_BALANCER
    return Mode.PLAIN


# --- values: each takes the text of a variable and raises ValueError with what is accepted ---


def worker_mode(text: str) -> Mode:
    """One of the three modes."""
    try:
        return Mode(text.lower())
    except ValueError:
        raise ValueError(f"is not one of {', '.join(Mode)}") from None


def port(text: str) -> int:
    """A TCP port."""
    number = _integer(text)
    if number is None or not 1 <= number <= 65535:
        raise ValueError("is not a port number from 1 to 65535")
    return number


def command(text: str) -> str:
    """A command line."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if not words or not words[0]:
        raise ValueError("is not a command; a quote may be open")
    return text


def count(text: str) -> int:
    """A whole number, 0 or more."""
    return _whole(text, least=0)


def seconds(text: str) -> float:
    """A time in seconds, 0 or more."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise ValueError("is not a number of 0 or more")
    return number


def some_seconds(text: str) -> float:
    """A time in seconds, more than 0."""
    if (number := seconds(text)) > 0:
        return number
    raise ValueError("is not a number above 0")


def boolean(text: str) -> bool:
    """True or false in the spellings that users write."""
    word = text.strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise ValueError("is neither true nor false (true, 1, yes, on / false, 0, no, off)")


def positive(text: str) -> int:
    """A whole number, 1 or more."""
    return _whole(text, least=1)


def growth(text: str) -> float:
    """A factor of 1 or more."""
    number = seconds(text)
    if number < 1:
        raise ValueError("is not a factor of 1 or more")
    return number


def latency(text: str) -> float | None:
    """Milliseconds, or `auto`."""
    return None if text == "auto" else seconds(text)


#: Read by the proxy, and checked here, so that a wrong one is said before a model is loaded for it.
_OF_THE_PROXY: Mapping[str, Callable[[str], object]] = {
    "MAX_CONCURRENCY": positive,
    "DEFAULT_BATCH_SIZE": positive,
    "DEFAULT_MIN_BATCH_SIZE": positive,
    "DEFAULT_BATCH_SIZE_GROWTH_FACTOR": growth,
    "BATCH_MAX_LATENCY_MS": latency,
    "RAW_OPENAI_OUTPUT": boolean,
    "LOG_CONTENT": boolean,
    "REQUEST_IDLE_TIMEOUT": some_seconds,
    "ENGINE_WAIT_TIMEOUT": seconds,
    "ALLOWED_ROUTES": str,
}

TRUE = frozenset({"true", "1", "yes", "y", "on", "t"})
FALSE = frozenset({"false", "0", "no", "n", "off", "f"})


def _whole(text: str, *, least: int) -> int:
    number = _integer(text)
    if number is None or number < least:
        raise ValueError(f"is not a whole number of {least} or more")
    return number


def _integer(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


@dataclass(slots=True)
class _Reader:
    env: Mapping[str, str]
    found: list[Finding]

    def is_set(self, name: str) -> bool:
        return bool(self.env.get(name, "").strip())

    def get(self, name: str, parse: Callable[[str], T], default: D) -> T | D:
        """The parsed value, or `default` where the variable is unset, blank or refused."""
        text = self.env.get(name, "").strip()
        if not text:
            return default
        shown = masked(name, text)
        try:
            value = parse(text)
        except ValueError as reason:
            self.found.append(Fault(name, shown, f"{name}={shown} {reason}"))
            return default
        self.found.append(Applied(name, shown, None, "worker"))
        return value
