"""What is called wrong before a start is what real versions of vLLM refuse, and nothing else is.

Their own parsers and configuration classes are asked; no engine is started. The engines are those
of `test_parser`.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.catalog import Kind, Option, store
from supervisor.catalog.bounds import Bounds
from supervisor.command.checks import numbers
from supervisor.command.values.examples import EXAMPLES
from tests.e2e.test_parser import Real, _environment, real
from tests.supervisor.command.checks import test_unknown
from tools.worker import CHECKOUT

__all__ = ["real"]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

MODEL = str(CHECKOUT / "demo" / "model")
#: Without these SpeculativeConfig refuses every object.
_WHOLE = {"--speculative-config": {"method": "ngram", "num_speculative_tokens": 2,
                                   "prompt_lookup_max": 3}}  # fmt: skip


def configured(real: Real, lines: list[list[str]]) -> list[str | None]:
    """For each command with which sentence the engine's own configuration is refused, or None."""
    interpreter = store.installed(real.command, _environment()).interpreter
    script = str(Path(__file__).with_name("configure.py"))
    done = subprocess.run(
        [*interpreter, script, str(CHECKOUT / "supervisor" / "foreign")],
        input=json.dumps(lines) + "\n",
        capture_output=True,
        text=True,
        cwd="/",
        env=_environment(),
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[str | None] = json.loads(done.stdout)
    return found


def test_every_limit_of_the_catalogue_is_one_of_the_engine(real: Real) -> None:
    cases = [case for option in real.settable for case in _cases(option)]
    answers = configured(real, [_line(*arguments) for arguments, _ in cases])
    wrong = [
        (arguments, answer)
        for (arguments, taken), answer in zip(cases, answers, strict=True)
        if (answer is None) is not taken
    ]
    assert wrong == []


def _line(*arguments: str) -> list[str]:
    lora = ["--enable-lora"] if "lora" in arguments[0] else []
    return ["serve", MODEL, "--dtype=float32", *lora, *arguments]


def _cases(option: Option) -> Iterator[tuple[list[str], bool]]:
    """Arguments, and whether they are taken. What only some models are asked for is left out."""
    flag = option.flag
    if option.registered and flag == "--tool-call-parser":
        yield [f"{flag}=zzz", "--enable-auto-tool-choice"], False
    elif option.registered:
        yield [f"{flag}=zzz"], False
    if option.owner not in numbers._OF_SOME_MODELS:
        yield from (([f"{flag}={n}"], False) for n in _outside(option.bounds))
        yield from (([f"{flag}={n}"], True) for n in _at(option.bounds))
    for name, field in option.fields.items():
        values: list[Any] = [*_outside(field.bounds), *(["zzz"] if field.choices else [])]
        yield from ((_object(flag, name, value), False) for value in values)
    if option.closed:
        yield _object(flag, "zzz_z", 1), False


def _object(flag: str, name: str, value: Any) -> list[str]:
    return [f"{flag}={json.dumps({**_WHOLE.get(flag, {}), name: value})}"]


def _outside(bounds: Bounds) -> list[int]:
    beyond = [(bounds.ge, -1), (bounds.gt, 0), (bounds.le, 1), (bounds.lt, 0)]
    return [int(bound + step) for bound, step in beyond if bound is not None]


def _at(bounds: Bounds) -> list[int]:
    return [int(bound) for bound in (bounds.ge, bounds.le) if bound is not None]


def test_extra_arguments(real: Real) -> None:
    """Each form that is let through is parsed, and each that is refused is refused."""
    taken = test_unknown.TAKEN + (
        test_unknown.TAKEN_NOW if real.catalog.features.get("dotted_json") else []
    )
    refused = [extra for extra, *_ in test_unknown.REFUSED]
    asked = [
        ["serve", "org/m", *shlex.split(extra.replace('"', '\\"'))] for extra in taken + refused
    ]
    answers = real.parse(asked)
    assert [extra for extra, got in zip(taken, answers, strict=False) if "refused" in got] == []
    late = zip(refused, answers[len(taken) :], strict=True)
    assert [extra for extra, got in late if "refused" not in got] == []


def test_the_examples_for_json(real: Real) -> None:
    options = [each for each in real.catalog.options if each.flag in EXAMPLES]
    asked = [each for each in options if each.kind in {Kind.JSON, Kind.JSON_OR_STR}]
    answers = real.parse(
        [["serve", "org/m", f"{each.flag}={EXAMPLES[each.flag]}"] for each in asked]
    )
    wrong = [
        (option.flag, got) for option, got in zip(asked, answers, strict=True) if "refused" in got
    ]
    assert wrong == []
