"""Plain lines for a log, a live line for a terminal."""

import io

from tests.processes import until
from tools.progress import Progress, span


class Terminal(io.StringIO):
    """Says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_log_gets_a_line_at_the_start_and_one_at_the_end() -> None:
    out = io.StringIO()
    with Progress(2, out).step("engine: installing"):
        pass
    assert out.getvalue() == "[1/2] engine: installing ...\n[1/2] done in 0 s\n"


def test_a_long_step_shows_that_it_goes_on() -> None:
    out = io.StringIO()
    progress = Progress(1, out, interval=0.01)
    with progress.step("engine: installing"):
        progress.note("package 7: numpy")
        until(lambda: "s, package 7: numpy\n" in out.getvalue(), what="the line")


def test_a_terminal_keeps_one_line_a_step() -> None:
    out = Terminal()
    with Progress(1, out).step("engine: installing"):
        pass
    assert out.getvalue().endswith("[1/1] engine: installing: done in 0 s\n")
    assert out.getvalue().count("\n") == 1


def test_durations_are_for_people() -> None:
    assert span(6.6) == "7 s"
    assert span(65) == "1 min 05 s"
