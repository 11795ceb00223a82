"""What the pages (docs/*.md and those at the top) name exists, and their commands run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench import arguments
from proxy import errors
from proxy.request import dropped
from supervisor import __main__ as program
from supervisor.catalog import versions
from supervisor.command import explain, legacy, plan, translate
from supervisor.diagnosis import rules
from supervisor.link.standing import Standing
from supervisor.settings.mode import Mode
from supervisor.settings.otel import checks
from supervisor.settings.routes import OFFERED
from supervisor.settings.table import TABLE, WORKER_VARIABLES
from supervisor.worker import announce
from supervisor.worker.lifecycle import ExitCode, Phase
from supervisor.worker.metrics import names
from tests.processes import ROOT
from tests.supervisor.command.test_translate import catalog
from tools import image, run
from tools.docs import known, older

TOP = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES = sorted([*TOP, *(ROOT / "docs").glob("*.md")])
BY_HAND = [page for page in PAGES if page.name not in {"configuration.md", "migrate.md"}]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
each_by_hand = pytest.mark.parametrize("page", BY_HAND, ids=lambda page: page.name)


def parted(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The prose of a page, and its blocks of code: the language and the lines of each."""
    prose: list[str] = []
    blocks: list[tuple[str, str]] = []
    inside: list[str] | None = None
    language = ""
    for line in text.splitlines():
        if line.strip().startswith("```"):
            if inside is None:
                inside, language = [], line.strip().removeprefix("```")
            else:
                blocks.append((language, "\n".join(inside)))
                inside = None
        elif inside is None:
            prose.append(line)
        else:
            inside.append(line)
    assert inside is None, "a block without an end"
    return "\n".join(prose), blocks


def without_code(text: str) -> str:
    return parted(text)[0]


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text()), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return set(plain)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_each_page_is_reached_from_the_readme() -> None:
    """By links alone: a page that nobody finds is none."""
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        seen.add(page)
        found = re.findall(r"\]\(([\w./-]+\.md)(?:#[\w-]+)?\)", page.read_text())
        waiting += [near for link in found if (near := (page.parent / link).resolve()) not in seen]
    assert set(PAGES) <= seen


# --- names ---

#: Of the environment around the worker: of the platform, of vLLM, of the hub's client, of make.
AROUND = set(
    """
    ENDPOINT RUNPOD_API_KEY RUNPOD_ENDPOINT_ID RUNPOD_POD_ID RUNPOD_WEBHOOK_GET_JOB
    RUNPOD_INIT_TIMEOUT RUNPOD_MIN_MEMORY_GB RUNPOD_MIN_DISK_PERCENT RUNPOD_SKIP_GPU_CHECK
    RUNPOD_SECRET_hf_token RUNPOD_SKIP_AUTO_SYSTEM_CHECKS HF_HOME HF_HUB_CACHE HF_HUB_OFFLINE
    TRITON_CACHE_DIR FLASHINFER_WORKSPACE_BASE ARGS ENGINE
    PYTHON IMAGE CI SIGTERM SIGKILL SIGINT SIGCONT STARTING READY RESTARTING DRAINING STOPPED FAILED
    IN_QUEUE DOCUMENTED TABLE CASES DEFAULT_VLLM STOPSIGNAL PATH NAME NAME=VALUE
    HTTP_PROXY HTTPS_PROXY NO_PROXY
    GLOO_SOCKET_IFNAME NCCL_SOCKET_IFNAME
    OTEL_EXPORTER_OTLP_ENDPOINT OTEL_EXPORTER_OTLP_TRACES_ENDPOINT OTEL_EXPORTER_OTLP_HEADERS
    OTEL_EXPORTER_OTLP_TIMEOUT OTEL_EXPORTER_OTLP_PROTOCOL OTEL_EXPORTER_OTLP_COMPRESSION
    OTEL_SERVICE_NAME OTEL_TRACES_EXPORTER OTEL_METRICS_EXPORTER OTEL_EXPORTER_OTLP_METRICS_ENDPOINT
    RUNPOD_AI_API_KEY CONTROL_TOKEN CAP_SYS_PTRACE CAP_PERFMON CAP_SYS_ADMIN CAP_BPF PR_SET_DUMPABLE
    """.split()
)


@each_by_hand
def test_each_name_in_capitals_is_one(page: Path) -> None:
    """A setting, a name of some version's, an old one, a build argument, or one of AROUND."""
    catalogs = [catalog(version) for version in versions.known()]
    options = {name for each in catalogs for name in each.by_variable}
    of_vllm = {name for each in catalogs for name in each.environment}
    known_names = {
        *options, *of_vllm, *WORKER_VARIABLES, *legacy.names(), *translate.GUARDED,
        *image.ARGUMENTS, *AROUND, *older.TWO_OWN, *run.CPU_DEFAULTS,
        "WORKER_VERSION", *checks.OF_SDK, *(other for row in TABLE for other in row.also),
    }  # fmt: skip
    named = set(re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`", page.read_text()))
    assert named - known_names == set()


#: Names that stand for any file.
_EXAMPLES = {
    "supervisor/catalog/known/vllm-VERSION.json",
    "supervisor/a/b.py",
    "tests/supervisor/a/test_b.py",
    "proxy/x/y.py",
    "tests/proxy/x/test_y.py",
}


@each_by_hand
def test_each_file_is_there(page: Path) -> None:
    """Of this repository: what is named with one of its folders in front."""
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    for name in re.findall(r"`([\w.-]+/[\w./-]+?)/?`", page.read_text()):
        if name.partition("/")[0] in folders and name not in _EXAMPLES:
            assert (ROOT / name).exists(), name


@each_by_hand
def test_each_module_is_there(page: Path) -> None:
    for name in re.findall(r"python3? -m (tools\.[\w.]+|tests\.[\w.]+|bench)\b", page.read_text()):
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), name


def test_the_kinds_of_troubleshooting_are_those_of_the_log() -> None:
    """And what it quotes is what the log says of them."""
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    causes: dict[str, list[str]] = {}
    for rule in rules.RULES:
        causes.setdefault(rule.kind, []).append(
            rule.cause.replace("{subject}", "the model {model}")
        )
    rows = re.findall(r"^\| \"([^\"]+)\" \(`([\w-]+)`", text, re.MULTILINE)
    assert len(rows) > 10
    for quoted, kind in rows:
        parts = [part.strip() for part in re.split(r"\.\.\.|\bN\b", quoted) if part.strip()]
        assert any(all(part in cause for part in parts) for cause in causes[kind]), (quoted, kind)


def test_the_tool_parsers_that_it_names_are_there() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    (row,) = re.findall(r"^\| tool calls come as text \|.*$", text, re.MULTILINE)
    named = set(re.findall(r"`([a-z0-9_]+)`", row))
    assert len(named) > 2
    assert named <= set(catalog(known.DEFAULT).by_variable["TOOL_CALL_PARSER"][0].names)


@pytest.mark.parametrize("name", ["operations", "troubleshooting"])
def test_the_exit_codes_are_those_of_the_worker(name: str) -> None:
    text = (ROOT / "docs" / f"{name}.md").read_text()
    (table,) = re.findall(r"^\| (?:exit )?code \|.*?\n\|---.*?\n((?:\|.*\n)+)", text, re.MULTILINE)
    told = re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
    codes = {int(code) for cell in told for code in cell.split(",")}
    assert codes == {int(code) for code in ExitCode}


def test_the_routes_are_those_that_are_offered() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    section = text.partition("### Routes\n")[2].partition("\n### ")[0]
    offered = section.partition("Offered are")[2].partition("Administration")[0]
    named = set(re.findall(r"`(/[\w./]+)`", offered)) - {
        "/v1/models/NAME",
        "/v1/responses/resp_...",
    }
    assert named == set(OFFERED)


def test_what_is_open_is_what_each_mode_listens_on() -> None:
    text = (ROOT / "docs" / "security.md").read_text().partition("## What is open")[2]
    rows = re.findall(
        r"^\| ([a-z-]+) \| ([\d.]+):(\d+) \|.*\| (vLLM|control): ", text, re.MULTILINE
    )
    told = {(mode, who): (host, int(port)) for mode, host, port, who in rows}
    assert len(told) == len(rows) == 2 * len(Mode)
    for mode in Mode:
        values = plan.make({"WORKER_MODE": mode}, None).settings
        assert told[mode, "vLLM"] == (values.engine_host, values.engine_port)
        outside = "0.0.0.0" if mode is Mode.LOAD_BALANCER else values.control_host  # noqa: S104
        assert told[mode, "control"] == (outside, values.control_port)


def test_the_errors_are_those_of_jobs() -> None:
    """Each status with its type, but for those of the engine's own."""
    text = (ROOT / "docs" / "api.md").read_text().partition("| code | type | when |")[2]
    told = set(re.findall(r"^\| (\d+) \| `(\w+)` \|", text.partition("\n\n")[0], re.MULTILINE))
    ours = {(str(kind.status), kind.type) for kind in _leaves(errors.JobError)}
    assert told - {("404", "NotFoundError")} == ours


def _leaves(kind: type[errors.JobError]) -> set[type[errors.JobError]]:
    below = {each for sub in kind.__subclasses__() for each in {sub, *_leaves(sub)}}
    return {each for each in below if not issubclass(each, errors.EngineRefused)} | {kind}


def test_the_parameters_that_are_gone_are_those_that_are_refused() -> None:
    text = (ROOT / "docs" / "api.md").read_text().partition("| parameter | now |")[2]
    rows = re.findall(r"^\| (.*?) \|", text.partition("\n\n")[0], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)} - {"n"}
    assert named == set(dropped._PARAMETERS)


def test_what_explain_says_in_json_is_told() -> None:
    """Its fields, each with theirs."""
    env = {
        "MODEL_NAME": "m",
        "LOG_LEVEL": "x",
        "SWAP_SPACE": "8",
        "MAX_MODEL_LEN": "x",
        "HF_TOKEN": "y",
    }
    shown = explain.as_json(plan.make(env, catalog(known.DEFAULT)))
    text = (ROOT / "docs" / "operations.md").read_text()
    told = text.partition("`explain --json`:")[2].split("```")[1]
    assert set(shown) <= set(re.findall(r'"(\w+)"', told))
    for name in ("settings", "ignored", "warnings", "errors"):
        (each,) = re.findall(rf'"{name}": \[\{{(.*?)\}}\]', told)
        assert set(shown[name][0]) == set(re.findall(r'"(\w+)"', each)), name


def test_the_status_is_told() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    told = text.partition("`GET /status`: `{")[2].partition("}`")[0]
    assert re.findall(r'"(\w+)"', told) == [field.name for field in fields(Standing)]


def test_the_states_are_told() -> None:
    text = (ROOT / "docs" / "operations.md").read_text().partition("## States")[2]
    assert set(re.findall(r"^\| ([A-Z]+) \|", text, re.MULTILINE)) == {
        phase.value for phase in Phase
    }


def test_the_metrics_are_those_of_the_worker() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    assert f"\n\n{names.table()}\n" in text, "make docs writes it"


# --- commands ---


def commands(page: Path) -> list[str]:
    """Each command of the page's shell blocks, continued lines put together."""
    lines = []
    for language, block in parted(page.read_text())[1]:
        if language not in {"", "sh"}:
            continue
        for line in block.replace("\\\n", " ").splitlines():
            plain = re.sub(r"\s+#.*$", "", line).strip()
            known_here = re.match(r"(?:[A-Z_]+=\S+ )*[\w./-]*(?:\s|$)", plain)
            if (
                plain
                and known_here
                and (language == "sh" or plain.startswith(("make ", "docker ")))
            ):
                lines.append(plain)
    return lines


ALL = [(page.name, line) for page in PAGES for line in commands(page)]
TARGETS = set(re.findall(r"^([a-z-]+)(?:[ a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_there_are_commands_to_look_at() -> None:
    assert len(ALL) > 30
    assert {"CONTRIBUTING.md", "README.md", "deploy.md", "image.md"} < {page for page, _ in ALL}
    assert len(BUILDS) > 3
    assert len(BENCHES) > 3
    assert len(explained()) > 1


@each_page
def test_each_target_of_make_is_one(page: Path) -> None:
    text = page.read_text()
    for named in re.findall(r"(?:`|^|&& )make ((?:[a-z-]+ ?)+)", text, re.MULTILINE):
        for target in named.split():
            assert target in TARGETS, target


BUILDS = [line for _, line in ALL if re.search(r"\bmake image\b", line)]


@pytest.mark.parametrize("line", BUILDS)
def test_each_image_can_be_asked_for(line: str) -> None:
    """By the names that `make image` reads, with a version that is known and its CUDA."""
    given = dict(re.findall(r"([A-Z_]+)=(\S+)", line))
    assert set(given) <= {*image.ARGUMENTS, "IMAGE", "HF_TOKEN"}
    name, arguments = image.wanted(given, "")
    assert arguments["VLLM_VERSION"] in known.CUDA
    assert name == given.get("IMAGE", name)


def test_each_build_argument_is_the_dockerfiles() -> None:
    there = set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"--build-arg (\w+)=", page.read_text())) <= there
    table = (ROOT / "docs" / "image.md").read_text().partition("## Build arguments")[2]
    rows = re.findall(
        r"^\| (`.*?`) \|", table.partition("\n\n")[2].partition("\n\n")[0], re.MULTILINE
    )
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == there


BENCHES = [
    (page, match[1]) for page, line in ALL if (match := re.match(r"make bench ARGS=(.*)", line))
]


@pytest.mark.parametrize(("page", "words"), BENCHES)
def test_each_bench_can_be_asked_for(page: str, words: str) -> None:
    assert page
    (text,) = shlex.split(words)
    asked = shlex.split(text.replace("FILE", str(ROOT / "bench" / "handler_file.py")))
    folder = str(ROOT)
    arguments.parse([word.replace("../other-checkout", folder) for word in asked])


def test_what_the_readme_asks_is_what_the_log_says_to_try() -> None:
    (line,) = [line for page, line in ALL if page == "README.md" and line.startswith("curl")]
    said = announce.how_to_use(8000, "demo").removeprefix("try: ")
    assert shlex.split(line) == shlex.split(said)


@pytest.mark.parametrize("line", [line for _, line in ALL if line.startswith("curl")])
def test_each_body_that_is_sent_is_json(line: str) -> None:
    words = shlex.split(line)
    if "-d" in words:
        assert json.loads(words[words.index("-d") + 1])


def ours() -> list[tuple[str, str]]:
    """The commands of the supervisor's own, by whichever name."""
    start = re.compile(
        r".*?(?:python -m supervisor|vllm-supervisor(?= [a-z])|entrypoint\.sh) ?(.*)"
    )
    found = []
    for name, line in ALL:
        if match := start.fullmatch(line):
            found.append((name, match[1]))
    found += [
        (name, f"explain {shlex.split(match[1])[0]}")
        for name, line in ALL
        if (match := re.fullmatch(r"make explain ARGS=(.*)", line))
    ]
    for page in PAGES:
        found += [
            (page.name, words)
            for words in re.findall(r"`python -m supervisor ([^`\[]*)[^`]*`", page.read_text())
        ]
    return found


@pytest.mark.parametrize(("page", "words"), ours())
def test_each_command_of_the_supervisor_is_taken(page: str, words: str) -> None:
    """By its parser; those with values in the place of a name are examples."""
    assert page
    program._parser("x").parse_args(shlex.split(words.replace("VERSION", known.DEFAULT)))


def explained() -> list[tuple[str, str]]:
    return [(page, words) for page, words in ours() if words.startswith("explain")]


@pytest.mark.parametrize(("page", "words"), explained())
def test_each_explain_runs(page: str, words: str, tmp_path: Path) -> None:
    """In a folder that has the file which it names, without an engine."""
    assert page
    asked = shlex.split(words.replace("VERSION", known.DEFAULT).replace("FILE", "endpoint.env"))
    for name in (".env", "endpoint.env"):
        (tmp_path / name).write_text("MODEL_NAME=Qwen/Qwen3-0.6B\nMAX_MODEL_LEN=8k\n")
    if "--vllm" not in asked:
        asked += ["--vllm", known.DEFAULT]
    done = subprocess.run(
        [sys.executable, "-m", "supervisor", *asked],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "MODEL_NAME": "Qwen/Qwen3-0.6B"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_each_setting_of_a_command_is_one() -> None:
    """`make run MAX_MODEL_LEN=2048`, `docker run -e MODEL_NAME=...`, `--build-arg ...`."""
    options = {*catalog(known.DEFAULT).by_variable, *WORKER_VARIABLES, *AROUND, *image.ARGUMENTS}
    for page, line in ALL:
        for name in re.findall(r"(?:^|[ '\"])([A-Z][A-Z0-9_]+)=", line):
            assert name in options | {"DEV"}, (page, line)


@pytest.mark.parametrize(
    "line", [line for _, line in ALL if line.startswith(("docker run", "docker exec"))]
)
def test_what_docker_runs_exists(line: str) -> None:
    """Paths inside the image, and commands behind its name."""
    for path in re.findall(r"/opt/vllm-supervisor/([\w./-]+)", line):
        assert path.startswith(".venv/") or (ROOT / path).exists(), path
    if match := re.search(r"vllmsupervisor/worker:\S+(?: ([a-z]+))?", line):
        assert match[1] in {None, *_commands(), "chown"} or "--entrypoint" in line


def _commands() -> set[str]:
    parser: Any = program._parser("x")
    (of_commands,) = [action for action in parser._actions if action.choices]
    return set(of_commands.choices)


def test_each_command_is_listed() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    assert set(re.findall(r"^\| `python -m supervisor (\w+)", text, re.MULTILINE)) == _commands()


# --- figures ---


def test_the_defaults_that_the_pages_tell() -> None:
    """Where a page writes a setting with its value in brackets: `DRAIN_TIMEOUT` (60 s)."""
    rows = {row.name: row for row in TABLE}
    found = 0
    for page in PAGES:
        told = re.findall(r"`(\w+)` \(`?([/\w.,]+?)`?(?: s)?\)", page.read_text())
        for name, value in told:
            if name in rows and (value[0] == "/" or value[0].isdigit()):
                assert rows[name].default_text == value.replace(",", ""), (page.name, name)
                found += 1
    assert found >= 9


def test_compose_has_settings_alone() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert set(compose["services"]["worker"]["environment"]) <= {
        *WORKER_VARIABLES, "HF_TOKEN", "VLLM_API_KEY",
    }  # fmt: skip
