"""The bytes of a model's weights, in folders and at a stand-in of the hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from supervisor.models import weights
from supervisor.models.placement import Name
from supervisor.models.weights import Format, at_hub, in_folder
from tests.client import PATIENCE
from tests.hub.serving import hub
from tests.supervisor.models.sized import model, safetensors


def test_safetensors_before_other_formats(tmp_path: Path) -> None:
    model(tmp_path, {"a-00001-of-00002.safetensors": 1000, "a-00002-of-00002.safetensors": 500})
    (tmp_path / "pytorch_model.bin").write_bytes(bytes(9000))
    (tmp_path / "optimizer.bin").write_bytes(bytes(9000))
    found = in_folder(tmp_path, Format())
    assert found is not None
    assert found.by_type == {"BF16": 1500}
    assert 1500 < found.size < 2500
    assert found.config["torch_dtype"] == "bfloat16"
    other = in_folder(tmp_path, Format("pt"))
    assert other is not None
    assert (other.size, other.by_type) == (9000, {})


def test_each_data_type(tmp_path: Path) -> None:
    safetensors(tmp_path / "model.safetensors", {"F32": 100, "U8": 30})
    found = in_folder(tmp_path, Format())
    assert found is not None
    assert found.by_type == {"F32": 100, "U8": 30}
    assert found.config == {}


def test_one_gguf_file_and_not_one_of_many(tmp_path: Path) -> None:
    file = tmp_path / "m.Q4_K_M.gguf"
    file.write_bytes(bytes(100))
    for path in (file, tmp_path):
        found = in_folder(path, Format())
        assert found is not None
        assert (found.size, found.packed) == (100, True)
    (tmp_path / "m.Q8_0.gguf").write_bytes(bytes(200))
    assert in_folder(tmp_path, Format()) is None


def test_what_has_no_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert in_folder(tmp_path, Format()) is None
    assert in_folder(tmp_path / "config.json", Format()) is None
    with pytest.raises(OSError, match="none"):
        in_folder(tmp_path / "none", Format())


@pytest.mark.parametrize("data", [b"", b"\xff" * 8 + b"{}", b"\x02\0\0\0\0\0\0\0[]"])
def test_a_damaged_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(ValueError, match=r"safetensors|object|JSON|value"):
        in_folder(tmp_path, Format())


def test_what_the_hub_lists(tmp_path: Path) -> None:
    model(tmp_path, {"model.safetensors": 3000})
    (tmp_path / "pytorch_model.bin").write_bytes(bytes(9000))
    folder = tmp_path / "fp8"
    model(folder, {"model.safetensors": 700}, torch_dtype="float16")
    with hub("--token", "hf_x", m=tmp_path) as url:
        env = {"HF_ENDPOINT": f"{url}/", "HF_TOKEN": "hf_x"}
        found = at_hub(Name("org/m"), "", env, Format(), PATIENCE)
        assert found is not None
        assert found.size == (tmp_path / "model.safetensors").stat().st_size
        assert found.config["torch_dtype"] == "bfloat16"
        inside = at_hub(Name("org/m", "fp8"), "main", env, Format(), PATIENCE)
        assert inside is not None
        assert inside.size == (folder / "model.safetensors").stat().st_size
        assert inside.config["torch_dtype"] == "float16"
        for other in ({"HF_ENDPOINT": url}, {"HF_ENDPOINT": "file:///etc"}, {"HF_ENDPOINT": "x"}):
            with pytest.raises((OSError, ValueError)):
                at_hub(Name("org/m"), "", other, Format(), PATIENCE)
        with pytest.raises(OSError, match="404"):
            at_hub(Name("org/m"), "v9", env, Format(), PATIENCE)


@pytest.mark.parametrize(
    ("told", "by_type"),
    [
        ({}, {}),
        ({"safetensors": None}, {}),
        ({"safetensors": {"parameters": {"BF16": 500}, "total": 500}}, {"narrow": 1000}),
        (
            {"safetensors": {"parameters": {"F32": 100, "BF16": 300}}},
            {"F32": 400, "narrow": 600},
        ),
        ({"safetensors": {"parameters": {"F32": 1000}}}, {}),  # of other files
    ],
)
def test_the_data_types_of_which_the_hub_tells(
    told: Mapping[str, object], by_type: Mapping[str, int]
) -> None:
    assert weights._told_types(json.loads(json.dumps(told)), 1000) == by_type
