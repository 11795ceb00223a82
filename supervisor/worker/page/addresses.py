"""Where callers reach the engine, for the lines to try it with. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from ...command.plan import Plan
from ...settings.keys import API_KEY
from ...settings.mode import Mode
from ...settings.read import Settings

_PLATFORMS_KEY = "RUNPOD_API_KEY"
_PLATFORM = "api.runpod.ai"


def of_callers(plan: Plan, env: Mapping[str, str]) -> dict[str, object]:
    """The OpenAI API's address, as the page builds its examples from it.

    `url` is None where callers use the host that the browser has the page from, with `port` and
    `scheme`; on a node whose engine opens no port it is rank 0's. `key` is the variable in which a
    caller has the key; None where none is asked for. `model` is what a request names.

    Args:
        plan: what is run.
        env: the worker's environment, as the platform made it.
    """
    settings = plan.settings
    names = plan.options.last("--served-model-name")
    url, key = _at_platform(settings.mode, env)
    if url is None and plan.cluster is not None and plan.cluster.headless:
        url = _at_rank_0(plan.cluster.leader, settings)
    elif url is None and (pod := env.get("RUNPOD_POD_ID", "").strip()):
        url = f"https://{pod}-{settings.engine_port}.proxy.runpod.net/v1"
    return {
        "url": url,
        "scheme": "https" if settings.engine_tls else "http",
        "port": settings.engine_port,
        "key": key or (API_KEY.name if plan.key else None),
        "model": names.values[0] if names is not None and names.values else plan.model,
    }


def _at_rank_0(leader: str, settings: Settings) -> str:
    host = f"[{leader}]" if ":" in leader else leader
    scheme = "https" if settings.engine_tls else "http"
    return f"{scheme}://{host}:{settings.engine_port}/v1"


def _at_platform(mode: Mode, env: Mapping[str, str]) -> tuple[str | None, str | None]:
    endpoint = env.get("RUNPOD_ENDPOINT_ID", "").strip()
    if not endpoint or mode is Mode.PLAIN:
        return None, None
    if mode is Mode.LOAD_BALANCER:
        return f"https://{endpoint}.{_PLATFORM}/v1", _PLATFORMS_KEY
    asked = urlsplit(env.get("RUNPOD_WEBHOOK_GET_JOB", "").strip())
    local = asked.hostname in {"127.0.0.1", "localhost"}  # a stand-in for the platform
    root = f"{asked.scheme}://{asked.netloc}" if local else f"https://{_PLATFORM}"
    return f"{root}/v2/{endpoint}/openai/v1", _PLATFORMS_KEY
