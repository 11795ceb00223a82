"""Jobs that are written to break a worker, as the platform would hand them over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.endpoint import Platform
from tests.processes import until
from tests.proxy.test_process import Proxy, stream

SOUND = {"prompt": "x"}
DIGITS = b'{"input": {"prompt": "x", "n": ' + b"7" * 5000 + b'}, "id": "%s"}'
DEEP = b'{"id": "%s", "input": ' + b"[" * 1000 + b"]" * 1000 + b"}"
BYTES = b'{"id": "%s", "input": {"prompt": "\xff"}}'
NO_INPUT = b'{"id": "%s"}'


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform() as one:
        yield one


def test_jobs_that_cannot_be_read_end_alone(
    platform: Platform, fake_engine: str, tmp_path: Path
) -> None:
    """All of them wait when the worker asks, so that one answer brings them together."""
    hostile = {"digits": DIGITS, "deep": DEEP, "bytes": BYTES, "no-input": NO_INPUT}
    sound = [platform.submit(SOUND)]
    for name, text in hostile.items():
        platform.submit_raw(name, text.replace(b"%s", name.encode()))
        sound.append(platform.submit(SOUND))
    with Proxy(platform, fake_engine, tmp_path / "log") as proxy:
        for job in sound:
            platform.until(job, "COMPLETED")
        for name, words in (
            ("digits", "an integer has too many digits"),
            ("deep", "too deeply"),
            ("bytes", "not UTF-8"),
            ("no-input", "no input"),
        ):
            error = json.loads(platform.until(name, "FAILED")["error"])
            assert words in error["message"]
            assert (error["code"], error["param"]) == (400, "input")
        assert proxy.stop() == 0
        assert "Traceback" not in proxy.log.read_text()


def test_a_job_without_a_readable_id_is_dropped_with_a_line(
    platform: Platform, fake_engine: str, tmp_path: Path
) -> None:
    platform.submit_raw("nameless", b'{"input": {"n": ' + b"7" * 5000 + b"}}")
    job = platform.submit(SOUND)
    with Proxy(platform, fake_engine, tmp_path / "log") as proxy:
        platform.until(job, "COMPLETED")
        assert proxy.stop() == 0
        lines = proxy.log.read_text().splitlines()
        (line,) = [line for line in lines if "cannot be read" in line]
        assert "is dropped: an integer has too many digits" in line


def test_the_form_for_a_single_job_is_no_different(
    platform: Platform, fake_engine: str, tmp_path: Path
) -> None:
    platform.submit_raw("alone", DEEP.replace(b"%s", b"alone"))
    job = platform.submit(SOUND)
    with Proxy(platform, fake_engine, tmp_path / "log", MAX_CONCURRENCY="1") as proxy:
        assert "too deeply" in platform.until("alone", "FAILED")["error"]
        platform.until(job, "COMPLETED")
        assert proxy.stop() == 0


def test_what_one_job_holds_is_bounded_and_holds_up_no_other(
    platform: Platform, fake_engine: str, tmp_path: Path
) -> None:
    """Thousands of sequences, a stream without end, a job of too many values; a stream beside them.

    No gap of that stream comes near the seconds for which each of these once held it up.
    """
    wide = {"prompt": "x", "stream": True, "sampling_params": {"n": 5000, "max_tokens": 8}}
    endless = stream(tokens=100_000, rate=10_000, wide=2000)
    many = {"route": "/v1/completions", "body": {"prompt": list(range(450_000))}}
    with Proxy(platform, fake_engine, tmp_path / "log") as proxy:
        small, _ = proxy.size()
        beside = platform.submit(stream(tokens=100_000, rate=50))
        until(lambda: platform.job(beside)["posts"], what="the first batch")
        jobs = [platform.submit(given) for given in (wide, endless, many)]
        platform.until(jobs[0], "COMPLETED")
        assert "20 MB" in platform.until(jobs[1], "FAILED")["error"]
        assert "400,000 values" in platform.until(jobs[2], "FAILED")["error"]
        times = [post["at"] for post in platform.job(beside)["posts"]]
        platform.cancel(beside)
        assert max(later - earlier for earlier, later in pairwise(times)) < 5
        assert proxy.size()[0] - small < 400  # MB
        assert proxy.stop() == 0
        assert "Traceback" not in proxy.log.read_text()
