"""What the real vLLM notes down of a model's class while an image is built, and believes later."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.processes import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

_ONE = """
import runpy, sys
from vllm.model_executor.models import registry
models = registry.ModelRegistry.models
for name in set(models) - {"LlamaForCausalLM"}:  # all of them take a minute
    del models[name]
runpy.run_path(sys.argv[1], run_name="looked")["main"](__import__("pathlib").Path(sys.argv[2]))
"""
_BELIEVED = """
from vllm.model_executor.models import registry
def asked(_): raise SystemExit("a process of its own")
registry._run_in_subprocess = asked
print(registry.ModelRegistry.models["LlamaForCausalLM"].inspect_model_cls().architecture)
"""


@pytest.mark.parametrize("which", ["VLLM_COMMAND", "OLDER_VLLM_COMMAND"])
def test_vllm_believes_its_own_notes(which: str, tmp_path: Path) -> None:
    python = str(Path(os.environ[which]).parent / "python")
    folder = tmp_path / "root" / "modelinfos"
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    script = str(ROOT / "image" / "model_infos.py")
    looked = _run([python, "-c", _ONE, script, str(folder)], env)
    assert "1 notes of 1 models, 0 of which" in looked
    assert [path.name for path in folder.iterdir()] == [
        "vllm-model_executor-models-llama-LlamaForCausalLM.json"
    ]
    env["VLLM_CACHE_ROOT"] = str(folder.parent)
    assert _run([python, "-c", _BELIEVED], env).splitlines()[-1] == "LlamaForCausalLM"


def _run(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
