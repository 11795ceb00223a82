"""The command line of `python -m bench`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench import contenders
from bench.cold import setups
from bench.cold.measure import PROCESS
from bench.cold.setups import SLOW_S
from bench.contenders import Contender
from bench.load import Load, named

T = TypeVar("T")

OURS, PASS_THROUGH = "ours", "pass-through"
RESULTS = Path(__file__).parent / "results"
_LOADS = "burst-300,300,30,1,tls-300,steady-300,cancelled-300"
_QUICK = "burst-30,30,1"
_SIZE, _QUICK_SIZE = (5, 200), (1, 50)  # rounds, and tokens of a stream
SETUPS = (PROCESS, *setups.SETUPS)
_QUESTIONS = ("capacity", "short", "start", "jobs", "real", "picture", "overhead")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line asks for."""

    contenders: Sequence[Contender]  # the last one is the baseline
    loads: Sequence[Load]
    model: Load  # its tokens, rate and round trip hold for every load
    rounds: int
    json: Path
    plot: Path
    question: str = "loads"  # or one of _QUESTIONS
    jobs: int = 0
    setups: Sequence[str] = ()  # of starts
    slow_s: float = SLOW_S
    picture: Path = RESULTS / "tokens.svg"

    @property
    def baseline(self) -> str:
        """The name of the contender that the others are compared with."""
        return self.contenders[-1].name


def parse(arguments: Sequence[str]) -> Asked:
    """Read a command line; exits with 2 and a sentence where that cannot be done."""
    parser = _parser()
    given = parser.parse_args(arguments)
    baseline = given.against or contenders.of_command(PASS_THROUGH, "python -m bench.passthrough")
    measured = [given.ours, *given.also, baseline]
    names = [each.name for each in measured]
    if len(set(names)) < len(names):
        parser.error(f"each contender needs a name of its own: {', '.join(names)}")
    usual_rounds, usual_tokens = _QUICK_SIZE if given.quick else _SIZE
    model = Load(1, given.tokens or usual_tokens, given.rate, given.round_trip_ms)
    texts = given.loads or (_QUICK if given.quick else _LOADS)
    try:
        loads = [named(each.strip(), model) for each in texts.split(",")]
    except ValueError as reason:
        parser.error(str(reason))
    rounds = given.rounds or usual_rounds
    asked = [each for each in _QUESTIONS if getattr(given, each)]
    question = asked[0] if asked else "loads"
    more = {"jobs": given.jobs or 0, "setups": given.setups, "slow_s": given.slow}
    if given.picture:
        more["picture"] = given.picture
    return Asked(measured, loads, model, rounds, given.json, given.plot, question, **more)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures the proxy in turn with another handler, as callers see them.",
        epilog="A load is a number of streams, with burst-, steady-, cancelled- or tls- before it.",
    )
    add = parser.add_argument
    add(
        "--ours",
        type=_read(lambda text: contenders.of_command(OURS, text)),
        default="python -m proxy",
        metavar="[FOLDER:]COMMAND",
        help="the proxy's command",
    )
    add(
        "--also",
        type=_read(contenders.of_definition),
        action="append",
        default=[],
        metavar="NAME=[FOLDER:]COMMAND",
        help="one more contender, as often as wanted",
    )
    add(
        "--against",
        type=_read(contenders.of_handler_file),
        metavar="FILE",
        help="the baseline: a Python file with a RunPod handler; a plain pass-through without it",
    )
    add("--loads", metavar="LOAD,...", help=_LOADS)
    add("--rounds", type=_count, help="runs of each kind; medians are shown (5)")
    add("--tokens", type=_count, help="of each stream (200)")
    add("--rate", type=_rate, default=50.0, help="tokens/s of each stream (50)")
    add("--round-trip-ms", type=float, default=20, help="to the platform (20)")
    add("--json", type=Path, default=RESULTS / "bench.json", metavar="FILE")
    add("--plot", type=Path, default=RESULTS / "bench.png", metavar="FILE")
    add(
        "--quick",
        action="store_true",
        help=f"one round of {_QUICK}, 50 tokens a stream",
    )
    add(
        "--setups",
        type=_setups,
        default=SETUPS,
        metavar="SETUP,...",
        help=f"of --start, whose rounds take ten minutes with all of them: {','.join(SETUPS)}",
    )
    add(
        "--slow",
        type=_seconds,
        default=SLOW_S,
        metavar="SECONDS",
        help=f"that a model takes from the slow hub or volume of --start ({SLOW_S:g})",
    )
    _instead(parser.add_mutually_exclusive_group())
    return parser


def _instead(group: argparse._MutuallyExclusiveGroup) -> None:
    """The questions of which one can be asked instead of the loads."""
    add = group.add_argument
    add(
        "--capacity",
        action="store_true",
        help="instead: the most tokens/s of each contender; some minutes",
    )
    add("--short", action="store_true", help="instead: 2,000 jobs of one token, 300 at once")
    add("--start", action="store_true", help="instead: cold starts, beside bare ones; see --setups")
    add(
        "--jobs",
        type=_count,
        metavar="N",
        help="instead: N jobs for the proxy alone, its memory and files",
    )
    add(
        "--picture",
        type=Path,
        metavar="FILE",
        help="instead: one stream of the first load, with each contender, as an SVG",
    )
    add(
        "--overhead",
        action="store_true",
        help="instead: what metrics cost, as a share of the proxy's CPU time with the first load",
    )
    add("--real", action="store_true", help="instead: through the real vLLM, 8 streams")


def _setups(text: str) -> list[str]:
    found = [each.strip() for each in text.split(",")]
    if unknown := [each for each in found if each not in SETUPS]:
        known = ", ".join(SETUPS)
        raise argparse.ArgumentTypeError(f"{unknown[0][:40]!r} is no set-up; there are {known}")
    return found


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number from 1 on")
    return int(text)


def _rate(text: str) -> float:
    found = float(text)
    if not 0 < found <= 1000:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not over 0 and at most 1000 tokens/s")
    return found


def _seconds(text: str) -> float:
    found = float(text)
    if not 1 <= found <= 600:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not from 1 to 600 seconds")
    return found


def _read(read: Callable[[str], T]) -> Callable[[str], T]:
    """A reader whose ValueError argparse shows as it is."""

    def reader(text: str) -> T:
        try:
            return read(text)
        except ValueError as reason:
            raise argparse.ArgumentTypeError(str(reason)) from None

    return reader
