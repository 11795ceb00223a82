"""What the installed vLLM accepts, as data: schema 1, made by the engine's own interpreter.

`options` holds the values, `introspect` is run by the engine's interpreter and writes them, `store`
keeps them under the version they belong to.
"""

from .options import Catalog, Kind, Option

__all__ = ["Catalog", "Kind", "Option"]
