"""Lines of ours and of libraries."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.client import PATIENCE
from tests.processes import ROOT

LINES = """
import logging
from proxy.platform import logs
logs.configure({})
logging.getLogger("proxy").info("half of \\ud83d")
logging.getLogger("urllib3.connectionpool").warning("a library's")
logging.getLogger("httpx").info("every request")
"""


def test_each_line_has_the_name_of_who_says_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LINES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    first, second = done.stdout.splitlines()
    assert first.endswith(" INFO proxy: half of \\ud83d")
    assert second.endswith(" WARNING urllib3.connectionpool: a library's")
    assert done.stderr == ""


OF_THE_SDK = """
import os, warnings
os.environ["RUNPOD_LOG_LEVEL"] = "WARN"
os.environ["RUNPOD_ENDPOINT_ID"] = "e"
from proxy.platform import logs
logs.configure({"LOG_FORMAT": "json", "LOG_SIGNATURE": "~ab ", "VLLM_API_KEY": "of-the-engine"})
import runpod
logs.of_the_sdk()
from runpod.serverless.modules.rp_logger import RunPodLogger
RunPodLogger().info("left out")
RunPodLogger().warn("two\\nlines, of-the-engine", "job-1")
RunPodLogger().error("x" * 100_000)
warnings.warn("a warning")
raise RuntimeError("the end")
"""


def test_what_the_sdk_logs_comes_in_the_form_of_the_log_under_its_name() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OF_THE_SDK],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert all(line.startswith("~ab {") for line in lines)
    first, second, warning, end = (json.loads(line.removeprefix("~ab ")) for line in lines)
    assert (first["source"], first["level"], first["job"]) == ("runpod", "WARNING", "job-1")
    assert first["message"] == "job job-1: two\nlines, of-the-engine", "the supervisor masks it"
    assert second["level"] == "ERROR"
    assert len(second["message"]) < 5000
    assert warning["source"] == "py.warnings"
    assert end["level"] == "CRITICAL"
    assert "RuntimeError: the end" in end["message"]
