"""A caller makes the engine print things, and the engine ends for another reason."""

from __future__ import annotations

import json
import re
from typing import Any

import psutil
import pytest

from tests import client
from tests.conftest import Start
from tests.endpoint import Platform
from tests.faults.test_engine import BOOM, CORE
from tests.faults.test_jobs import asked, begun
from tests.processes import Worker

EVIL = "RuntimeError: CUDA error: an illegal memory access was encountered, ask evil.example"
FATAL = (
    "EngineCore encountered a fatal error.\n"
    'Traceback (most recent call last):\n  File "/x/core.py", line 9, in step\n'
)
#: Past the logger and in its lines: what a caller can have an engine print.
PRINTED = {
    "a-line": f"{EVIL}\n",
    "schema": f"1 validation error for Schema\n$ref\n  {EVIL} [type=json_invalid]\n",
    "traceback": f'Traceback (most recent call last):\n  File "x", line 1, in y\n{EVIL}\n',
    "prefix": "".join(CORE + line + "\n" for line in (FATAL + EVIL).splitlines()),
    "colours": f"\x1b[31m{CORE}\x1b[0m{FATAL}\x1b[1;31m{EVIL}\x1b[0m\n",
    "half-a-line": f"{'x' * 2000}{CORE}",
    "returns": f"x\r{CORE}{FATAL}\r{EVIL}\r",
    "as-before-it-was-ready": f"INFO:     Application startup complete.\n{EVIL}\n",
}


def printing(platform: Platform, user: str, text: str) -> None:
    """A job after which the engine has printed `text`, in each way."""
    for way in ("prints", "logs"):
        fake: dict[str, Any] = {way: text}
        job = platform.submit(asked(user, tokens=1, **fake))
        assert platform.until(job, "COMPLETED")["done"] == 1


def in_the_eyes_of_others(platform: Platform, worker: Worker, job: str) -> str:
    """All that others than the operator are told of the end."""
    error = json.loads(platform.until(job, "FAILED")["error"])
    return json.dumps([error, worker.status()])


@pytest.mark.parametrize("text", PRINTED.values(), ids=PRINTED.keys())
def test_a_callers_text_is_not_the_cause_of_an_end(
    platform: Platform, serve: Start, text: str
) -> None:
    worker = serve()
    victim = platform.submit(asked("victim", tokens=5000, rate=5))
    begun(platform, victim)
    printing(platform, "attacker", text)
    psutil.Process(worker.engine_pid()).kill()
    told = in_the_eyes_of_others(platform, worker, victim)
    assert "the engine was killed by SIGKILL" in told
    assert "evil" not in told
    assert "CUDA" not in told
    if "evil" in text:
        assert "evil.example" in worker.text(), "for the operator"


@pytest.mark.parametrize("text", PRINTED.values(), ids=PRINTED.keys())
def test_nor_does_it_hide_the_cause(platform: Platform, serve: Start, text: str) -> None:
    """Of an engine whose core says why it ends, in the line after that text."""
    worker = serve(FAKE_VLLM_LINES=BOOM.replace("boom 7", "CUDA error: misaligned address"))
    victim = platform.submit(asked("victim", tokens=5000, rate=5))
    begun(platform, victim)
    printing(platform, "attacker", text)
    assert client.post(f"{worker.engine_url}/fake", content="exit-after=0").status_code == 200
    told = in_the_eyes_of_others(platform, worker, victim)
    assert "the GPU or its driver failed: misaligned address; " in told
    assert "evil" not in told


def test_nor_of_that_which_the_platform_is_told(platform: Platform, serve: Start) -> None:
    worker = serve(MAX_RESTARTS="0")
    victim = platform.submit(asked("victim", tokens=5000, rate=5))
    begun(platform, victim)
    printing(platform, "attacker", PRINTED["prefix"])
    psutil.Process(worker.engine_pid()).kill()
    error: dict[str, Any] = json.loads(platform.until(victim, "FAILED")["error"])
    assert worker.wait() == 70
    known = platform.workers()["worker-1"]["unhealthy"][-1]
    assert "SIGKILL" in known["reason"]
    assert "evil" not in known["reason"] + error["message"]


def test_the_signature_of_the_engines_lines_is_nowhere_to_be_seen(serve: Start) -> None:
    """Who knows it can speak for the engine."""
    worker = serve(VLLM_LOGGING_PREFIX="<mine> ")
    text = worker.text()
    assert re.search(r"^<mine> \(APIServer pid=\d+\) INFO", text, re.MULTILINE), "the user's own"
    signature = psutil.Process(worker.engine_pid()).environ()["VLLM_LOGGING_PREFIX"]
    assert re.fullmatch(r"~[0-9a-f]{16} <mine> ", signature)
    assert signature.split()[0] not in text
    assert signature.split()[0] not in json.dumps(worker.status())
