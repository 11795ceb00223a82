"""What OpenTelemetry's SDK reads in this process: the variables as the worker takes them. Pure.

The SDK looks into the process's own environment, and takes a blank around a value, or a value of
blanks, for a value.
"""

from __future__ import annotations

from collections.abc import MutableMapping

from ..settings import otel, quotes


def settle(process: MutableMapping[str, str]) -> None:
    """Make OpenTelemetry's variables in `process` what they count as; others stay as they are.

    Call it before the SDK is imported, which reads some of them then.
    """
    names = [name for name in process if name.startswith(otel.FAMILY)]
    wanted = otel.cleaned(quotes.take_off(process, names)[0])
    for name in names:
        if name in wanted:
            process[name] = wanted[name]
        else:
            del process[name]
