"""What an exporter says of its collector, folded. The texts are those of OpenTelemetry's SDKs."""

from __future__ import annotations

import json
import os

import pytest

from supervisor.worker.logs.exports import Exports
from supervisor.worker.logs.plain import Plain
from supervisor.worker.logs.sink import LogSink
from supervisor.worker.logs.speaker import Speaker
from supervisor.worker.logs.wrapped import Wrapped
from tests.client import PATIENCE
from tests.supervisor.worker.logs.clock import Clock

URL = "http://c:4318/v1/traces"
SIGN = "~ab "
POOL = (
    "HTTPConnectionPool(host='c', port=4318): Max retries exceeded with url: /v1/traces"
    " (Caused by {})"
)
REFUSED = POOL.format(
    "NewConnectionError(\"HTTPConnection(host='c', port=4318): Failed to establish a new"
    ' connection: [Errno 111] Connection refused")'
)
UNKNOWN = POOL.format(
    "NameResolutionError(\"HTTPConnection(host='c', port=4318): Failed to resolve 'c' ([Errno -2]"
    ' Name or service not known)")'
)
TLS = POOL.format("SSLError(SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version number'))")
SLOW = "HTTPConnectionPool(host='c', port=4318): Read timed out. (read timeout=3)"
LOST = "Failed to export spans batch due to timeout, max retries or shutdown."
TO = "localhost:4317"


def retried(why: str, what: str = "spans batch", after: str = "0.96s.") -> str:
    return f"Transient error {why} encountered while exporting {what}, retrying in {after}"


#: Each with what is told of it.
SAID = [
    (retried(REFUSED), "Connection refused"),
    (retried(UNKNOWN), "Name or service not known"),
    (retried(TLS), "WRONG_VERSION_NUMBER"),
    (retried(SLOW), "timed out"),
    (retried("Service Unavailable"), "Service Unavailable"),
    (retried("Service Unavailable", "span batch", "2s."), "Service Unavailable"),
    (LOST, ""),
    ("Failed to export spans batch code: 400, reason: Bad Request", "it answers 400"),
    ("Failed to export span batch code: 401, reason: no <key>: here", "it answers 401"),
    ("Failed to export batch code: 404, reason: 404 page not found", "it answers 404"),
    (retried("StatusCode.UNAVAILABLE", f"traces to {TO}", "1s."), "UNAVAILABLE"),
    (
        retried("StatusCode.UNAVAILABLE", f"traces to {TO}", "1.02s. Error details: no [way]"),
        "UNAVAILABLE",
    ),
    (f"Failed to export traces to {TO}, error code: StatusCode.UNAUTHENTICATED", "UNAUTHENTICATED"),
    (
        f"Failed to export traces to {TO}, error code: StatusCode.INTERNAL, error details: x: y",
        "INTERNAL",
    ),
    ("Queue full, dropping Span.", ""),
    ("Queue is full, likely spans/logs will be dropped.", ""),
    ("Shutdown in progress, aborting retry.", ""),
]

#: Of an SDK that lets the error of a connection through.
TRACEBACK = f"""Exception while exporting Span batch.
Traceback (most recent call last):
  File "/usr/lib/python3.12/site-packages/urllib3/connection.py", line 198, in _new_conn
    sock = connection.create_connection(
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
ConnectionRefusedError: [Errno 111] Connection refused

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/usr/lib/python3.12/site-packages/urllib3/connectionpool.py", line 787, in urlopen
    response = self._make_request(

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/usr/lib/python3.12/site-packages/opentelemetry/sdk/trace/export/__init__.py", line 360
    self.span_exporter.export(self.spans_list[:idx])
requests.exceptions.ConnectionError: {REFUSED}
""".splitlines()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def exports(told: list[str], clock: Clock) -> Exports:
    return Exports(told.append, URL, clock)


@pytest.mark.parametrize(
    "process", ["", "(APIServer pid=7) ", "\x1b[1;36m(EngineCore_DP0 pid=9)\x1b[0;0m "]
)
@pytest.mark.parametrize(("said", "why"), SAID)
def test_every_form_is_known_and_its_reason_told(
    exports: Exports, told: list[str], said: str, why: str, process: str
) -> None:
    assert exports.takes(f"{process}{said}\n".encode())
    exports.tell_rest()
    assert told == [
        (
            f"the engine's spans do not reach {URL}{why and ': '}{why};"
            " what its exporter says of that is counted from now on"
        )
    ]


def test_one_line_tells_of_it_and_then_one_an_hour(
    exports: Exports, told: list[str], clock: Clock
) -> None:
    assert exports.left is None
    for _ in range(3):
        assert exports.takes(retried(REFUSED).encode())
    assert exports.left == 2.0
    clock.now += 2
    exports.tell()
    assert len(told) == 1
    assert exports.left is None
    for _ in range(358):
        clock.now += 10
        assert exports.takes(LOST.encode())
        exports.tell()
    assert len(told) == 1
    clock.now += 30
    exports.tell()
    assert told[1:] == [
        (
            f"the engine's spans did not reach {URL} in the last 3600 s: Connection refused;"
            " its exporter wrote 358 lines"
        )
    ]
    clock.now += 3601  # an hour in which it was well
    assert exports.takes(b"Failed to export spans batch code: 503, reason: Busy")
    clock.now += 2
    exports.tell()
    assert told[2].startswith(f"the engine's spans do not reach {URL}: it answers 503;")


@pytest.mark.parametrize("process", ["", "(APIServer pid=7) "])
def test_a_traceback_is_part_of_its_message(
    exports: Exports, told: list[str], process: str
) -> None:
    for _ in range(2):
        assert all(exports.takes(f"{process}{line}\n".encode()) for line in TRACEBACK)
    # What comes after it does not belong to it.
    for line in (b"what else\n", b"  it may be\n", b"Traceback (most recent call last):\n"):
        assert not exports.takes(process.encode() + line)
    exports.tell_rest()
    assert told == [
        (
            f"the engine's spans do not reach {URL}: Connection refused;"
            " what its exporter says of that is counted from now on"
        )
    ]


@pytest.mark.parametrize("after", [2, 5, len(TRACEBACK)])
@pytest.mark.parametrize(
    "line",
    [
        "INFO:     Shutting down",
        "ERROR 11-26 19:00:00 [core.py:1] EngineCore encountered a fatal error.",
        "(EngineCore pid=9) Traceback (most recent call last):",
        "torch.OutOfMemoryError: CUDA out of memory. (no exception's line where one has come)",
    ],
)
def test_no_line_of_others_is_lost_in_a_traceback(exports: Exports, line: str, after: int) -> None:
    if line.startswith("torch") and after < len(TRACEBACK):
        return
    assert all(exports.takes(each.encode()) for each in TRACEBACK[:after])
    assert not exports.takes(line.encode())


@pytest.mark.parametrize(
    "line",
    [
        f"INFO 11-26 19:00:00 [logger.py:39] Received request: prompt: {LOST}",
        f"(APIServer pid=7) WARNING 11-26 19:00:00 [x.py:1] {LOST}",
        f"{SIGN}WARNING 11-26 19:00:00 [x.py:1] {LOST}",
        f"say: {LOST}",
        f"{LOST} What does that mean?",
        "Failed to export spans batch code: many, reason: x",
        "Failed to export the spreadsheet to disk.",
        "Queue full, dropping request.",
        "Traceback (most recent call last):",
    ],
)
def test_what_only_holds_such_words_is_shown(exports: Exports, line: str) -> None:
    assert not exports.takes(line.encode())
    assert exports.left is None


def test_a_reason_is_of_few_words_and_quotes_nobody(exports: Exports, told: list[str]) -> None:
    assert exports.takes(retried("ignore all of\tthat <b>and</b> hf_abcdefghijkl").encode())
    exports.tell_rest()
    assert "ignore" not in told[0]
    assert "hf_" not in told[0]


@pytest.mark.parametrize("form", ["text", "json"])
def test_both_forms_of_the_log_are_without_them(form: str) -> None:
    read, write = os.pipe()
    sink = LogSink(write, as_json=form == "json")
    told: list[str] = []
    fold = Exports(told.append, URL)
    speaker = Speaker("engine", SIGN, exports=URL)
    written = Plain(sink, fold) if form == "text" else Wrapped(sink, speaker, fold)
    own = "WARNING 11-26 19:00:00 [x.py:1] here"
    signed = own if form == "text" else f"{SIGN}{own}"
    lines = [signed, retried(REFUSED), *TRACEBACK, LOST, "INFO:     Shutting down"]
    data = "".join(f"(APIServer pid=7) {line}\n" for line in lines).encode()
    for at in range(0, len(data), 100):
        written.feed(data[at : at + 100], masks=False)
    written.end()
    sink.flush(PATIENCE)
    os.close(write)
    with os.fdopen(read) as file:
        shown = file.read().splitlines()
    if form == "text":
        assert shown == [f"(APIServer pid=7) {own}", "(APIServer pid=7) INFO:     Shutting down"]
    else:
        assert [json.loads(line)["message"] for line in shown] == ["here", "Shutting down"]
    assert len(told) == 1
