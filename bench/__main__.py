"""`python -m bench`: measures a start, and the proxy in turn with a plain pass-through handler."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import signal
import sys
from pathlib import Path

from bench import many, ready, real, report, start
from bench.load import Load
from bench.measure import Contender, Run, measure
from bench.processes import ProcessEndedError

BASELINE = "pass-through"
RESULTS = Path(__file__).parent / "results"


def main(arguments: list[str]) -> int:
    """Measure and report.

    Returns:
        0; 1 if a run lost, doubled or reordered a token, or a job failed; 2 if a process ended
        early or said nothing in time; 130 if stopped.
    """
    asked = _parse(arguments)
    if asked.jobs:
        print(asyncio.run(many.measure(asked.jobs)).line())
        return 0
    if asked.real:
        print(real.measure(asked.rounds).line())
        return 0
    runs: list[Run] = []
    try:
        begun = start.measure()
        print(ready.measure().line(), flush=True)
        print(begun.line(), flush=True)
        asyncio.run(_rounds(asked, runs))
    except ProcessEndedError as error:
        print(error, file=sys.stderr)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    found = report.medians(runs)
    print("\n" + report.table(found, BASELINE))
    remarks = report.remarks(runs)
    for remark in remarks:
        print(f"! {remark}")
    report.write_json(asked.json, begun, runs, found)
    report.plot(asked.plot, found, runs[0].load, asked.rounds)
    print(f"\n{asked.json}\n{asked.plot}")
    return 1 if any(run.complaint for run in runs) else 0


async def _rounds(asked: argparse.Namespace, runs: list[Run]) -> None:
    """Every load, contenders in turn, the order reversed every other round."""
    task = asyncio.current_task()
    assert task  # noqa: S101 - for the type checker
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    contenders = _contenders(asked)
    for streams in asked.streams:
        load = Load(streams, asked.tokens, asked.rate, asked.round_trip_ms)
        for number in range(1, asked.rounds + 1):
            for contender in contenders if number % 2 else reversed(contenders):
                run = await measure(contender, load, number)
                runs.append(run)
                print(_line(run), flush=True)


def _contenders(asked: argparse.Namespace) -> list[Contender]:
    contenders = [
        Contender("ours", shlex.split(asked.ours)),
        Contender(BASELINE, shlex.split(asked.pass_through)),
    ]
    if asked.with_full_batches:
        contenders.append(Contender("full batches", ["python", "-m", "bench.full_batches"]))
    return contenders


def _line(run: Run) -> str:
    seen = run.delivered
    busy = f"{run.worker_cores:.2f}/{run.engine_cores:.2f}/{run.platform_cores:.2f}"
    return (
        f"{run.load.streams:>4} streams, round {run.round}, {run.contender:<13}"
        f"{run.cpu_us_per_token:7.1f} us/token  p50 {seen.delay_p50_ms:6.1f} ms  "
        f"p99 {seen.delay_p99_ms:6.1f} ms  {seen.posts:>6} POSTs  {seen.seconds:5.1f} s  "
        f"cores worker/engine/platform {busy}  {run.complaint}"
    )


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    add("--ours", default="python -m proxy", metavar="COMMAND", help="the proxy's command")
    add("--pass-through", default="python -m bench.passthrough", metavar="COMMAND")
    add(
        "--with-full-batches",
        action="store_true",
        help="also a handler that sends full batches only",
    )
    add("--rounds", type=int, default=3, help="runs of each kind; medians are shown (3)")
    add("--streams", type=_numbers, default=[1, 30, 300], metavar="N,...", help="1,30,300")
    add("--tokens", type=int, default=200, help="of each stream (200)")
    add("--rate", type=float, default=50, help="tokens/s of each stream (50)")
    add("--round-trip-ms", type=float, default=20, help="to the platform (20)")
    add("--jobs", type=int, metavar="N", help="instead: N short jobs, for memory and descriptors")
    add("--real", action="store_true", help="instead: through the real vLLM, 8 streams")
    add("--json", type=Path, default=RESULTS / "bench.json", metavar="FILE")
    add("--plot", type=Path, default=RESULTS / "bench.png", metavar="FILE")
    add("--quick", action="store_true", help="one round of 1 and 30 streams of 50 tokens")
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.rounds, asked.streams, asked.tokens = 1, [1, 30], 50
    return asked


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
