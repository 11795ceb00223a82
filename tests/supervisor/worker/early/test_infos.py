"""What vLLM noted down of its models is in the cache in which it looks."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from supervisor.worker.early import infos

LLAMA = "vllm-model_executor-models-llama-LlamaForCausalLM.json"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    folder = tmp_path / "model-infos"
    folder.mkdir()
    (folder / LLAMA).write_text('{"hash": "1"}')
    (folder / "other.json").write_text('{"hash": "2"}')
    return folder


async def test_a_new_container_gets_all_of_them(kept: Path, tmp_path: Path) -> None:
    await infos.hand_over({"HOME": str(tmp_path / "home")}, kept)
    found = tmp_path / "home" / ".cache" / "vllm" / "modelinfos"
    assert {path.name: path.read_text() for path in found.iterdir()} == {
        LLAMA: '{"hash": "1"}',
        "other.json": '{"hash": "2"}',
    }


async def test_what_vllm_has_written_itself_stays(kept: Path, tmp_path: Path) -> None:
    folder = tmp_path / "root" / "modelinfos"
    folder.mkdir(parents=True)
    (folder / LLAMA).write_text("newer")
    await infos.hand_over({"VLLM_CACHE_ROOT": str(tmp_path / "root")}, kept)
    assert (folder / LLAMA).read_text() == "newer"
    assert (folder / "other.json").exists()


@pytest.mark.parametrize(
    ("env", "where"),
    [
        ({"HOME": "/h"}, "/h/.cache/vllm/modelinfos"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/c"}, "/c/vllm/modelinfos"),
        ({"HOME": "/h", "VLLM_CACHE_ROOT": "/v/x"}, "/v/x/modelinfos"),
        ({}, "/root/.cache/vllm/modelinfos"),
        ({"VLLM_CACHE_ROOT": "~nobodyhere/x"}, "/~nobodyhere/x/modelinfos"),
        ({"VLLM_CACHE_ROOT": "~root/x"}, "/root/x/modelinfos"),
    ],
)
def test_the_cache_is_where_vllm_looks(env: dict[str, str], where: str) -> None:
    assert infos.cache(env) == Path(where)


async def test_a_cache_that_cannot_be_written_costs_no_start(
    kept: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "root").write_text("a file")
    with caplog.at_level(logging.INFO):
        await infos.hand_over({"VLLM_CACHE_ROOT": str(tmp_path / "root")}, kept)
    assert "vLLM looks at the model's class itself" in caplog.text


async def test_workers_of_several_containers_share_a_cache(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each writes under a name of its own, though their processes have the same number."""
    written: list[str] = []
    monkeypatch.setattr(Path, "replace", lambda part, _to: written.append(part.name))
    for _ in range(2):
        await infos.hand_over({"VLLM_CACHE_ROOT": str(tmp_path / "root")}, kept)
    assert len(set(written)) == 4


async def test_without_an_image_there_is_nothing_to_hand_over(tmp_path: Path) -> None:
    await infos.hand_over({"HOME": str(tmp_path / "home")}, tmp_path / "none")
    assert not (tmp_path / "home").exists()
