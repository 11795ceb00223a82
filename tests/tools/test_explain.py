"""`make explain` needs no engine, hands its arguments on, and marks what the user did not set."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from supervisor.catalog import versions
from tests.client import PATIENCE
from tools import explain, run, worker

ENGINE = Path("/cache/engine/bin/vllm")
NEWEST = versions.known()[0]


def asked(*arguments: str) -> explain.Asked:
    return explain.asked(["--caller", "/here", *arguments])


def explained(
    *arguments: str, installed: Path | None = None, kind: str = "cpu", **environ: str
) -> tuple[list[str], dict[str, str], str]:
    return explain.explanation(asked(*arguments), {"PATH": "/bin", **environ}, installed, kind)


def test_without_an_engine_the_version_that_would_be_installed_is_meant_and_said() -> None:
    for kind, version in (("cpu", "0.32.0"), ("gpu", "0.33.0")):
        arguments, environ, said = explained(kind=kind)
        assert arguments[:3] == ["explain", "--vllm", version]
        assert "VLLM_COMMAND" not in environ
        assert said == (
            f"no engine is installed yet: by the options of vLLM {version}, which is known here"
        )


def test_an_installed_engine_is_asked() -> None:
    arguments, environ, said = explained(installed=ENGINE)
    assert environ["VLLM_COMMAND"] == str(ENGINE)
    assert "--vllm" not in arguments
    assert said == ""


def test_the_users_own_engine_or_version_is_taken() -> None:
    arguments, environ, said = explained(installed=ENGINE, VLLM_COMMAND="/opt/vllm")
    assert (environ["VLLM_COMMAND"], said) == ("/opt/vllm", "")
    assert "--vllm" not in arguments
    assert "DTYPE" not in environ
    arguments, environ, said = explained("--vllm", "0.10.2", installed=ENGINE)
    assert arguments[arguments.index("--vllm") :][:2] == ["--vllm", "0.10.2"]
    assert arguments.count("--vllm") == 1
    assert "VLLM_COMMAND" not in environ
    arguments, _, _ = explained("--catalog", "c.json", "--json")
    assert arguments[:4] == ["explain", "--catalog", "/here/c.json", "--set-by"]
    assert arguments[-1] == "--json"


def test_a_file_of_variables_stands_for_itself() -> None:
    """It is meant for another machine: nothing of this one's engine and defaults is in it."""
    arguments, environ, said = explained("--env-file", "my.env", installed=ENGINE)
    assert arguments == ["explain", "--vllm", NEWEST, "--env-file", "/here/my.env"]
    assert "DTYPE" not in environ
    assert NEWEST in said
    arguments, _, said = explained("--env-file=/my.env", "--vllm=0.10.2", "--json")
    assert arguments == ["explain", "--vllm", "0.10.2", "--env-file", "/my.env", "--json"]
    assert said == ""


ENGINES = ("--", "serve", "org/m", "--vllm", "1", "--catalog=c", "--env-file", "x")


@pytest.mark.parametrize("own", [(), ("--json",), ("--env-file", "/my.env"), ("--vllm", "0.10.2")])
@pytest.mark.parametrize("installed", [None, ENGINE])
def test_what_stands_behind_two_dashes_is_the_engines(
    own: tuple[str, ...], installed: Path | None
) -> None:
    """All of it, and nothing else."""
    arguments, _, _ = explained(*own, *ENGINES, installed=installed)
    assert tuple(arguments[arguments.index("--") :]) == ENGINES


def test_a_model_among_the_engines_arguments_is_no_demonstration() -> None:
    for named in (("serve", "org/m"), ("--model=org/m",), ("--config", "/c.yaml")):
        arguments, environ, _ = explained("--", *named)
        assert "SERVED_MODEL_NAME" not in environ
        assert "MODEL_NAME" not in arguments
    _, environ, _ = explained("--", "--max-model-len", "4096")
    assert environ["SERVED_MODEL_NAME"] == "demo"


def test_only_what_the_user_left_unset_is_marked() -> None:
    arguments, _, _ = explained(MODEL_NAME="org/m", DTYPE="bfloat16", ENFORCE_EAGER=" ")
    marked = [arguments[at + 1] for at, word in enumerate(arguments) if word == "--set-by"]
    assert marked == ["VLLM_CPU_KVCACHE_SPACE", "ENFORCE_EAGER", "VLLM_NO_USAGE_STATS"]
    arguments, _, _ = explained(kind="gpu")
    marked = [arguments[at + 1] for at, word in enumerate(arguments) if word == "--set-by"]
    assert marked == ["MODEL_NAME", *run.DEMO_DEFAULTS]


def made(tmp_path: Path, arguments: str = "", **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run `make explain` where no environment was ever made."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHON": sys.executable,
        "ENGINE": "cpu",
    }
    return subprocess.run(
        [
            "make",
            "--no-print-directory",
            "-C",
            str(worker.CHECKOUT),
            "explain",
            f"ARGS={arguments}",
        ],
        env=env | {"PWD": str(tmp_path)} | environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_make_explain_hands_the_engine_its_arguments_alone(tmp_path: Path) -> None:
    done = made(tmp_path, "--json -- serve org/m --max-model-len 4096")
    assert done.returncode == 0, done.stderr
    command = json.loads(done.stdout)["command"]
    assert command[:3] == ["vllm", "serve", "org/m"]
    assert command[-2:] == ["--max-model-len", "4096"]
    assert "demo" not in command


def test_make_explain_installs_nothing_and_is_json_for_programs(tmp_path: Path) -> None:
    done = made(tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    notes = {row["env"]: row["note"] for row in shown["settings"]}
    assert notes["DTYPE"] == "set by `make run` for a machine without a GPU"
    assert "VLLM_CPU_KVCACHE_SPACE" in {row["env"] for row in shown["environment"]}
    assert shown["command"][:3] == ["vllm", "serve", str(run.DEMO_MODEL)]
    assert done.stderr.startswith("no engine is installed yet: by the options of vLLM 0.32.0")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["my.env", "with a blank.env"])
def test_paths_are_meant_from_where_make_was_called(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("MODEL_NAME=org/m\nMAX_MODEL_LEN=many\n", encoding="utf-8")
    done = made(tmp_path, f"--env-file '{name}'", MODEL_NAME="not/this")
    assert "error: MAX_MODEL_LEN=many is not" in done.stdout
    assert "vllm serve org/m" in done.stdout
    assert "set by `make run`" not in done.stdout
    assert "Error 78" in done.stderr
