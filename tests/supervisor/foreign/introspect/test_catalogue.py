"""The catalogue as the engine's interpreter prints it, with a stand-in for vLLM's command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from supervisor import foreign
from supervisor.catalog import Kind, options
from tests.client import PATIENCE
from tools.engine import name_vllm

INTROSPECT = Path(foreign.__file__).parent / "introspect"
#: What the console script `vllm` runs. Every name of ours is a module of its environment too.
CLI = """
import argparse, json, sys
for name in {names}:
    assert __import__(name).THEIRS, name
assert "huggingface_hub" not in sys.modules
import vllm.envs
print("said while it is imported")

def main():
    parser = argparse.ArgumentParser(prog="vllm")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("chat").add_argument("--url")
    serve = commands.add_parser("serve")
    serve.add_argument("model_tag", nargs="?")
    serve.add_argument("--max-model-len", type=int, help="How long.")
    serve.add_argument("--enforce-eager", action=argparse.BooleanOptionalAction, default=False)
    serve.add_argument("--hf-overrides", type=json.loads)
    serve.add_argument("--secret-thing", help=argparse.SUPPRESS)
    parser.parse_args()
"""


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """An environment with the stand-in; its interpreter."""
    folder = tmp_path / "engine"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    name_vllm(folder, "9.9.9")
    (packages,) = folder.glob("lib/python*/site-packages")
    (info,) = packages.glob("vllm-*.dist-info")
    (info / "entry_points.txt").write_text("[console_scripts]\nvllm = cli_of_vllm:main\n")
    ours = {path.stem for path in INTROSPECT.glob("[a-z]*.py")} | {"introspect", "download"}
    for name in ours:
        (packages / f"{name}.py").write_text("THEIRS = True\n")
    (packages / "vllm").mkdir()
    (packages / "vllm" / "__init__.py").touch()
    (packages / "vllm" / "envs.py").write_text("environment_variables = {'VLLM_B': 1, 'VLLM_A': 2}")
    (packages / "cli_of_vllm.py").write_text(CLI.replace("{names}", repr(sorted(ours))))
    return folder / "bin" / "python"


def read(engine: Path, *flags: str) -> dict[str, Any]:
    done = subprocess.run(
        [str(engine), *flags, str(INTROSPECT)],
        env={},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("flags", [(), ("-I",)])
def test_it_is_the_very_parser_and_nothing_of_ours_hides_a_module_of_theirs(
    engine: Path, flags: tuple[str, ...]
) -> None:
    found = read(engine, *flags)
    assert found["schema"] == options.SCHEMA
    assert found["vllm_version"] == "9.9.9"
    assert found["route"] == "console_script cli_of_vllm:main"
    assert found["problems"] == []
    assert [record["flag"] for record in found["options"]] == [
        "--max-model-len", "--enforce-eager", "--hf-overrides", "--secret-thing",
    ]  # fmt: skip


def test_the_supervisor_reads_what_is_printed(engine: Path) -> None:
    found = options.parse(read(engine), "the stand-in")
    kinds = {option.flag: option.kind for option in found.options}
    assert kinds["--enforce-eager"] is Kind.BOOL_PAIR
    assert kinds["--hf-overrides"] is Kind.JSON
    assert kinds["--max-model-len"] is Kind.VALUE
    assert not found.model_required
    assert found.features["config_file"] is False
    assert found.environment == {"VLLM_A", "VLLM_B"}
