"""All starts in turn, and what is printed of them."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import ready
from bench import start as stand_in
from bench.cold import alone, figures
from bench.cold.setups import HUB, LOCAL, SECOND, SLOW_S, VOLUME, Setups
from bench.cold.start import BARE, CONTENDERS, OURS, Start, measure
from supervisor.worker.early import infos
from tests.fuse import NoVolumeError
from tests.processes import ROOT
from tools import environments

PROCESS = "process"
_INFOS = ROOT / "image" / "model-infos.sh"
_WARMED = {LOCAL, SECOND}


def run(
    setups: Sequence[str], rounds: int, vllm: Path | None = None, slow_s: float = SLOW_S
) -> None:
    """Measure and print.

    Args:
        setups: of setups.SETUPS, and PROCESS for the worker's own share beside a stand-in engine.
        rounds: of each; contenders take turns, the order is reversed every other round.
        vllm: the engine's command, instead of that of the project's own environment.
        slow_s: how long the model takes from a slow place, in seconds.

    Raises:
        ProcessEndedError: a start failed.
    """
    goals: list[figures.Goal] = []
    if PROCESS in setups:
        spawned, asked = stand_in.measure(), ready.measure()
        print(f"{spawned.line()}\n{asked.line()}", flush=True)
        goals += figures.of_process(spawned.spawned_ms, asked.first_poll_ms, spawned.python_ms)
    real = [setup for setup in setups if setup != PROCESS]
    if real:
        engine = vllm or _real_engine()
        with tempfile.TemporaryDirectory(prefix="bench-cold-") as folder:
            starts, beside, remarks = _Rounds(Path(folder), engine, slow_s).run(real, rounds)
        print("\n" + "\n".join(figures.table(starts)), flush=True)
        goals += figures.goals(starts, beside)
        print(*(f"! {remark}" for remark in (*remarks, *figures.remarks(starts))), sep="\n")
    print(*(goal.line() for goal in goals), sep="\n")


def _real_engine() -> Path:
    """The project's own, with the notes on its models that an image has for each start."""
    vllm = environments.engine_command(environments.made("engine")[-1])
    if not (infos.KEPT.is_dir() and any(infos.KEPT.iterdir())):
        path = f"{vllm.parent}:{os.environ['PATH']}"
        found = subprocess.run(
            [_INFOS], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
        )
        print(found.stdout.splitlines()[-1], flush=True)
    return vllm


class _Rounds:
    """Rounds of starts of the real engine."""

    def __init__(self, folder: Path, vllm: Path, slow_s: float) -> None:
        self._folder = folder
        self._vllm = vllm
        self._setups = Setups(folder, slow_s)
        self._starts: dict[tuple[str, str], list[Start]] = {}
        self._alone: dict[str, list[float]] = {}

    def run(
        self, setups: Sequence[str], rounds: int
    ) -> tuple[figures.Starts, figures.Alone, list[str]]:
        """All rounds: the starts, the parts by themselves, and what could not be measured."""
        remarks: dict[str, None] = {}
        for number in range(rounds):
            for setup in setups:
                try:
                    self._round(setup, number)
                except NoVolumeError as reason:
                    remarks[f"{setup} was not measured: {reason}"] = None
        return self._starts, self._alone, list(remarks)

    def _round(self, setup: str, number: int) -> None:
        if setup in {HUB, VOLUME}:
            self._alone.setdefault(setup, []).append(self._part_alone(setup))
        contenders = CONTENDERS if setup in _WARMED else (BARE, OURS)
        for contender in contenders if number % 2 == 0 else reversed(contenders):
            if setup == SECOND and not self._setups.is_filled(contender):
                self._start(HUB, contender)
            found = self._start(setup, contender)
            self._starts.setdefault((setup, contender), []).append(found)
            print(
                f"round {number + 1}, {setup}, {contender}: health {found.health_s:.1f} s, ready"
                f" {found.ready_s:.1f} s, first token {found.token_s:.1f} s",
                flush=True,
            )

    def _start(self, setup: str, contender: str) -> Start:
        with self._setups.place(setup, contender) as place:
            return measure(contender, self._vllm, place.model, place.env, self._folder / "log")

    def _part_alone(self, setup: str) -> float:
        with self._setups.place(setup, "alone") as place:
            if setup == VOLUME:
                return alone.read(place)
            return alone.download(self._vllm.parent / "python", place)
