"""What the process is told: its command line, and the words of FAKE_VLLM."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

DEFAULT_MODEL = "Qwen/Qwen3-0.6B"


@dataclass(frozen=True)
class Command:
    """What it reads of its command line."""

    names: tuple[str, ...]
    host: str
    port: int
    shutdown_timeout_s: float
    docs: bool = True
    headless: bool = False
    chat_defaults: str = "{}"

    @classmethod
    def parse(cls, arguments: list[str]) -> Self:
        """`serve MODEL --flag=value --flag value --list a b`; unknown flags are passed over."""
        model = arguments[1] if len(arguments) > 1 and arguments[1][:2] != "--" else DEFAULT_MODEL
        flags: dict[str, list[str]] = {}
        values: list[str] = []
        for argument in arguments[1:]:
            if argument.startswith("--"):
                name, equals, value = argument.partition("=")
                values = flags[name] = [value] if equals else []
            else:
                values.append(argument)

        def last(flag: str, default: str) -> str:
            return (flags.get(flag) or [default])[-1]

        return cls(
            tuple(flags.get("--served-model-name") or [model]),
            last("--host", "0.0.0.0"),  # noqa: S104 - as vLLM
            int(last("--port", "8000")),
            float(last("--shutdown-timeout", "0")),
            docs="--disable-fastapi-docs" not in flags,
            headless="--headless" in flags,
            chat_defaults=last("--default-chat-template-kwargs", "{}"),
        )


@dataclass
class Words:
    """The words of FAKE_VLLM, times in seconds."""

    start: float = 0
    wait_for: str = ""
    hang_start: bool = False
    exit: int | None = None
    fail_starts: int | None = None
    exit_after: float | None = None
    ignore_term: bool = False
    stop_time: float = 0
    orphan: bool = False
    daemon: bool = False
    eat: bool = False
    log: int = 0
    log_flood: bool = False
    access_log: bool = False
    health: int = 200
    slow_health: float = 0
    stall: bool = False
    core: bool = False
    core_health: int = 500
    core_end: float | None = None
    core_died: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises SystemExit for an unknown word: a test with a typing error must not pass."""
        known = {each.name: str(each.type) for each in fields(cls)}
        told: dict[str, Any] = {}
        for word in text.split():
            name, equals, value = word.partition("=")
            name = name.replace("-", "_")
            if name not in known:
                raise SystemExit(f"FAKE_VLLM: unknown word {word!r}")
            if known[name] == "bool":
                told[name] = True
            elif known[name].startswith("int"):
                told[name] = int(value)
            elif known[name] == "str":
                told[name] = value
            else:
                told[name] = float(value if equals else 30)
        return cls(**told)

    def ends_at_start(self, number: int) -> bool:
        """Whether start `number`, from 1, is to fail."""
        if self.fail_starts is not None:
            return number <= self.fail_starts
        return self.exit is not None
