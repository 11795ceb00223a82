"""The list of hosts reaches the engine and the proxy, and redirects do not leave it."""

from __future__ import annotations

import pytest

from supervisor.catalog import Catalog
from supervisor.command import plan
from supervisor.command.doors import media
from supervisor.command.doors.media import Media
from supervisor.command.plan import Plan
from supervisor.models.placement import OnDisk
from tests.supervisor.command.test_translate import catalog

HOSTS = "CDN.example.com, example.com"
TODAY = catalog("0.32.0")
BEFORE = catalog("0.10.2")  # without the option


def made(of: Catalog | None = TODAY, disk: OnDisk | None = None, **env: str) -> Plan:
    whole = {"MODEL_NAME": "org/model", "WORKER_MODE": "queue", **env}
    return plan.make(whole, of, disk or OnDisk())


@pytest.mark.parametrize(
    "written", [HOSTS, '["CDN.example.com", "example.com"]', "cdn.example.com example.com"]
)
def test_it_becomes_the_option(written: str) -> None:
    found = made(ALLOWED_MEDIA_DOMAINS=written)
    argument = found.options.last(media.DOMAINS)
    assert argument is not None
    assert argument.values == ("cdn.example.com", "example.com")
    assert found.engine_env[media.REDIRECTS] == "0"
    assert found.media == Media(("cdn.example.com", "example.com"))
    assert not found.findings.warnings
    (row,) = [row for row in found.findings.applied if row.env == "ALLOWED_MEDIA_DOMAINS"]
    assert row.flag == media.DOMAINS


def test_without_it_nothing_changes() -> None:
    found = made()
    assert found.options.last(media.DOMAINS) is None
    assert media.REDIRECTS not in found.engine_env
    assert found.media.variables == {"ALLOWED_MEDIA_DOMAINS": "", "ALLOWED_LOCAL_MEDIA_PATH": ""}


def test_who_wants_redirects_has_them() -> None:
    found = made(ALLOWED_MEDIA_DOMAINS=HOSTS, VLLM_MEDIA_URL_ALLOW_REDIRECTS="1")
    assert media.REDIRECTS not in found.engine_env


def test_a_version_without_the_option() -> None:
    """In queue mode the proxy judges; elsewhere nobody does."""
    found = made(BEFORE, ALLOWED_MEDIA_DOMAINS=HOSTS)
    assert found.options.last(media.DOMAINS) is None
    assert not found.findings.warnings
    assert found.media.domains == ("cdn.example.com", "example.com")
    (remark,) = made(BEFORE, WORKER_MODE="plain", ALLOWED_MEDIA_DOMAINS=HOSTS).findings.warnings
    assert remark.message.startswith("ALLOWED_MEDIA_DOMAINS has no effect: vLLM 0.10.2")


def test_an_engine_that_cannot_be_asked() -> None:
    found = made(None, ALLOWED_MEDIA_DOMAINS=HOSTS)
    assert found.media.domains == ("cdn.example.com", "example.com")
    assert media.REDIRECTS not in found.engine_env


def test_what_wins_over_it_counts_for_the_proxy_too() -> None:
    found = made(
        ALLOWED_MEDIA_DOMAINS=HOSTS, VLLM_EXTRA_ARGS="--allowed-media-domains Other.example *"
    )
    assert found.media.domains == ("other.example",)
    assert found.engine_env[media.REDIRECTS] == "0"


def test_a_list_in_the_engines_own_file_keeps_redirects_off() -> None:
    in_file = OnDisk(configured=frozenset({"allowed-media-domains", "allowed-local-media-path"}))
    found = made(TODAY, in_file)
    assert found.engine_env[media.REDIRECTS] == "0"
    assert found.media == Media((), "/")


@pytest.mark.parametrize(
    "env",
    [
        {"ALLOWED_LOCAL_MEDIA_PATH": "/media"},
        {"VLLM_EXTRA_ARGS": "--allowed-local-media-path /media"},
    ],
)
def test_a_folder_of_files(env: dict[str, str]) -> None:
    assert made(TODAY, None, **env).media.variables["ALLOWED_LOCAL_MEDIA_PATH"] == "/media"


@pytest.mark.parametrize("written", ["https://example.com", "*.example.com", "a.example/x", "[]"])
def test_what_is_no_list_of_hosts_is_refused(written: str) -> None:
    (fault,) = made(ALLOWED_MEDIA_DOMAINS=written).findings.errors
    assert "is no list of host names such as" in fault.message
