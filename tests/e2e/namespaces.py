"""Two machines of a kind: network namespaces that a cable joins, for a cluster's nodes.

They need root and Debian's iproute2, and are gone when the process that made them is, however it
ends: nothing holds them but programs that wait at their end of a pipe, and what a test runs there.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import programs
from tests.client import PATIENCE
from tests.processes import ROOT

#: The cable that nodes are to use, named as on RunPod's clusters, and the one that goes elsewhere.
CABLE, ELSEWHERE = "ens1", "eth0"


class Machine:
    """One namespace: its programs see its network alone, and everything else of this machine."""

    def __init__(self, address: str) -> None:
        """`address` is the one at its cable. Raises OSError where there can be no namespace."""
        self.address = address
        self._tunnels: list[subprocess.Popen[bytes]] = []
        self._holder = subprocess.Popen(
            ["unshare", "--net", sys.executable, "-c", "print(flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        if not self._holder.stdout.readline():
            _, told = self._holder.communicate()
            raise OSError(told.decode().strip())
        self.pid = self._holder.pid
        self.before = ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--"]

    def open(self, port: int) -> None:
        """What listens on this port in the namespace, on loopback too, is reached from outside.

        At the same port of 127.0.0.1: so a client need not know where it is.
        """
        with socket.create_server(("127.0.0.1", port), backlog=256) as listening:
            handle = listening.fileno()
            self._tunnels.append(
                subprocess.Popen(
                    [*self.before, sys.executable, "-m", "tests.e2e.tunnel", str(handle)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    cwd=ROOT,
                    pass_fds=[handle],
                )
            )

    def ip(self, *words: str) -> None:
        """Run `ip` in it. Raises OSError where that fails."""
        done = subprocess.run(
            [*self.before, programs.ip(), *words], capture_output=True, check=False
        )
        if done.returncode:
            raise OSError(f"ip {' '.join(words)}: {done.stderr.decode().strip()}")

    def end(self) -> None:
        """Let go of it; it is gone with the last of its programs."""
        for process in (*self._tunnels, self._holder):
            process.kill()
            process.wait(PATIENCE)
        for tunnel in self._tunnels:
            assert tunnel.stdin is not None
            tunnel.stdin.close()
        for pipe in (self._holder.stdin, self._holder.stdout, self._holder.stderr):
            assert pipe is not None
            pipe.close()


class Pair:
    """Two of them, with a cable between them and another that leads no program anywhere."""

    def __init__(self) -> None:
        """Raises OSError where this machine allows none of it."""
        self.machines: list[Machine] = []
        try:
            for number in (0, 1):
                self.machines.append(Machine(f"10.99.0.{number + 1}"))
            self._join()
        except OSError:
            self.end()
            raise

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *_reason: object) -> None:
        self.end()

    def _join(self) -> None:
        first, second = self.machines
        for name in (CABLE, ELSEWHERE):
            first.ip("link", "add", name, "type", "veth", "peer", "name", name,
                     "netns", str(second.pid))  # fmt: skip
        for number, machine in enumerate(self.machines):
            machine.ip("address", "add", f"{machine.address}/24", "dev", CABLE)
            machine.ip("address", "add", f"10.98.{number}.2/24", "dev", ELSEWHERE)
            for name in ("lo", CABLE, ELSEWHERE):
                machine.ip("link", "set", name, "up")
            # What looks for the way to the world takes the wrong one, as in many containers.
            machine.ip("route", "add", "default", "via", f"10.98.{number}.1")

    def cut(self) -> None:
        """Pull the cable: nothing passes, and no connection is told."""
        self.machines[0].ip("link", "set", CABLE, "down")

    def heal(self) -> None:
        """Put it back."""
        self.machines[0].ip("link", "set", CABLE, "up")

    def end(self) -> None:
        """Remove both."""
        for machine in self.machines:
            machine.end()


def pair() -> Pair:
    """Two machines; a skip where this one allows no namespaces, with CI set a failure."""
    try:
        return Pair()
    except OSError as reason:
        told = f"two network namespaces cannot be made: {reason}"
    if os.environ.get("CI"):
        pytest.fail(told)
    pytest.skip(told)


def processes_of(machine: Machine) -> list[int]:
    """The ids of all processes in its network, but the one that holds it."""
    own = _network(machine.pid)
    return [pid for pid in _pids() if pid != machine.pid and _network(pid) == own]


def _pids() -> Sequence[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]


def _network(pid: int) -> Path | None:
    """What tells one network from another; None of a process that has ended."""
    try:
        return Path(f"/proc/{pid}/ns/net").readlink()
    except OSError:
        return None
