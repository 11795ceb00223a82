"""The option by which the engine exports its own spans to where the proxy's go. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ...catalog import Catalog
from ...findings import Applied, Findings, Remark
from ...records import dataclass, field
from ...secrets import masked
from ...settings import otel, table
from ..arguments import Arguments

FLAG = "--otlp-traces-endpoint"
_VARIABLE = "OTEL_EXPORTER_OTLP_TRACES_"
_ENGINE = "vllm"


@dataclass(frozen=True, slots=True)
class Tracing:
    """What the engine is told: tokens of its command, variables, what was found."""

    tokens: tuple[str, ...] = ()
    engine_env: Mapping[str, str] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)


def read(env: Mapping[str, str], catalog: Catalog | None, said: Arguments) -> Tracing:
    """How the engine exports its spans by OpenTelemetry's variables in `env`.

    Args:
        env: the worker's.
        catalog: what the engine accepts, and whether it has the packages.
        said: the options that are on the command line already; they win.
    """
    target = otel.targets(env).traces
    if target is None or catalog is None or said.last(FLAG):
        return Tracing()
    name = otel.source(env, otel.Signal.TRACES)
    if why := _not(catalog, target.url, env):
        message = f"the engine exports no spans of its own: {why[0]}"
        return Tracing(findings=Findings.of(Remark(name, message, why[1])))
    # vLLM takes the address as it is, and asks only this variable for the protocol. Its SDK takes
    # a timeout in seconds, where the specification has milliseconds, and older ones whole ones.
    variables = {
        f"{_VARIABLE}PROTOCOL": otel.PROTOCOL,
        f"{_VARIABLE}TIMEOUT": str(math.ceil(target.timeout)),
        otel.SERVICE_NAME: env.get(otel.SERVICE_NAME) or _ENGINE,
    }
    row = Applied(name, target.url, FLAG, "worker", "the engine's own spans go there, too")
    return Tracing((f"{FLAG}={target.url}",), variables, Findings.of(row))


def _not(catalog: Catalog, url: str, env: Mapping[str, str]) -> tuple[str, str] | None:
    """Why it cannot, and what to do about that; None where it can."""
    if catalog.option(FLAG) is None:
        return f"this vLLM has no {FLAG}", "take a newer vLLM"
    if not catalog.features.get("tracing"):
        return (
            "OpenTelemetry's packages are not known to be installed beside it",
            "install opentelemetry-exporter-otlp there, then run `vllm-supervisor catalog --anew`",
        )
    if masked("", url) != url:
        return (
            "the address has a secret in it, and would stand on its command line",
            f"put the secret into {otel.HEADERS}",
        )
    if table.VLLM_CONFIG_FILE.written(env):
        return (
            f"{table.VLLM_CONFIG_FILE.name} may say where they go",
            f"set {FLAG} there, or in {table.VLLM_EXTRA_ARGS.name}",
        )
    return None
