"""The way in: the parser that `vllm serve` would use, caught when it is about to parse.

No name of vLLM's own modules is on the main way: the module that builds the parser has moved twice,
and the parser's class once.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Found:
    """The parser, the route that led to it, and what went wrong on the way."""

    parser: argparse.ArgumentParser
    route: str
    problems: list[str]


def find_parser() -> Found:
    """The parser of `vllm serve`, by the first route that works.

    Raises:
        RuntimeError: none does; with the problem of each.
    """
    problems: list[str] = []
    for route, build in _routes():
        for _attempt in range(2):
            try:
                return Found(_serve(build()) or _missing(), route, problems)
            except SystemExit as ended:
                problems.append(f"{route}: exit {ended.code}")
                break
            except Exception as fault:  # noqa: BLE001 - whatever vLLM raises, another way may work
                problems.append(f"{route}: {fault!r}")
                if not _name_a_device():
                    break
                problems.append("platform unspecified: device_type set to 'cpu'")
    raise RuntimeError("no way to the parser works: " + "; ".join(problems))


def _missing() -> argparse.ArgumentParser:
    raise LookupError("there is no `serve` parser")


def _routes() -> Iterator[tuple[str, Callable[[], argparse.ArgumentParser]]]:
    """Ways to the parser, the most stable first."""
    for point in importlib.metadata.entry_points(group="console_scripts"):
        if point.name == "vllm":
            yield f"console_script {point.value}", partial(trapped, point)
    for value in ("vllm.entrypoints.cli.main:main", "vllm.scripts:main"):
        module, _, name = value.partition(":")
        yield f"module {value}", partial(_trap_function, module, name)
    for module in _modules_with_a_parser():
        yield f"make_arg_parser {module}", partial(_made, module)


def trapped(point: importlib.metadata.EntryPoint) -> argparse.ArgumentParser:
    """The parser with which the console script `point` is about to parse."""
    return _trap(point.load())


def _trap_function(module: str, name: str) -> argparse.ArgumentParser:
    return _trap(getattr(importlib.import_module(module), name))


def _modules_with_a_parser() -> Iterator[str]:
    spec = importlib.util.find_spec("vllm")
    if spec is None or spec.origin is None:
        return
    package = Path(spec.origin).parent
    for path in sorted((package / "entrypoints").rglob("cli_args.py")):
        if "def make_arg_parser" in path.read_text(encoding="utf-8"):
            yield ".".join(path.relative_to(package.parent).with_suffix("").parts)


def _made(name: str) -> argparse.ArgumentParser:
    module = importlib.import_module(name)
    parser_class = getattr(module, "FlexibleArgumentParser", argparse.ArgumentParser)
    parser: argparse.ArgumentParser = module.make_arg_parser(parser_class())
    return parser


class _Trapped(BaseException):
    """Carries the parser out; no `except Exception` on the way may swallow it."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def _trap(run: Callable[[], object]) -> argparse.ArgumentParser:
    """Call `run` and return the parser of the first `parse_args` that knows `serve`."""
    original = {name: getattr(argparse.ArgumentParser, name) for name in _PARSING}

    def trapping(name: str) -> Callable[..., Any]:
        def parse(self: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> Any:
            if _serve(self) is not None:
                raise _Trapped(self)
            return original[name](self, *args, **kwargs)

        return parse

    for name in _PARSING:
        setattr(argparse.ArgumentParser, name, trapping(name))
    try:
        run()
    except _Trapped as caught:
        return caught.parser
    finally:
        for name, function in original.items():
            setattr(argparse.ArgumentParser, name, function)
    raise LookupError("it ended without parsing arguments")


_PARSING = ("parse_args", "parse_known_args")


def _serve(parser: argparse.ArgumentParser) -> argparse.ArgumentParser | None:
    """The parser of `vllm serve` in `parser`; some versions have a flat one."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) and "serve" in (action.choices or {}):
            found: argparse.ArgumentParser = action.choices["serve"]
            return found
    return parser if "--max-model-len" in parser._option_string_actions else None


def _name_a_device() -> bool:
    """On a builder without a GPU, a GPU build knows no platform, and 0.10 and later then fail with
    "Failed to infer device type". Give that very class a device, so that every module that already
    has the object sees it; the next try costs little because the modules are loaded.
    """
    platforms = sys.modules.get("vllm.platforms")
    current: Any = type(getattr(platforms, "current_platform", None))
    if current.__name__ != "UnspecifiedPlatform" or getattr(current, "device_type", "") == "cpu":
        return False
    current.device_type = "cpu"
    current.device_name = getattr(current, "device_name", None) or "cpu"
    current.is_cpu = lambda _self: True  # 0.6 asks this one
    return True
