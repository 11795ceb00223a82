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


def test_what_a_broken_download_left_is_no_commit(tmp_path: Path) -> None:
    """On a volume of both nodes, the first of which has the model before the other knows it."""
    old, new, cache = "a" * 40, "b" * 40, tmp_path / "cache"
    model = cache / "hub" / "models--org--m"
    left, main, there = model / "snapshots" / old, model / "refs" / "main", tmp_path / "there"
    for folder in (left, main.parent):
        folder.mkdir(parents=True)
    (left / "config.json").write_text("{}")
    main.write_text(old)
    fetched = model / "snapshots" / new
    fetch = (
        f"mkdir -p {fetched}; echo '{{}}' > {fetched}/config.json; : > {fetched}/m.safetensors;"
        f" printf {new} > {main}"
    )
    each = {}
    begun = tmp_path / "begun"
    waits = "until [ -e {} ]; do sleep 0.1; done; "
    downloads = (waits.format(begun) + fetch, f": > {begun}; {waits.format(there)}{fetch}")
    for rank, download in enumerate(downloads):
        (folder := tmp_path / str(rank)).mkdir()
        each[rank] = {
            "VLLM_COMMAND": command(folder, f"{download}; exit 0", ""),
            "HF_HOME": str(cache),
            "BASE_PATH": str(folder),
        }
    cluster = Nodes(tmp_path, 2, each=each, MODEL_NAME="org/m", PREFETCH="1")
    try:
        until_rank_1_downloads(cluster)
        there.touch()
        assert cluster.until_ready() == 1
        # One that replaces it has the old one's leavings, and is no other model's.
        main.write_text(old)
        there.unlink()
        cluster.workers[1].process.kill()
        cluster.start(1)
        said = f"rank 1 ({cluster.address(1)}) is here, and downloads the model"
        until(lambda: cluster.workers[0].text().count(said) == 2, what="the download")
        there.touch()
        cluster.until_ready(1)
    finally:
        cluster.end()


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
