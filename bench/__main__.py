"""`python -m bench`: measures the proxy in turn with another handler, as callers see them."""

from __future__ import annotations

import asyncio
import signal
import sys

from bench import arguments, capacity, goals, many, overhead, plot, real, report, short
from bench.arguments import Asked
from bench.around.processes import ProcessEndedError
from bench.cold import measure as cold
from bench.measure import Run, measure


def main(given: list[str]) -> int:
    """Measure and report.

    Returns:
        0; 1 if a run lost, doubled or reordered a token, or a job failed; 2 if a process ended
        early or said nothing in time; 130 if stopped.
    """
    asked = arguments.parse(given)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended
    try:
        if asked.question == "start":
            cold.run(asked.setups, asked.rounds, slow_s=asked.slow_s)
            return 0
        if asked.question == "real":
            print(real.measure(asked.rounds).line())
            return 0
        return asyncio.run(_until_told(asked))
    except ProcessEndedError as error:
        print(error, file=sys.stderr)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


async def _until_told(asked: Asked) -> int:
    task = asyncio.current_task()
    assert task  # noqa: S101 - for the type checker
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    match asked.question:
        case "jobs":
            print((await many.measure(asked.contenders[0], asked.jobs)).line())
            return 0
        case "capacity":
            carried = [await capacity.find(each, asked.model) for each in asked.contenders]
            print("\n" + "\n".join(each.line() for each in carried))
            print(capacity.compared(carried))
            return 0
        case "picture":
            seen = [await measure(each, asked.loads[0], 1) for each in asked.contenders]
            print("\n".join(report.line(run) for run in seen))
            plot.tokens(asked.picture, seen)
            return 1 if any(run.complaint for run in seen) else 0
        case "overhead":
            numbers = range(1, asked.rounds + 1)
            ran = [await measure(asked.contenders[0], asked.loads[0], each) for each in numbers]
            print((await overhead.measure()).line(ran))
            return 1 if any(run.complaint for run in ran) else 0
        case "short":
            ended = await short.rounds(asked.contenders, asked.rounds, asked.model)
            print("\n" + "\n".join(each.line() for each in ended))
            return 1 if any(each.complaint for each in ended) else 0
    return await _loads(asked)


async def _loads(asked: Asked) -> int:
    """Every load, contenders in turn, the order reversed every other round."""
    runs: list[Run] = []
    for load in asked.loads:
        for number in range(1, asked.rounds + 1):
            for contender in asked.contenders if number % 2 else reversed(asked.contenders):
                runs.append(await measure(contender, load, number))
                print(report.line(runs[-1]), flush=True)
    found = report.medians(runs)
    print("\n" + report.table(found, asked.baseline) + "\n")
    for told in goals.lines(found, asked.baseline):
        print(told)
    for remark in report.remarks(runs):
        print(f"! {remark}")
    report.write_json(asked.json, runs, found)
    plot.plot(asked.plot, found, _title(asked))
    print(f"\n{asked.json}\n{asked.plot}")
    return 1 if any(run.complaint for run in runs) else 0


def _title(asked: Asked) -> str:
    load = asked.model
    return (
        f"{load.tokens} tokens a stream at {load.rate:g}/s, {load.round_trip_ms:g} ms to the"
        f" platform, medians of {asked.rounds}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
