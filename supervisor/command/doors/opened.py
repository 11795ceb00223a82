"""What stands open to whoever reaches the engine, and what opens more than an answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from ...catalog import Catalog
from ...findings import Remark
from ...settings import table
from ...settings.keys import API_KEY
from ...settings.mode import Mode
from ...settings.read import Settings
from ..arguments import Arguments
from . import gate

_TRUST = "--trust-remote-code"
_GRPC = ("--grpc", "--grpc-port")
_FILE = table.VLLM_CONFIG_FILE.name
_RUST = "VLLM_USE_RUST_FRONTEND"
#: vLLM's own switches that open something -> what, and what to do about it.
SWITCHES: Mapping[str, tuple[str, str]] = {
    "VLLM_SERVER_DEV_MODE": (
        "vLLM serves its development mode's administration (/collective_rpc, /sleep, /server_info)",
        "unset it where it is not needed",
    ),
    "VLLM_ALLOW_INSECURE_SERIALIZATION": (
        "vLLM unpickles what its processes and /collective_rpc are sent, which runs code in it",
        "unset it where it is not needed",
    ),
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": (
        "callers of /v1/load_lora_adapter load adapters from the path or repository they name",
        "unset it, and name the adapters in LORA_MODULES",
    ),
}


def switches(
    env: Mapping[str, str], catalog: Catalog | None, said: Arguments, turned_on: AbstractSet[str]
) -> Iterator[Remark]:
    """A warning for each switch that opens more than an answer.

    Args:
        env: the worker's environment.
        catalog: what the engine accepts.
        said: the options of the command line.
        turned_on: those of VLLM_CONFIG_FILE.
    """
    for name, (what, remedy) in SWITCHES.items():
        if _is_on(env.get(name, "")):
            yield Remark(name, f"{name} is on: {what}", remedy)
    trusted = said.last(_TRUST)
    option = catalog.option(_TRUST) if catalog else None
    on = trusted is not None and not (option and trusted.spelt in option.off)
    of_file = trusted is None and _TRUST.removeprefix("--") in turned_on
    if on or of_file:
        what = f"trust-remote-code in {_FILE}" if of_file else "TRUST_REMOTE_CODE"
        message = f"{what} is on: the engine runs code that comes with the model"
        remedy = "see that somebody has read it; MODEL_REVISION can name the commit that was read"
        yield Remark(_FILE if of_file else "TRUST_REMOTE_CODE", message, remedy)


def past_the_gate(
    env: Mapping[str, str], said: Arguments, turned_on: AbstractSet[str]
) -> Iterator[Remark]:
    """A warning for each server of vLLM's that loads no middleware, so that no gate stands there.

    Args:
        env: the worker's environment.
        said: the options of the command line.
        turned_on: those of VLLM_CONFIG_FILE.
    """
    others = [(flag, table.VLLM_EXTRA_ARGS.name) for flag in _GRPC if said.last(flag)]
    of_file = [flag for flag in _GRPC if flag.removeprefix("--") in turned_on]
    others += [(flag, _FILE) for flag in of_file if not said.last(flag)]
    if _is_on(env.get(_RUST, "")):
        others.append((_RUST, _RUST))
    for what, name in others:
        message = f"no gate stands before the server that {what} starts: it asks for no key"
        yield Remark(name, message, "unset it, or let nobody else reach its port")


def listener(keys: Sequence[str], settings: Settings) -> Remark | None:
    """What is open to those who reach an engine without a gate; None where nobody else does.

    Args:
        keys: that open the engine.
        settings: the worker's.
    """
    if _is_loopback(settings.engine_host):
        return None
    where = f"the engine listens on {settings.engine_host}, port {settings.engine_port}"
    if not keys:
        message = (
            f"{API_KEY.name} is not set, and {where}: whoever reaches it may use every route, for"
            " answers, /metrics and administration alike"
        )
        remedy = f"set {API_KEY.name}, or let nobody else reach that port"
        return Remark(API_KEY.name, message, remedy)
    name = API_KEY.name if settings.mode is Mode.QUEUE else table.GATE.name
    message = f"no gate stands, and {where}: {API_KEY.name} {gate.left_open()}"
    return Remark(name, message, "let nobody reach that port but who may use all of it")


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


def _is_on(text: str) -> bool:
    """As vLLM reads its own switches: a number, or a word."""
    word = text.strip().lower()
    return word not in {"", "0", "false", "no", "off", "none"}
