"""What a process prints as objects."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.link import log_lines
from supervisor.worker.logs.access import Access
from supervisor.worker.logs.sink import LogSink
from supervisor.worker.logs.speaker import Speaker
from supervisor.worker.logs.wrapped import Wrapped
from tests.client import PATIENCE
from tests.supervisor.worker.logs.clock import Clock

SIGN = "~ab "
TIME = "11-26 19:00:00"
ENGINE = Speaker("engine", SIGN)


class Log:
    """A sink whose objects can be read."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self.sink = LogSink(self._write, as_json=True)
        self._rest = b""

    def objects(self) -> list[dict[str, Any]]:
        """What has come since the last look."""
        self.sink.write(b"END\n")
        while not self._rest.endswith(b"END\n"):
            self._rest += os.read(self._read, 1 << 20)
        text, self._rest = self._rest, b""
        return [json.loads(line) for line in text.decode().split("\n")[:-2]]

    def close(self) -> None:
        self.sink.flush(PATIENCE)
        os.close(self._read)
        os.close(self._write)


@pytest.fixture
def log() -> Iterator[Log]:
    one = Log()
    yield one
    one.close()


def said(log: Log) -> list[tuple[str, str]]:
    return [(each["level"], each["message"]) for each in log.objects()]


def error(text: str, process: str = "EngineCore") -> str:
    return f"{SIGN}({process} pid=13) ERROR {TIME} [v1/engine/core.py:95] {text}"


def test_an_object_has_the_parts_of_a_line(log: Log) -> None:
    wrapped = Wrapped(log.sink, ENGINE)
    wrapped.feed(f"{error('no')}\n".encode(), masks=True)
    wrapped.end()
    (found,) = log.objects()
    assert found.pop("ts")
    assert found == {
        "level": "ERROR",
        "source": "engine",
        "message": "no",
        "process": "EngineCore",
        "place": "v1/engine/core.py:95",
    }


def test_a_traceback_is_one_object_also_where_processes_speak_at_once(log: Log) -> None:
    wrapped = Wrapped(log.sink, ENGINE)
    lines = ["EngineCore died.", "Traceback (most recent call last):", '  File "a"', "OSError: x"]
    for line in lines:
        text = f"{error(line)}\n{error(line, 'APIServer')}\n{SIGN}INFO {TIME} [a.py:1] meanwhile\n"
        wrapped.feed(text.encode(), masks=True)
    wrapped.feed(f"{error('another')}\n".encode(), masks=True)
    wrapped.end()
    found = said(log)
    assert found.count(("ERROR", "\n".join(lines))) == 2
    assert found.count(("INFO", "meanwhile")) == 4
    assert found.count(("ERROR", "another")) == 1
    assert len(found) == 7


def test_a_traceback_past_the_logger(log: Log) -> None:
    text = 'Traceback (most recent call last):\n  File "a"\nOSError: x\n'
    wrapped = Wrapped(log.sink, ENGINE)
    wrapped.feed(f"{text}after\n".encode(), masks=True)
    ready = f"{SIGN}INFO {TIME} [a.py:1] b\nINFO:     Application startup complete.\n"
    wrapped.feed(f"{ready}{text}".encode(), masks=True)
    wrapped.end()
    found = said(log)
    assert found[:2] == [("ERROR", text.strip()), ("INFO", "after")]
    assert found[-1] == ("INFO", text.strip()), "a caller's does not speak for the engine"


TRACEBACK = ["Traceback (most recent call last):", '  File "a"', "    boom()", "OSError: x"]
READY = f"{SIGN}INFO {TIME} [a.py:1] b\nINFO:     Application startup complete.\n"


def test_a_traceback_past_the_logger_is_one_object_for_each_process(log: Log) -> None:
    """The process stands before all that those of vLLM print, and they print at once."""
    wrapped = Wrapped(log.sink, ENGINE)
    wrapped.feed(f"{error('no')}\n".encode(), masks=True)
    printed = "".join(
        f"(Worker_TP{rank} pid={rank}) {line}\n"
        for line in ["Process Worker:", *TRACEBACK]
        for rank in (1, 2)
    )
    wrapped.feed(printed.encode(), masks=True)
    wrapped.end()
    found = [(each["level"], each.get("process"), each["message"]) for each in log.objects()]
    for rank in (1, 2):
        assert found.count(("ERROR", f"Worker_TP{rank}", "\n".join(TRACEBACK))) == 1
        assert found.count(("INFO", f"Worker_TP{rank}", "Process Worker:")) == 1
    assert len(found) == 5


def test_a_traceback_of_a_process_that_anybody_may_have_named_is_one_object(log: Log) -> None:
    wrapped = Wrapped(log.sink, ENGINE)
    wrapped.feed(READY.encode(), masks=True)
    log.objects()
    printed = "".join(
        f"(EngineCore pid=9) {line}\n(APIServer pid=7) {line}\n" for line in TRACEBACK
    )
    wrapped.feed(printed.encode(), masks=True)
    wrapped.end()
    found = [each for each in log.objects() if "Traceback" in each["message"]]
    assert {each["message"] for each in found} == {
        f"({process}) " + "\n".join(TRACEBACK)
        for process in ("EngineCore pid=9", "APIServer pid=7")
    }
    assert not any("process" in each or each["level"] != "INFO" for each in found)


def test_a_traceback_that_does_not_end_is_told_in_pieces_none_of_which_is_lost(log: Log) -> None:
    clock = Clock()
    wrapped = Wrapped(log.sink, ENGINE, clock=clock)
    frames = [f'  File "{number:0100}"' for number in range(2000)]
    for line in [TRACEBACK[0], *frames]:
        wrapped.feed(f"(EngineCore pid=9) {line}\n".encode(), masks=True)
        clock.now += 0.01
        wrapped.look()
    wrapped.end()  # it died
    found = log.objects()
    assert 3 <= len(found) <= 10
    assert all(len(each["message"]) <= log_lines.MOST for each in found)
    assert {each["level"] for each in found} == {"ERROR"}
    assert "\n".join(each["message"] for each in found).split("\n") == [TRACEBACK[0], *frames]


def test_a_traceback_that_falters_goes_on_and_what_is_long_after_it_is_none_of_it(log: Log) -> None:
    clock = Clock()
    wrapped = Wrapped(log.sink, ENGINE, clock=clock)
    for line, later in [*((line, 1.0) for line in TRACEBACK[:2]), ("    boom()", 60.0), ("  x", 0)]:
        wrapped.feed(f"{line}\n".encode(), masks=True)
        clock.now += later
        wrapped.look()
    wrapped.end()
    assert [level for level, _ in said(log)] == ["ERROR", "ERROR", "ERROR", "INFO"]


def test_a_message_is_told_when_nothing_more_of_it_has_come(log: Log) -> None:
    clock = Clock()
    wrapped = Wrapped(log.sink, ENGINE, clock=clock)
    assert wrapped.left is None
    wrapped.feed(f"{error('no')}\n".encode(), masks=True)
    wrapped.look()
    assert said(log) == []
    assert wrapped.left is not None
    clock.now += wrapped.left
    wrapped.look()
    assert said(log) == [("ERROR", "no")]
    assert wrapped.left is None


def test_a_bar_is_shown_now_and_then_with_its_last_state(log: Log) -> None:
    clock = Clock()
    wrapped = Wrapped(log.sink, Speaker("prefetch"), clock=clock)
    for number in range(1000):
        wrapped.feed(f"\r {number / 10:.1f}%|###".encode(), masks=True)
        clock.now += 0.01
        wrapped.look()
    wrapped.feed(b"\n", masks=True)
    found = [text.split("%")[0].strip() for _, text in said(log)]
    assert found == ["49.9", "99.9"]


def test_a_long_line_is_cut_however_it_comes(log: Log) -> None:
    wrapped = Wrapped(log.sink, ENGINE)
    for _ in range(100):
        wrapped.feed(b"x" * 65_000, masks=True)
    wrapped.feed(b"\n" + b"y" * 6_500_000 + b"\nshort\n", masks=True)
    wrapped.end()
    first, second, third = (text for _, text in said(log))
    assert max(len(first), len(second)) < log_lines.MOST + 100
    assert first.endswith("left out)")
    assert second.endswith("left out)")
    assert third == "short"


def test_what_a_process_of_ours_has_made_is_passed_on(log: Log) -> None:
    log.sink.secrets = ('se"cret99',)
    wrapped = Wrapped(log.sink, Speaker("proxy", SIGN))
    own = log_lines.as_object(5.0, "INFO", "proxy", 'a se"cret99', {"job": "j", "seconds": 0.5})
    forged = '{"ts": "now", "level": "CRITICAL", "source": "proxy", "message": "forged"}'
    text = f"{SIGN}{own}\n{forged}\n{SIGN}cut off {{\nbar{SIGN}{own}\n{SIGN}[1]\n"
    wrapped.feed(text.encode(), masks=True)
    wrapped.end()
    first, second, third, fourth, fifth, sixth = log.objects()
    assert first == {**json.loads(own), "message": "a ***"}
    assert (second["level"], second["message"]) == ("INFO", forged)
    assert third["message"] == "cut off {"
    assert (fourth["message"], fifth) == ("bar", first)
    assert sixth["message"] == "[1]"


@pytest.mark.parametrize("piece", [1000, 64 * 1024, 1024 * 1024])
def test_an_object_of_ours_is_passed_on_whole_however_long_it_is(log: Log, piece: int) -> None:
    """Its message is bounded in characters, which may be several bytes each, or escaped twice."""
    objects = [
        log_lines.as_object(5.0, "INFO", "proxy", character * log_lines.MOST, {"job": "j"})
        for character in ("\u4f60", '"', "\u0085", "\U0001f600")
    ]
    data = "".join(f"{SIGN}{one}\n" for one in objects).encode()
    wrapped = Wrapped(log.sink, Speaker("proxy", SIGN))
    for at in range(0, len(data), piece):
        wrapped.feed(data[at : at + piece], masks=True)
    wrapped.end()
    assert log.objects() == [json.loads(one) for one in objects]


@pytest.mark.parametrize(
    ("speaker", "begins", "most"),
    [
        (Speaker("proxy", SIGN), "", log_lines.MOST),
        (Speaker("proxy", SIGN), '{"ts": "', log_lines.MOST),
        (Speaker("proxy", SIGN), SIGN, log_lines.LINE_MOST),
        (ENGINE, SIGN, log_lines.MOST),
        (Speaker("prefetch"), SIGN, log_lines.MOST),
    ],
)
def test_of_a_line_without_an_end_only_so_much_is_kept(
    log: Log, speaker: Speaker, begins: str, most: int
) -> None:
    wrapped = Wrapped(log.sink, speaker)
    wrapped.feed(begins.encode(), masks=True)
    for _ in range(50):
        wrapped.feed(b"x" * 65_000, masks=True)
        assert len(wrapped._rest) <= most
    assert len(wrapped._rest) == most
    wrapped.end()
    (found,) = log.objects()
    assert found["message"].endswith("left out)")
    assert len(found["message"]) < log_lines.MOST + 100


def test_secrets_are_masked_while_they_are_to_be(log: Log) -> None:
    wrapped = Wrapped(log.sink, ENGINE)
    wrapped.feed(b"args: {'api_key': 'Vf9qLw2xRt'}\n", masks=True)
    wrapped.feed(b"args: {'api_key': 'Vf9qLw2xRt'}\n", masks=False)
    wrapped.end()
    assert [text for _, text in said(log)] == [
        "args: {'api_key': '***'}",
        "args: {'api_key': 'Vf9qLw2xRt'}",
    ]


def test_the_access_log_is_folded(log: Log) -> None:
    told: list[str] = []
    clock = Clock()
    wrapped = Wrapped(log.sink, ENGINE, Access(told.append, clock), clock)
    line = b'INFO:     127.0.0.1:1 - "GET /v1/models HTTP/1.1" '
    wrapped.feed((line + b"200 OK\n") * 9 + line + b"401 Unauthorized\n", masks=False)
    assert wrapped.left is not None
    clock.now += wrapped.left
    wrapped.look()
    assert [text for _, text in said(log)] == [line.decode()[10:] + "401 Unauthorized"]
    assert told == ["the engine answered 9 requests in 5 s: 9 GET /v1/models 200"]


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=20),
            st.sampled_from(
                [b"\n", b"\r", b"~ab ", b"~a", b"\x00", b"\xf0\x9f", b'{"ts": 1}', b"INFO: "]
            ),
        ),
        max_size=30,
    ),
    st.sampled_from(["engine", "proxy", "supervisor"]),
)
@example([b"~ab ", b'{"":0}'], "proxy")
def test_whatever_is_printed_comes_as_objects(pieces: list[bytes], source: str) -> None:
    log = Log()
    wrapped = Wrapped(log.sink, Speaker(source, SIGN), Access(lambda _: None))
    for piece in pieces:
        wrapped.feed(piece, masks=True)
        wrapped.look()
    wrapped.end()
    assert all({"ts", "level", "source", "message"} <= set(each) for each in log.objects())
    log.close()
