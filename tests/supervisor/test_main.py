"""The commands as a user types them: what they print, and their exit codes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from supervisor import __version__
from supervisor.__main__ import main
from supervisor.catalog import versions
from supervisor.worker.lifecycle import Phase
from tests.client import PATIENCE
from tests.processes import ROOT, unread, until
from tools.engine import name_vllm


def supervisor(*arguments: str, flags: str = "-P", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *flags.split(), "-m", "supervisor", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.fixture
def env_file(tmp_path: Path) -> str:
    file = tmp_path / ".env"
    file.write_text("MODEL_NAME=org/m\nMAX_MODEL_LEN=8192\n")
    return str(file)


def test_help_is_that_of_the_program_that_was_started(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    assert capsys.readouterr().out.startswith("usage: vllm-supervisor explain ")
    assert supervisor("--help").stdout.startswith("usage: python -m supervisor ")


def test_the_help_of_status_names_each_state() -> None:
    shown = supervisor("status", "--help").stdout
    assert [phase for phase in Phase if phase not in shown] == []


def test_the_help_of_explain_says_which_versions_are_known() -> None:
    shown = " ".join(supervisor("explain", "--help", COLUMNS="80").stdout.split())
    assert f"one of {', '.join(versions.known())}" in shown


def test_a_reader_that_has_enough_of_explain_sees_no_traceback(env_file: str) -> None:
    """As `explain | head`: the pipe is closed before the whole is written."""
    command = [sys.executable, "-m", "supervisor", "explain", "--vllm", "0.33.0"]
    with subprocess.Popen(
        [*command, "--env-file", env_file],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 128 + 13


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_an_output_that_does_not_block_gets_all_of_explain(
    form: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_text("MODEL_NAME=org/m\n" + "".join(f"MAX_MODL_LEN{n}=1\n" for n in range(99)))
    command = ["explain", *form, "--vllm", "0.33.0", "--env-file", str(file)]
    expected = supervisor(*command).stdout
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    size = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    assert size < len(expected)
    with (
        subprocess.Popen(
            [sys.executable, "-m", "supervisor", *command],
            cwd=ROOT,
            stdout=writer,
            stderr=subprocess.PIPE,
        ) as process,
        os.fdopen(reader, "rb") as output,
    ):
        os.close(writer)
        faults = process.stderr
        assert faults is not None
        until(lambda: unread(reader) == size or unread(faults.fileno()), what="a full pipe")
        assert output.read().decode() == expected
        assert faults.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize("columns", [60, 200])
def test_explain_is_as_wide_as_the_terminal(columns: int, env_file: str) -> None:
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, columns))
    with subprocess.Popen(
        [sys.executable, "-m", "supervisor", "explain", "--vllm", "0.33.0", "--env-file", env_file],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "NO_COLOR": "1"},
        stdout=writer,
    ) as process:
        os.close(writer)
        text = b""
        with contextlib.suppress(OSError):  # a terminal whose other end is closed
            while more := os.read(reader, 4096):
                text += more
    os.close(reader)
    assert process.returncode == 0
    row = next(line for line in text.decode().splitlines() if line.startswith("MODEL_NAME"))
    assert row.endswith("the model, as the first argument") is (columns == 200)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"vllm-supervisor {__version__}\n")


@pytest.mark.parametrize("version", versions.known())
def test_explain_of_a_version_that_is_not_installed(
    version: str, env_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "--json", "--vllm", version, "--env-file", env_file]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["vllm_version"].startswith(version)
    assert "org/m" in shown["command"]
    assert "--max-model-len=8192" in shown["command"]


@pytest.mark.parametrize(("version", "named"), [("0.1", "0.1"), ("", "''")])
def test_an_unknown_version_is_one_sentence(
    version: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "--vllm", version]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        f"error: the options of vLLM {named} are not known here; choose one of "
        f"{', '.join(versions.known())}\n"
    )


def test_a_version_and_a_catalogue_at_once_are_refused() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explain", "--vllm", "0.33.0", "--catalog", "x.json"])
    assert ended.value.code == 2


def test_without_an_engine_explain_says_how_to_do_without(env_file: str) -> None:
    done = supervisor("explain", "--env-file", env_file)
    assert done.returncode == 0
    assert "warning: the engine's command 'vllm' was not found" in done.stdout
    assert ", or name a version of vLLM with --vllm" in " ".join(done.stdout.split())
    assert "--max-model-len=8192" in done.stdout


@pytest.mark.parametrize("command", ["explain", "doctor"])
def test_a_terminal_may_have_any_encoding(command: str) -> None:
    """What it does not have is escaped; also bytes that are no text, from the environment."""
    names = {
        "MODEL_NAME": "org/Grüße",
        "VLLM_COMMAND": "/nowhere/käse",
        "VLLM_CONFIG_FILE": "/\udcff",
    }
    done = supervisor(command, **names, PYTHONIOENCODING="ascii:strict", PYTHONUTF8="1")
    assert done.returncode in {0, 1, 78}, done.stderr
    assert "Traceback" not in done.stderr
    assert "\\x" in done.stdout + done.stderr


def test_a_line_that_is_not_understood_is_one_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "env"
    wrong.write_bytes(b"MODEL_NAME=m\nexport MAX_MODEL_LEN=8k\n")
    done = supervisor("explain", "--vllm", "0.33.0", "--env-file", str(wrong))
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == (
        f"error: --env-file {wrong}, line 2: `export` is for a shell, and Docker refuses the file;"
        " leave it out and write NAME=VALUE\n"
    )


def test_errors_are_the_exit_code_of_explain(tmp_path: Path) -> None:
    wrong = tmp_path / "env"
    wrong.write_text("MODEL_NAME=m\nMAX_MODEL_LEN=long\n")
    done = supervisor("explain", "--vllm", "0.33.0", "--env-file", str(wrong))
    assert done.returncode == 78
    assert "error: MAX_MODEL_LEN=long" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        "--model org/x --max-model-len 4k",
        "serve org/x --max-model-len=4k",
        "vllm serve org/x --max_model_len=4k",
    ],
)
def test_what_is_written_as_for_vllms_own_image_is_in_the_plan(words: str) -> None:
    own = ("explain", "--json", "--vllm", "0.33.0", "--")
    done = supervisor(*own, *words.split(), MODEL_NAME="org/m", MAX_MODEL_LEN="8192")
    assert (done.returncode, done.stderr) == (0, "")
    shown = json.loads(done.stdout)
    assert shown["command"][:3] == ["vllm", "serve", "org/x"]
    assert not [token for token in shown["command"] if "8192" in token or "org/m" in token]
    assert {row["env"] for row in shown["ignored"]} == {"MODEL_NAME", "MAX_MODEL_LEN"}
    assert [row["source"] for row in shown["settings"] if row["env"] == "arguments"] == [
        "arguments"
    ]


def test_a_command_that_takes_none_says_so() -> None:
    done = supervisor("status", "--", "--model", "org/x")
    assert done.returncode == 2
    assert "arguments for the engine go with run, explain and doctor alone" in done.stderr


def test_a_misspelt_command_is_no_model() -> None:
    done = supervisor("explian")
    assert done.returncode == 2
    assert "invalid choice: 'explian'" in done.stderr


def test_nothing_of_the_environment_counts_beside_an_env_file(env_file: str) -> None:
    arguments = ("explain", "--json", "--vllm", "0.33.0")
    alone = supervisor(*arguments, MAX_MODEL_LEN="4096")
    assert "--max-model-len=4096" in json.loads(alone.stdout)["command"]
    beside = supervisor(*arguments, "--env-file", env_file, MAX_MODEL_LEN="4096")
    assert "--max-model-len=8192" in json.loads(beside.stdout)["command"]


def test_status_of_nobody() -> None:
    done = supervisor("status", PORT_HEALTH="1")
    assert done.returncode == 1
    assert done.stderr == (
        "error: no worker answers at http://127.0.0.1:1; start one or set PORT_HEALTH to its port\n"
    )


def test_bake_without_a_model() -> None:
    done = supervisor("bake")
    assert done.returncode == 78
    assert done.stderr.startswith("error: MODEL_NAME is not set; set it to a repository")


# --- what they import ---


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """An engine's command that prints a catalogue, by an interpreter that has a vLLM's version."""
    folder = tmp_path / "engine"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    name_vllm(folder, "9.9.9")
    python = folder / "bin" / "printing-python"
    python.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *foreign/version.py) exec {folder}/bin/python "$@";; esac\n'
        # As one is that was made by this worker, which asks for that as well.
        f'sed \'s/"features": {{/&"tracing": false, /\' {versions.FOLDER}/vllm-0.33.0.json\n'
    )
    command = folder / "bin" / "vllm"
    command.write_text(f"#!{python}\n")
    for file in (python, command):
        file.chmod(0o755)
    return command


#: Neither site-packages nor what the environment says about paths, but the checkout.
BARE = "-S"


def test_explain_and_catalog_need_the_standard_library_alone(
    engine: Path, tmp_path: Path, env_file: str
) -> None:
    env = {"VLLM_COMMAND": str(engine), "XDG_CACHE_HOME": str(tmp_path), "MODEL_NAME": "m"}
    kept = tmp_path / "vllm-supervisor" / "catalogs" / f"vllm-9.9.9-{platform.machine()}.json"
    done = supervisor("catalog", "--anew", flags=BARE, **env)
    assert (done.returncode, done.stdout.endswith(f"kept in {kept}\n")) == (0, True), done.stderr
    done = supervisor("explain", flags=BARE, **env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mode plain, vLLM 0.33.0\n")
    arguments = ("--vllm", "0.33.0", "--env-file", env_file)
    done = supervisor("explain", *arguments, flags=BARE)
    assert (done.returncode, done.stderr) == (0, "")


def test_status_and_doctor_do_too() -> None:
    assert supervisor("status", flags=BARE, PORT_HEALTH="1").returncode == 1
    done = supervisor("doctor", flags=BARE, VLLM_COMMAND="/nowhere/vllm")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("bad ")


def test_bare_means_that_no_package_is_there() -> None:
    """Guards the two tests above."""
    command = [sys.executable, BARE, "-c", "import httpx"]
    assert subprocess.run(command, capture_output=True, env={}).returncode == 1


def test_what_docker_makes_of_other_lines_is_said_with_the_plan(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("MODEL_NAME=m\nSEED=1\nSEED=2\nHF_TOKEN\n")
    done = supervisor("explain", "--json", "--vllm", "0.33.0", "--env-file", str(file))
    assert done.returncode == 0
    warnings = json.loads(done.stdout)["warnings"]
    assert [each["env"] for each in warnings] == ["HF_TOKEN", "SEED", "VLLM_API_KEY"]
