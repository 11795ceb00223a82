"""What the value of one of OpenTelemetry's variables may say. Pure.

Each raises ValueError with the end of a sentence that begins with the name and the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote, urlsplit

PROTOCOL = "http/protobuf"
#: A preference, by the specification: what cannot be had is no error.
TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
CUMULATIVE = "cumulative"

Check = Callable[[str], None]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # of a header
_MOST = 2**31


def url(written: str) -> None:
    """An address of http or https."""
    try:
        parts = urlsplit(written)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname)
        sound = sound and parts.port != 0 and not re.search(r"[\s\x00-\x1f]", written)
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("is no address of http or https, such as http://collector:4318")


def protocol(written: str) -> None:
    """The one that is spoken here."""
    if written.lower() != PROTOCOL:
        raise ValueError(f"is not what this worker speaks; set {PROTOCOL}, and its address")


def exporter(written: str) -> None:
    """OTLP or nothing."""
    if written.lower() not in {"otlp", "none"}:
        raise ValueError("is neither otlp nor none")


def pairs(written: str) -> None:
    """Names and values, as headers and attributes are said."""
    for pair in filter(None, (each.strip() for each in written.split(","))):
        name, sign, value = pair.partition("=")
        value = unquote(value)
        if not sign or not _NAME.fullmatch(unquote(name.strip())):
            raise ValueError("is no list of name=value, parted by commas")
        if not value.isprintable():
            raise ValueError("has a value with a character that does not show")


def among(*words: str) -> Check:
    """One of these, in any case."""

    def check(written: str) -> None:
        if written.lower() not in words:
            raise ValueError(f"is not one of {', '.join(words)}")

    return check


def number(least: float, most: float, what: str) -> Check:
    """A number between these, a whole one unless `what` says that it is any."""

    def check(written: str) -> None:
        try:
            number = float(written) if what.startswith("number") else int(written)
        except ValueError:
            number = float("nan")
        if not least <= number <= most:
            raise ValueError(f"is not a {what}")

    return check


_COUNT = number(0, _MOST, "whole number, 0 or more")
_SOME = number(1, _MOST, "whole number, 1 or more")
_MS = number(1, _MOST, "number of milliseconds, 1 or more")

#: Behind OTEL_EXPORTER_OTLP_, or with the name of a signal between.
OF_OTLP: Mapping[str, Check] = {
    "PROTOCOL": protocol,
    "TIMEOUT": _MS,
    "HEADERS": pairs,
    "COMPRESSION": among("none", "gzip", "deflate"),
}
#: What the SDK reads beside these.
OF_SDK: Mapping[str, Check] = {
    "OTEL_RESOURCE_ATTRIBUTES": pairs,
    "OTEL_SDK_DISABLED": among("true", "false"),
    "OTEL_TRACES_SAMPLER": among(
        *("always_on", "always_off", "traceidratio"),
        *("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
    ),
    "OTEL_TRACES_SAMPLER_ARG": number(0, 1, "number from 0 to 1"),
    "OTEL_METRIC_EXPORT_INTERVAL": _MS,
    "OTEL_METRIC_EXPORT_TIMEOUT": _MS,
    TEMPORALITY: among(CUMULATIVE, "delta", "lowmemory"),
    "OTEL_BSP_SCHEDULE_DELAY": _SOME,
    "OTEL_BSP_EXPORT_TIMEOUT": _SOME,
    "OTEL_BSP_MAX_QUEUE_SIZE": _SOME,
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": _SOME,
    "OTEL_ATTRIBUTE_COUNT_LIMIT": _COUNT,
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": _COUNT,
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": _COUNT,
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": _COUNT,
    "OTEL_SPAN_EVENT_COUNT_LIMIT": _COUNT,
    "OTEL_SPAN_LINK_COUNT_LIMIT": _COUNT,
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": _COUNT,
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": _COUNT,
}
