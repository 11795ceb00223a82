"""The ways to vLLM's parser, on modules that stand in for its versions."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from supervisor.foreign.introspect import entry


def parser_of_vllm() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    serve = parser.add_subparsers().add_parser("serve")
    serve.add_argument("--max-model-len")
    return parser


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the older entry point, which nothing is in yet."""
    module = ModuleType("vllm.scripts")
    package = ModuleType("vllm")
    package.__path__ = []
    package.__spec__ = None
    monkeypatch.setitem(sys.modules, "vllm", package)
    monkeypatch.setitem(sys.modules, "vllm.scripts", module)
    monkeypatch.setattr(entry, "_modules_with_a_parser", lambda: iter(()))
    return module


def found(vllm: ModuleType, main: object) -> entry.Found:
    vllm.main = main  # type: ignore[attr-defined]
    return entry.find_parser()


def test_the_first_route_that_works_counts_and_the_others_are_told_of(vllm: ModuleType) -> None:
    got = found(vllm, lambda: parser_of_vllm().parse_args())
    assert got.route == "module vllm.scripts:main"
    assert "--max-model-len" in got.parser._option_string_actions
    (problem,) = got.problems
    assert problem.startswith("module vllm.entrypoints.cli.main:main: ModuleNotFoundError")


def test_a_flat_parser_and_one_that_parses_what_it_knows(vllm: ModuleType) -> None:
    flat = argparse.ArgumentParser()
    flat.add_argument("--max-model-len")

    def main() -> None:
        flat.parse_known_args()

    assert found(vllm, main).parser is flat


def test_a_parser_of_something_else_is_left_to_parse(vllm: ModuleType) -> None:
    seen: list[argparse.Namespace] = []

    def main() -> None:
        first = argparse.ArgumentParser()
        first.add_argument("--level", default="info")
        seen.append(first.parse_args([]))
        parser_of_vllm().parse_args()

    found(vllm, main)
    assert seen == [argparse.Namespace(level="info")]


def test_argparse_is_as_before_whatever_happened(vllm: ModuleType) -> None:
    def main() -> None:
        raise OSError("boom")

    before = argparse.ArgumentParser.parse_args
    with pytest.raises(RuntimeError, match=r"no way to the parser works: .*boom"):
        found(vllm, main)
    assert argparse.ArgumentParser.parse_args is before


def test_an_end_without_a_parser_is_a_problem(vllm: ModuleType) -> None:
    with pytest.raises(RuntimeError, match="it ended without parsing arguments"):
        found(vllm, lambda: None)
    with pytest.raises(RuntimeError, match=r"vllm\.scripts:main: exit 4"):
        found(vllm, lambda: sys.exit(4))


def test_a_build_without_its_device_is_tried_again_as_a_cpu(
    vllm: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type("UnspecifiedPlatform", (), {"device_type": ""})
    platforms = ModuleType("vllm.platforms")
    platforms.current_platform = kind()  # type: ignore[attr-defined]

    def main() -> None:
        monkeypatch.setitem(sys.modules, "vllm.platforms", platforms)
        if not kind.device_type:  # type: ignore[attr-defined]
            raise RuntimeError("Failed to infer device type")
        parser_of_vllm().parse_args()

    got = found(vllm, main)
    assert got.problems[-1] == "platform unspecified: device_type set to 'cpu'"
    assert platforms.current_platform.is_cpu()


def test_a_console_script_is_trapped(vllm: ModuleType) -> None:
    vllm.main = lambda: parser_of_vllm().parse_args()  # type: ignore[attr-defined]
    point = EntryPoint("vllm", "vllm.scripts:main", "console_scripts")
    assert "{serve}" in entry.trapped(point).format_usage()
