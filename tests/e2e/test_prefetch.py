"""A model is downloaded ahead: by the real client of the hub, from a stand-in.

With the real engine: `test_fetched`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from supervisor.foreign.download.watched import AGAIN
from tests import client
from tests.client import PATIENCE
from tests.e2e.repository import COMMIT, DEMO, TOKEN, contents, on_a_full_disk, parts, repository
from tests.hub.files import etag
from tests.hub.serving import hub
from tests.processes import FAKE_VLLM, ROOT, Worker, until

__all__ = ["repository"]  # a fixture

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

_AHEAD = ROOT / "supervisor" / "foreign" / "download"
_WEIGHTS = "model.safetensors"


def python() -> str:
    return str(Path(os.environ["VLLM_COMMAND"]).parent / "python")


def asked(folder: Path, name: str = "org/demo", **more: Any) -> dict[str, Any]:
    place = str(folder / "hub")
    return {"repository": name, "kind": "model", "hub": place, "weights": place, **more}


def command(*wanted: Mapping[str, Any]) -> list[str]:
    """As the worker starts it."""
    return [python(), str(_AHEAD), "--ahead", json.dumps(wanted)]


def impatient(wanted: Mapping[str, Any], begun: int) -> list[str]:
    """One that is ended after 3 s without progress, once `begun` of its files are there, whole or
    in part: how long this machine takes to get so far is no stall.
    """
    blobs = Path(wanted["hub"], f"models--{wanted['repository'].replace('/', '--')}", "blobs")
    program = (
        f"import os, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from supervisor.foreign.download import ahead, watched\n"
        "class Pulse(watched.Pulse):\n"
        "    begun = False\n"
        "    def stalled_for(self):\n"
        f"        if not self.begun and os.path.isdir({str(blobs)!r}):\n"
        f"            self.begun = len(os.listdir({str(blobs)!r})) >= {begun}\n"
        "            self._since = self._clock()\n"
        "        return super().stalled_for() if self.begun else 0.0\n"
        "watched.Pulse, watched.STALLED_AFTER = Pulse, 3.0\n"
        "sys.exit(ahead.main(sys.argv[1:]))"
    )
    return [python(), "-c", program, json.dumps([wanted])]


def environment(url: str, folder: Path, **more: str) -> dict[str, str]:
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "HF_HOME": str(folder)}
    return {**variables, "HF_ENDPOINT": url, **more}


def fetch(url: str, folder: Path, *wanted: Mapping[str, Any], **more: str) -> tuple[int, str]:
    """Download, as the worker lets it be done; the code, and what was said."""
    done = subprocess.run(
        command(*wanted),
        env=environment(url, folder, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert "Traceback" not in done.stdout
    assert TOKEN not in done.stdout
    return done.returncode, done.stdout


def files(folder: Path, cache: str = "hub", name: str = "org/demo") -> set[str]:
    """What of a repository is in a cache, as an engine would find it."""
    place = folder / cache / f"models--{name.replace('/', '--')}" / "snapshots" / COMMIT
    return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}


def test_what_is_small_comes_first_and_nothing_twice(repository: Path, tmp_path: Path) -> None:
    with hub("--token", TOKEN, demo=repository) as url:
        code, said = fetch(url, tmp_path, asked(tmp_path), HF_TOKEN=TOKEN)
        assert code == 0, said
        sent = [each["file"] for each in contents(url)]
        assert (sorted(sent), sent[-1]) == (sorted(DEMO), _WEIGHTS)
        assert fetch(url, tmp_path, asked(tmp_path), HF_TOKEN=TOKEN) == (0, "")
        assert len(contents(url)) == len(sent)
    assert files(tmp_path) == DEMO
    first, last = said.splitlines()
    assert first == "downloading org/demo while the engine starts"
    assert last.startswith(f"downloaded org/demo, commit {COMMIT}: ")


def test_weights_go_where_vllm_looks_for_them(repository: Path, tmp_path: Path) -> None:
    with hub(demo=repository) as url:
        wanted = asked(tmp_path, weights=str(tmp_path / "other"))
        assert fetch(url, tmp_path, wanted)[0] == 0
    assert files(tmp_path) == DEMO - {_WEIGHTS}
    assert files(tmp_path, "other") == {_WEIGHTS}


def test_only_what_will_be_loaded(repository: Path, tmp_path: Path) -> None:
    quantized = tmp_path / "quantized"
    quantized.mkdir()
    for name in ("config.json", "M-Q4_K_M.gguf", "M-Q8_0.gguf"):
        (quantized / name).write_text(name)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    for name in ("adapter_config.json", "adapter_model.bin", "README.md"):
        (adapter / name).write_text(name)
    with hub(demo=repository, gguf=quantized, sql=adapter) as url:
        code, said = fetch(
            url,
            tmp_path,
            asked(tmp_path, load_format="dummy"),
            asked(tmp_path, "org/gguf", quantization="Q4_K_M"),
            asked(tmp_path, "org/sql", kind="adapter"),
        )
    assert code == 0, said
    assert files(tmp_path) == DEMO - {_WEIGHTS}
    assert files(tmp_path, name="org/gguf") == {"config.json", "M-Q4_K_M.gguf"}
    assert files(tmp_path, name="org/sql") == {path.name for path in adapter.iterdir()}


def test_the_shards_of_an_index_and_nothing_beside_them(tmp_path: Path) -> None:
    """As the engine's own download does it."""
    sharded = tmp_path / "sharded"
    sharded.mkdir()
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = {"weight_map": {str(at): shard for at, shard in enumerate(shards)}}
    (sharded / "model.safetensors.index.json").write_text(json.dumps(index))
    for name in ("config.json", "model.safetensors", *shards):
        (sharded / name).write_text(name)
    with hub(big=sharded) as url:
        code, said = fetch(url, tmp_path, asked(tmp_path, "org/big"))
    assert code == 0, said
    expected = {"config.json", "model.safetensors.index.json", *shards}
    assert files(tmp_path, name="org/big") == expected


def test_what_cannot_be_fetched_is_one_sentence(repository: Path, tmp_path: Path) -> None:
    with hub(demo=repository) as url:
        code, said = fetch(url, tmp_path, asked(tmp_path, revision="v9"), asked(tmp_path, "org/x"))
    assert code == 1
    why = {
        "demo": "org/demo has no revision v9; correct MODEL_REVISION",
        "x": "org/x was not found, or it is private; check MODEL_NAME and HF_TOKEN",
    }
    assert said.splitlines() == [
        f"download ahead of org/{name}: {reason}. The engine goes on by itself"
        for name, reason in why.items()
    ]


def test_one_that_breaks_off_goes_on(repository: Path, tmp_path: Path) -> None:
    with hub("--break-after", "300000", "--breaks", "2", demo=repository) as url:
        code, said = fetch(url, tmp_path, asked(tmp_path))
    assert code == 0, said
    assert files(tmp_path) == DEMO
    [blob] = list(tmp_path.rglob(f"snapshots/*/{_WEIGHTS}"))
    assert blob.read_bytes() == (repository / _WEIGHTS).read_bytes()


def test_a_full_disk_is_said_and_leaves_nothing(repository: Path, tmp_path: Path) -> None:
    with hub(demo=repository) as url:
        done = subprocess.run(
            on_a_full_disk(command(asked(tmp_path))),
            env=environment(url, tmp_path),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    assert done.returncode == 1
    assert f"ahead of org/demo: no space is left in {tmp_path}/hub for org/demo" in done.stderr
    assert "Traceback" not in done.stderr
    assert parts(tmp_path) == []


def test_one_that_hangs_is_ended_and_the_engine_waits_for_nobody(
    repository: Path, tmp_path: Path
) -> None:
    with hub("--stall-after", "500000", demo=repository) as url:
        done = subprocess.run(
            impatient(asked(tmp_path), len(DEMO)),
            env=environment(url, tmp_path),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == AGAIN
        assert "it made no progress for 3 s and was ended, 1 half-written file(s)" in done.stderr
    assert parts(tmp_path) == []
    with hub(demo=repository) as url:
        engine = "import huggingface_hub as h; print(h.snapshot_download('org/demo'))"
        subprocess.run(
            [python(), "-c", engine],
            env=environment(url, tmp_path, HF_HUB_CACHE=str(tmp_path / "hub")),
            timeout=PATIENCE,
            check=True,
        )
    assert files(tmp_path) >= DEMO


def test_what_dead_downloads_left_is_removed(repository: Path, tmp_path: Path) -> None:
    blobs = tmp_path / "hub" / "models--org--demo" / "blobs"
    blobs.mkdir(parents=True)
    old, young = blobs / "ab.0123abcd.incomplete", blobs / "cd.0123abcd.incomplete"
    for path, age in ((old, 700), (young, 0)):
        path.write_bytes(b"x" * 5000)
        os.utime(path, (time.time() - age,) * 2)
    with hub(demo=repository) as url:
        code, said = fetch(url, tmp_path, asked(tmp_path))
    assert code == 0
    assert parts(tmp_path) == [young]
    assert said.startswith("removed 1 file(s), 0.0 MB, that broken-off downloads of org/demo had")


@pytest.mark.parametrize(("age", "code"), [(0, AGAIN), (700, 0)])
def test_a_lock_of_a_dead_process_holds_nobody_up(
    repository: Path, tmp_path: Path, age: float, code: int
) -> None:
    """Where the file system knows no flock, and a lock is its file. Who waits for it a minute, here
    3 s, removes it; one that is older is removed at once.
    """
    no_flock = (
        "import errno, fcntl\n"
        "def flock(*_asked): raise OSError(errno.ENOSYS, 'Function not implemented')\n"
        "fcntl.flock = flock\n"
    )
    locks = tmp_path / "hub" / ".locks" / "models--org--demo"
    locks.mkdir(parents=True)
    lock = locks / f"{etag(repository / _WEIGHTS)}.lock"
    lock.touch()
    os.utime(lock, (time.time() - age,) * 2)
    interpreter, option, program, *rest = impatient(asked(tmp_path), len(DEMO) - 1)

    def run(text: str, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [interpreter, option, no_flock + text, *arguments],
            env=environment(url, tmp_path, HF_HUB_CACHE=str(tmp_path / "hub")),
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return done.returncode, done.stderr

    with hub(demo=repository) as url:
        found, said = run(program, *rest)
        assert found == code, said
        assert ("it made no progress for 3 s and was ended" in said) == bool(code)
        assert not lock.exists()
        engine = "import huggingface_hub as h; h.snapshot_download('org/demo')"
        assert run(engine)[0] == 0
    assert files(tmp_path) >= DEMO


# --- the whole worker, with the stand-in engine ---


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Any]:
    workers: list[Worker] = []

    def start(url: str, **more: str) -> Worker:
        env = {
            **environment(url, tmp_path),
            "VLLM_COMMAND": f"{python()} {FAKE_VLLM}",
            "MODEL_NAME": "org/demo",
            "BASE_PATH": "",
            "PREFETCH": "",
            **more,
        }
        workers.append(Worker(tmp_path / f"log{len(workers)}", env))
        return workers[-1]

    yield start
    for worker in workers:
        worker.end()


def downloads(worker: Worker) -> list[int]:
    """The processes of a worker that download."""
    return [process.pid for process in worker.left() if "--ahead" in _command(process)]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_it_survives_the_engine_and_ends_by_itself(
    repository: Path, tmp_path: Path, started: Any
) -> None:
    size = (repository / _WEIGHTS).stat().st_size
    gate = tmp_path / "gate"
    with hub("--slow", str(size // 8), demo=repository) as url:
        worker = started(url, FAKE_VLLM=f"wait-for={gate}")
        until(lambda: parts(tmp_path), what="a download")
        first = downloads(worker)
        psutil.Process(worker.engine_pid()).kill()
        until(lambda: worker.text().count("engine spawned") == 2, what="a restart")
        assert set(downloads(worker)) <= set(first)
        until(lambda: "downloaded org/demo" in worker.text(), what="the end of the download")
        until(lambda: not downloads(worker), what="its end")
        gate.touch()
        worker.until_ready()
        assert len([each for each in contents(url) if each["file"] == _WEIGHTS]) == 1
        assert worker.text().count("downloading org/demo while") == 1
        lines = worker.text().splitlines()
        spawned = next(n for n, line in enumerate(lines) if "engine spawned" in line)
        begun = next(n for n, line in enumerate(lines) if line.startswith("downloading org/demo"))
        assert spawned < begun
        assert worker.stop() == 0
    assert files(tmp_path) == DEMO


def test_weights_of_their_own_folder_are_read_by_the_next_start(
    repository: Path, tmp_path: Path, started: Any
) -> None:
    """Their configuration is in another one; the hub is asked for nothing more."""
    weights, gate = tmp_path / "weights", tmp_path / "gate"
    more = {"DOWNLOAD_DIR": str(weights), "FAKE_VLLM": f"wait-for={gate}"}
    with hub(demo=repository) as url:
        first = started(url, **more)
        until(lambda: "downloaded org/demo" in first.text(), what="the download")
        assert first.stop() == 0
        assert files(tmp_path, "weights") == {_WEIGHTS}
        sent = len(contents(url))
        second = started(url, **more)
        until(lambda: f"GB of {weights}/models--org--demo" in second.text(), what="the reading")
        gate.touch()
        second.until_ready()
        assert len(contents(url)) == sent
        assert "downloading org/demo" not in second.text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_worker(
    repository: Path, tmp_path: Path, started: Any, number: signal.Signals
) -> None:
    with hub("--slow", "20000", demo=repository) as url:
        worker = started(url, FAKE_VLLM="start=600")
        until(lambda: parts(tmp_path), what="a download")
        begun = time.monotonic()
        worker.stop(number)
        until(lambda: worker.left() == [], what="the end of every process")
        assert time.monotonic() - begun < PATIENCE
    if number == signal.SIGTERM:
        assert parts(tmp_path) == []


def test_why_it_failed_stands_beside_the_engines_cause(
    repository: Path, tmp_path: Path, started: Any
) -> None:
    gate = tmp_path / "gate"
    with hub("--gated", demo=repository) as url:
        worker = started(url, FAKE_VLLM=f"wait-for={gate} exit=1", MAX_RESTARTS="0")
        until(lambda: "download ahead of org/demo: org/demo is gated" in worker.text(), what="it")
        until(lambda: not downloads(worker), what="its end")
        gate.touch()
        worker.wait()
    assert "Beside it: download ahead of org/demo: org/demo is gated; accept" in worker.text()


def test_it_can_be_turned_off(repository: Path, tmp_path: Path, started: Any) -> None:
    with hub(demo=repository) as url:
        worker = started(url, PREFETCH="0")
        worker.until_ready()
        assert client.get(f"{url}/_hub/log").json() == []
        assert worker.stop() == 0
    assert files(tmp_path) == set()
