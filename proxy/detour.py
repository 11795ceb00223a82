"""Which hosts the engine reaches by an HTTP proxy, which resolves their names itself. Pure.

As aiohttp reads the environment (`trust_env`): `http_proxy` before `HTTP_PROXY`, and where it is
there but empty, none; only proxies that are spoken to in http; `no_proxy` as urllib reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Detour:
    """The engine's HTTP proxies: the schemes that they take, and the hosts that go past them."""

    schemes: tuple[str, ...] = ()
    past: tuple[str, ...] = ()

    def takes(self, scheme: str, host: str) -> bool:
        """Whether the engine asks a proxy for an address of this scheme and host (lower case)."""
        if scheme not in self.schemes or "*" in self.past:
            return False
        return not any(host == name or host.endswith(f".{name}") for name in self.past)


def read(env: Mapping[str, str]) -> Detour:
    """The proxies that an engine with this environment uses."""
    schemes = (each for each in ("http", "https") if _is_used(_said(env, f"{each}_proxy")))
    past = _said(env, "no_proxy")
    names = ("*",) if past == "*" else (each.strip().lstrip(".") for each in past.split(","))
    return Detour(tuple(schemes), tuple(name for name in names if name))


def _said(env: Mapping[str, str], name: str) -> str:
    return env.get(name, env.get(name.upper(), "")).strip().lower()


def _is_used(proxy: str) -> bool:
    return proxy.startswith("http://")
