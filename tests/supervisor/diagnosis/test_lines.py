"""Lines of an engine, real ones."""

from __future__ import annotations

import pytest

from supervisor.diagnosis import lines


@pytest.mark.parametrize(
    ("line", "process", "level", "file", "message"),
    [
        ("(APIServer pid=7) ERROR 11-26 15:03:17 [async_llm.py:906] AsyncLLM failed.",
         "APIServer", "ERROR", "async_llm.py", "AsyncLLM failed."),
        ("(EngineCore_DP0 pid=270) ERROR 11-19 12:16:36 [v1/engine/core.py:842] x",
         "EngineCore_DP0", "ERROR", "core.py", "x"),
        ("INFO 05-01 01:01:01 [core.py:400] x", "", "INFO", "core.py", "x"),
        ("(VllmWorkerProcess pid=760) ERROR 07-24 08:26:01 multiproc_worker_utils.py:226] x",
         "VllmWorkerProcess", "ERROR", "multiproc_worker_utils.py", "x"),
        ("(Worker pid=1) ERROR 11-26 15:03:17 [core.py:906] ", "Worker", "ERROR", "core.py", ""),
    ],
)  # fmt: skip
def test_what_the_logger_writes(
    line: str, process: str, level: str, file: str, message: str
) -> None:
    found = lines.logged(line)
    assert found is not None
    assert (found.process, found.level, found.file) == (process, level, file)
    assert (found.message, found.prefix + found.message) == (message, line)


@pytest.mark.parametrize(
    "line",
    [
        "INFO:     Started server process [21400]",
        "(APIServer pid=1) RuntimeError: Engine core initialization failed.",
        "  (APIServer pid=7) ERROR 11-26 15:03:17 [async_llm.py:906] x",
        "Traceback (most recent call last):",
        "",
    ],
)
def test_what_it_does_not_write(line: str) -> None:
    assert lines.logged(line) is None


def test_colours_are_taken_off_and_long_lines_cut() -> None:
    assert lines.plain("\x1b[1;36m(Worker pid=1)\x1b[0;0m x") == "(Worker pid=1) x"
    assert len(lines.plain("x" * 5000)) == lines.MOST
