"""What a configuration file sets."""

from __future__ import annotations

import time

import pytest

from supervisor.catalog import options as catalog_options
from supervisor.command.arguments import Argument
from supervisor.command.cluster import config_file
from tests.processes import CATALOG

FILE = """\
---
# a remark
max-model-len: 4096   # tokens
max_num_seqs: '8'
"dtype": "float16"
enforce-eager: true
enable-chunked-prefill: no
chat-template-kwargs: {"color": "#fff"}
compilation-config:
  pass_config:
    fuse: true

  mode: 3
allowed-origins:
- a
  # none
- b
seed:
what is no key
  nor this
seed-of: 7
"""


def test_what_a_file_sets() -> None:
    assert config_file.options(FILE) == {
        "max-model-len": "4096",
        "max-num-seqs": "8",
        "dtype": "float16",
        "enforce-eager": "--enforce-eager",
        "enable-chunked-prefill": "--no-enable-chunked-prefill",
        "chat-template-kwargs": '{"color": "#fff"}',
        "compilation-config": "pass_config:\nfuse: true\nmode: 3",
        "allowed-origins": "- a\n- b",
        "seed": "",
        "seed-of": "7",
    }


def test_what_is_no_file_of_options() -> None:
    assert config_file.options("") == config_file.options("- a\n- b\n") == {}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("half # it's enough", "half"),
        ("half # 'it' isn't \"enough\"", "half"),
        ("it's # it's", "it's"),
        ("'it''s # a' # it's", "it''s # a"),
        ("'it''s' # it's", "it''s"),
        ('"a # \\" # b" # it\'s', 'a # \\" # b'),
        ('"a\\\\" # "b"', "a\\\\"),
        ("{\"a\": \"b # c\", 'd':'# e'} # it's", "{\"a\": \"b # c\", 'd':'# e'}"),
        ("[it's, 'a # b'] # c", "[it's, 'a # b']"),
        ("a#b", "a#b"),
        ("'a # b", "'a"),
        ("# a", ""),
        ("", ""),
    ],
)
def test_remarks_are_nothing_of_a_value(line: str, value: str) -> None:
    assert config_file.options(f"dtype: {line}\n# it's\n") == {"dtype": value}


def test_its_options_are_read_as_those_of_a_command_line() -> None:
    known = catalog_options.load(CATALOG)
    said = config_file.arguments(f"{FILE}\nheadless: true\nno-such-option: 1\n", known)
    assert said.value("--max-num-seqs") == "8"
    assert said.value("--no-such-option") == "1"
    for flag, spelt in (
        ("--enforce-eager", "--enforce-eager"),
        ("--enable-chunked-prefill", "--no-enable-chunked-prefill"),
        ("--headless", "--headless"),
    ):
        assert said.last(flag) == Argument(spelt, flag, (), (spelt,))


@pytest.mark.parametrize("line", ["{} #'", "{} '#'", "{}#'", "' # {}", "{{{}", "{{'{}"])
@pytest.mark.parametrize("filling", [" ", " #", "' # ", "'", "a: ", '"\\', '"', "{"])
def test_a_long_line_is_read_once(line: str, filling: str) -> None:
    begun = time.process_time()
    config_file.options(f"dtype: {line.format(filling * 100_000)}")
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("begin", ["", "\n  "])
def test_in_brackets_a_line_is_of_the_value_wherever_it_begins(begin: str) -> None:
    file = f"""\
additional-config:{begin} {{  # [it's
"user": "}}] name",
'a': [
b, it's, 'it''s }}']
}}
seed: 7
dtype: a[
port: 1
"""
    assert config_file.options(file) == {
        "additional-config": "{\n\"user\": \"}] name\",\n'a': [\nb, it's, 'it''s }']\n}",
        "seed": "7",
        "dtype": "a[",
        "port": "1",
    }
