"""Values that somebody else should have replaced end the start; everything else is left alone."""

from __future__ import annotations

import re

import pytest

from supervisor.command import plan
from supervisor.settings import leftovers
from tests.supervisor.command.test_translate import catalog

#: What only these errors say.
LEFT = re.compile(r"only a shell|did not replace|ends with a comment|has the character")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("MODEL_NAME", "$MODEL", "MODEL_NAME=$MODEL is a reference that only a shell replaces"),
        ("MODEL_NAME", "${MODEL}", "MODEL_NAME=${MODEL} is a reference that only a shell or Comp"),
        ("MAX_MODEL_LEN", "${LEN:-4096}", "MAX_MODEL_LEN=${LEN:-4096} is a reference that only"),
        ("DOWNLOAD_DIR", "$HOME/models", "DOWNLOAD_DIR=$HOME/models is a reference that only a"),
        ("DOWNLOAD_DIR", " ~/models ", "DOWNLOAD_DIR=~/models is a path from ~, which only a sh"),
        ("BASE_PATH", "~/volume", "BASE_PATH=~/volume is a path from ~, which only a shell"),
        ("SEED", "$(SEED)", "SEED=$(SEED) is a reference that Kubernetes did not replace"),
        (
            "SERVED_MODEL_NAME",
            "{{ RUNPOD_SECRET_a }}",
            "SERVED_MODEL_NAME={{ RUNPOD_SECRET_a }} is",
        ),
        ("HF_TOKEN", "${HF_TOKEN}", "HF_TOKEN=*** is a reference that only a shell or Compose"),
        ("HF_TOKEN", "{{ RUNPOD_SECRET_hf }}", "HF_TOKEN=*** is a reference that RunPod did not"),
        ("MAX_MODEL_LEN", "4096 # tokens", "MAX_MODEL_LEN=4096 # tokens ends with a comment, whi"),
        ("MODEL_NAME", "org/m\t# the model", "MODEL_NAME=org/m\t# the model ends with a comment"),
        ("MODEL_NAME", '"org/m" # the model', 'MODEL_NAME="org/m" # the model ends with a comm'),
        ("MODEL_NAME", '"${MODEL}"', 'MODEL_NAME="${MODEL}" is a reference that only a shell or'),
        (
            "MODEL_NAME",
            "\u201corg/m\u201d",
            "MODEL_NAME=\u201corg/m\u201d has the character U+201C",
        ),
        ("MODEL_NAME", "org/m\u200b", "MODEL_NAME=org/m\u200b has the character U+200B in it"),
        ("HF_TOKEN", "hf_abcdefghij\u200b", "HF_TOKEN=*** has the character U+200B in it"),
        ("LIMIT_MM_PER_PROMPT", "image=4 # each", "LIMIT_MM_PER_PROMPT=image=4 # each ends with"),
        ("DOWNLOAD_DIR", "/data #", "DOWNLOAD_DIR=/data # ends with a comment"),
        ("VLLM_EXTRA_ARGS", "--seed 3 # why", "VLLM_EXTRA_ARGS=--seed 3 # why ends with a comm"),
        ("HF_OVERRIDES", '{"a": 1} # why', 'HF_OVERRIDES={"a": 1} # why ends with a comment'),
        ("HF_TOKEN", "hf_abcdefghij # mine", "HF_TOKEN=*** ends with a comment"),
        ("QUANTIZATION", "null", "QUANTIZATION=null is a word for no value, which vLLM would take"),
        ("TOKENIZER_NAME", "undefined", "TOKENIZER_NAME=undefined is a word for no value"),
        ("MAX_MODEL_LEN", " NIL ", "MAX_MODEL_LEN=NIL is a word for no value"),
        ("HF_OVERRIDES", "null", "HF_OVERRIDES=null is a word for no value"),
        ("MODEL_NAME", '"null"', 'MODEL_NAME="null" is a word for no value'),
        ("DRAIN_TIMEOUT", "<no value>", "DRAIN_TIMEOUT=<no value> is a word for no value"),
        ("HF_TOKEN", "undefined", "HF_TOKEN=*** is a word for no value"),
        ("VLLM_API_KEY", "$(KEY)", "VLLM_API_KEY=*** is a reference that Kubernetes did not"),
    ],
)
def test_what_nobody_replaced_is_one_error(name: str, text: str, sentence: str) -> None:
    found = plan.make({"MODEL_NAME": "org/m", name: text}, catalog("0.32.0"))
    (fault,) = (each for each in found.findings.errors if each.env == name)
    assert fault.message.startswith(sentence)
    assert fault.suggestion
    assert text.strip() not in found.command


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CUSTOM_CHAT_TEMPLATE", "{{ messages[0].content }}"),
        ("CUSTOM_CHAT_TEMPLATE", "{{ bos_token }}/${x}"),
        ("CUSTOM_CHAT_TEMPLATE", "{{ messages[0].content }} # the end"),
        ("HF_OVERRIDES", '{"a": "${b}"}'),
        ("HF_OVERRIDES", '{"a": "b # c"}'),
        ("VLLM_EXTRA_ARGS", "--chat-template '{{ x }} # y'"),
        ("SERVED_MODEL_NAME", "model#1"),
        ("SERVED_MODEL_NAME", "modèle"),
        ("SERVED_MODEL_NAME", "l\u2019aigle"),
        ("HF_OVERRIDES", '{"a": "\u201c\u200b"}'),
        ("SERVED_MODEL_NAME", "#1"),
        ("VLLM_API_KEY", "a#b"),
        ("VLLM_API_KEY", "$SECRET"),
        ("SERVED_MODEL_NAME", "$a"),
        ("SERVED_MODEL_NAME", "~"),
        ("MODEL_NAME", "/models/$x"),
        ("SOMETHING_ELSE", "${NAME}"),
        ("HF_HOME", "~/hf"),  # the hub's client replaces it
    ],
)
def test_what_may_be_meant_is_left_alone(name: str, text: str) -> None:
    given = {"MODEL_NAME": "org/m", name: text}
    assert leftovers.take(given, {"MODEL_NAME", name} - {"SOMETHING_ELSE", "HF_HOME"})[0] is given
    messages = [each.message for each in plan.make(given, catalog("0.32.0")).findings.errors]
    assert [message for message in messages if LEFT.search(message)] == []


def test_what_is_refused_is_not_said_to_be_missing() -> None:
    found = plan.make({"MODEL_NAME": "${MODEL}"}, catalog("0.6.2")).findings
    assert [fault.env for fault in found.errors] == ["MODEL_NAME"]
    assert found.warnings == ()


def test_without_a_finding_the_environment_is_the_same_object() -> None:
    given = {"A": "1"}
    assert leftovers.take(given, {"A", "B"})[0] is given
