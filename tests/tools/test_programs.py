"""Programs for tests: had where they can be, named in one sentence where not."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest

from tests.tools.test_container import program
from tools import programs
from tools.errors import SetupError
from tools.progress import Progress

#: What `apt-get download` does, and what the archive is then: a folder.
DOWNLOADS = """
echo "$@" >> "$CALLS"
[ "$1" = download ] || exit 0
[ -e "$LISTS" ] || { touch "$LISTS"; exit 100; }
/usr/bin/touch thing.deb
"""
UNPACKS = """
[ "$1 ${2##*/}" = "-x thing.deb" ] || exit 2
/bin/mkdir -p "$3/usr/bin"
for name in prometheus promtool; do
    printf "#!/bin/sh\n" > "$3/usr/bin/$name"
    /bin/chmod 755 "$3/usr/bin/$name"
done
"""


@pytest.fixture(autouse=True)
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, root, and a cache of its own."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("LISTS", str(tmp_path / "lists"))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(programs, "SYSTEM_PATH", "")
    program(tmp_path / "bin", "touch", 'exec /usr/bin/touch "$@"')
    return tmp_path / "bin"


def got() -> str:
    out = io.StringIO()
    programs.get(programs.PROGRAMS, lambda total: Progress(total, out))
    return out.getvalue()


def test_nothing_is_said_or_made_where_all_is_there(bin_folder: Path, tmp_path: Path) -> None:
    for name in ("prometheus", "promtool", "google-chrome", "ip"):
        program(bin_folder, name, "exit 0")
    assert got() == ""
    assert not (tmp_path / "cache").exists()


def test_prometheus_is_unpacked_and_not_installed(bin_folder: Path, tmp_path: Path) -> None:
    """So that no service of its package holds port 9090; in a container without lists, too."""
    program(bin_folder, "apt-get", DOWNLOADS)
    program(bin_folder, "dpkg-deb", UNPACKS)
    for name in ("chromium", "ip"):
        program(bin_folder, name, "exit 0")
    assert "[1/1] tests: getting Debian's prometheus" in got()
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == ["download prometheus", "update", "download prometheus"]
    promtool = programs.find("promtool")
    assert promtool is not None
    assert promtool.startswith(str(tmp_path / "cache"))
    assert list((tmp_path / "cache").rglob("*.deb")) == []
    assert got() == ""


def test_chromium_is_installed(bin_folder: Path, tmp_path: Path) -> None:
    for name in ("prometheus", "promtool", "ip"):
        program(bin_folder, name, "exit 0")
    program(bin_folder, "apt-get", f'echo "$@" > "$CALLS"; cd {bin_folder}; '
            "echo > chromium; /bin/chmod 755 chromium")  # fmt: skip
    got()
    told = (tmp_path / "calls").read_text()
    assert told == "install -y --no-install-recommends chromium\n"
    assert programs.browser() == str(bin_folder / "chromium")
    assert got() == ""


def test_ip_is_found_where_administrators_have_it(
    bin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian keeps it off the PATH of users; else its package is installed."""
    for name in ("prometheus", "promtool", "chromium"):
        program(bin_folder, name, "exit 0")
    program(bin_folder, "apt-get", 'echo "$@" > "$CALLS"')
    got()
    told = (tmp_path / "calls").read_text()
    assert told == "install -y --no-install-recommends iproute2\n"
    program(tmp_path / "sbin", "ip", "exit 0")
    monkeypatch.setattr(programs, "SYSTEM_PATH", str(tmp_path / "sbin"))
    assert programs.ip() == str(tmp_path / "sbin" / "ip")
    assert got() == ""


def test_without_root_each_is_named_with_its_command(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apt without lists cannot download, and only root may fetch these."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    program(bin_folder, "apt-get", "exit 100")
    first, second, third = (line for line in got().splitlines() if line.startswith("note: "))
    told = "note: A test of the {} needs {}: run `sudo apt-get install -y {}`, then this again."
    assert first == told.format("alerts", "prometheus", "prometheus")
    assert second == told.format("page", "chromium", "chromium")
    assert third == told.format("cluster", "iproute2", "iproute2")


def test_on_another_system_each_is_named(bin_folder: Path) -> None:
    assert bin_folder.is_dir()
    notes = [line for line in got().splitlines() if line.startswith("note: ")]
    assert len(notes) == 3
    assert all("what Debian calls" in note for note in notes)


def test_what_is_missing_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SetupError, match="needs what Debian calls prometheus"):
        got()


def test_a_broken_download_leaves_nothing_that_counts(bin_folder: Path) -> None:
    program(bin_folder, "apt-get", DOWNLOADS)
    program(bin_folder, "dpkg-deb", "exit 2")
    for name in ("chromium", "ip"):
        program(bin_folder, name, "exit 0")
    assert "note: " in got()
    assert programs.find("promtool") is None
    program(bin_folder, "dpkg-deb", UNPACKS)
    assert "note: " not in got()
    assert programs.find("promtool") is not None


def test_make_test_asks_for_them_and_test_image_does_not() -> None:
    def commands(target: str) -> str:
        command = ["/usr/bin/make", "-n", target]
        env = {"PATH": "/usr/bin:/bin"}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

    assert "-m tools.programs && " in commands("test")
    assert "tools.programs" not in commands("test-image")
