"""The values of settings in an environment, as every process takes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from ..findings import Fault
from ..records import dataclass, field
from ..secrets import masked
from .table import Setting

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Values:
    """Settings to be looked up by their rows: `values[table.DRAIN_TIMEOUT]` is seconds."""

    #: Only what differs from the defaults; not shown, because a key may be among it.
    _changed: Mapping[str, object] = field(default_factory=dict, repr=False)

    def __getitem__(self, setting: Setting[T]) -> T:
        return cast("T", self._changed.get(setting.name, setting.default))


def take(
    env: Mapping[str, str], settings: Iterable[Setting[Any]]
) -> tuple[Values, tuple[Fault, ...]]:
    """The values of `settings` in `env`, and what is wrong with them.

    A setting that is not set, blank or refused has its default.
    """
    changed: dict[str, object] = {}
    faults = []
    for setting in settings:
        try:
            value = setting.of(env)
        except ValueError as reason:
            faults.append(_fault(setting, env, reason))
        else:
            if value != setting.default:
                changed[setting.name] = value
    return Values(changed), tuple(faults)


def early(env: Mapping[str, str], setting: Setting[T]) -> T:
    """One value before all are read, which is when a refused one is told of; see `take`."""
    return take(env, (setting,))[0][setting]


def _fault(setting: Setting[Any], env: Mapping[str, str], reason: ValueError) -> Fault:
    name = setting.variable(env)
    shown = masked(name, setting.written(env))
    return Fault(name, shown, f"{name}={shown} {reason}")
