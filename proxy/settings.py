"""The proxy's settings, read from a mapping of environment variables. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator


class ProxyConfigurationError(Exception):
    """A setting that cannot be carried out: one sentence."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """How many tokens a stream's batches hold: `first`, then `growth` times more, up to `most`."""

    first: int = 1
    growth: float = 3.0
    most: int = 50


class Settings(BaseModel):
    """The variables by their names; times in seconds, BATCH_MAX_LATENCY_MS in milliseconds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    VLLM_PORT: int = Field(8000, ge=1, le=65535)
    PORT_HEALTH: int = Field(8001, ge=1, le=65535)
    ENGINE_URL: str = ""
    CONTROL_URL: str = ""
    VLLM_API_KEY: str = Field("", repr=False)
    MAX_CONCURRENCY: int = Field(300, ge=1)
    DEFAULT_BATCH_SIZE: int = Field(50, ge=1)
    DEFAULT_MIN_BATCH_SIZE: int = Field(1, ge=1)
    DEFAULT_BATCH_SIZE_GROWTH_FACTOR: float = Field(3.0, ge=1)
    BATCH_MAX_LATENCY_MS: float | None = Field(None, ge=0)
    RAW_OPENAI_OUTPUT: bool = True
    ALLOWED_ROUTES: str = ""
    LOG_CONTENT: bool = False
    REQUEST_IDLE_TIMEOUT: float = Field(600.0, gt=0)
    ENGINE_WAIT_TIMEOUT: float = Field(600.0, ge=0)
    REPORT_FD: int | None = None  # set by the supervisor: the pipe for `report`
    JOBS_FD: int | None = None  # and the file with the jobs that were left
    FITNESS_CHECKS: str = "memory,disk,gpu,engine"  # set by the supervisor: those of `fitness`

    @field_validator("BATCH_MAX_LATENCY_MS", mode="before")
    @classmethod
    def _adaptive(cls, value: object) -> object:
        return None if value == "auto" else value

    @property
    def engine_url(self) -> str:
        """Where the engine is, without a slash at the end."""
        return (self.ENGINE_URL or f"http://127.0.0.1:{self.VLLM_PORT}").rstrip("/")

    @property
    def control_url(self) -> str | None:
        """Where the supervisor is; None where an engine was named and no supervisor."""
        if self.ENGINE_URL and not self.CONTROL_URL:
            return None
        return (self.CONTROL_URL or f"http://127.0.0.1:{self.PORT_HEALTH}").rstrip("/")

    @property
    def ramp(self) -> Ramp:
        """The default ramp of a stream's batches."""
        return Ramp(
            first=self.DEFAULT_MIN_BATCH_SIZE,
            growth=self.DEFAULT_BATCH_SIZE_GROWTH_FACTOR,
            most=self.DEFAULT_BATCH_SIZE,
        )

    @property
    def allowed_routes(self) -> frozenset[str]:
        """Routes that are offered beyond the default ones."""
        return frozenset(self.ALLOWED_ROUTES.replace(",", " ").split())


def read(env: Mapping[str, str]) -> Settings:
    """The settings in `env`; a blank value counts as not set.

    Raises:
        ProxyConfigurationError: a value is not accepted; names the variable and what is.
    """
    given = {name: env[name].strip() for name in Settings.model_fields if env.get(name, "").strip()}
    try:
        return Settings.model_validate(given)
    except ValidationError as reason:
        fault = reason.errors()[0]
        name = str(fault["loc"][0])
        raise ProxyConfigurationError(f"{name}={given.get(name)}: {fault['msg']}") from None
