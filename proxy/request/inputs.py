"""What each form of a job's input may say; a key that is null was left out before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from proxy import excerpt
from proxy.errors import InvalidInput
from proxy.request.routes import Method
from proxy.settings import MOST_BATCH
from proxy.traces import context

#: Keys that mean nothing to an engine: those of RunPod's own envelope, which stand beside `input`
#: and get into it by mistake, one of
#: older workers, and what `proxy.traces` reads.
_NOBODYS = (
    frozenset("id webhook policy s3Config refresh_worker use_openai_format".split()) | context.KEYS
)

_BOOLEAN: TypeAdapter[bool] = TypeAdapter(bool)

M = TypeVar("M", bound=BaseModel)


def _upper(given: Any) -> Any:
    return given.strip().upper() if isinstance(given, str) else given


def _grows(factor: float) -> float:
    if factor and factor < 1:
        raise PydanticCustomError("growth", "Input should be 1 or more, or 0 for the default")
    return factor


# 0 means the default in each of these, as in older workers.
_BatchSize = Annotated[int, Field(ge=0, le=MOST_BATCH)]
_Growth = Annotated[FiniteFloat, AfterValidator(_grows)]


class _Input(BaseModel):
    model_config = ConfigDict(extra="allow")

    @property
    def others(self) -> dict[str, Any]:
        """The keys that the form does not list."""
        found = self.model_extra or {}
        return {name: value for name, value in found.items() if name not in _NOBODYS}


class OpenAI(_Input):
    """What the platform makes of /openai/v1/..."""

    openai_route: str = ""
    openai_input: dict[str, Any] = Field(default_factory=dict)


class Route(_Input):
    """Any offered route."""

    route: str
    method: Annotated[Method | None, BeforeValidator(_upper)] = None
    body: dict[str, Any] = Field(default_factory=dict)


class Native(_Input):
    """The form of older workers."""

    prompt: str | None = None
    # Of a list that is wrong from end to end the first fault is enough, and soon found.
    messages: list[dict[str, Any]] | None = Field(None, fail_fast=True)
    apply_chat_template: bool = False
    sampling_params: dict[str, Any] = Field(default_factory=dict)
    stream: bool | None = None
    model: str | None = None
    max_batch_size: _BatchSize = 0
    min_batch_size: _BatchSize = 0
    batch_size_growth_factor: _Growth = 0


def checked(model: type[M], given: Mapping[str, Any]) -> M:
    """`given` as the form `model` has it.

    Raises:
        InvalidInput: it does not fit; names the field.
    """
    try:
        return model.model_validate(given)
    except ValidationError as reason:
        fault = reason.errors()[0]
        name = excerpt.text(".".join(str(part) for part in fault["loc"])) or "input"
        raise InvalidInput(f"{name}: {fault['msg']}", name) from None


def boolean(name: str, value: Any) -> bool:
    """A value as true or false, in the spellings that the engine takes, too: "true", 1.

    Raises:
        InvalidInput: it is neither.
    """
    try:
        return _BOOLEAN.validate_python(value)
    except ValidationError:
        message = f"{name}: {excerpt.value(value)} is neither true nor false"
        raise InvalidInput(message, name) from None
