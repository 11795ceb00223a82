"""A worker has one name, whichever of its processes says it."""

from __future__ import annotations

import socket

import pytest

from supervisor.link import handover
from supervisor.telemetry.instance import instance


def test_the_platforms_id_comes_before_the_hosts_name() -> None:
    assert instance({"RUNPOD_POD_ID": " w1 "}, "box") == "w1"
    assert instance({"RUNPOD_POD_ID": " "}, "box.example") == "box.example"
    assert instance({}, None) in {socket.gethostname(), instance({}, "localhost")}


def test_what_the_supervisor_handed_over_comes_first() -> None:
    assert instance({"RUNPOD_POD_ID": "w1", handover.INSTANCE: "a"}, "box") == "a"


@pytest.mark.parametrize("host", ["localhost", "localhost.localdomain", "LOCALHOST", "", "(none)"])
def test_a_host_without_a_name_of_its_own_gives_none(host: str) -> None:
    one = instance({}, host)
    assert host.lower() not in one.lower() or not host
    assert one == instance({}, "localhost"), "the same for as long as this process runs"
