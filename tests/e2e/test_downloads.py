"""Downloads by the real client of the hub, from a stand-in for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from supervisor.catalog import options
from supervisor.command import plan
from supervisor.models import bake as bake_module
from supervisor.models.disk import look
from tests import client
from tests.client import PATIENCE
from tests.e2e.repository import COMMIT, TOKEN, bake, on_a_full_disk, parts, repository
from tests.hub.serving import hub
from tests.processes import CATALOG, ROOT, until

__all__ = ["repository"]  # a fixture

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


def test_only_what_vllm_loads_is_downloaded(repository: Path, tmp_path: Path) -> None:
    with hub(demo=repository) as url:
        done = bake(url, tmp_path / "models")
        assert done.returncode == 0, done.stderr
        asked = client.get(f"{url}/_hub/log").json()
    manifest = json.loads((tmp_path / "models" / "baked.json").read_text())
    folder = Path(manifest["model"]["folder"])
    expected = {path.name for path in (ROOT / "demo" / "model").iterdir()}
    assert {str(path.relative_to(folder)) for path in folder.rglob("*")} == expected
    assert manifest["model"]["commit"] == COMMIT
    assert not [line for line in asked if "pytorch_model" in line or "README" in line]


def test_a_private_repository_needs_its_token(repository: Path, tmp_path: Path) -> None:
    """From the variable, or from a file as a build's secret; it is written nowhere."""
    with hub("--token", TOKEN, demo=repository) as url:
        refused = bake(url, tmp_path / "models")
        assert refused.returncode == 1
        assert "org/demo was not found, or it is private; check MODEL_NAME and HF_TOKEN" in (
            refused.stderr
        )
        secret = tmp_path / "secret"
        secret.write_text(TOKEN + "\n")
        assert bake(url, tmp_path / "a", HF_TOKEN_FILE=str(secret)).returncode == 0
        assert bake(url, tmp_path / "b", HF_TOKEN=TOKEN).returncode == 0
        wrong = bake(url, tmp_path / "c", HF_TOKEN="hf_wrongwrongwrong")
        assert "HF_TOKEN has no access to it" in wrong.stderr
        missing = bake(url, tmp_path / "c", HF_TOKEN_FILE="/nowhere/token")
        assert (missing.returncode, "HF_TOKEN_FILE=/nowhere/token" in missing.stderr) == (78, True)
    found = [path for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert found
    assert not [path for path in found if TOKEN.encode() in path.read_bytes()]


def test_gated_and_a_wrong_revision(repository: Path, tmp_path: Path) -> None:
    with hub("--gated", demo=repository) as url:
        assert "org/demo is gated" in bake(url, tmp_path / "models").stderr
    with hub(demo=repository) as url:
        done = bake(url, tmp_path / "models", MODEL_REVISION="v9")
        assert (done.returncode, "has no revision v9" in done.stderr) == (1, True)
        assert bake(url, tmp_path / "models", MODEL_REVISION=COMMIT).returncode == 0
    assert bake(url, tmp_path / "models", MODEL_NAME="/x/y").returncode == 78


def test_a_download_that_breaks_off_goes_on(repository: Path, tmp_path: Path) -> None:
    with hub("--break-after", "300000", "--breaks", "2", demo=repository) as url:
        done = bake(url, tmp_path / "models")
        assert done.returncode == 0, done.stderr
    baked = tmp_path / "models" / "org--demo" / "model.safetensors"
    assert baked.read_bytes() == (repository / "model.safetensors").read_bytes()


def test_progress_is_said_in_lines(repository: Path, tmp_path: Path) -> None:
    size = (repository / "model.safetensors").stat().st_size
    with hub("--slow", str(size // 8), demo=repository) as url:
        done = bake(url, tmp_path / "models")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if " % of " in line]
    assert 1 <= len(lines) <= 4
    assert "MB/s" in lines[0]


def test_a_full_disk_is_said_with_its_folder(repository: Path, tmp_path: Path) -> None:
    with hub(demo=repository) as url:
        done = subprocess.run(
            on_a_full_disk([sys.executable, "-m", "supervisor", "bake"]),
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "VLLM_COMMAND": os.environ["VLLM_COMMAND"],
                "HF_ENDPOINT": url,
                "BAKED_MODELS": str(tmp_path / "models"),
                "MODEL_NAME": "org/demo",
            },
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert done.returncode == 1
    assert f"no space is left in {tmp_path}/models/org--demo for org/demo" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_workers_on_one_volume_do_not_break_each_others_download(
    repository: Path, tmp_path: Path
) -> None:
    """Both with the hub's own client and one HF_HOME; a third that is killed holds nobody up."""
    interpreter = str(Path(os.environ["VLLM_COMMAND"]).parent / "python")
    code = "import huggingface_hub as h; print(h.snapshot_download('org/demo'))"
    size = (repository / "model.safetensors").stat().st_size
    with hub("--slow", str(size // 2), demo=repository) as url:
        env = {"PATH": os.environ["PATH"], "HF_HOME": str(tmp_path), "HF_ENDPOINT": url}

        def start() -> subprocess.Popen[str]:
            return subprocess.Popen(
                [interpreter, "-c", code], env=env, stdout=subprocess.PIPE, text=True
            )

        killed = start()
        until(lambda: parts(tmp_path), what="a download under way")
        killed.kill()
        killed.communicate(timeout=PATIENCE)
        both = [start() for _ in range(2)]
        answers = [one.communicate(timeout=600)[0].strip() for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert len(set(answers)) == 1
    got = Path(answers[0]) / "model.safetensors"
    assert got.read_bytes() == (repository / "model.safetensors").read_bytes()


def test_a_download_under_way_is_never_taken_for_a_model(tmp_path: Path) -> None:
    """Shards before their index, and eight files at once: as the hub's client writes them."""
    shards = [f"model-{number:05}-of-00012.safetensors" for number in range(1, 13)]
    sharded = tmp_path / "sharded"
    sharded.mkdir()
    for name in shards:
        (sharded / name).write_bytes(os.urandom(100_000))
    (sharded / "config.json").write_text("{}")
    weights = {"weight_map": {name: name for name in shards}}
    (sharded / "model.safetensors.index.json").write_text(json.dumps(weights))
    interpreter = str(Path(os.environ["VLLM_COMMAND"]).parent / "python")
    cache = tmp_path / "huggingface-cache"
    env = {"MODEL_NAME": "org/sharded", "BASE_PATH": str(tmp_path)}
    seen: set[int] = set()  # of how many shards there were while there was no model yet
    with hub("--slow", "80000", sharded=sharded) as url:
        code = "import huggingface_hub as h; h.snapshot_download('org/sharded')"
        with subprocess.Popen(
            [interpreter, "-c", code],
            env={"PATH": os.environ["PATH"], "HF_HOME": str(cache), "HF_ENDPOINT": url},
        ) as download:
            while download.poll() is None:
                found = look(env).path
                # By its depth: the hub's client makes other folders and removes them meanwhile.
                there = len(list(cache.glob("hub/models--*/snapshots/*/*.safetensors")))
                assert found is None or there == len(shards)
                seen.add(0 if found else there)
                time.sleep(0.02)
    assert seen & set(range(1, len(shards))), "no look came in between"
    assert look(env).path is not None


def test_a_folder_of_a_repository_is_downloaded_before_the_engine_starts(
    repository: Path, tmp_path: Path
) -> None:
    """VLLM takes whole repositories only. What is there serves where the hub is away."""
    whole = tmp_path / "whole"
    shutil.copytree(repository, whole / "small" / "v1")
    (whole / "README.md").write_text("for people")
    env = {"HOME": str(tmp_path), "BASE_PATH": str(tmp_path), "MODEL_NAME": "org/many/small/v1"}
    disk = look(env)
    assert (disk.name, disk.path) == (
        "org/many/small/v1",
        f"{tmp_path}/models/org--many@main/small/v1",
    )
    assert disk.download is not None
    assert disk.path is not None
    made = plan.make(env, options.load(CATALOG), disk)
    assert made.command[2] == disk.path
    assert list(made.command[-2:]) == ["--served-model-name", "org/many/small/v1"]
    interpreter = (str(Path(os.environ["VLLM_COMMAND"]).parent / "python"),)
    folder, asked = Path(disk.path), disk.download

    def start(url: str, revision: str = "", **more: str) -> tuple[int, str]:
        first = bake_module.download(interpreter, asked.name, revision, Path(asked.folder), "model")
        done = subprocess.run(
            [*first, "--", "sh", "-c", 'echo "the engine, $HF_HUB_DISABLE_PROGRESS_BARS"'],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HF_ENDPOINT": url, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert "Traceback" not in done.stdout
        return done.returncode, done.stdout

    with hub(many=whole) as url:
        code, said = start(url, HF_HUB_OFFLINE="1")
        assert code == 1
        begin = "the model could not be downloaded: HF_HUB_OFFLINE is set, and org/many/small"
        assert said.startswith(begin)
        code, said = start(url, "v9")
        last = "could not be downloaded: org/many has no revision v9; correct MODEL_REVISION"
        assert (code, said.splitlines()[-1]) == (1, f"the model {last}")
        assert start(url)[1].splitlines() == [
            "downloading org/many/small/v1",
            f"downloaded org/many/small/v1, commit {COMMIT}",
            "the engine, ",
        ]
        assert (folder / "model.safetensors").is_file()
        assert not (folder / "pytorch_model.bin").exists()
    code, said = start(url)
    assert (code, said.splitlines()[-1]) == (0, "the engine, ")
    assert f"Serving what is there, of commit {COMMIT}" in said
    assert start(url, HF_HUB_OFFLINE="1") == (0, "the engine, \n")
    # Another commit, whose weights have another name.
    (whole / "small" / "v1" / "model.safetensors").rename(whole / "small" / "v1" / "a.safetensors")
    with hub("--commit", "9" * 40, "--break-after", "9999", "--breaks", "9", many=whole) as url:
        code, said = start(url)
    assert code == 1, "half of the one and half of the other"
    with hub("--commit", "9" * 40, many=whole) as url:
        assert start(url)[0] == 0
    assert [path.name for path in folder.glob("*.safetensors")] == ["a.safetensors"]
