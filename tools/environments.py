"""Make environments: `python3 -m tools.environments worker|dev|engine|older ... [--print]`."""

import argparse
import os
from pathlib import Path

from tools import engine, folder, worker
from tools.environment import Environment, ensure
from tools.errors import reported


def made(*names: str) -> list[Environment]:
    """Return the environments `names` (worker, dev, engine, older), made where one was missing."""
    wanted: list[Environment] = []
    if {"worker", "dev"} & set(names):
        wanted.append(worker.environment(dev="dev" in names))
    if "engine" in names:
        wanted.append(engine.environment(engine.kind(os.environ)))
    if "older" in names:
        known = {each.name for each in wanted}
        wanted += [each for each in engine.older() if each.name not in known]
    ensure(wanted, folder.cache())
    return wanted


def engine_command(environment: Environment) -> Path:
    """Return the `vllm` of the engine's environment."""
    return environment.path / "bin" / "vllm"


def main() -> int:
    """Make what the command line names; with --print, write their folders to stdout."""
    parser = argparse.ArgumentParser(prog="tools.environments", description=__doc__)
    parser.add_argument("names", nargs="+", choices=["worker", "dev", "engine", "older"])
    parser.add_argument("--print", action="store_true", help="print each folder, one a line")
    arguments = parser.parse_args()
    for environment in made(*arguments.names):
        if arguments.print:
            print(environment.path)
    return 0


if __name__ == "__main__":
    raise SystemExit(reported(main))
