"""The download as a process: alone, or becoming another command, with a stand-in for the hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor import foreign
from supervisor.diagnosis import diagnose
from tests.client import PATIENCE

DOWNLOAD = Path(foreign.__file__).parent / "download"
#: A hub with one repository; `HUB` says what is wrong with it.
HUB = """
import os
from types import SimpleNamespace

class HfApi:
    def model_info(self, repository, revision, files_metadata):
        if os.environ["HUB"] == "away":
            raise ConnectionError("nobody\\nthere")
        files = {"config.json": 2, "model.safetensors": 5, "README.md": 9}
        if os.environ["HUB"] == "huge":
            files["model.safetensors"] = 10**18
        siblings = [SimpleNamespace(rfilename=name, size=size) for name, size in files.items()]
        return SimpleNamespace(sha=os.environ.get("COMMIT", "c1"), siblings=siblings)

def snapshot_download(repository, revision, local_dir, allow_patterns):
    if os.environ["HUB"] == "full":
        raise OSError(28, "No space left on device")
    for name in allow_patterns:
        (local_dir / name).write_text(revision)
"""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with the stand-in, and a module named as one of ours."""
    folder = tmp_path / "packages"
    hub = folder / "huggingface_hub"
    hub.mkdir(parents=True)
    (hub / "__init__.py").write_text("import choice\nassert choice.THEIRS\n" + HUB)
    (hub / "utils.py").write_text("def disable_progress_bars(): pass\n")
    kinds = ("GatedRepo", "RevisionNotFound", "RepositoryNotFound", "HFValidation")
    (hub / "errors.py").write_text("".join(f"class {k}Error(Exception): pass\n" for k in kinds))
    (folder / "choice.py").write_text("THEIRS = True\n")
    return folder


def download(
    packages: Path, folder: Path, *command: str, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DOWNLOAD), "org/m", "", str(folder), "", "model", *command],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(packages), "HUB": "well", **env},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_alone_it_says_what_it_fetched(packages: Path, tmp_path: Path) -> None:
    done = download(packages, tmp_path / "m")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"commit": "c1", "files": ["config.json", "model.safetensors"], "bytes": 7}
    assert {path.name for path in (tmp_path / "m").iterdir()} == set(found["files"])


def test_alone_an_error_is_the_last_line(packages: Path, tmp_path: Path) -> None:
    done = download(packages, tmp_path / "m", HUB="huge")
    assert done.returncode == 1
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["again"] is False
    assert found["error"].startswith("org/m needs 1000000000.00 GB more in")


def test_it_becomes_the_command_and_leaves_nothing_in_its_environment(
    packages: Path, tmp_path: Path
) -> None:
    done = download(packages, tmp_path / "m", "--", "env", "-0", LANG="C.UTF-8")
    assert done.returncode == 0, done.stderr
    env = dict(line.split("=", 1) for line in done.stdout.rstrip("\0").split("\0"))
    assert env == {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(packages), "HUB": "well", "LANG": "C.UTF-8",
    }  # fmt: skip
    assert done.stderr == "downloading org/m\ndownloaded org/m, commit c1\n"


def test_without_the_hub_what_is_there_is_served(packages: Path, tmp_path: Path) -> None:
    assert download(packages, tmp_path / "m", "--", "true").returncode == 0
    done = download(packages, tmp_path / "m", "--", "echo", "served", HUB="away")
    assert (done.returncode, done.stdout) == (0, "served\n")
    assert "(ConnectionError: nobody); check the network" in done.stderr
    assert "Serving what is there, of commit c1" in done.stderr
    offline = download(packages, tmp_path / "m", "--", "echo", "served", HF_HUB_OFFLINE="1")
    assert (offline.returncode, offline.stdout, offline.stderr) == (0, "served\n", "")


def test_a_new_commit_replaces_the_old_one(packages: Path, tmp_path: Path) -> None:
    download(packages, tmp_path / "m", "--", "true")
    done = download(packages, tmp_path / "m", "--", "true", COMMIT="c2")
    assert "downloaded org/m, commit c2" in done.stderr
    assert (tmp_path / "m" / "config.json").read_text() == "c2"


def test_a_disk_that_fails_is_this_machines(packages: Path, tmp_path: Path) -> None:
    """Not a cause for which every worker's jobs are to fail."""
    full = download(packages, tmp_path / "m", "--", "true", HUB="full")
    (tmp_path / "file").touch()
    odd = download(packages, tmp_path / "file" / "m", "--", "true")
    # Its record cannot be written: not within the hub's client.
    (tmp_path / "r" / ".downloaded-.json").mkdir(parents=True)
    record = download(packages, tmp_path / "r", "--", "true")
    for done, kind in ((full, "disk-full"), (odd, "no-permission"), (record, "no-permission")):
        assert done.returncode == 1
        found = diagnose(1, done.stderr.splitlines())
        assert (found.kind, found.shared) == (kind, False), done.stderr


def test_a_command_that_cannot_be_run_is_said(packages: Path, tmp_path: Path) -> None:
    done = download(packages, tmp_path / "m", "--", str(tmp_path))
    assert done.returncode == 126
    assert f"{tmp_path} cannot be run: Permission denied" in done.stderr
    assert "could not be downloaded" not in done.stderr
