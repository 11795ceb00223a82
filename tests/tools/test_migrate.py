"""docs/migrate.md says of each old setting what a start says of it."""

from __future__ import annotations

import re

import pytest

from supervisor.command import plan
from supervisor.settings.mode import Mode
from supervisor.settings.table import WORKER_VARIABLES
from tests.supervisor.command.test_translate import catalog
from tools.docs import known, migrate, older

NEWEST = catalog(known.DEFAULT)
PAGE = migrate.text()
ROWS = PAGE.partition("## Settings of 1.x")[2]
#: A value that differs from what each kind of option has without it.
SAMPLES = {
    "ROPE_SCALING": '{"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}',
    "MODEL_LOADER_EXTRA_CONFIG": "{}",
    "SPECULATIVE_MODEL": "org/draft",
    "QUANTIZATION": "fp8",
    "DTYPE": "bfloat16",
    "DISTRIBUTED_EXECUTOR_BACKEND": "mp",
    "LORA_DTYPE": "bfloat16",
    "KV_CACHE_DTYPE": "fp8",
    "GUIDED_DECODING_BACKEND": "xgrammar",
    "CUSTOM_CHAT_TEMPLATE": "{{ messages }}",
}
#: What a part of speculative decoding needs beside it.
BESIDE = {"SPECULATIVE_MODEL": "org/draft"}


def row(name: str) -> list[str]:
    """The cells behind a name in the page's tables, of the first row that has it."""
    found = re.search(rf"^\| `{name}` \|(.*)\|$", ROWS, re.MULTILINE)
    assert found is not None, name
    return [cell.strip() for cell in found[1].split(" |")]


@pytest.mark.parametrize("name", sorted(older.ONE.keys() - WORKER_VARIABLES))
def test_a_setting_of_the_first_generation(name: str) -> None:
    """What the page says has no effect is no part of the command, and the other way round."""
    value = SAMPLES.get(name, "true" if older.ONE[name] == "false" else "1")
    bare = {"MODEL_NAME": "org/model", **(BESIDE if "SPECULATIVE" in name else {})}
    if name.startswith(("NUM_SPECULATIVE", "NGRAM", "SPECULATIVE")):
        bare |= BESIDE
    before = plan.make({n: v for n, v in bare.items() if n != name}, NEWEST)
    made = plan.make({**bare, name: value}, NEWEST)
    told = row(name)[1]
    changed = made.command != before.command or dict(made.files) != dict(before.files)
    assert changed == told.startswith("`"), (told, made.command)
    flags = {each.flag for each in made.findings.applied if each.env == name}
    assert set(re.findall(r"`(--[a-z0-9-]+)", told)) <= flags
    if told.startswith("no effect"):
        named = {each.env for each in made.findings.warnings}
        assert name in named | {each.env for each in made.findings.ignored}


def test_a_name_that_is_the_workers_own_is_the_same() -> None:
    for name in (older.ONE.keys() | older.TWO_OWN.keys()) & WORKER_VARIABLES:
        assert row(name)[1] == "the same"


def test_every_name_of_both_generations_is_there_or_an_option_of_that_name() -> None:
    for name in older.ONE.keys() | older.TWO_OWN.keys() | older.TWO_DROPS:
        assert f"| `{name}` |" in PAGE
    for name in older.TWO:
        assert f"| `{name}` |" in PAGE or name in NEWEST.by_variable


def test_an_environment_of_documented_defaults_starts_without_a_word() -> None:
    """As the page promises, and the console's form of 1.5 sends them."""
    for defaults in (older.ONE, older.BETWEEN):
        given = {name: value for name, value in defaults.items() if value}
        found = plan.make({**given, "MODEL_NAME": "org/model"}, NEWEST).findings
        assert not found.errors
        assert not found.warnings


def test_the_first_step_explains_the_endpoints_mode() -> None:
    """Its own variables do not tell it: those of the platform are not among them."""
    step = PAGE.partition("## In three steps")[2].partition("\n2. ")[0]
    lines = re.findall(r"`(WORKER_MODE=[a-z-]+)`", step)
    assert lines
    for mode, line in zip((Mode.QUEUE, Mode.LOAD_BALANCER), lines, strict=True):
        name, _, value = line.partition("=")
        assert plan.make({"MODEL_NAME": "org/model", name: value}, NEWEST).settings.mode is mode


def test_names_that_the_worker_had_otherwise() -> None:
    assert row("MIN_BATCH_SIZE")[1:] == ["`DEFAULT_MIN_BATCH_SIZE`", "`1`"]
    assert row("TASK")[1] == "`--convert` and `--runner`, by its value (`embed`)"


def test_the_defaults_that_are_computed() -> None:
    assert row("GPU_MEMORY_UTILIZATION")[2] == "`0.92`"
    assert row("MAX_CONCURRENCY")[2] == "`300`"
    assert row("MAX_LORA_RANK")[2] == "`16`"


def test_sampling_defaults_are_the_models_wherever_the_option_is() -> None:
    without = [v for v in known.CUDA if "GENERATION_CONFIG" not in catalog(v).by_variable]
    assert f"all here but {', '.join(without)})" in PAGE
    for version in set(known.CUDA) - set(without):
        assert catalog(version).by_variable["GENERATION_CONFIG"][0].default == "auto"
