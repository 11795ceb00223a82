"""`explain` and `doctor` refuse on this machine what a start would refuse."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from supervisor import explaining
from supervisor.command.plan import Plan
from tests.processes import CATALOG
from tests.supervisor.doctor.test_machine import doctor

ENV = {"ENGINE_CATALOG": str(CATALOG), "MODEL_NAME": "org/m", "VLLM_API_KEY": "a-key"}


def made(version: str | None = None, written: Sequence[str] = (), **env: str) -> Plan:
    own = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    return explaining.by(version, None, written, print)({**own, **ENV, **env})


def errors(version: str | None = None, written: Sequence[str] = (), **env: str) -> list[str]:
    return [each.message for each in made(version, written, **env).findings.errors]


NO_MODEL = "MODEL_NAME=/nowhere/m does not exist on this machine"
NO_ADDRESS = "CONTROL_HOST=999.1.1.1 is not an address of this machine"


def test_a_model_that_is_not_here() -> None:
    assert errors(MODEL_NAME="/nowhere/m") == [NO_MODEL]
    assert errors(MODEL_NAME="/tmp") == []  # noqa: S108 - it is there
    assert errors("0.32.0", MODEL_NAME="/nowhere/m") == []  # for another machine


def test_an_address_of_another_machine() -> None:
    assert errors(CONTROL_HOST="999.1.1.1") == [NO_ADDRESS]
    assert errors("0.32.0", CONTROL_HOST="999.1.1.1") == []
    assert errors(VLLM_EXTRA_ARGS="--host 192.0.2.7") == [
        "--host=192.0.2.7 in VLLM_EXTRA_ARGS is not an address of this machine"
    ]


def test_the_address_is_named_by_who_says_it() -> None:
    said = "--host=192.0.2.7 is not an address of this machine"
    written = ("--host", "192.0.2.7")
    assert errors(written=written) == [said]
    assert errors(written=written, VLLM_EXTRA_ARGS="--host 192.0.2.9") == [said]
    of_control = "CONTROL_HOST=192.0.2.7 is not an address of this machine"
    assert errors(written=written, CONTROL_HOST="192.0.2.7") == [said, of_control]


def test_a_port_that_the_worker_has_is_none_of_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert errors(PORT_HEALTH=str(taken.getsockname()[1])) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="has no /proc")
def test_a_folder_that_nobody_can_make_is_no_volume() -> None:
    found = made(BASE_PATH="/proc/x")
    assert found.volume is None
    assert found.findings.errors == ()
    assert "/proc/x is not a writable folder" in str(found.findings.ignored)


def test_the_doctor_says_the_same_and_no_other_cause() -> None:
    done = doctor(MODEL_NAME="/nowhere/m", CONTROL_HOST="999.1.1.1", ENGINE_CATALOG=str(CATALOG))
    assert done.returncode == 1
    squeezed = " ".join(done.stdout.split())
    assert f"bad settings {NO_MODEL}" in squeezed
    assert f"bad settings {NO_ADDRESS}; give one that it has" in squeezed
    assert squeezed.count("not an address of this machine") == 1
    assert squeezed.count("does not exist on this machine") == 1
    assert "bad model" not in squeezed
    assert "bad port" not in squeezed
    assert "taken by" not in squeezed
    assert "HF_TOKEN" not in squeezed
