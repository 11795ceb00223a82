"""What the real vLLM makes of ROPE_SCALING and ROPE_THETA: its own ModelConfig and layer are asked.

Both real versions, in their own environments; no engine is started.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from supervisor.catalog import Catalog, store
from supervisor.command import plan
from supervisor.models.disk import look

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

SHORT = 4096  # tokens of the models below
LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "vocab_size": 256,
    "max_position_embeddings": SHORT,
    "rope_theta": 500000.0,
    "torch_dtype": "bfloat16",
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 1024,
}
DYNAMIC = '{"rope_type":"dynamic","factor":2.0}'
YARN = '{"type":"yarn","factor":4.0}'


@dataclass(frozen=True)
class Real:
    """A real vLLM: its catalogue, and a process that asks its classes."""

    catalog: Catalog
    asked: subprocess.Popen[str]

    def makes_of(self, model: Path, **env: str) -> dict[str, Any]:
        """What it makes of a model with what a plan for these variables says."""
        given = {"MODEL_NAME": str(model), **env}
        made = plan.make(given, self.catalog, look(given))
        assert not made.findings.errors
        length = made.value("--max-model-len")
        question = {
            "model": str(model),
            "hf_overrides": json.loads(made.value("--hf-overrides") or "{}"),
            "max_model_len": None if length is None else int(length),
        }
        assert self.asked.stdin is not None
        assert self.asked.stdout is not None
        print(json.dumps(question), file=self.asked.stdin, flush=True)
        found: dict[str, Any] = json.loads(self.asked.stdout.readline())
        return found


@pytest.fixture(scope="module", params=["VLLM_COMMAND", "OLDER_VLLM_COMMAND"])
def real(request: pytest.FixtureRequest) -> Iterator[Real]:
    command = os.environ.get(request.param, "")
    if not command:
        pytest.fail(f"{request.param} does not name a real vLLM; run the tests with `make test`")
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/root")}
    catalog, _ = store.find(command, env, lambda _line: None)
    interpreter = store.installed(command, env).interpreter
    with subprocess.Popen(
        [*interpreter, str(Path(__file__).with_name("rope.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env={**env, "HF_HUB_OFFLINE": "1"},
    ) as asked:
        yield Real(catalog, asked)


def _model(folder: Path, **more: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**LLAMA, **more}))
    return folder


def test_nothing_set_changes_nothing(real: Real, tmp_path: Path) -> None:
    found = real.makes_of(_model(tmp_path))
    assert (found["base"], found["max_model_len"]) == (500000.0, SHORT)


@pytest.mark.parametrize(
    ("scaling", "layer", "length"),
    [
        (DYNAMIC, "DynamicNTKScalingRotaryEmbedding", 2 * SHORT),
        ('{"type":"linear","factor":2.0}', "LinearScalingRotaryEmbedding", 2 * SHORT),
        (YARN, "YaRNScalingRotaryEmbedding", 4 * SHORT),
    ],
)
@pytest.mark.parametrize("theta", ["", "20000"])
def test_a_scaling_reaches_its_length_with_the_right_theta(
    real: Real, tmp_path: Path, scaling: str, layer: str, length: int, theta: str
) -> None:
    """No context is allowed for which the layer has no positions, and none is refused that it has.

    A position behind the last one of the layer is read from memory that is something else.
    """
    found = real.makes_of(_model(tmp_path), ROPE_SCALING=scaling, ROPE_THETA=theta)
    assert found["layer"] == layer
    assert found["base"] == (float(theta) if theta else 500000.0)
    assert found["max_model_len"] == length <= found["positions"]
    longer = real.makes_of(_model(tmp_path), ROPE_SCALING=scaling, MAX_MODEL_LEN=str(length))
    assert longer["max_model_len"] == length


def test_a_theta_alone(real: Real, tmp_path: Path) -> None:
    plain = real.makes_of(_model(tmp_path / "plain"), ROPE_THETA="20000")
    assert (plain["base"], plain["layer"]) == (20000.0, "RotaryEmbedding")
    scaled = _model(tmp_path / "scaled", rope_scaling=LLAMA3)
    found = real.makes_of(scaled, ROPE_THETA="20000")
    assert (found["base"], found["layer"]) == (20000.0, "Llama3RotaryEmbedding")
    assert found["rope_parameters"]["low_freq_factor"] == 1.0


def test_a_scaling_in_place_of_the_models_own(real: Real, tmp_path: Path) -> None:
    model = _model(tmp_path, rope_scaling=LLAMA3)
    found = real.makes_of(model, ROPE_SCALING='{"type":"linear","factor":2.0}')
    assert found["layer"] == "LinearScalingRotaryEmbedding"
    assert "low_freq_factor" not in found["rope_parameters"]
