"""Quotes that Docker keeps are taken off, and those that belong to a value stay."""

from __future__ import annotations

import pytest

from supervisor import planning
from supervisor.catalog import versions
from supervisor.settings import quotes, table

NAMES = {"A", "HF_TOKEN", "VLLM_EXTRA_ARGS", "VLLM_COMMAND"}


@pytest.mark.parametrize(
    ("name", "text", "rest"),
    [
        ("A", '"my-model"', "my-model"),
        ("A", "'my-model'", "my-model"),
        ("A", ' "my-model" ', "my-model"),
        ("A", '""', ""),
        ("A", "'{\"image\": 4}'", '{"image": 4}'),
        ("A", r'"{\"image\": 4}"', '{"image": 4}'),
        ("A", "'[1, 2]'", "[1, 2]"),
        ("A", '"a b"', "a b"),
        ("HF_TOKEN", '"hf_secret123"', "hf_secret123"),
        ("VLLM_EXTRA_ARGS", '"--max-model-len 4096"', "--max-model-len 4096"),
        ("VLLM_EXTRA_ARGS", r'''"--o '{\"a\": 5}' --p q"''', """--o '{"a": 5}' --p q"""),
        ("VLLM_EXTRA_ARGS", '''"--o '{"a": 5}' --p q"''', """--o '{"a": 5}' --p q"""),
        ("VLLM_EXTRA_ARGS", """'--o "b c" --p q'""", '--o "b c" --p q'),
        ("VLLM_EXTRA_ARGS", '"--o b" "--p q"', None),
        ("VLLM_EXTRA_ARGS", '"--o \'b --p"', None),
        ("A", '"a", "b"', None),
        ("A", "\"a'", None),
        ("A", '"', None),
        ("A", "it's", None),
        ("A", '{"a": "b"}', None),
        ("A", '"[ngram]"', "[ngram]"),
        ("A", "'{broken'", "{broken"),
        ("A", "'{\"a\": 1,}'", '{"a": 1,}'),
        ("A", r'"{\"a\": 1,}"', None),
        ("A", '"{a}", "{b}"', None),
        ("A", '"{% if a %}{{ b }}{% endif %}"', "{% if a %}{{ b }}{% endif %}"),
        ("A", "'{# c #}{{ b }}'", "{# c #}{{ b }}"),
        ("A", "'{{ m['a'] }}'", "{{ m['a'] }}"),
        ("A", '"<s>{{ m["a"] }}{"b": 1}"', '<s>{{ m["a"] }}{"b": 1}'),
        ("A", r'"<s>{{ m[\"a\"] }}"', r"<s>{{ m[\"a\"] }}"),
        ("A", """{{ "a" }}""", None),
        ("VLLM_EXTRA_ARGS", "'--seed=1'", None),
        ("VLLM_COMMAND", '"/opt/my vllm/bin/vllm"', None),
        ("B", '"x"', None),
    ],
)
def test_what_stands_in_them(name: str, text: str, rest: str | None) -> None:
    env, found = quotes.take_off({name: text}, NAMES)
    assert env == {name: text if rest is None else rest}
    assert [warning.env for warning in found.warnings] == ([] if rest is None else [name])


@pytest.mark.parametrize("name", ["A", "HF_TOKEN", "VLLM_EXTRA_ARGS"])
def test_quotes_alone_are_no_value(name: str) -> None:
    env, found = quotes.take_off({name: "''"}, NAMES)
    assert env == {name: ""}
    (warning,) = found.warnings
    assert warning.message.startswith(f"{name} is a pair of quotes")
    assert warning.suggestion == "unset it"


def test_a_secret_is_not_shown() -> None:
    _, found = quotes.take_off({"HF_TOKEN": '"a-secret-word"'}, NAMES)
    assert "a-secret-word" not in str(found)


@pytest.mark.parametrize(
    ("name", "text", "token"),
    [
        ("MODEL_NAME", '"org/m"', "org/m"),
        ("SERVED_MODEL_NAME", '"my-model"', "my-model"),
        ("MAX_MODEL_LEN", "'4096'", "--max-model-len=4096"),
        ("ENFORCE_EAGER", '"true"', "--enforce-eager"),
        ("LIMIT_MM_PER_PROMPT", "'{\"image\":4}'", '--limit-mm-per-prompt={"image":4}'),
        ("OPENAI_SERVED_MODEL_NAME_OVERRIDE", '"short"', "short"),
        ("DRAIN_TIMEOUT", '"7"', "--shutdown-timeout=7"),
        (
            "CUSTOM_CHAT_TEMPLATE",
            '"{% set a = 1 %}{{ m }}"',
            "--chat-template={% set a = 1 %}{{ m }}",
        ),
        ("CHAT_TEMPLATE", "'{{ m['content'] }}'", "--chat-template={{ m['content'] }}"),
        ("SPECULATIVE_MODEL", '"[ngram]"', '--speculative-config={"method":"ngram",'),
    ],
)
def test_every_kind_of_setting(name: str, text: str, token: str) -> None:
    given = {"MODEL_NAME": "m", name: text}
    if name == "SPECULATIVE_MODEL":
        given |= {"NUM_SPECULATIVE_TOKENS": "3", "NGRAM_PROMPT_LOOKUP_MAX": "4"}
    made = planning.by_catalog(given, versions.load("0.32.0"))
    assert [part for part in made.command if part == token or part.startswith(f'{token}"')]
    assert not made.findings.errors
    assert [warning.env for warning in made.findings.warnings] == [name, "VLLM_API_KEY"]
    assert made.environment[name] == text[1:-1]


def test_what_the_engine_reads_from_its_environment_comes_without_them() -> None:
    given = {"MODEL_NAME": "m", "HF_TOKEN": '"hf_x"', "VLLM_LOGGING_LEVEL": '"DEBUG"', "PS1": '"$"'}
    made = planning.by_catalog(given, versions.load("0.32.0"))
    assert made.environment["HF_TOKEN"] == "hf_x"
    assert made.environment["VLLM_LOGGING_LEVEL"] == "DEBUG"
    assert made.environment["PS1"] == '"$"'


def test_the_workers_own_are_read_without_them_where_no_engine_is_asked() -> None:
    assert planning.settings({"PORT_HEALTH": '"9001"'})[table.PORT_HEALTH] == 9001
