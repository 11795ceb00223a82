"""An environment in today's names. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ...findings import Source
from ...records import dataclass, field


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a rewritten value came from."""

    variables: tuple[str, ...]
    source: Source
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Rewritten:
    """An environment in today's names, and which of its entries came from other ones."""

    env: Mapping[str, str]
    origins: Mapping[str, Origin] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The value of a variable without white space around it; empty where it is not set."""
        return self.env.get(name, "").strip()

    def without(self, *names: str) -> Rewritten:
        """As if these were not set."""
        kept = {name: text for name, text in self.env.items() if name not in names}
        return Rewritten(kept, self.origins)

    def saying(self, name: str, text: str, origin: Origin) -> Rewritten:
        """With a value for one variable, and where it came from."""
        return Rewritten({**self.env, name: text}, {**self.origins, name: origin})
