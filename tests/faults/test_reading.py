"""Weights that are read ahead: whole workers, real files, volumes that hang."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests import fuse
from tests.client import PATIENCE
from tests.conftest import Start
from tests.processes import Worker, until
from tests.supervisor.foreign.reading.cold import share, write_cold

WEIGHTS = "model.safetensors"
needs_fuse = pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    write_cold(folder / WEIGHTS, 32 << 20)
    return folder


def reader(worker: Worker) -> int | None:
    """The process that reads ahead; None while there is none."""
    for process in psutil.Process(worker.process.pid).children():
        if any(each.endswith("/foreign/reading") for each in _command(process)):
            return process.pid
    return None


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def until_hung(worker: Worker, place: Path) -> int:
    """Until the process that reads ahead hangs at `place`; its number."""
    return until(
        lambda: (pid := reader(worker)) is not None and fuse.hangs(pid, place) and pid,
        what="the hang",
    )


def test_a_cold_model_is_in_the_page_cache_before_the_engine_wants_it(
    start: Start, model: Path, tmp_path: Path
) -> None:
    """The stand-in never reads it."""
    worker = start(MODEL_NAME=str(model), FAKE_VLLM=f"wait-for={tmp_path / 'go'}")
    until(lambda: "read ahead: " in worker.text(), what="the reading")
    assert share(model / WEIGHTS) == 1
    assert re.search(rf"read ahead: 0\.03 of 0\.03 GB of {model} in ", worker.text())
    assert worker.text().index("engine spawned") < worker.text().index("read ahead")
    assert reader(worker) is None
    (tmp_path / "go").touch()
    worker.until_ready()
    assert worker.stop() == 0


def test_it_can_be_switched_off(start: Start, model: Path) -> None:
    worker = start(MODEL_NAME=str(model), READ_AHEAD="0")
    worker.until_ready()
    assert "read ahead" not in worker.text()
    assert share(model / WEIGHTS) == 0


def test_it_inherits_nothing(start: Start, model: Path, tmp_path: Path) -> None:
    """No token, and nothing that would tell its processes from others."""
    (model / WEIGHTS).unlink()
    with (model / WEIGHTS).open("wb") as file:
        file.truncate(4 << 30)  # long enough to be looked at
    worker = start(
        MODEL_NAME=str(model), HF_TOKEN="hf_secret", FAKE_VLLM=f"wait-for={tmp_path / 'go'}"
    )
    pid = until(lambda: reader(worker), what="the reading", pause=0.001)
    assert b"hf_secret" not in Path(f"/proc/{pid}/environ").read_bytes()


@needs_fuse
@pytest.mark.parametrize("hang", ["--hang-opens", "--hang-reads"])
def test_a_volume_that_hangs_holds_up_neither_the_start_nor_a_stop(
    start: Start, model: Path, tmp_path: Path, hang: str
) -> None:
    """Where the GPU's size is known, a look at the weights' headers hangs as well."""
    go = tmp_path / "go"
    with fuse.mounted(tmp_path / "mount", model, f"{hang}={WEIGHTS}") as place:
        worker = start(
            MODEL_NAME=str(place),
            SAFETENSORS_LOAD_STRATEGY="lazy",
            GPU_MEMORY_GB="24",
            FAKE_VLLM=f"wait-for={go}",
        )
        pid = until_hung(worker, place)
        go.touch()
        worker.until_ready()
        began = time.monotonic()
        assert worker.stop() == 0
        assert time.monotonic() - began < 8
        if hang == "--hang-opens":  # in a read the kernel lets it go
            assert fuse.hangs(pid, place)
    until(lambda: not psutil.pid_exists(pid), what="its end")
    assert worker.left() == []


@needs_fuse
def test_a_model_whose_looks_hang_is_left_to_the_engine(
    start: Start, model: Path, tmp_path: Path
) -> None:
    """Before the spawn its configuration is looked at, by whoever then outlives SIGKILL."""
    with fuse.mounted(tmp_path / "mount", model, "--hang-opens=config.json") as place:
        worker = start(MODEL_NAME=str(place), VLLM_CONFIG_FILE="", TENSOR_PARALLEL_SIZE="1")
        worker.until_ready()
        assert f"the volume at {place} does not answer" in worker.text()
        began = time.monotonic()
        assert worker.stop() == 0
        assert time.monotonic() - began < 8


@needs_fuse
def test_a_cache_whose_looks_hang_is_passed_by(start: Start, model: Path, tmp_path: Path) -> None:
    """The platform's, in which the model would be found, and the engine's own."""
    with fuse.mounted(tmp_path / "mount", model.parent, "--hang-looks=model") as place:
        worker = start(
            MODEL_NAME="org/model",
            BASE_PATH=str(place / "model"),
            HF_HUB_CACHE=str(place / "model"),
            PREFETCH="1",
            HF_ENDPOINT="http://127.0.0.1:9",
        )
        worker.until_ready()
        assert worker.text().count(f"the volume at {place} does not answer") >= 2
        began = time.monotonic()
        assert worker.stop() == 0
        assert time.monotonic() - began < 8


@needs_fuse
def test_a_stop_is_heeded_while_a_look_at_a_volume_hangs(
    start: Start, model: Path, tmp_path: Path
) -> None:
    """The worker's loop runs beside the look for what is to be fetched."""
    cache = tmp_path / "cache"
    commit = cache / "models--org--draft" / "snapshots" / "c1"
    commit.mkdir(parents=True)
    draft = json.dumps({"model": "org/draft", "num_speculative_tokens": 2})
    mount = tmp_path / "mount"
    with fuse.mounted(mount, cache, "--hang-looks=models--org--draft") as place:
        worker = start(
            MODEL_NAME=str(model),
            PREFETCH="1",
            HF_HUB_CACHE=str(place),
            SPECULATIVE_CONFIG=draft,
            HF_ENDPOINT="http://127.0.0.1:9",
            FAKE_VLLM=f"wait-for={tmp_path / 'go'}",
        )
        until(lambda: "engine spawned" in worker.text(), what="the spawn")
        until(lambda: fuse.who_hangs(place), what="the hang")
        until(lambda: worker.ping() == 204, what="an answer to /ping")
        assert worker.stop() == 0
        assert "no download ahead of the engine" not in worker.text()  # the look hung all the time


@needs_fuse
def test_a_dead_volume_that_is_only_a_help_is_passed_by(start: Start, tmp_path: Path) -> None:
    """Its server is gone, so that each look at it ends with an error that is not ENOENT."""
    with fuse.dead(tmp_path / "mount", tmp_path) as place:
        worker = start(
            MODEL_NAME="org/model",
            BASE_PATH=str(place),
            HF_HOME=str(place / "hf"),
            PREFETCH="1",
            HF_ENDPOINT="http://127.0.0.1:9",
        )
        worker.until_ready()
        assert worker.text().count(f"the volume at {place} cannot be read") >= 2
        assert worker.stop() == 0


@needs_fuse
def test_a_model_on_a_dead_volume_ends_the_start_in_a_sentence(
    start: Start, tmp_path: Path
) -> None:
    with fuse.dead(tmp_path / "mount", tmp_path) as place:
        worker = start(MODEL_NAME=str(place / "m"))
        assert worker.wait() == 78
        assert f"MODEL_NAME={place}/m cannot be used: the volume at {place}" in worker.text()
        worker = start(MODEL_NAME="tiny", CHAT_TEMPLATE=str(place / "t.jinja"))
        assert worker.wait() == 78
        assert f"{place}/t.jinja cannot be used: the volume at {place}" in worker.text()


@needs_fuse
def test_a_volume_of_adapters_that_dies_ends_no_worker(
    start: Start, model: Path, tmp_path: Path
) -> None:
    """They are looked for anew beside each engine, here where the kernel has cached nothing."""
    adapters, link = tmp_path / "adapters", tmp_path / "link"
    for name in ("one", "two"):
        (adapters / name).mkdir(parents=True)
    link.symlink_to(tmp_path / "mount" / "one")
    with fuse.served(tmp_path / "mount", adapters) as server:
        worker = start(
            MODEL_NAME=str(model),
            ENABLE_LORA="1",
            LORA_MODULES=json.dumps([{"name": "one", "path": str(link)}]),
        )
        worker.until_ready()
        server.kill()
        server.wait()
        link.unlink()
        link.symlink_to(tmp_path / "mount" / "two")
        os.kill(worker.engine_pid(), signal.SIGKILL)
        until(lambda: worker.text().count("engine spawned") > 1, what="the restart")
        worker.until_ready()
        assert worker.stop() == 0


def test_a_name_that_no_file_can_have_is_left_to_the_engine(start: Start, model: Path) -> None:
    adapter = json.dumps([{"name": "one", "path": f"{'a' * 300}/x"}])
    worker = start(MODEL_NAME=str(model), ENABLE_LORA="1", LORA_MODULES=adapter, PREFETCH="1")
    worker.until_ready()
    assert worker.stop() == 0


@needs_fuse
def test_a_hung_reader_stops_no_engine_that_dies_and_comes_again(
    start: Start, model: Path, tmp_path: Path
) -> None:
    """The next engine gets a reader of its own, and no end of an engine waits for the first."""
    go = tmp_path / "go"
    with fuse.mounted(tmp_path / "mount", model, f"--hang-opens={WEIGHTS}") as place:
        worker = start(
            MODEL_NAME=str(place),
            SAFETENSORS_LOAD_STRATEGY="lazy",
            FAKE_VLLM=f"wait-for={go} exit-after=0",
        )
        first = until_hung(worker, place)
        go.touch()
        until(lambda: worker.text().count("engine spawned") > 1, what="the restart")
        assert fuse.hangs(first, place)
        assert worker.stop() == 0


@needs_fuse
def test_it_ends_when_vllm_has_its_weights(start: Start, model: Path, tmp_path: Path) -> None:
    go, said = tmp_path / "go", "read ahead: stopped, for vLLM has loaded the weights"
    with fuse.mounted(tmp_path / "mount", model, f"--hang-opens={WEIGHTS}") as place:
        worker = start(
            MODEL_NAME=str(place), SAFETENSORS_LOAD_STRATEGY="lazy", FAKE_VLLM=f"wait-for={go}"
        )
        until_hung(worker, place)
        assert said not in worker.text()
        go.touch()
        worker.until_ready()
        until(lambda: said in worker.text(), what="the line")
        worker.stop()


@needs_fuse
def test_on_fuse_both_read(start: Start, model: Path, tmp_path: Path) -> None:
    """The worker while vLLM imports, and vLLM what is left then."""
    with fuse.mounted(tmp_path / "mount", model, "--keep-cache") as place:
        worker = start(MODEL_NAME=str(place), FAKE_VLLM=f"wait-for={tmp_path / 'go'}")
        until(lambda: "read ahead: 0." in worker.text(), what="the line")
        command = _command(psutil.Process(worker.engine_pid()))
        assert "--safetensors-load-strategy=prefetch" in command
        worker.stop()


@needs_fuse
def test_a_volume_that_drops_its_pages_is_told(start: Start, model: Path, tmp_path: Path) -> None:
    with fuse.mounted(tmp_path / "mount", model) as place:
        worker = start(
            MODEL_NAME=str(place),
            SAFETENSORS_LOAD_STRATEGY="lazy",
            FAKE_VLLM=f"wait-for={tmp_path / 'go'}",
        )
        until(lambda: "drops what was read" in worker.text(), what="the line")
        assert worker.stop(seconds=PATIENCE) == 0
