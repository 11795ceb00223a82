"""A command line as a list of options: what belongs to which, by what the catalogue knows."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.catalog import Catalog, store
from supervisor.command import arguments, plan
from supervisor.command.arguments import Argument, Arguments
from tests.supervisor.command.test_translate import VERSIONS, catalog

CURRENT = catalog("0.32.0")
ALL: list[Catalog | None] = [CURRENT, catalog("0.6.2"), store.common(), None]


def _drains_itself(version: str) -> bool:
    return catalog(version).option("--shutdown-timeout") is not None


def parsed(text: str, of: Catalog | None = CURRENT) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.flag, each.values) for each in arguments.parse(shlex.split(text), of).given]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--enforce-eager --port 8123", [("--enforce-eager", ()), ("--port", ("8123",))]),
        ("--enforce-eager word", [("--enforce-eager", ()), ("", ("word",))]),
        ("--no-enforce-eager word", [("--enforce-eager", ()), ("", ("word",))]),
        ("--seed 1 word", [("--seed", ("1",)), ("", ("word",))]),
        ("--served-model-name a b --seed 1", [("--served-model-name", ("a", "b")),
                                              ("--seed", ("1",))]),
        ("--max-model-len -1", [("--max-model-len", ("-1",))]),
        ("--chat-template '- {{ x }}'", [("--chat-template", ("- {{ x }}",))]),
        ("--chat-template='{{ x }}'", [("--chat-template", ("{{ x }}",))]),
        ("-tp 2 --seed=3", [("--tensor-parallel-size", ("2",)), ("--seed", ("3",))]),
        ("--hf-token --seed 1", [("--hf-token", ()), ("--seed", ("1",))]),
        ("--port= --host ''", [("--port", ("",)), ("--host", ("",))]),
        ("--foo a b -x", [("--foo", ("a", "b")), ("-x", ())]),
        ("a b", [("", ("a",)), ("", ("b",))]),
        ("- --", [("", ("-",)), ("--", ())]),
    ],
)  # fmt: skip
def test_values_belong_to_the_option_that_takes_them(
    text: str, expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    assert parsed(text) == expected


@pytest.mark.parametrize(
    ("spelt", "flag"),
    [
        ("--shutdown-t", "--shutdown-timeout"),
        ("--shutdown_timeout", "--shutdown-timeout"),
        ("--por", "--port"),
        ("--api_k", "--api-key"),
        ("--device-memory-utilization", "--gpu-memory-utilization"),
        ("--enable-l", "--enable-l"),  # --enable-lora, --enable-log-requests and more
        ("--", "--"),
    ],
)
def test_an_option_is_known_however_it_is_spelt(spelt: str, flag: str) -> None:
    (found,) = arguments.parse([spelt], CURRENT).given
    assert (found.spelt, found.flag) == (spelt, flag)


@pytest.mark.parametrize("of", ALL)
def test_what_the_worker_reads_is_told_without_the_engines_options(of: Catalog | None) -> None:
    """Cut short it is told where the catalogue does not know better; a secret everywhere."""
    whole = arguments.parse(["--shutdown-timeout", "5", "--port", "1"], of)
    assert (whole.value("--shutdown-timeout"), whole.value("--port")) == ("5", "1")
    assert arguments.parse(["--api_k", "x"], of).value("--api-key") == "x"
    cut = arguments.parse(["--shutdown-t", "5"], of)
    knows = of is None or not of.complete or of.option("--shutdown-timeout") is not None
    assert (cut.value("--shutdown-timeout") == "5") is knows


def test_a_prefix_that_could_be_several_is_left_as_it_is() -> None:
    assert parsed("--ssl x --po 1", None) == [("--ssl", ("x",)), ("--po", ("1",))]


@pytest.mark.parametrize("of", ALL)
def test_every_value_of_a_secret_belongs_to_it(of: Catalog | None) -> None:
    """Also where the option takes one: no key may be left over on the command line."""
    (found,) = arguments.parse(["--api-key", "first", "second"], of).given
    assert found.values == ("first", "second")


def test_of_an_option_that_is_given_twice_the_last_one_counts() -> None:
    found = arguments.parse(["--port", "1", "--seed", "--port=2"], CURRENT)
    assert found.last("--port") == Argument("--port", "--port", ("2",), ("--port=2",))
    assert [found.value(flag) for flag in ("--port", "--seed", "--host")] == ["2", "", None]


@given(st.lists(st.sampled_from(
    ["--port", "--enforce-eager", "--served-model-name", "--api-key", "--foo", "-tp", "-1", "a",
     "", "-", "--", "--seed=1", "x y", "--a b"])))  # fmt: skip
def test_nothing_is_lost_or_moved(tokens: list[str]) -> None:
    for of in ALL:
        assert arguments.parse(tokens, of).tokens == tuple(tokens)


def test_two_lists_make_one_command_line() -> None:
    one, two = arguments.parse(["--port", "1"], None), arguments.parse(["word"], None)
    assert (one + two).tokens == ("--port", "1", "word")
    assert one + Arguments() == one


def test_a_switch_does_not_swallow_what_follows_it() -> None:
    env = {"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "--enforce-eager --port 8123"}
    for of in ALL:
        made = plan.make(env, of)
        assert made.value("--enforce-eager") == ""
        assert made.value("--port") == "8123"
        assert made.settings.engine_port == 8123
        assert made.command[-3:] == ("--enforce-eager", "--port", "8123")


@pytest.mark.parametrize("version", [each for each in VERSIONS if _drains_itself(each)])
@pytest.mark.parametrize("said", ["--shutdown-t 5", "--shutdown_timeout 5", "--shutdown-timeout=5"])
def test_the_engines_own_drain_is_seen_by_every_reader(version: str, said: str) -> None:
    """Nothing of ours beside it on the command line, and the lifecycle knows of it."""
    of = catalog(version)
    for mode in ("plain", "queue"):
        made = plan.make({"MODEL_NAME": "m", "WORKER_MODE": mode, "VLLM_EXTRA_ARGS": said}, of)
        assert made.engine_drains_itself
        assert made.value("--shutdown-timeout") == "5"
        assert [token for token in made.command if "shutdown" in token] == [shlex.split(said)[0]]


def test_whether_the_engine_drains_itself() -> None:
    env = {"MODEL_NAME": "m"}
    assert plan.make(env, CURRENT).engine_drains_itself
    assert not plan.make({**env, "WORKER_MODE": "queue"}, CURRENT).engine_drains_itself
    several = {**env, "NUM_NODES": "2", "PRIMARY_ADDR": "10.0.0.2", "DATA_PARALLEL_SIZE": "2"}
    assert plan.make({**several, "NODE_RANK": "0"}, CURRENT).engine_drains_itself
    assert not plan.make({**several, "NODE_RANK": "1"}, CURRENT).engine_drains_itself
    balanced = {**several, "NODE_RANK": "0", "DATA_PARALLEL_EXTERNAL_LB": "true"}
    assert not plan.make(balanced, CURRENT).engine_drains_itself, "others need it to the last"
    assert not plan.make(env, catalog("0.10.2")).engine_drains_itself
