"""What is refused before anything is started, each with its remedy."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor import planning
from supervisor.errors import ConfigurationError
from supervisor.worker import preflight
from tests.processes import free_port


def test_a_model_that_is_no_path_or_is_there(tmp_path: Path) -> None:
    for model in (None, "org/m", str(tmp_path)):
        preflight.check_model(model)
    with pytest.raises(ConfigurationError, match="MODEL_NAME=/nowhere/m does not exist"):
        preflight.check_model("/nowhere/m")


def test_ports() -> None:
    free = replace(planning.settings({}), engine_port=free_port(), control_port=free_port())
    preflight.check_ports(free)
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        with pytest.raises(ConfigurationError) as refused:
            preflight.check_ports(replace(free, control_port=number))
    assert str(refused.value).startswith(f"port {number} is taken by process ")
    assert str(refused.value).endswith("; end it or set PORT_HEALTH to a free port")


def test_files(tmp_path: Path) -> None:
    preflight.write({str(tmp_path / "a" / "template"): "{{ messages }}"})
    assert (tmp_path / "a" / "template").read_text() == "{{ messages }}"
    with pytest.raises(ConfigurationError, match="set TMPDIR to a writable folder"):
        preflight.write({"/proc/nowhere/template": ""})
