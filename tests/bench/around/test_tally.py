"""What the platform makes of what it is sent."""

from __future__ import annotations

import json

from bench.around.tally import Tally, percentile
from bench.load import Load

MS = 1_000_000


def mark(number: int, sent_ms: float) -> str:
    return f" ~{number}:{int(sent_ms * MS)}~"


def tally(jobs: int = 1, tokens: int = 2, **more: bool) -> Tally:
    found = Tally(Load(jobs, tokens, round_trip_ms=20, **more))  # type: ignore[arg-type]
    for number in range(jobs):
        found.submit(f"job-{number}", 1000 * MS)
    return found


def end(one: Tally, name: str, *pieces: str, at_ms: float = 2000) -> bool:
    return one.result(name, json.dumps({"output": pieces}).encode(), None, int(at_ms * MS))


def test_the_first_token_counts_from_the_submission() -> None:
    """A piece without a token, a role for example, is none."""
    one = tally(jobs=2)
    one.piece("job-0", '{"delta":{"role":"assistant"}}', 1010 * MS)
    one.piece("job-0", mark(0, 1020), 1050 * MS)
    one.piece("job-1", mark(0, 1030), 1300 * MS)
    seen = one.delivered()
    assert (seen.first_p50_ms, seen.first_last_ms) == (300, 300)
    assert sorted([seen.delay_p50_ms, seen.delay_max_ms]) == [270, 270]
    assert percentile([30, 270], 0.4) == 30


def test_the_stream_in_the_middle_is_watched_token_by_token() -> None:
    one = tally(jobs=3)
    for number in range(3):
        one.piece(f"job-{number}", mark(0, 1010 + number), 1030 * MS)
    one.piece("job-1", mark(1, 1020), 1060 * MS)
    assert one.delivered().stream == [(11, 30), (20, 60)]


def test_a_run_without_a_fault() -> None:
    one = tally()
    one.piece("job-0", mark(0, 1020) + mark(1, 1030), 1050 * MS)
    assert not one.over
    assert end(one, "job-0", mark(0, 1020), mark(1, 1030))
    assert one.over
    seen = one.delivered()
    assert seen.complaint(one.load) == ""
    assert (seen.tokens, seen.posts, seen.seconds) == (2, 2, 1)
    assert seen.end_p50_ms == 2000 - 1030, "from the last token to the result"


def test_a_mark_may_be_torn_between_two_pieces() -> None:
    one = tally(tokens=1)
    text = mark(0, 1020)
    one.piece("job-0", text[:6], 1030 * MS)
    one.piece("job-0", text[6:], 1040 * MS)
    one.piece("job-0", " ", 1050 * MS)
    seen = one.delivered()
    assert (seen.tokens, seen.delay_p50_ms, seen.tokens_out_of_order) == (1, 20, 0)


def test_what_is_lost_doubled_or_out_of_order() -> None:
    lost = tally()
    lost.piece("job-0", mark(0, 1020), 1050 * MS)
    end(lost, "job-0", mark(0, 1020))
    assert lost.delivered().complaint(lost.load) == "1 tokens of 2"

    doubled = tally()
    doubled.piece("job-0", mark(0, 1020) + mark(0, 1020), 1050 * MS)
    end(doubled, "job-0", mark(0, 1020), mark(0, 1020))
    assert "1 tokens out of order" in doubled.delivered().complaint(doubled.load)


def test_a_result_that_lacks_what_was_streamed() -> None:
    one = tally()
    one.piece("job-0", mark(0, 1020) + mark(1, 1030), 1050 * MS)
    end(one, "job-0", mark(0, 1020))
    assert one.delivered().complaint(one.load) == "1 results lack tokens"


def test_failed_and_unfinished_jobs() -> None:
    one = tally()
    one.result("job-0", b"", "it broke", 1050 * MS)
    assert one.delivered().complaint(one.load) == "it broke"
    assert "only 0 of 1 jobs" in tally().delivered().complaint(one.load)
    strange = tally()
    strange.piece("job-0", {"no": "text"}, 1050 * MS)
    assert "a piece that is no text: {'no': 'text'}" in strange.delivered().complaint(one.load)


def test_every_other_stream_is_cancelled_midway() -> None:
    one = tally(jobs=2, tokens=4, half_cancelled=True)
    halves = [mark(0, 1000) + mark(1, 1010), mark(2, 1020) + mark(3, 1030)]
    assert not one.piece("job-0", halves[0], 1050 * MS)
    assert one.piece("job-1", halves[0], 1050 * MS)
    assert not one.piece("job-1", mark(2, 1020), 1050 * MS), "it is told once"
    one.piece("job-0", halves[1], 1060 * MS)
    end(one, "job-0", *halves)
    assert one.over
    seen = one.delivered()
    assert (seen.jobs_done, seen.jobs_stopped, seen.tokens) == (1, 1, 6)
    assert seen.complaint(one.load) == ""
    assert not end(one, "job-1", *halves), "and goes on to its end all the same"
    assert one.delivered().complaint(one.load) == "1 jobs went on after a stop"


def test_an_answer_in_one_piece() -> None:
    """What the worker adds is the whole without the engine's 30 ms and the round trip of 20."""
    one = tally(tokens=1, streaming=False)
    one.piece("job-0", {"choices": []}, 1090 * MS)
    end(one, "job-0", f"{mark(0, 1080)} ={30 * MS}=", at_ms=1100)
    seen = one.delivered()
    assert seen.complaint(one.load) == ""
    assert (seen.added_p50_ms, seen.first_p50_ms, seen.delay_p50_ms) == (50, 100, 20)


def test_percentiles() -> None:
    assert percentile([], 0.5) == 0
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile(list(range(100)), 0.99) == 99
