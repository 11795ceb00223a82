"""Several nodes, one of which does not have the model yet: no engine starts before it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.test_prefetch import command
from tests.nodes import Nodes
from tests.processes import until

Started = Callable[..., Nodes]
_BECOME = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"'


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Started]:
    """Starts two, which download by these lines of a shell."""
    started: list[Nodes] = []

    def two(model: str, *downloads: str) -> Nodes:
        each = {}
        for rank, download in enumerate(downloads):
            folder = tmp_path / str(rank)
            folder.mkdir()
            each[rank] = {
                "VLLM_COMMAND": command(folder, download, ""),
                "HF_HOME": str(folder / "cache"),
                "BASE_PATH": str(folder),
            }
        started.append(Nodes(tmp_path, 2, each=each, MODEL_NAME=model, PREFETCH="1"))
        return started[-1]

    yield two
    for each in started:
        each.end()


def until_rank_1_downloads(nodes: Nodes) -> None:
    said = f"rank 1 ({nodes.address(1)}) is here, and downloads the model"
    until(lambda: said in nodes.workers[0].text(), what="the download")
    assert "engine spawned" not in nodes.text()


def test_a_download_that_breaks_off_is_tried_again(nodes: Started, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    why = "download ahead of org/m: it broke off"
    cluster = nodes("org/m", "exit 0", f"[ -e {go_on} ] || {{ echo '{why}'; exit 75; }}; exit 0")
    said = f"downloading the model, after a failure: {why}"
    until(lambda: (cluster.status(1) or {}).get("doing") == said, what="the word of it")
    assert f"{why}; this node waits, and tries again" in cluster.workers[1].text()
    until_rank_1_downloads(cluster)
    go_on.touch()
    assert cluster.until_ready() == 1


def test_a_download_that_cannot_succeed_is_the_engines_to_tell(nodes: Started) -> None:
    cluster = nodes("org/m", "exit 0", "echo 'download ahead of org/m: it is gated'; exit 1")
    assert cluster.until_ready() == 1


def test_a_folder_of_a_repository_is_there_before_a_node_joins(
    nodes: Started, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    here, late = (
        f'case " $* " in *" -- "*) {waits}; {_BECOME};; *) exit 0;; esac'
        for waits in (":", f"until [ -e {go_on} ]; do sleep 0.1; done")
    )
    cluster = nodes("org/m/sub", here, late)
    until_rank_1_downloads(cluster)
    go_on.touch()
    assert cluster.until_ready() == 1
