"""One answer's batches as outputs, and when the last of them has been handed over."""

from __future__ import annotations

import json

import pytest

from proxy.errors import ErrorInStream
from proxy.job_log import Record
from proxy.request.forms import COMPLETIONS, Request
from proxy.settings import Ramp
from proxy.stream.outputs import Outputs
from proxy.stream.ramp import Batches
from proxy.streamed import Streamed
from supervisor.link.figures import Figures

DONE = b"data: [DONE]\n\n"
ERROR = b'data: {"error": {"message": "EngineCore encountered an issue.", "code": 500}}\n\n'


def token(text: str) -> bytes:
    return b"data: %b\n\n" % json.dumps({"choices": [{"index": 0, "text": text}]}).encode()


def streamed() -> Streamed:
    request = Request("POST", COMPLETIONS, {"prompt": "x", "stream": True})
    outputs = Outputs(own_form=False, as_text=True)
    record = Record("job-1", lambda: 0.0)
    return Streamed(request, record, Figures(), outputs, Batches(Ramp(1, 3, 50)), None)


def test_a_batch_is_counted_and_handed_over() -> None:
    stream = streamed()
    stream.waiting.add([token("a"), token(" b")])
    (output,) = stream.batch(stream.waiting.take())
    assert output == (token("a") + token(" b")).decode()
    assert (stream.figures.tokens, stream.figures.bytes) == (2, len(output))
    assert not stream.record.answered
    assert list(stream.batch([])) == []


def test_the_answer_is_there_with_the_last_batch_alone() -> None:
    stream = streamed()
    stream.waiting.add([token("a"), DONE])
    stream.waiting.complete = True
    for _ in stream.batch(stream.waiting.take()):
        assert stream.record.answered


def test_another_engine_s_part_has_an_end_of_its_own() -> None:
    stream = streamed()
    stream.waiting.add([token("a"), ERROR, DONE])
    stream.waiting.complete = True
    with pytest.raises(ErrorInStream):
        list(stream.batch(stream.waiting.take()))
    stream.waiting.add([DONE])  # as where it does not fit into the batch
    rest = stream.anew()
    assert (rest.waiting.empty, rest.waiting.seen) == (True, 1)
    rest.waiting.add([token(" b")])
    for _ in rest.batch(rest.waiting.take()):
        assert not rest.record.answered


def test_an_end_that_no_engine_gave_is_the_last() -> None:
    stream = streamed()
    for _ in stream.last([DONE]):
        assert stream.record.answered
