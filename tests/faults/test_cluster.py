"""Several nodes that serve one model: real workers, stand-in engines, and what goes wrong."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from tests import client
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.faults.test_prefetch import command
from tests.nodes import SILENCE, Nodes
from tests.processes import Worker, until

Started = Callable[..., Nodes]
SIZE = 8
RANKS = [0, 1, SIZE - 1]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Started]:
    """Starts nodes."""
    all_of_them: list[Nodes] = []

    def one(size: int, **given: object) -> Nodes:
        folder = tmp_path / f"cluster-{len(all_of_them)}"
        folder.mkdir()
        all_of_them.append(Nodes(folder, size, **given))  # type: ignore[arg-type]
        return all_of_them[-1]

    yield one
    for each in all_of_them:
        each.end()


def ask(nodes: Nodes, **fake: object) -> httpx.Response:
    body = {"model": "tiny", "prompt": "Hi", "max_tokens": 4, "fake": fake}
    return client.post(f"{nodes.workers[0].engine_url}/v1/completions", json=body)


def kill_engine(nodes: Nodes, rank: int) -> None:
    os.kill(nodes.workers[rank].engine_pid(), signal.SIGKILL)


def end_engine(nodes: Nodes, rank: int) -> None:
    """As vLLM ends where its core died: with 0."""
    os.kill(nodes.workers[rank].engine_pid(), signal.SIGTERM)


def kill_supervisor(nodes: Nodes, rank: int) -> None:
    nodes.workers[rank].process.kill()
    nodes.workers[rank].process.wait()
    nodes.start(rank)


def freeze_supervisor(nodes: Nodes, rank: int) -> None:
    """No word comes from it, as from a node whose network is cut; then it is there again."""
    frozen = nodes.workers[rank]
    other = 0 if rank else 1
    engine = nodes.workers[other].engine_pid()
    frozen.process.send_signal(signal.SIGSTOP)
    until(lambda: not psutil.pid_exists(engine), what="the end of the engine at the other side")
    frozen.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("rank", RANKS)
def test_whatever_is_lost_all_begin_anew(nodes: Started, rank: int) -> None:
    """Its engine by a signal and with code 0, its supervisor, its network."""
    cluster = nodes(SIZE, MAX_RESTARTS="100")  # a busy machine may lose more than is taken here
    generation = cluster.until_ready()
    for what_happens, cause in (
        (kill_engine, "killed"),
        (end_engine, ""),
        (freeze_supervisor, "nothing was heard of it"),
        (kill_supervisor, "nothing was heard of it"),
    ):
        before = {each.engine_pid() for each in cluster.workers.values()}
        what_happens(cluster, rank)
        generation = cluster.until_ready(after=generation)
        after = {each.engine_pid() for each in cluster.workers.values()}
        assert not before & after, "an engine of the generation before"
        assert not [pid for pid in before if psutil.pid_exists(pid)]
        assert ask(cluster).status_code == 200
        told = cluster.status(0)
        assert told is not None
        if rank:
            assert f"rank {rank} ({cluster.address(rank)}): " in told["last_failure"]
            assert f"rank {rank} ({cluster.address(rank)}): " in cluster.workers[0].text()
            assert cause in told["last_failure"]
    assert {each.process.returncode for each in cluster.workers.values()} == {None}


def test_each_node_says_which_one_it_is(nodes: Started) -> None:
    cluster = nodes(3, without=[2])
    until(lambda: (cluster.status(0) or {}).get("missing") == [2], what="two of three nodes")
    told = cluster.status(0)
    assert told is not None
    assert (told["role"], told["rank"], told["generation"]) == ("leader", 0, 0)
    assert cluster.workers[0].ping() == cluster.workers[1].ping() == 204
    assert "engine spawned" not in cluster.text()
    cluster.start(2)
    cluster.until_ready()
    told = cluster.status(2)
    assert told is not None
    keys = ("role", "rank", "generation", "missing", "state")
    assert [told[key] for key in keys] == ["follower", 2, 1, [], "READY"]
    with pytest.raises(httpx.ConnectError):
        client.get(f"{cluster.workers[2].engine_url}/health")


def test_a_node_joins_once_it_has_the_model(nodes: Started, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    download = f"until [ -e {go_on} ]; do sleep 0.1; done; exit 0"
    late = {"VLLM_COMMAND": command(tmp_path, download, ""), "PREFETCH": "1"}
    cluster = nodes(2, each={1: {**late, "HF_HOME": str(tmp_path / "cache")}}, MODEL_NAME="org/m")
    said = f"rank 1 ({cluster.address(1)}) is here, and downloads the model"
    until(lambda: said in cluster.workers[0].text(), what="the download")
    told = cluster.status(0)
    assert told is not None
    assert (told["missing"], told["generation"]) == ([1], 0)
    go_on.touch()
    cluster.until_ready()


def test_headless_nodes_take_no_jobs(nodes: Started, platform: Platform) -> None:
    cluster = nodes(2, **worker_environment(platform.root))
    cluster.until_ready()
    handlers = [each for each in cluster.left() if "proxy" in each.cmdline()]
    assert len(handlers) == 1, "the one of rank 0"
    job = platform.submit({"prompt": "Hi", "max_tokens": 3})
    platform.until(job, "COMPLETED")
    cluster.workers[1].process.send_signal(signal.SIGTERM)
    assert cluster.codes() == [0, 0]


def test_a_head_that_answers_no_request_is_not_ready(nodes: Started) -> None:
    limits = {"WARMUP_TIMEOUT": "1", "ENGINE_STALL_TIMEOUT": "1"}
    cluster = nodes(2, each={0: {"FAKE_VLLM": "stall"}}, MAX_RESTARTS="1", **limits)
    assert cluster.codes() == [70, 70]
    assert "its first request was not answered within 1 s" in cluster.workers[0].text()
    assert "starting generation 2" in cluster.workers[0].text()
    assert "ready after" not in cluster.text()


def test_a_rank_that_stands_still_while_nodes_speak(nodes: Started) -> None:
    """The engine of rank 0 gives no token any more, and answers its probes."""
    cluster = nodes(3, ENGINE_STALL_TIMEOUT="2")
    cluster.until_ready()
    client.post(f"{cluster.workers[0].engine_url}/fake", content="stall")
    waiting = threading.Thread(target=_ask_in_vain, args=[cluster])
    waiting.start()
    cluster.until_ready(after=1)
    waiting.join()
    assert ask(cluster).status_code == 200


def _ask_in_vain(cluster: Nodes) -> None:
    try:
        ask(cluster)
    except httpx.HTTPError:
        return


@pytest.mark.parametrize("rank", RANKS)
def test_a_stop_of_one_is_a_stop_of_all_once_requests_are_answered(
    nodes: Started, rank: int, tmp_path: Path
) -> None:
    cluster = nodes(SIZE)
    cluster.until_ready()
    go_on, answers = tmp_path / "go-on", list[int]()
    asking = threading.Thread(
        target=lambda: answers.append(ask(cluster, wait_for=str(go_on)).status_code)
    )
    asking.start()
    until(lambda: client.running(cluster.workers[0].engine_url) == 1, what="a request")
    cluster.workers[rank].process.send_signal(signal.SIGTERM)
    until(lambda: (cluster.status(0) or {}).get("state") == "DRAINING", what="the drain")
    assert psutil.pid_exists(cluster.workers[rank].engine_pid())
    go_on.touch()
    assert cluster.codes() == [0] * SIZE
    asking.join()
    assert answers == [200]
    assert cluster.left() == []


def test_an_engine_that_is_lost_while_its_node_stops_is_told_of(
    nodes: Started, tmp_path: Path
) -> None:
    cluster = nodes(2, MAX_RESTARTS="100")
    cluster.until_ready()
    go_on = tmp_path / "go-on"
    waiting = threading.Thread(target=lambda: ask(cluster, wait_for=str(go_on)))
    waiting.start()
    until(lambda: client.running(cluster.workers[0].engine_url) == 1, what="a request")
    cluster.workers[1].process.send_signal(signal.SIGTERM)
    until(lambda: (cluster.status(0) or {}).get("state") == "DRAINING", what="the drain")
    kill_engine(cluster, 1)
    until(lambda: "the engine ended, exit code -9: " in cluster.workers[1].text(), what="its end")
    go_on.touch()
    assert cluster.codes() == [0, 0]
    waiting.join()
    said = cluster.workers[1].text()
    assert "; telling rank 0, then stopping" in said
    assert "None" not in said
    assert "waiting for rank 0" not in said


def test_a_stop_while_a_node_is_awaited_is_for_all(nodes: Started) -> None:
    cluster = nodes(3, without=[2])
    until(lambda: (cluster.status(0) or {}).get("missing") == [2], what="two of three nodes")
    cluster.workers[1].process.send_signal(signal.SIGTERM)
    assert cluster.codes() == [0, 0]


def test_a_node_that_never_comes_is_named(nodes: Started) -> None:
    cluster = nodes(4, without=[2, 3], STARTUP_TIMEOUT="20")  # rank 1 comes within
    assert cluster.codes() == [71, 71]
    where = f"{cluster.address(0)}:{cluster.port}"
    said = f"ranks 2, 3 did not come within 20 s; see their logs and whether they reach {where}"
    assert said in cluster.workers[0].text()
    assert said in cluster.workers[1].text(), "who reads the log of another node has to know"


def test_followers_do_not_wait_for_ever_for_rank_0(nodes: Started) -> None:
    cluster = nodes(3, without=[0], STARTUP_TIMEOUT="4")
    assert cluster.codes() == [71, 71]
    assert f"rank 0 ({cluster.address(0)}:{cluster.port}) did not answer for 4 s" in cluster.text()


def test_rank_0_that_is_gone_for_good_ends_the_others(nodes: Started) -> None:
    cluster = nodes(3, STARTUP_TIMEOUT="20")  # all three start within
    cluster.until_ready()
    leader = cluster.workers.pop(0)
    leader.process.kill()
    leader.process.wait()
    assert cluster.codes() == [71, 71]
    assert f"said nothing for {SILENCE:g} s" in cluster.text()
    assert cluster.left() == []


def test_what_rank_0_gives_up_for_ends_all_with_its_code(nodes: Started) -> None:
    cluster = nodes(3, each={1: {"FAKE_VLLM": "exit-after=0.5"}}, MAX_RESTARTS="1")
    assert cluster.codes() == [70, 70, 70]
    assert f"giving up with exit code 70: rank 1 ({cluster.address(1)}): " in cluster.text()


def test_another_model_at_one_node_ends_all_before_an_engine_starts(nodes: Started) -> None:
    cluster = nodes(3, each={1: {"MODEL_NAME": "another"}})
    assert cluster.codes() == [78, 78, 78]
    assert f"rank 1 ({cluster.address(1)})" in cluster.workers[2].text()
    assert "engine spawned" not in cluster.text()


def test_a_stop_ends_rank_0_that_waits_to_tell_the_others_why(
    nodes: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.nodes.SILENCE", 1000.0)  # of which the wait is a multiple
    cluster = nodes(3, without=[2], each={1: {"MODEL_NAME": "another"}})
    assert cluster.workers[1].wait() == 78
    until(lambda: "giving up with exit code 78" in cluster.workers[0].text(), what="its end")
    cluster.start(1, MODEL_NAME="another")  # as a platform does; it is no third node
    assert cluster.workers[1].wait() == 78
    assert cluster.workers[0].process.poll() is None
    cluster.workers[0].process.send_signal(signal.SIGTERM)
    assert cluster.workers[0].wait() == 78


def test_another_option_in_a_configuration_file_does_so_too(nodes: Started, tmp_path: Path) -> None:
    each = {}
    for rank, length in enumerate(("4096", "8192")):
        (file := tmp_path / f"{rank}.yaml").write_text(f"max-model-len: {length}\n")
        each[rank] = {"VLLM_CONFIG_FILE": str(file)}
    cluster = nodes(2, each=each)
    assert cluster.codes() == [78, 78]
    assert "has MAX_MODEL_LEN=8192, rank 0 has MAX_MODEL_LEN=4096" in cluster.workers[1].text()


def test_another_token_ends_its_node_alone(nodes: Started) -> None:
    cluster = nodes(3, each={1: {"CLUSTER_TOKEN": "a-wrong-one"}})
    assert cluster.workers[1].wait() == 78
    assert "CLUSTER_TOKEN differs from rank 0's" in cluster.workers[1].text()
    assert "refused" in cluster.workers[0].text()
    cluster.start(1, CLUSTER_TOKEN="hush-hush")
    cluster.until_ready()
    assert "hush-hush" not in cluster.text()
    assert "a-wrong-one" not in cluster.text()


def test_rank_0_says_that_the_others_would_look_for_it_elsewhere(nodes: Started) -> None:
    """In another network; or at a name that is loopback to itself."""
    elsewhere = nodes(
        2, each={0: {"NODE_ADDR": "127.0.6.6"}}, without=[1], PRIMARY_ADDR="127.0.5.5"
    )
    assert elsewhere.codes() == [78]
    assert "; set PRIMARY_ADDR=127.0.6.6 on all nodes" in elsewhere.text()
    named = nodes(2, without=[1], NODE_ADDR="", PRIMARY_ADDR="localhost")
    assert named.codes() == [78]
    assert "PRIMARY_ADDR=localhost is 127.0.0.1 on this machine" in named.text()


def test_rank_0_listens_at_primary_addr_where_it_was_told_no_other(nodes: Started) -> None:
    """Which need not be the address from which this machine would reach itself."""
    assert nodes(2, NODE_ADDR="").until_ready() == 1


def test_nodes_of_ipv6_and_what_is_around_their_addresses(nodes: Started) -> None:
    cluster = nodes(2, NODE_ADDR="::1/128", PRIMARY_ADDR="[::1]")
    assert cluster.until_ready() == 1
    assert "--master-addr=::1 " in cluster.text()


def test_an_address_that_is_none_ends_a_node_with_one_sentence(nodes: Started) -> None:
    cluster = nodes(2, without=[0], PRIMARY_ADDR="rank0..svc")
    assert cluster.codes() == [78]
    assert "PRIMARY_ADDR=rank0..svc is neither an IP address nor the name" in cluster.text()
    assert "Traceback" not in cluster.text()


def test_a_stop_ends_rank_0_while_it_looks_for_its_own_name(nodes: Started) -> None:
    cluster = nodes(2, without=[1], NODE_ADDR="", PRIMARY_ADDR="nobody.invalid")
    said = "PRIMARY_ADDR=nobody.invalid has no address"
    until(lambda: said in cluster.text(), what="a look for it")
    cluster.workers[0].process.send_signal(signal.SIGTERM)
    assert cluster.codes() == [0]
    assert "SIGTERM received" in cluster.text()
    assert cluster.text().count(said) == 1


def test_rank_0_at_a_node_that_is_not_primary_addr(nodes: Started) -> None:
    cluster = nodes(2, without=[1], NODE_ADDR="", PRIMARY_ADDR="192.0.2.7")
    assert cluster.codes() == [78]
    said = "PRIMARY_ADDR=192.0.2.7 is not an address of this machine, which is rank 0; "
    assert said in cluster.text()
    assert "correct NODE_RANK or PRIMARY_ADDR" in cluster.text()


def test_a_rank_that_two_nodes_claim_ends_all(nodes: Started) -> None:
    cluster = nodes(3, without=[2])
    twice = cluster.workers[1]
    cluster.start(1, NODE_ADDR=cluster.address(2))
    assert [*cluster.codes(), twice.wait()] == [78] * 3
    said = cluster.workers[0].text()
    assert "rank 1 is claimed by " in said
    assert "NODE_RANK must differ" in said


def test_two_clusters_side_by_side_know_nothing_of_each_other(nodes: Started) -> None:
    one, other = nodes(3, MAX_RESTARTS="100"), nodes(3, base=50, MAX_RESTARTS="100")
    before = one.until_ready()
    other.until_ready()
    kill_engine(one, 1)
    one.until_ready(after=before)
    other.until_ready()  # a generation may have been lost to a busy machine, and to nothing else
    for each, stranger in ((one, other), (other, one)):
        text = each.text()
        assert f"rank 1 ({each.address(1)})" in text
        for rank in range(3):
            assert stranger.address(rank) not in text
            assert f":{stranger.port}" not in text


def test_twenty_kills_leave_nothing_behind(nodes: Started) -> None:
    """Of engines and supervisors, while they serve and while they start."""
    chance = random.Random(3)  # noqa: S311 - guards nothing
    cluster = nodes(3, MAX_RESTARTS="100")
    cluster.until_ready()
    for number in range(20):
        rank = chance.randrange(3)
        if chance.random() < 0.3:
            kill_supervisor(cluster, rank)
        else:
            worker = cluster.workers[rank]
            until(partial(_has_an_engine, worker), what="an engine")
            try:
                kill_engine(cluster, rank)
            except ProcessLookupError:
                continue
        if number % 4 == 0:
            cluster.until_ready()
    # What was killed last may not have been noticed yet.
    until(lambda: cluster.until_ready() > 1 and len(_engines(cluster)) == 3, what="three engines")
    cluster.workers[0].process.send_signal(signal.SIGTERM)
    assert cluster.codes() == [0, 0, 0]
    assert cluster.left() == []


def _has_an_engine(worker: Worker) -> bool:
    return "engine spawned" in worker.text()


def _engines(cluster: Nodes) -> list[int]:
    found = []
    for process in cluster.left():
        try:
            found += [process.pid] if "--nnodes=3" in process.cmdline() else []
        except psutil.Error:
            continue
    return found
