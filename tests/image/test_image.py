"""What is in the image and what is not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from tests import client
from tests.hub.serving import hub
from tests.image.conftest import NEWER, OLDER, PASSWORD, TOKEN, Images, Start
from tests.image.containers import HARDENED, HOME, PYTHON, as_docker
from tests.processes import ROOT
from tools import image, run
from tools.errors import SetupError

pytestmark = [pytest.mark.image, pytest.mark.slow, pytest.mark.timeout(2400)]

DISTRIBUTIONS = """
import importlib.metadata
print(sorted({f"{d.metadata['Name']} {d.version}" for d in importlib.metadata.distributions()}))
"""


# Of every process in the container: its user, its capabilities, whether it may gain any.
RIGHTS = """
import glob
for status in glob.glob("/proc/[0-9]*/status"):
    lines = dict(line.split(":", 1) for line in open(status))
    print(*(lines[name].split()[0] for name in ("Uid", "CapPrm", "NoNewPrivs")))
"""


# As vLLM does with what it compiles.
LOADS = """
import _ctypes, ctypes, shutil
shutil.copy(_ctypes.__file__, "/tmp/compiled.so")
ctypes.CDLL("/tmp/compiled.so")
print("loads")
"""


def once(images: Images, name: str, *command: str) -> str:
    """What one command prints in a container without a network."""
    entry, *rest = command
    return images.tool.run(
        "run", "--rm", "--network=none", "--no-healthcheck", f"--entrypoint={entry}", name, *rest
    ).stdout


def in_any_layer(images: Images, name: str, texts: Collection[str]) -> set[str]:
    """Which of `texts` are in the image as it is handed on, also in what a later layer hides."""
    found = set()
    rest = b""
    with subprocess.Popen(
        [images.tool.name, "save", name],
        env={**os.environ, **images.tool.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as saving:
        assert saving.stdout is not None
        while piece := saving.stdout.read(1 << 22):
            seen = rest + piece
            found |= {text for text in texts if text.encode() in seen}
            rest = seen[-256:]
    assert saving.returncode == 0
    return found


def config(images: Images, name: str) -> dict[str, Any]:
    text = images.tool.run("image", "inspect", "-f", "{{json .Config}}", name).stdout
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize("version", [NEWER, OLDER])
def test_another_vllm_is_a_build_argument(images: Images, version: str) -> None:
    name = images.newer if version == NEWER else images.older
    env = ["-e", "MODEL_NAME=org/model", "-e", "MAX_MODEL_LEN=2048"]
    hardened = as_docker(images.tool, [*HARDENED, "--network=none", "--no-healthcheck"])
    done = images.tool.run("run", "--rm", *hardened, *env, name, "explain", "--json")
    explained = json.loads(done.stdout)
    assert explained["vllm_version"].startswith(version)
    assert explained["command"][:2] == ["vllm", "serve"]
    assert "--max-model-len=2048" in explained["command"]
    # The catalogue came with the image: making one says so, and would take ten seconds here.
    assert "reading the options" not in done.stderr
    kept = once(images, name, "ls", f"{HOME}/supervisor/catalog/kept").split()
    assert [file for file in kept if file.startswith(f"vllm-{version}")] == kept != []
    notes = once(images, name, "ls", f"{HOME}/model-infos").split()
    assert "vllm-model_executor-models-llama-LlamaForCausalLM.json" in notes
    assert config(images, name)["Labels"]["org.opencontainers.image.version"].endswith(
        f"-vllm{version}"
    )


def test_the_engines_environment_is_as_it_was(images: Images) -> None:
    script = once(images, images.newer_base, "head", "-n", "1", "/usr/local/bin/vllm")
    interpreter = script.strip().removeprefix("#!")
    before = once(images, images.newer_base, interpreter, "-c", DISTRIBUTIONS)
    assert before == once(images, images.newer, interpreter, "-c", DISTRIBUTIONS)
    assert "vllm 0.32.0" in before
    assert "runpod" not in before


def test_the_worker_has_an_environment_of_its_own(images: Images) -> None:
    text = once(images, images.newer, PYTHON, "-I", "-c", DISTRIBUTIONS)
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if match := re.match(r"([a-z-]+)==(\S+)", line):
            assert f"'{match[1]} {match[2]}'" in text
    assert "'vllm" not in text
    assert "'torch" not in text
    missing = "import sys, supervisor, proxy, importlib.util as u; print(u.find_spec('vllm'))"
    assert once(images, images.newer, PYTHON, "-c", missing).strip() == "None"


def test_what_the_image_says_of_itself(images: Images) -> None:
    found = config(images, images.newer)
    assert set(found["ExposedPorts"]) == {"8000/tcp", "8001/tcp"}
    assert found["StopSignal"] == "SIGTERM"
    assert found["Entrypoint"] == [f"{HOME}/entrypoint.sh"]
    assert not found.get("Cmd")
    assert not found.get("User"), "volumes are often root's"
    assert "BASE_PATH=/runpod-volume" in found["Env"]
    assert not any(one.startswith(("PYTHONPATH=", "HF_TOKEN=")) for one in found["Env"])
    labels = found["Labels"]
    assert labels["org.opencontainers.image.title"] == "vllm-supervisor"
    assert labels["org.opencontainers.image.base.name"] == images.newer_base
    given = "title description licenses version revision created source base.name base.digest"
    assert {f"org.opencontainers.image.{name}" for name in given.split()} <= set(labels)


def test_modules_are_compiled(images: Images) -> None:
    """On a read-only file system nobody can do it later."""
    code = (
        "import pathlib, sys\n"
        f"for folder in ('supervisor', 'proxy', '.venv/lib'):\n"
        f"    root = pathlib.Path('{HOME}') / folder\n"
        "    for package in ('', *([] if folder != '.venv/lib' else ['runpod', 'aiohttp'])):\n"
        "        print(folder, package, sum(1 for p in root.rglob(f'{package}*/**/*.pyc')))\n"
    )
    lines = once(images, images.newer, PYTHON, "-I", "-c", code).splitlines()
    assert len(lines) == 5
    assert all(int(line.split()[-1]) > 5 for line in lines), lines


def test_the_builds_package_index_is_not_in_the_image(images: Images) -> None:
    history = images.tool.run("history", "--no-trunc", "--format", "{{.CreatedBy}}", images.newer)
    assert "image/worker-env.sh" in history.stdout
    lines = [line for line in image.builder_secrets()["pip.conf"].splitlines() if "://" in line]
    for line in lines:
        assert line.split()[-1] not in history.stdout
    left = once(images, images.newer, "sh", "-c", "ls -A /run/secrets /tmp 2>/dev/null || true")
    assert [line for line in left.split() if not line.endswith(":")] == []


@pytest.mark.own_engine
def test_a_baked_model_is_served_without_a_network(
    images: Images, start: Start, tmp_path: Path
) -> None:
    """A private one: its token reaches the build, and is nowhere afterwards."""
    name, log = "localhost/vllm-supervisor-test:baked", tmp_path / "build.log"
    with hub("--token", TOKEN, demo=ROOT / "demo" / "model") as url:
        arguments = {
            "VLLM_VERSION": NEWER,
            "BASE_IMAGE": images.newer_base,
            "MODEL_NAME": "org/demo",
            "HF_ENDPOINT": url,
        }
        secrets = {"HF_TOKEN": TOKEN}
        options = ["--network=host"]
        image.build(
            images.tool, name, arguments, secrets=secrets, local=True, log=log, options=options
        )
    assert "MODEL_NAME=org/demo" in config(images, name)["Env"]
    history = images.tool.run("history", "--no-trunc", "--format", "{{.CreatedBy}}", name).stdout
    assert "image/bake.sh" in history
    assert TOKEN not in history + json.dumps(config(images, name)) + log.read_text()
    manifest = '"repository": "org/demo"'  # which is in the layer that had the token
    assert in_any_layer(images, name, (TOKEN, manifest)) == {manifest}
    env = {**run.CPU_DEFAULTS, "OPENAI_SERVED_MODEL_NAME_OVERRIDE": "short"}
    one = start(name, "--network=none", *HARDENED, "--shm-size=1g", env=env)
    one.until_ready()
    code = (
        "import httpx\n"
        "for name in ('short', 'org/demo'):\n"
        "    body = {'model': name, 'prompt': 'one', 'max_tokens': 3}\n"
        "    url = 'http://127.0.0.1:8000/v1/completions'\n"
        "    print(httpx.post(url, json=body, timeout=60).status_code)\n"
    )
    assert one.python(code).split() == ["200", "200"]
    assert one.stop() == 0, one.log()


def test_an_address_with_a_password_reaches_the_build_and_is_nowhere_afterwards(
    images: Images, tmp_path: Path
) -> None:
    """It may be told as a secret, and not as an argument, which the image's history would have."""
    name, log = "localhost/vllm-supervisor-test:address", tmp_path / "build.log"
    arguments = {
        "VLLM_VERSION": NEWER,
        "BASE_IMAGE": images.newer_base,
        "MODEL_NAME": "org/demo",
    }
    with hub(demo=ROOT / "demo" / "model") as url:
        address = url.replace("://", f"://reader:{PASSWORD}@")

        def build(more: dict[str, str], secrets: dict[str, str]) -> None:
            image.build(
                images.tool, name, {**arguments, **more}, secrets=secrets, local=True, log=log,
                options=["--network=host"],
            )  # fmt: skip

        if images.tool.has_image(name):  # of a run before
            images.tool.run("rmi", "--force", name)
        with pytest.raises(SetupError, match="take a build secret, --secret id=HF_ENDPOINT"):
            build({"HF_ENDPOINT": address}, {})
        assert not images.tool.has_image(name)
        log.unlink()
        build({}, {"HF_ENDPOINT": address})
    history = images.tool.run("history", "--no-trunc", "--format", "{{.CreatedBy}}", name).stdout
    assert PASSWORD not in history + json.dumps(config(images, name)) + log.read_text()
    manifest = '"repository": "org/demo"'
    assert in_any_layer(images, name, (PASSWORD, manifest)) == {manifest}


def test_the_health_check_follows_ping(images: Images, start: Start) -> None:
    one = start(images.fake, "--network=none", env={"FAKE_VLLM": "wait-for=/go"})
    one.until_logged("engine spawned")
    assert one.healthcheck() == "/ping says 204"
    one.inside("touch", "/go")
    one.until_ready()
    assert one.healthcheck() == "/ping says 200"
    if images.tool.is_podman:
        images.tool.run("healthcheck", "run", one.id)
        assert one.state()["Health"]["Status"] == "healthy"
    assert one.python("print(open('/proc/1/cmdline').read().split(chr(0))[1:3])") == (
        "['-m', 'supervisor']"
    )


READS = """
import os
for pid in sorted(filter(str.isdigit, os.listdir("/proc")), key=int):
    for what in ("environ", "mem"):
        try:
            open(f"/proc/{pid}/{what}", "rb").read(0)
        except PermissionError:
            print(what, open(f"/proc/{pid}/cmdline").read().replace(chr(0), " ").strip()[-12:])
"""


@pytest.mark.parametrize("user", [(), ("--user=1000:1000", "--cap-drop=ALL")])
def test_nothing_in_the_container_reads_the_supervisor(
    images: Images, start: Start, user: tuple[str, ...]
) -> None:
    """What runs there as the engine does, with the capabilities that Docker gives to root."""
    one = start(images.fake, "--network=none", *user, env={"RUNPOD_API_KEY": PASSWORD})
    one.until_ready()
    assert one.python(READS).splitlines()[:2] == ["environ m supervisor", "mem m supervisor"]
    assert one.stop() == 0, one.log()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - in a container
def test_the_health_check_asks_where_the_worker_listens(
    images: Images, start: Start, host: str
) -> None:
    one = start(images.fake, "--network=none", env={"CONTROL_HOST": host})
    one.until_ready()
    assert one.healthcheck() == "/ping says 200"


@pytest.mark.parametrize("user", ["1000:1000", "0:0"])
def test_nothing_is_written_but_what_the_documentation_says(
    images: Images, start: Start, user: str
) -> None:
    """Whoever it is, without a capability; docs/image.md says which folders have to be writable."""
    options = [one for one in HARDENED if not one.startswith("--user")]
    one = start(images.fake, *options, f"--user={user}", engine=8000)
    one.until_ready()
    asked = client.post(f"{one.url()}/v1/completions", json={"model": "tiny", "prompt": "x"})
    assert asked.status_code == 200
    assert one.python(LOADS) == "loads"
    processes = one.python(RIGHTS).splitlines()
    assert len(processes) > 3
    assert set(processes) == {f"{user.partition(':')[0]} 0000000000000000 1"}
    writable = {line.split()[1] for line in one.inside("cat", "/proc/mounts").splitlines()
                if line.split()[3].split(",")[0] == "rw"}  # fmt: skip
    files = {path for path in writable if not path.startswith(("/proc", "/sys"))}
    assert files - {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run/.containerenv",
                    "/dev", "/dev/pts", "/dev/mqueue", "/run/secrets"} == {"/tmp", "/dev/shm"}  # noqa: S108  # fmt: skip
    assert one.stop() == 0, one.log()


def test_another_user_keeps_models_on_a_volume_of_its_own(images: Images) -> None:
    """As docs/deploy.md has it: read-only, and a volume that is given to that user."""
    volume = f"vllm-supervisor-test-{uuid.uuid4().hex[:8]}"
    mounted = ("-v", f"{volume}:/runpod-volume", "--network=none", "--no-healthcheck")
    try:
        images.tool.run(
            "run", "--rm", *mounted, "--entrypoint=chown", images.fake, "1000:1000",
            "/runpod-volume",
        )  # fmt: skip
        hardened = as_docker(images.tool, HARDENED)
        asked = ("-e", "MODEL_NAME=org/m", images.fake, "explain", "--json")
        explained = json.loads(images.tool.run("run", "--rm", *mounted, *hardened, *asked).stdout)
    finally:
        images.tool.run("volume", "rm", volume)
    assert explained["engine_env"]["HF_HOME"] == "/runpod-volume/huggingface-cache"


def test_a_mounted_cache_stays_in_use_on_a_read_only_file_system(
    images: Images, start: Start, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    mounted = ["-v", f"{tmp_path}:/root/.cache/huggingface"]
    one = start(images.fake, "--network=none", "--read-only", "--tmpfs=/tmp", *mounted)
    one.until_ready()
    engine = (
        "import psutil\n"
        "(p,) = [p for p in psutil.process_iter() if 'serve' in p.cmdline()]\n"
        "print(p.environ()['HOME'], p.environ()['HF_HOME'])"
    )
    assert one.python(engine) == "/tmp/home /root/.cache/huggingface"  # noqa: S108
