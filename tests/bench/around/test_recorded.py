"""One stream, relayed in memory."""

from __future__ import annotations

from bench.around.recorded import Relayed


async def test_the_same_stream_with_metrics_and_without() -> None:
    counted, silent = Relayed(), Relayed(counts=False)
    for each in (counted, silent):
        await each.relay()
    assert counted.outputs == silent.outputs == 68, "200 tokens, 3 in each; and the result"
    figures, none = counted.figures, silent.figures
    assert (figures.answered, figures.tokens, figures.batches) == (1, 200, 67)
    assert (figures.wait.count, figures.first_token.count, figures.per_token.count) == (1, 1, 1)
    assert figures.post.count == 68
    assert (none.answered, none.batches, none.post.count) == (0, 0, 0)
    assert none.tokens == 200, "a plain integer, which is measured by itself"
