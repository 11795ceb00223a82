"""The command line of `python -m bench`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from bench import contenders
from bench.contenders import Contender
from bench.load import Load, named

T = TypeVar("T")

OURS, PASS_THROUGH = "ours", "pass-through"
RESULTS = Path(__file__).parent / "results"
_LOADS = "burst-300,300,30,1,tls-300,steady-300,cancelled-300"
_QUICK = "burst-30,30,1"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """What was asked, with `contenders`, the last of which is the baseline, and `loads`.

    Exits with 2 and a sentence where something cannot be read.
    """
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.rounds, asked.tokens = 1, 50
    model = Load(1, asked.tokens, asked.rate, asked.round_trip_ms)
    texts = asked.loads or (_QUICK if asked.quick else _LOADS)
    try:
        asked.loads = [named(each.strip(), model) for each in texts.split(",")]
    except ValueError as reason:
        parser.error(str(reason))
    asked.contenders = _contenders(asked)
    names = [each.name for each in asked.contenders]
    if len(set(names)) < len(names):
        parser.error(f"each contender needs a name of its own: {', '.join(names)}")
    return asked


def _contenders(asked: argparse.Namespace) -> list[Contender]:
    baseline = asked.against or contenders.of_command(PASS_THROUGH, "python -m bench.passthrough")
    return [asked.ours, *asked.also, baseline]


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
    add("--rounds", type=int, default=5, help="runs of each kind; medians are shown (5)")
    add("--tokens", type=int, default=200, help="of each stream (200)")
    add("--rate", type=float, default=50, help="tokens/s of each stream (50)")
    add("--round-trip-ms", type=float, default=20, help="to the platform (20)")
    add("--json", type=Path, default=RESULTS / "bench.json", metavar="FILE")
    add("--plot", type=Path, default=RESULTS / "bench.png", metavar="FILE")
    add("--quick", action="store_true", help=f"one round of {_QUICK}, 50 tokens a stream")
    add("--start", action="store_true", help="instead: a start, and how soon jobs are asked for")
    add("--jobs", type=int, metavar="N", help="instead: N short jobs, for memory and descriptors")
    add("--real", action="store_true", help="instead: through the real vLLM, 8 streams")
    return parser


def _read(read: Callable[[str], T]) -> Callable[[str], T]:
    """A reader whose ValueError argparse shows as it is."""

    def reader(text: str) -> T:
        try:
            return read(text)
        except ValueError as reason:
            raise argparse.ArgumentTypeError(str(reason)) from None

    return reader
