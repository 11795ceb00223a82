"""`make emulate`: the worker in queue mode behind a RunPod endpoint on this machine."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from supervisor import planning
from supervisor.machine import ports
from supervisor.settings import parsers
from supervisor.settings.mode import Mode
from tools import commands, run, worker
from tools.errors import SetupError, reported

PORT = 9000
POLL = 0.2  # seconds
PATIENCE = 10.0  # seconds for the endpoint to end once the worker has


def main() -> int:
    """Run both until Ctrl-C or until one of them ends; return the worker's exit code."""
    port = free_port(os.environ)  # first: to install what is missing takes minutes
    python, environ = run.prepared(run.asked(__doc__).caller)
    environ.pop("PORT", None)  # the endpoint's, and no setting of a worker behind it
    os.chdir(worker.CHECKOUT)
    endpoint = [str(python), "-m", "tests.emulator", "--port", str(port)]
    given = subprocess.run([*endpoint, "--print-env"], check=False, capture_output=True, text=True)
    if given.returncode != 0:
        last = (given.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise SetupError(f"The local endpoint does not start ({last}).")
    supervisor = [str(python), "-m", "supervisor", "run"]
    print(run.page(environ), flush=True)
    return together(endpoint, supervisor, environ, environ | variables(given.stdout))


def free_port(environ: Mapping[str, str]) -> int:
    """Return the endpoint's port: PORT, else 9000. Raises SetupError where it cannot be had."""
    given = environ.get("PORT", "").strip()
    try:
        port = parsers.port(given) if given else PORT
    except ValueError as reason:
        raise SetupError(f"PORT={given} {reason}: say `make emulate PORT={PORT}`.") from None
    settings = planning.settings({**environ, "PORT": "", "WORKER_MODE": Mode.QUEUE})
    own = {number: name for name, _, number in settings.listening}
    free = (
        number
        for number in range(port + 1, 65536)
        if number not in own and ports.is_free("127.0.0.1", number)
    )
    remedy = f"choose another, as in `make emulate PORT={next(free, PORT)}`"
    if port in own:
        raise SetupError(f"Port {port} is the worker's ({own[port]}): {remedy}.")
    if not ports.is_free("127.0.0.1", port):
        raise SetupError(f"Port {port} is taken by {ports.owner(port)}: end it, or {remedy}.")
    return port


def variables(text: str) -> dict[str, str]:
    """Read lines of NAME=VALUE, as `tests.emulator --print-env` writes them."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value for name, _, value in pairs}


def together(
    endpoint: Sequence[str],
    supervisor: Sequence[str],
    endpoint_env: Mapping[str, str],
    supervisor_env: Mapping[str, str],
) -> int:
    """Run the endpoint and the worker; end the worker first, since it hands its last results over.

    Both are in groups of their own, so that a terminal's Ctrl-C comes here and not to all at once.
    A second Ctrl-C goes to the worker again, which then stops waiting for its jobs.
    """
    served = _start(endpoint, endpoint_env, signal.SIGKILL)
    try:
        working = _start(supervisor, supervisor_env, signal.SIGTERM)
        _forward(working.terminate)
        while working.poll() is None:
            if served.poll() is not None:
                working.terminate()
                working.wait()
                raise SetupError(f"The local endpoint ended with exit code {served.returncode}.")
            time.sleep(POLL)
        return working.returncode
    finally:
        _end(served)


def _start(command: Sequence[str], env: Mapping[str, str], tie: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(commands.tied(command, tie), env=env, process_group=0)


def _forward(terminate: Callable[[], None]) -> None:
    def handler(_number: int, _frame: FrameType | None) -> None:
        terminate()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


if __name__ == "__main__":
    raise SystemExit(reported(main))
