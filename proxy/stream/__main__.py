"""`python -m proxy.stream native|valid`: what a child does with a large answer; see `whole`."""

from __future__ import annotations

import sys

from proxy.errors import AnswerNotUnderstood
from proxy.stream import finite, native

NOT_UNDERSTOOD = 3  #: an answer that is no JSON or has no choices


def main(work: str) -> int:
    """Read an answer of the engine's from standard input, and write what `whole` expects.

    Args:
        work: `native` writes the number of tokens, a line break and the answer in the native form;
            `valid` the answer with null for what JSON has not.

    Returns:
        The exit code: 0, or NOT_UNDERSTOOD after a sentence that says why.
    """
    raw, output = sys.stdin.buffer.read(), sys.stdout.buffer
    if work == "valid":
        output.write(finite.valid(raw))
        return 0
    try:
        found = native.encoded(raw)
    except AnswerNotUnderstood as reason:
        output.write(str(reason).encode(errors="backslashreplace"))
        return NOT_UNDERSTOOD
    output.write(b"%d\n" % found.tokens + found.text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
