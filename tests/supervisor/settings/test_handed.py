"""The proxy gets what it reads, the engine's interpreter no key of the platform's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import runpod

from supervisor.settings import handed, table
from supervisor.settings.table import Reader

#: What the SDK reads where it is no worker on the platform: a client, a session of a tool, uploads.
NOT_OURS = {
    *("BUCKET_ENDPOINT_URL", "BUCKET_ACCESS_KEY_ID", "BUCKET_SECRET_ACCESS_KEY"),
    "UVICORN_LOG_LEVEL",
}


def test_the_proxy_gets_every_setting_that_it_reads() -> None:
    read = {row.name for row in table.TABLE if row.reader in {Reader.PROXY, Reader.BOTH}}
    assert set(handed.to_proxy(dict.fromkeys(read, "1"))) == read


def test_the_proxy_gets_every_variable_that_the_sdk_reads() -> None:
    source = Path(str(runpod.__file__)).parent / "serverless"
    text = "\n".join(path.read_text() for path in source.rglob("*.py"))
    read = set(re.findall(r"(?:environ\.get|getenv)\(\s*[\"'](\w+)", text)) - NOT_OURS
    assert len(read) > 20
    assert set(handed.to_proxy(dict.fromkeys(read, "1"))) == read


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOME", "TMPDIR", "http_proxy", "HTTPS_PROXY", "no_proxy", "SSL_CERT_FILE"),
        *("REQUESTS_CA_BUNDLE", "VLLM_API_KEY", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONUNBUFFERED"),
        *("NVIDIA_VISIBLE_DEVICES", "RUNPOD_AI_API_KEY", "RUNPOD_WEBHOOK_PING", "ALL_PROXY"),
    ],
)
def test_the_proxy_gets(name: str) -> None:
    assert handed.to_proxy({name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "WANDB_API_KEY", "MODEL_NAME", "DB_PASSWORD"]
)
def test_the_proxy_does_not_get(name: str) -> None:
    assert handed.to_proxy({name: "x"}) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RUNPOD_API_KEY", "x"),
        ("RUNPOD_AI_API_KEY", "x"),
        ("RUNPOD_WEBHOOK_GET_JOB", "https://host/x"),
        ("RUNPOD_WEBHOOK_ANY", "https://host/x"),
        ("RUNPOD_SECRET_db", "x"),
        ("RUNPOD_ADDRESS", "https://host/x?token=abc"),
        ("CONTROL_TOKEN", "x"),
        ("CLUSTER_TOKEN", "x"),
        ("JUPYTER_PASSWORD", "x"),
    ],
)
def test_the_interpreter_does_not_get(name: str, value: str) -> None:
    assert handed.to_interpreter({name: value}) == {}


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "RUNPOD_POD_ID", "RUNPOD_GPU_COUNT", "PATH", "AWS_SECRET_ACCESS_KEY"]
)
def test_the_interpreter_gets(name: str) -> None:
    assert handed.to_interpreter({name: "x"}) == {name: "x"}
