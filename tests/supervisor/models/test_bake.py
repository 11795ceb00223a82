"""`bake` writes down what the engine's interpreter downloaded. The real download is an e2e test."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from supervisor.errors import ConfigurationError, SupervisorError
from supervisor.models import bake
from supervisor.models.placement import MANIFEST, Name

DONE = {"commit": "c1", "files": ["config.json"], "bytes": 5}


class Engine:
    """An engine's command whose interpreter is a shell script that says `answer`."""

    def __init__(self, folder: Path, answer: str) -> None:
        python = folder / "python3"
        python.write_text(
            "#!/bin/sh\n"
            f'echo "$HF_TOKEN $HF_HUB_OFFLINE $@" >> {folder}/asked\n'
            f"cat <<'END'\n{answer}\nEND\n"
        )
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
        command = folder / "vllm"
        command.write_text(f"#!{python}\n")
        command.chmod(0o755)
        self.command = str(command)
        self.env = {"PATH": "/bin:/usr/bin", "BAKED_MODELS": str(folder / "models")}
        self._asked = folder / "asked"

    @property
    def downloads(self) -> list[str]:
        lines = self._asked.read_text().splitlines() if self._asked.exists() else []
        return [line for line in lines if "/foreign/download " in line]


def test_the_manifest_says_what_was_downloaded(tmp_path: Path) -> None:
    engine = Engine(tmp_path, json.dumps(DONE))
    env = {**engine.env, "MODEL_NAME": "org/name/fp8", "TOKENIZER_NAME": "org/tok"}
    path = bake.bake(env, engine.command)
    folder = tmp_path / "models"
    assert path == folder / MANIFEST
    assert json.loads(path.read_text()) == {
        "schema": 1,
        "model": {"repository": "org/name/fp8", "revision": None,
                  "folder": str(folder / "org--name" / "fp8"), **DONE},
        "tokenizer": {"repository": "org/tok", "revision": None,
                      "folder": str(folder / "org--tok"), **DONE},
    }  # fmt: skip
    assert [line.split()[-1] for line in engine.downloads] == ["model", "tokenizer"]


def test_the_token_comes_from_a_file_and_the_hub_is_asked(tmp_path: Path) -> None:
    engine = Engine(tmp_path, json.dumps(DONE))
    token = tmp_path / "token"
    token.write_text("secret\n")
    env = {**engine.env, "MODEL_NAME": "org/name", "HF_TOKEN_FILE": str(token)}
    path = bake.bake({**env, "HF_HUB_OFFLINE": "1"}, engine.command)
    (line,) = engine.downloads
    assert line.startswith("secret 0 ")
    assert "secret" not in path.read_text()


def test_a_blank_name_of_a_token_file_counts_as_not_set(tmp_path: Path) -> None:
    """The default file need not be there; one that is named has to be."""
    engine = Engine(tmp_path, json.dumps(DONE))
    env = {**engine.env, "MODEL_NAME": "org/name"}
    bake.bake({**env, "HF_TOKEN_FILE": " "}, engine.command)
    assert len(engine.downloads) == 1
    with pytest.raises(ConfigurationError, match="HF_TOKEN_FILE=/none cannot be read: No such"):
        bake.bake({**env, "HF_TOKEN_FILE": "/none"}, engine.command)
    with pytest.raises(ConfigurationError, match="BAKED_MODELS=models is a relative path"):
        bake.bake({**env, "BAKED_MODELS": "models"}, engine.command)
    with pytest.raises(ConfigurationError, match="HF_TOKEN_FILE=/dev/zero is a pipe or a device"):
        bake.bake({**env, "HF_TOKEN_FILE": "/dev/zero"}, engine.command)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "MODEL_NAME is not set; set it to a repository such as Qwen/Qwen3-0.6B"),
        ("/path", "MODEL_NAME=/path is not a repository to download; name one such as"),
        ("./x", "MODEL_NAME=./x is not a repository to download; name one such as"),
    ],
)
def test_without_a_repository_there_is_nothing_to_download(
    tmp_path: Path, name: str, sentence: str
) -> None:
    engine = Engine(tmp_path, json.dumps(DONE))
    with pytest.raises(ConfigurationError, match=sentence):
        bake.bake({**engine.env, "MODEL_NAME": name}, engine.command)
    assert engine.downloads == []


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ('{"error": "org/name is gated"}', "^org/name is gated$"),
        ("no JSON", "the download of org/name failed with code 0; see the lines above"),
    ],
)
def test_a_failed_download_is_one_sentence(tmp_path: Path, answer: str, sentence: str) -> None:
    engine = Engine(tmp_path, answer)
    with pytest.raises(SupervisorError, match=sentence):
        bake.bake({**engine.env, "MODEL_NAME": "org/name"}, engine.command)
    assert not (tmp_path / "models" / MANIFEST).exists()


def test_a_download_is_a_command_with_everything_it_needs() -> None:
    name = Name("org/name", "fp8")
    command = bake.download(("py", "-I"), name, "v1", Path("/f"), "model")
    assert command[:2] == ["py", "-I"]
    assert command[3:] == ["org/name", "v1", "/f", "fp8", "model"]
