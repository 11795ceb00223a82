"""The proxy's settings: its rows of the table, and what the supervisor hands over. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from proxy import detour
from proxy.detour import Detour
from supervisor.link import handover
from supervisor.link.handover import Check
from supervisor.settings import handed, routes, table
from supervisor.settings.keys import API_KEY
from supervisor.settings.parsers import count, json_object, text
from supervisor.settings.table import Reader, Setting
from supervisor.settings.values import Values, take

T = TypeVar("T")

#: Variables that are no settings of a user's: the supervisor writes them (`supervisor.link`).
REPORT_FD = Setting(
    handover.REPORT_FD, count, None, "The pipe to the supervisor, a descriptor.", Reader.PROXY
)
JOBS_FD = Setting(
    handover.JOBS_FD, count, None, "The file of jobs that were left, a descriptor.", Reader.PROXY
)
FITNESS_CHECKS = Setting(
    handover.FITNESS_CHECKS, text, ",".join(Check), "Those of `fitness`.", Reader.PROXY
)
MODELS_FOLDER = Setting(
    handover.MODELS_FOLDER, text, None, "Where weights are downloaded to.", Reader.PROXY
)
#: The engine's own option, as its command line says it: files that it may read for a job.
LOCAL_MEDIA = Setting(handed.LOCAL_MEDIA, text, None, "The engine's folder of media.", Reader.PROXY)
#: The same of what every chat's template is given, for the engine may not say so at `/tokenize`.
CHAT_DEFAULTS: Setting[Mapping[str, Any]] = Setting(
    handed.CHAT_DEFAULTS, json_object, {}, "The engine's defaults of templates.", Reader.PROXY
)

_ROWS: tuple[Setting[Any], ...] = (
    *(row for row in table.TABLE if row.reader not in {Reader.SUPERVISOR, Reader.BAKE}),
    *(REPORT_FD, JOBS_FD, FITNESS_CHECKS, MODELS_FOLDER, API_KEY, LOCAL_MEDIA, CHAT_DEFAULTS),
)


#: Tokens in a batch; a ramp counts in floats, and no stream has more.
MOST_BATCH = 1_000_000_000


class ProxyConfigurationError(Exception):
    """Settings that cannot be carried out: a clause for each."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """How many tokens a stream's batches hold: `first`, then `growth` times more, up to `most`.

    A growth of 1 means batches of `most` from the start, as in older workers.
    """

    first: int = table.DEFAULT_MIN_BATCH_SIZE.default
    growth: float = table.DEFAULT_BATCH_SIZE_GROWTH_FACTOR.default
    most: int = table.DEFAULT_BATCH_SIZE.default

    @property
    def begin(self) -> int:
        """Tokens in the first batch."""
        return min(self.first, self.most) if self.growth > 1 else self.most


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, `settings[table.MAX_CONCURRENCY]`, and what follows from them.

    `detour` are the HTTP proxies of the engine, whose environment has the same.
    """

    values: Values = field(default_factory=Values)
    detour: Detour = field(default_factory=Detour)

    def __getitem__(self, setting: Setting[T]) -> T:
        return self.values[setting]

    @property
    def key(self) -> str | None:
        """The key that the engine itself asks for; None where it asks for none."""
        return next(iter(self[API_KEY]), None)

    @property
    def engine_url(self) -> str:
        """Where the engine is, without a slash at the end."""
        named = self[table.ENGINE_URL]
        return (named or f"http://127.0.0.1:{self[table.VLLM_PORT]}").rstrip("/")

    @property
    def control_url(self) -> str | None:
        """Where the supervisor is; None where an engine was named and no supervisor."""
        named = self[table.CONTROL_URL]
        if self[table.ENGINE_URL] and not named:
            return None
        return (named or f"http://127.0.0.1:{self[table.PORT_HEALTH]}").rstrip("/")

    @property
    def control_headers(self) -> Mapping[str, str]:
        """What shows the supervisor that this proxy may ask it."""
        token = self[table.CONTROL_TOKEN]
        return (
            {}
            if token is None or self.control_url is None
            else {"Authorization": f"Bearer {token}"}
        )

    @property
    def ramp(self) -> Ramp:
        """The default ramp of a stream's batches."""
        return Ramp(
            first=min(self[table.DEFAULT_MIN_BATCH_SIZE], MOST_BATCH),
            growth=self[table.DEFAULT_BATCH_SIZE_GROWTH_FACTOR],
            most=min(self[table.DEFAULT_BATCH_SIZE], MOST_BATCH),
        )

    @property
    def allowed_routes(self) -> frozenset[str]:
        """Routes that are offered beyond the default ones."""
        return self.worker_routes.union(self[table.ALLOWED_ROUTES])

    @property
    def worker_routes(self) -> frozenset[str]:
        """Those of them that are answered by the worker itself."""
        return routes.WORKER if self[table.WORKER_ROUTES] else frozenset()


def read(env: Mapping[str, str]) -> Settings:
    """The settings in `env`; a blank value counts as not set.

    Raises:
        ProxyConfigurationError: values are not accepted; names each variable and what is.
    """
    values, faults = take(env, _ROWS)
    if faults:
        raise ProxyConfigurationError("; ".join(fault.message for fault in faults))
    return Settings(values, detour.read(env))
