"""Which paths are looked for, and what is said of those at which there is nothing."""

from __future__ import annotations

import pytest

from supervisor.command.checks import paths
from tests.supervisor.command.checks.refusals import made


def named(**env: str) -> list[str]:
    return [place.path for place in made(**env).places]


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"LORA_MODULES": "a=/x b=org/y"}, ["/x"]),
        ({"LORA_MODULES": '[{"name":"a","path":"./x"}]'}, ["./x"]),
        ({"CHAT_TEMPLATE": "/t.jinja"}, ["/t.jinja"]),
        ({"CUSTOM_CHAT_TEMPLATE": "/t.jinja"}, ["/t.jinja"]),
        ({"CHAT_TEMPLATE": "template_chatml.jinja"}, []),
        ({"CHAT_TEMPLATE": "examples/tool.jinja"}, ["examples/tool.jinja"]),
        ({"CHAT_TEMPLATE": "/{{ messages }}"}, []),
        ({"CHAT_TEMPLATE": "{{ 'ü' }}"}, []),
        ({"VLLM_CONFIG_FILE": "c.yaml"}, ["c.yaml"]),
        ({"TOKENIZER_NAME": "/t", "HF_CONFIG_PATH": "org/m"}, ["/t"]),
        ({"TOOL_PARSER_PLUGIN": "/p.py", "REASONING_PARSER_PLUGIN": "my.module"}, ["/p.py"]),
        ({"SPECULATIVE_CONFIG": '{"model":"/draft"}'}, ["/draft"]),
        ({"SPECULATIVE_MODEL": "/draft", "NUM_SPECULATIVE_TOKENS": "2"}, ["/draft"]),
        ({"DEFAULT_MM_LORAS": '{"audio":"/a"}'}, ["/a"]),
        ({"VLLM_EXTRA_ARGS": "--chat_template /t.jinja --ssl-keyfile k"}, ["/t.jinja", "k"]),
        ({"CHAT_TEMPLATE": "/a", "VLLM_EXTRA_ARGS": "--chat-template /b"}, ["/b"]),
        ({"DOWNLOAD_DIR": "/made/by/vllm"}, []),
    ],
)
def test_what_is_looked_for(env: dict[str, str], expected: list[str]) -> None:
    assert named(**env) == expected


def said(*, here: bool, **env: str) -> tuple[list[str], list[str]]:
    plan = made(**env)
    gone = [(place, "") for place in plan.places]
    found = paths.missing(gone, plan.speakers, here=here)
    return [each.message for each in found.errors], [each.message for each in found.warnings]


def test_an_error_where_the_engine_would_run_else_a_warning() -> None:
    sentence = "LORA_MODULES=a=/x b=org/y: /x does not exist on this machine"
    assert said(here=True, LORA_MODULES="a=/x b=org/y") == ([sentence], [])
    assert said(here=False, LORA_MODULES="a=/x b=org/y") == ([], [sentence])


def test_what_cannot_be_looked_at_is_told_with_the_reason() -> None:
    plan = made(LORA_MODULES="a=/v/x")
    gone = [(place, "the volume at /v cannot be read (why)") for place in plan.places]
    (fault,) = paths.missing(gone, plan.speakers, here=True).errors
    assert fault.message == (
        "LORA_MODULES=a=/v/x: /v/x cannot be used: the volume at /v cannot be read (why)"
    )
    assert fault.suggestion == "mount it again, or name another place"


def test_from_where_a_relative_path_counts() -> None:
    (message,), _ = said(here=True, VLLM_CONFIG_FILE="conf/c.yaml")
    assert message == (
        "VLLM_CONFIG_FILE=conf/c.yaml does not exist: the engine runs in /, so that it looks for"
        " /conf/c.yaml"
    )


def test_without_what_vllm_can_do_without() -> None:
    assert said(here=True, TOOL_PARSER_PLUGIN="/p.py") == (
        [],
        ["TOOL_PARSER_PLUGIN=/p.py does not exist on this machine"],
    )


def test_in_extra_arguments() -> None:
    assert said(here=True, VLLM_EXTRA_ARGS="--chat-template /t.jinja")[0] == [
        "--chat-template=/t.jinja in VLLM_EXTRA_ARGS does not exist on this machine"
    ]
