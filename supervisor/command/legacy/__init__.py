"""What the variables of older workers mean today. Pure.

An old name becomes the name of an option that the catalogue has, fields of one JSON option that
come from several variables are merged, and what has no equivalent in this version is named in a
warning with what to do. Where the catalogue has an option of the old name, the general rule of
`translate` applies and nothing is rewritten.

`table` holds the meanings, `rewriting` carries the names over one by one, `fields` merges those
that are parts of one JSON object; `rope`, `request_log` and `task` are names that take more than
that. `unset` takes out what says `None`.
"""

from .rewriting import carries, rewrite
from .rewritten import Origin, Rewritten
from .table import (
    SERVED_NAME,
    ZERO_IS_UNSET,
    Alias,
    Environment,
    Field,
    Gone,
    Inverse,
    WhenTrue,
    carrier,
    is_an_option,
    is_number,
    names,
)
from .unset import REASON as NONE_IS_UNSET
from .unset import without_none

__all__ = [
    "NONE_IS_UNSET",
    "SERVED_NAME",
    "ZERO_IS_UNSET",
    "Alias",
    "Environment",
    "Field",
    "Gone",
    "Inverse",
    "Origin",
    "Rewritten",
    "WhenTrue",
    "carrier",
    "carries",
    "is_an_option",
    "is_number",
    "names",
    "rewrite",
    "without_none",
]
