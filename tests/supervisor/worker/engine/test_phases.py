"""The phases of a start, from lines as vLLM 0.32 and 0.10 print them."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.foreign.download import progress
from supervisor.status.parts import Part, Times
from supervisor.worker.engine.phases import READ, Start
from tests.processes import until

LINES = """\
(APIServer pid=1) INFO 11-23 [utils.py:299] non-default args: {'model_tag': 'demo'}
(EngineCore pid=7) INFO [core.py:134] Initializing a V1 LLM engine (v0.32.0) with config: 'mode': 3
(Worker pid=9) INFO 11-23 [gpu_model_runner.py:5040] Starting to load model demo...
Loading safetensors checkpoint shards:  50% Completed | 1/2 [00:01<00:01,  1.02s/it]
(Worker pid=9) INFO 11-23 [default_loader.py:502] Loading weights took 2.00 seconds
(Worker pid=9) INFO [backends.py:1] Dynamo bytecode transform time: 3.21 s
(Worker pid=9) INFO [gpu_worker.py:760] Available KV cache memory: 10.1 GiB
Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  10%|#  | 1/10 [00:00<00:03, 2.9it/s]
(EngineCore pid=7) INFO [core.py:386] init engine (profile, create kv cache, warmup model) took 9 s
(APIServer pid=1) INFO:     Started server process [1]
""".splitlines()
PHASES = ["imports", "weights", "compile", "memory", "graphs", "server"]


def test_the_phases_follow_each_other_and_add_up() -> None:
    now = 0.0

    def clock() -> float:
        return now

    start = Start(clock)
    seen = []
    for line in LINES:
        now += 1.0
        start.feed(line.encode() + b"\n")
        seen.append(start.phase)
    start.ended()
    assert list(dict.fromkeys(seen)) == PHASES
    assert list(start.seconds) == PHASES
    assert sum(start.seconds.values()) == now


ON_A_GPU = """\
 45.9 (EngineCore pid=1) Loading safetensors checkpoint shards:   0% Completed | 0/1
 46.1 (EngineCore pid=1) INFO [default_loader.py:430] Loading weights took 0.13 seconds
 54.5 (EngineCore pid=1) INFO [backends.py:1094] Using cache directory: /c for vLLM's torch.compile
 54.6 (EngineCore pid=1) INFO [backends.py:1155] Dynamo bytecode transform time: 7.33 s
 66.1 (EngineCore pid=1) INFO [backends.py:393] Compiling a graph for compile range takes 11.47 s
 66.2 (EngineCore pid=1) INFO [backends.py:1155] Dynamo bytecode transform time: 0.10 s
 73.5 (EngineCore pid=1) INFO [gpu_worker.py:560] Available KV cache memory: 127.55 GiB
""".splitlines()


def test_a_compilation_begins_before_its_first_line() -> None:
    """VLLM 0.26.0 on an H200: what torch does first is told with its end."""
    now = 0.0
    start = Start(lambda: now)
    for line in ON_A_GPU:
        now = float(line[:5])
        if "Dynamo" in line:
            start.begin(READ)
            start.end(READ)
        start.feed(line[6:].encode() + b"\n")
    assert start.seconds == pytest.approx({"imports": 45.9, "weights": 1.37, "compile": 26.23})
    assert [(part.name, part.begin) for part in start.parts if part.name != READ] == [
        ("imports", 0.0),
        ("weights", pytest.approx(45.9)),
        ("compile", pytest.approx(47.27)),
    ]


def test_a_line_that_comes_again_changes_nothing() -> None:
    start = Start()
    for line in (*LINES, *LINES):
        start.feed(line.encode() + b"\n")
    assert start.phase == "server"


def test_progress_is_read_from_bars_also_in_pieces() -> None:
    start = Start()
    start.feed(b"Fetching 4 files:   0%|          | 0/4 [00:00<?, ?it/s]\n")
    assert start.phase == "download"
    bar = b"\rmodel.safetensors:  45%|####      | 1.2G/2.5G [00:10<00:12, 120MB/s]\r"
    start.feed(bar[:30])
    start.feed(bar[30:])
    assert start.words == "downloading the model (45 %, 120MB/s)"
    start.feed(LINES[2].encode() + b"\n" + LINES[3].encode() + b"\r")
    assert start.words == "loading the weights (50 %, 1.02s/it)"


@pytest.mark.parametrize("size", [3_500_000, 2_500_000_000])
def test_what_our_own_download_says_is_understood(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a small model as of a large one: the words are made in another process."""
    monkeypatch.setattr(progress, "_EVERY", 0.01)
    start = Start(lambda: 0.0)
    start.feed(b"downloading org/m/v1\n")

    def understood() -> bool:
        start.feed(capsys.readouterr().err.encode())
        return start.words.startswith("downloading the model (0 %, 0.0 MB/s)")

    with progress.Progress("org/m", tmp_path, size):
        until(understood, what="a line that is understood")


def test_a_download_comes_in_between_and_ends() -> None:
    """Before the imports where it is ours, after "Starting to load model" where it is vLLM's."""
    now = 0.0
    start = Start(lambda: now)
    for seconds, line in (
        (1.0, b"downloading org/many/fp8\n"),
        (5.0, b"org/many: 45 % of 2.50 GB, 120.0 MB/s\n"),
        (5.0, b"downloaded org/many/fp8, commit 0123abc\n"),
        (2.0, LINES[2].encode() + b"\n"),
    ):
        now += seconds
        start.feed(line)
        if b"45 %" in line:
            assert start.words == "downloading the model (45 %, 120.0 MB/s)"
    now += 1.0
    start.downloading("0 %, 1.0 MB/s")
    start.feed(LINES[2].encode() + b"\n")  # another of its processes says the same
    assert start.words == "downloading the model (0 %, 1.0 MB/s)"
    now += 7.0
    start.downloaded()
    start.downloaded()
    assert start.phase == "weights"
    now += 3.0
    start.feed(LINES[-1].encode() + b"\n")
    start.downloading("99 %, 1.0 MB/s")  # of something else
    start.ended()
    assert start.seconds == {
        "imports": 3.0, "download": 17.0, "weights": 4.0, "server": 0.0
    }  # fmt: skip
    assert list(start.seconds)[:2] == ["imports", "download"]


@pytest.mark.parametrize(
    ("line", "loaded"),
    [
        (b"INFO [default_loader.py:384] Loading weights took 0.38 seconds\n", True),
        (b"INFO [gpu_model_runner.py:5] Model loading took 1.2 GiB and 0.5 seconds\n", True),
        (b"INFO model_runner.py:1008] Loading model weights took 0.2389 GB\n", True),
        (b"Loading safetensors checkpoint shards: 100% Completed | 1/1\n", False),
        (b"Starting to load model org/m...\n", False),
    ],
)
def test_an_engine_that_has_loaded_its_weights_had_them(line: bytes, loaded: bool) -> None:
    start = Start()
    start.feed(line)
    assert start.loaded == loaded


def test_whatever_is_printed_is_taken() -> None:
    start = Start()
    start.feed(b"\xff\xfe \x00" * 100_000)
    start.feed(b"\n")
    assert start.phase == "imports"


def test_what_runs_beside_the_phases_has_its_own_times() -> None:
    """The phases add up to the start all the same."""
    now = 0.0
    start = Start(lambda: now)
    start.begin("prefetch")
    start.begin("read")
    start.begin("read")  # as it runs already
    now = 4.0
    start.end("read")
    start.end("read")
    start.end("never begun")
    now = 10.0
    start.feed(LINES[2].encode() + b"\n")
    now = 12.0
    start.ended()
    start.begin("late")
    start.end("late")
    assert start.seconds == {"imports": 10.0, "weights": 2.0}
    assert sorted(start.parts, key=lambda part: part.name) == [
        Part("imports", 0.0, 10.0),
        Part("prefetch", 0.0, 12.0),
        Part("read", 0.0, 4.0),
        Part("weights", 10.0, 2.0),
    ]


def test_a_download_beside_the_imports_interrupts_only_those_who_wait_for_it() -> None:
    now = 0.0
    start = Start(lambda: now)
    start.begin("prefetch")
    start.downloading("10 %, 1.0 MB/s")
    assert start.phase == "imports"
    assert start.words == "importing and downloading the model (10 %, 1.0 MB/s)"
    now = 10.0
    start.feed(LINES[2].encode() + b"\n")
    now = 11.0
    start.downloading("60 %, 1.0 MB/s")
    assert start.words == "downloading the model (60 %, 1.0 MB/s)"
    now = 15.0
    start.end("prefetch")
    start.downloaded()
    assert start.phase == "weights"
    start.ended()
    assert start.seconds == {"imports": 10.0, "download": 4.0, "weights": 1.0}


def test_a_download_that_is_over_is_no_progress_of_the_imports() -> None:
    start = Start()
    start.begin("prefetch")
    start.downloading("88 %, 1.0 MB/s")
    start.end("prefetch")
    assert start.words == "importing"


def test_the_warm_up_is_a_phase() -> None:
    now = 0.0
    start = Start(lambda: now)
    start.feed(LINES[-1].encode() + b"\n")
    now = 3.0
    start.begin("warmup")
    assert start.words == "warming up"
    now = 5.0
    start.end("warmup")
    start.ended()
    assert start.seconds == {"imports": 0.0, "server": 3.0, "warmup": 2.0}


def test_an_empty_line_begins_nothing() -> None:
    start = Start()
    start.feed(b"\n\n")
    assert start.phase == "imports"


def test_the_first_start_begins_with_the_worker() -> None:
    now = 0.0
    start = Start(lambda: now)
    now = 3.0
    start.ended()
    imports = {"imports": 3.0, "engine_start": 3.0}
    assert start.times(None) == Times(imports, [Part("imports", 0.0, 3.0)])
    assert start.times(0.2) == Times(
        {"spawn": 0.2, **imports}, [Part("spawn", 0.0, 0.2), Part("imports", 0.2, 3.0)]
    )


def test_a_start_is_told_as_far_as_it_has_come() -> None:
    now = 0.0
    start = Start(lambda: now)
    now = 2.0
    start.begin("read")
    now = 3.0
    start.feed(b"INFO Starting to load model demo...\n")
    now = 7.0
    phases = {"imports": 3.0, "weights": 4.0, "engine_start": 7.0}
    parts = [Part("imports", 0.0, 3.0), Part("weights", 3.0, 4.0), Part("read", 2.0, 5.0)]
    assert start.times(None) == Times(phases, parts)
    start.failed()
    now = 60.0
    assert start.times(None) == Times(phases, parts), "and no further than it came"


def test_the_cpu_build_compiles_too() -> None:
    start = Start()
    start.feed(b"INFO [gpu_model_runner.py:5040] Starting to load model demo...\n")
    start.feed(b"INFO [cpu_model_runner.py:87] Warming up model for the compilation...\n")
    assert start.phase == "compile"
