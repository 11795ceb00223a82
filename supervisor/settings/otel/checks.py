"""What the value of one of OpenTelemetry's variables may say. Pure.

Each raises ValueError with the end of a sentence that begins with the name and the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote, urlsplit

PROTOCOL = "http/protobuf"
#: A preference, by the specification: what cannot be had is no error.
TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
CUMULATIVE = "cumulative"

Check = Callable[[str], None]

#: The SDK's own limits on spans that wait, and on those that go out together.
QUEUE, QUEUE_SIZE = "OTEL_BSP_MAX_QUEUE_SIZE", 2048
BATCH, BATCH_SIZE = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # of a header
#: What the SDK takes of a header's value; it drops others, with a warning that shows them.
_VALUE = re.compile(r"[\x20-\x7e]*")
_ENCODED = re.compile(r'[";\\]')
_MOST = 2**31


def url(written: str) -> None:
    """A whole address of http or https."""
    try:
        parts = urlsplit(written)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname)
        sound = sound and parts.port != 0 and not re.search(r"[\s\x00-\x1f]", written)
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("is no address of http or https, such as http://collector:4318")
    if "#" in written:
        raise ValueError("has a #, and what is behind it would not be sent")


def base(written: str) -> None:
    """An address to which the path of each signal is added."""
    url(written)
    if "?" in written:
        raise ValueError(
            "has a ?, behind which no path can be added; set OTEL_EXPORTER_OTLP_TRACES_ENDPOINT and"
            " OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, each a whole address, instead"
        )


def protocol(written: str) -> None:
    """The one that is spoken here."""
    if written.lower() != PROTOCOL:
        raise ValueError(f"is not what this worker speaks; set {PROTOCOL}, and its address")


def exporter(written: str) -> None:
    """OTLP or nothing."""
    if written.lower() not in {"otlp", "none"}:
        raise ValueError("is neither otlp nor none")


def text(written: str) -> None:
    """Any that can be sent."""
    try:
        written.encode()
    except UnicodeEncodeError:
        raise ValueError("is not encoded in UTF-8") from None


def pairs(written: str) -> None:
    """Names and values, as attributes are said."""
    for _name, value in _parted(written):
        if not unquote(value).isprintable():
            raise ValueError("has a value with a character that does not show")


def headers(written: str) -> None:
    """Names and values that a request can carry, by the SDK's reading of them."""
    for _name, value in _parted(written):
        if _ENCODED.search(value) or not _VALUE.fullmatch(value):
            raise ValueError(
                'has a value with a quote, ";", "\\" or a letter outside ASCII: write it as'
                " percent-encoded UTF-8 (%22 for a quote)"
            )
        decoded = unquote(value)
        try:
            decoded.encode("latin-1")
        except UnicodeEncodeError:
            raise ValueError("has a value with a character that no header can hold") from None
        if not decoded.isprintable():
            raise ValueError("has a value with a character that does not show")


def _parted(written: str) -> Iterator[tuple[str, str]]:
    for pair in filter(None, (each.strip() for each in written.split(","))):
        name, sign, value = pair.partition("=")
        if not sign or not _NAME.fullmatch(unquote(name.strip())):
            raise ValueError("is no list of name=value, parted by commas")
        yield name, value


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

#: Below so many milliseconds a value was probably meant to be seconds.
MEANT_SECONDS: Mapping[str, float] = {
    "OTEL_METRIC_EXPORT_INTERVAL": 1000,
    "OTEL_EXPORTER_OTLP_TIMEOUT": 100,
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": 100,
    "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": 100,
    "OTEL_BSP_SCHEDULE_DELAY": 100,
}

#: Behind OTEL_EXPORTER_OTLP_, or with the name of a signal between.
OF_OTLP: Mapping[str, Check] = {
    "PROTOCOL": protocol,
    "TIMEOUT": _MS,
    "HEADERS": headers,
    "COMPRESSION": among("none", "gzip", "deflate"),
}
#: What the SDK reads beside these.
OF_SDK: Mapping[str, Check] = {
    "OTEL_SERVICE_NAME": text,
    "OTEL_RESOURCE_ATTRIBUTES": pairs,
    "OTEL_SDK_DISABLED": among("true", "false"),
    "OTEL_TRACES_SAMPLER": among(
        *("always_on", "always_off", "traceidratio"),
        *("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
    ),
    "OTEL_TRACES_SAMPLER_ARG": number(0, 1, "number from 0 to 1"),
    "OTEL_METRIC_EXPORT_INTERVAL": _MS,
    "OTEL_METRIC_EXPORT_TIMEOUT": _MS,
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": among(
        "explicit_bucket_histogram", "base2_exponential_bucket_histogram"
    ),
    TEMPORALITY: among(CUMULATIVE, "delta", "lowmemory"),
    "OTEL_BSP_SCHEDULE_DELAY": _SOME,
    "OTEL_BSP_EXPORT_TIMEOUT": _SOME,
    QUEUE: _SOME,
    BATCH: _SOME,
    "OTEL_ATTRIBUTE_COUNT_LIMIT": _COUNT,
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": _COUNT,
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": _COUNT,
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": _COUNT,
    "OTEL_SPAN_EVENT_COUNT_LIMIT": _COUNT,
    "OTEL_SPAN_LINK_COUNT_LIMIT": _COUNT,
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": _COUNT,
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": _COUNT,
}
