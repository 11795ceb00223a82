"""`dataclass` for what is imported before the engine is spawned, in a fifth of the library's time.

The library imports `inspect`, 5 ms, and compiles six methods for each frozen class, a third of a
millisecond; fifty are made by then. Here `__init__` alone is compiled, and all share the rest. Type
checkers take it for the library's, and `dataclasses` takes these classes for its own, so that
`fields`, `replace` and `asdict` work.

It has what is used here: `frozen`, `slots`, and fields with a default, `init` and `repr`. A class
that is derived from a record brings no fields of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any

_MISSING: Any = object()
_NOT_COPIED = {"__dict__", "__weakref__"}


class _Field:
    """What `field` was told."""

    __slots__ = ("default", "default_factory", "init", "repr")

    def __init__(
        self,
        *,
        default: Any = _MISSING,
        default_factory: Any = _MISSING,
        init: bool = True,
        repr: bool = True,  # noqa: A002 - the library's name
    ) -> None:
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr


def _dataclass(*, frozen: bool = False, slots: bool = False) -> Callable[[type[Any]], type[Any]]:
    return lambda cls: _made(cls, frozen=frozen, slots=slots)


def _replace(record: Any, **changes: Any) -> Any:
    kept = {name: getattr(record, name) for name in record.__match_args__ if name not in changes}
    return type(record)(**kept, **changes)


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    dataclass, field, replace = _dataclass, _Field, _replace

__all__ = ["dataclass", "field", "replace"]


class _Layout:
    """The fields of a class, in their order; what few ask for is made when they do."""

    def __init__(self, cls: type[Any]) -> None:
        self._name = cls.__name__
        self._types = cls.__annotations__
        self.fields = {name: _field(cls, name) for name in self._types}

    @cached_property
    def values(self) -> Callable[[object], Any]:
        """What compares like the values of an instance."""
        return attrgetter(*self.fields)

    @cached_property
    def shown(self) -> list[str]:
        return [name for name, each in self.fields.items() if each.repr]

    @cached_property
    def as_library(self) -> Mapping[str, Any]:
        """As `dataclasses` writes it down."""
        import dataclasses

        told = [
            (name, self._types[name], dataclasses.field(**_told(each)))
            for name, each in self.fields.items()
        ]
        like: Any = dataclasses.make_dataclass(self._name, told)
        fields: Mapping[str, Any] = like.__dataclass_fields__
        return fields


def _field(cls: type[Any], name: str) -> _Field:
    default = cls.__dict__.get(name, _MISSING)
    return default if isinstance(default, _Field) else _Field(default=default)


def _told(each: _Field) -> dict[str, Any]:
    every = {name: getattr(each, name) for name in _Field.__slots__}
    return {name: value for name, value in every.items() if value is not _MISSING}


class _LibraryFields:
    """`__dataclass_fields__`, of a class and of its instances."""

    def __get__(self, _instance: object, owner: Any) -> Mapping[str, Any]:
        fields: Mapping[str, Any] = owner.__layout__.as_library
        return fields


def _made(cls: type[Any], *, frozen: bool, slots: bool) -> type[Any]:
    layout = _Layout(cls)
    fields = layout.fields
    own = {name: each for name, each in cls.__dict__.items() if name not in _NOT_COPIED}
    for name, each in fields.items():
        own.pop(name, None)
        if not slots and each.default is not _MISSING:
            own[name] = each.default
    shared: dict[str, Any] = {
        "__qualname__": cls.__qualname__,
        "__layout__": layout,
        "__dataclass_fields__": _LibraryFields(),
        "__match_args__": tuple(name for name, each in fields.items() if each.init),
        "__init__": _init(cls, fields, frozen=frozen),
        "__repr__": _repr,
        "__eq__": _eq,
        "__hash__": _hash if frozen else None,
    }
    if frozen:
        shared |= {"__setattr__": _refuse, "__delattr__": _refuse}
    if slots:
        shared |= {"__slots__": tuple(fields)}
    if frozen and slots:
        shared |= {"__getstate__": _state, "__setstate__": _restore}
    made: type[Any] = type(cls.__name__, cls.__bases__, shared | own)
    return made


def _init(cls: type[Any], fields: Mapping[str, _Field], *, frozen: bool) -> Any:
    """The one method that is compiled, because every instance is made by it."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_missing": _MISSING}
    arguments, defaults, body = ["self"], [], []
    for name, each in fields.items():
        made = each.default_factory is not _MISSING
        value = name
        if made:
            known[f"_make_{name}"] = each.default_factory
            value = f"_make_{name}() if {name} is _missing else {name}"
        if each.init:
            optional = made or each.default is not _MISSING
            arguments.append(f"{name}=_missing" if optional else name)
            defaults += [each.default] if optional else []
            body.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    source = f"def __init__({', '.join(arguments)}):\n " + "\n ".join(body)
    exec(source, known)  # noqa: S102 - of names in our own code
    init = known["__init__"]
    init.__defaults__ = tuple(defaults)
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _repr(self: Any) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name in self.__layout__.shown)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _eq(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    values = self.__layout__.values
    return values(self) == values(other)


def _hash(self: Any) -> int:
    return hash(self.__layout__.values(self))


def _refuse(_self: object, name: str, _value: object = None) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot change field {name!r}")


def _state(self: Any) -> list[Any]:
    """What is copied: the library's way to set it would be refused."""
    return [getattr(self, name) for name in self.__layout__.fields]


def _restore(self: Any, state: list[Any]) -> None:
    for name, value in zip(self.__layout__.fields, state, strict=True):
        object.__setattr__(self, name, value)
