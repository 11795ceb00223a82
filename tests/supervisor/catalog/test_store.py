"""The catalogue is made by the engine's interpreter, kept by version, and never in the way."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.catalog import Kind, options, store, versions
from supervisor.command import plan
from supervisor.command.translate import GUARDED
from supervisor.errors import CatalogError
from supervisor.secrets import is_secret
from tests.supervisor.command.legacy.old_names import OLD_NAMES
from tests.supervisor.command.test_translate import VERSIONS, catalog

KNOWN = versions.FOLDER / "vllm-0.32.0.json"


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_BESIDE", tmp_path / "beside")


class Engine:
    """An engine's command whose interpreter is a shell script: it says its version, and `body`."""

    def __init__(self, folder: Path, body: str, version: str = "9.9.9") -> None:
        self.folder, self.asked = folder, folder / "asked"
        python = folder / "python3"
        python.write_text(
            "#!/bin/sh\n"
            f'case "$*" in *foreign/version.py) echo {version}; exit;; esac\n'
            f"echo once >> {self.asked}\n{body}\n"
        )
        command = folder / "vllm"
        command.write_text(f"#!{python}\n")
        for file in (python, command):
            file.chmod(0o755)
        self.command = str(command)
        self.env = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(folder / "cache")}

    @property
    def times_asked(self) -> int:
        return len(self.asked.read_text().splitlines()) if self.asked.exists() else 0

    def find(self, *, anew: bool = False) -> tuple[options.Catalog, Path]:
        return store.find(self.command, self.env, lambda _line: None, anew=anew)


def test_made_once_and_kept_under_version_and_platform(tmp_path: Path) -> None:
    engine = Engine(tmp_path, f"cat {KNOWN}")
    first, path = engine.find()
    assert path.name == f"vllm-9.9.9-{platform.machine()}.json"
    assert json.loads(path.read_text()) == json.loads(KNOWN.read_text())
    assert engine.find() == (first, path)
    assert engine.times_asked == 1
    engine.find(anew=True)
    assert engine.times_asked == 2


def test_another_version_is_asked_again(tmp_path: Path) -> None:
    Engine(tmp_path, f"cat {KNOWN}").find()
    other = Engine(tmp_path, f"cat {KNOWN}", version="9.9.10")
    assert other.find()[1].name.startswith("vllm-9.9.10-")
    assert other.times_asked == 2


def test_without_a_version_nothing_kept_is_believed(tmp_path: Path) -> None:
    engine = Engine(tmp_path, f"cat {KNOWN}", version="''")
    engine.find()
    engine.find()
    assert engine.times_asked == 2


def test_a_damaged_one_is_made_again(tmp_path: Path) -> None:
    engine = Engine(tmp_path, f"cat {KNOWN}")
    path = engine.find()[1]
    path.write_text('{"schema": 1')
    assert len(engine.find()[0].options) == 316
    assert engine.times_asked == 2


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    engine = Engine(tmp_path, f"cat {KNOWN}")
    engine.env["XDG_CACHE_HOME"] = "/proc/nowhere"
    (tmp_path / "beside").write_text("a file in the way")
    assert len(engine.find()[0].options) == 316


def test_the_interpreters_last_lines_are_shown(tmp_path: Path) -> None:
    engine = Engine(tmp_path, "for n in 1 2 3 4 5 6 7 8; do echo line $n >&2; done; exit 3")
    with pytest.raises(CatalogError) as failed:
        engine.find()
    assert str(failed.value).splitlines()[-1] == "line 8"
    assert "line 3\n" not in str(failed.value)


def test_it_may_not_take_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_MAKING", 0.2)
    with pytest.raises(CatalogError, match="not read within"):
        Engine(tmp_path, "exec sleep 60").find()


def test_a_command_that_is_no_python_script(tmp_path: Path) -> None:
    script = tmp_path / "vllm"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    with pytest.raises(CatalogError, match="no Python script"):
        store.find(str(script), {"PATH": ""}, lambda _line: None)


def test_the_interpreter_sees_nothing_of_ours(tmp_path: Path) -> None:
    engine = Engine(tmp_path, f"env > {tmp_path}/env; pwd > {tmp_path}/pwd; cat {KNOWN}")
    engine.env |= {"PYTHONPATH": "/ours", "PYTHONHOME": sys.prefix, "HF_HOME": "/h"}
    engine.find()
    seen = (tmp_path / "env").read_text()
    assert "HF_HOME=/h" in seen
    assert re.findall(r"^PYTHON.*", seen, re.MULTILINE) == ["PYTHONHASHSEED=0"]
    assert (tmp_path / "pwd").read_text() == "/\n"


# --- where there is none: the options that all versions have in common ---


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_fallback_says_is_what_the_version_takes(version: str) -> None:
    """All plain old names at once: each token is one that this version's parser has."""
    env = {name: value for name, value in OLD_NAMES.items() if name != "MODEL_NAME"}
    found = plan.make({"MODEL_NAME": "m", **env}, store.common())
    assert not found.findings.errors
    assert found.vllm_version is None
    of = catalog(version)
    said = [token for token in found.command if token.startswith("--")]
    assert len(said) > 25
    for token in said:
        flag, equals, _value = token.partition("=")
        option = of.option(flag)
        assert option is not None
        bare = flag in option.on or option.kind in {Kind.LIST, Kind.BOOL_VALUE}
        assert bare is not bool(equals)


def test_the_fallback_names_what_it_cannot_pass_on() -> None:
    """Every old name is passed on or named, with the way to say it."""
    found = plan.make(OLD_NAMES, store.common())
    took = {setting.env for setting in found.findings.applied}
    warned = {w.env: w for w in found.findings.warnings if w.env != "TRUST_REMOTE_CODE"}
    hidden = {name for name in OLD_NAMES if name in GUARDED or is_secret(name)}
    assert set(OLD_NAMES) <= took | set(warned) | hidden
    assert not took & set(warned)
    assert {"MAX_MODEL_LEN", "CUSTOM_CHAT_TEMPLATE", "TOKENIZER_NAME", "DTYPE"} <= took
    assert {"SWAP_SPACE", "SPECULATIVE_MODEL", "DISABLE_LOG_REQUESTS"} <= set(warned)
    for name in set(warned) - {"WORKER_USE_RAY"}:  # which differs from another one that is set
        assert warned[name].suggestion == "set the option in VLLM_EXTRA_ARGS"


def test_an_off_that_cannot_be_said_is_named() -> None:
    env = {"MODEL_NAME": "m", "ENABLE_PREFIX_CACHING": "false", "MAX_MODEL_LEN": "4k"}
    found = plan.make(env, store.common())
    assert [warning.env for warning in found.findings.warnings] == ["ENABLE_PREFIX_CACHING"]
    assert "--max-model-len=4k" in found.command


def test_where_vllms_own_variables_are_not_known_those_of_any_version_count() -> None:
    known = store.with_elsewhere(versions.load("0.33.0"))
    assert "VLLM_LOGGING_LEVEL" in known.environment
    assert "VLLM_USE_V1" in known.environment_elsewhere - known.environment
    kept_before = store.with_elsewhere(replace(versions.load("0.33.0"), environment=frozenset()))
    assert kept_before.environment == known.environment | known.environment_elsewhere
    assert kept_before.environment_elsewhere == frozenset()
