"""What vLLM accepts on its command line, as data: schema 1, made by the engine's own interpreter.

`options` holds the values, `store` finds those of the installed engine, `versions` has those of the
versions that come with this package; `foreign/introspect` makes them.
"""

from .options import Catalog, Kind, Option

__all__ = ["Catalog", "Kind", "Option"]
