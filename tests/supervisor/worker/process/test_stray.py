"""What is printed past the log."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.client import PATIENCE
from tests.processes import ROOT

PROGRAM = """
import logging, os, subprocess, sys, threading
from supervisor.worker.logs.sink import SinkHandler
from supervisor.worker.process import stray
with stray.sink(as_json=sys.argv[1] == "json") as sink:
    logging.basicConfig(level=logging.INFO, handlers=[SinkHandler(sink)])
    sink.secrets = ("hunter22222",)
    print("printed, hunter22222")
    subprocess.run(["sh", "-c", "echo by a child >&2; printf half"])
    sys.stdout.flush()
    os.write(1, b" a line\\n")
    logging.getLogger("asyncio").warning("a library's")
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    print("the last")
print("after it")
"""


@pytest.mark.parametrize("form", ["json", "text"])
def test_all_of_it_comes_in_the_form_of_the_log(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, form],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    if form == "text":
        assert " WARNING asyncio: a library's\n" in done.stdout
        assert "by a child\n" in done.stderr
        return
    assert done.stderr == ""
    *lines, last = done.stdout.splitlines()
    assert last == "after it"
    found = {each["message"]: each for each in map(json.loads, lines)}
    assert found["a library's"]["source"] == "asyncio"
    (fault,) = (text for text in found if "ZeroDivisionError" in text)
    assert found[fault]["level"] == "ERROR"
    assert fault.startswith("Traceback (most recent call last):\n")
    assert {"printed, ***", "by a child", "half a line", "the last"} <= set(found)
    assert found["by a child"]["source"] == "supervisor"
