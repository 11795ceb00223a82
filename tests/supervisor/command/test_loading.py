"""Who reads a model's weights before they are asked for."""

from __future__ import annotations

import pytest

from supervisor.catalog import versions
from supervisor.command import plan
from supervisor.command.loading import STRATEGY, ReadAhead
from supervisor.command.plan import Plan
from supervisor.models.placement import Download, Name, OnDisk, Stored

HERE = "/models/m"
FUSE = Stored(HERE, "fuse.juicefs", fits_cache=True)
LOCAL = Stored(HERE, "ext4")
WITH_PREFETCH = ("0.27.1", "0.32.0", "0.33.0")


def made(stored: Stored | None, version: str = "0.32.0", configured: str = "", **env: str) -> Plan:
    disk = OnDisk(stored=stored, configured=frozenset(configured.split()))
    return plan.make({"MODEL_NAME": HERE, **env}, versions.load(version), disk)


@pytest.mark.parametrize("version", versions.known())
def test_the_worker_reads_what_is_on_a_disk(version: str) -> None:
    one = made(LOCAL, version)
    assert one.reading == ReadAhead(HERE, "auto")
    assert one.value(STRATEGY) is None


@pytest.mark.parametrize("version", versions.known())
def test_on_fuse_vllm_reads_as_well_where_it_can(version: str) -> None:
    """It begins when it has imported everything, and the worker before."""
    one = made(FUSE, version)
    assert one.reading == ReadAhead(HERE, "auto")
    rows = [row for row in one.findings.applied if row.flag == STRATEGY]
    if version in WITH_PREFETCH:
        assert f"{STRATEGY}=prefetch" in one.command
        (row,) = rows
        assert (row.env, row.value, row.source) == (
            "SAFETENSORS_LOAD_STRATEGY",
            "prefetch",
            "worker",
        )
        assert row.note == (
            "the model is on a file system of FUSE (fuse.juicefs): vLLM itself reads it ahead as"
            " well"
        )
    else:
        assert (one.value(STRATEGY), rows) == (None, [])


def test_nothing_is_read_that_is_not_here() -> None:
    assert made(None).reading is None
    disk = OnDisk("org/m", HERE, download=Download(Name("org/m", "sub"), "", "/d"))
    assert plan.make({"MODEL_NAME": "org/m/sub"}, versions.load("0.32.0"), disk).reading is None


def test_it_can_be_switched_off() -> None:
    assert made(LOCAL, READ_AHEAD="0").reading is None
    one = made(FUSE, READ_AHEAD="0")
    assert (one.reading, one.value(STRATEGY)) == (None, None)


@pytest.mark.parametrize(
    ("env", "value"),
    [
        ({"SAFETENSORS_LOAD_STRATEGY": "lazy"}, "lazy"),
        ({"SAFETENSORS_LOAD_STRATEGY": "eager"}, "eager"),
        ({"VLLM_EXTRA_ARGS": f"{STRATEGY}=eager"}, "eager"),
        ({"MODEL_LOADER_EXTRA_CONFIG": '{"enable_multithread_load": true}'}, None),
        (
            {"VLLM_EXTRA_ARGS": "--model-loader-extra-config.enable_multithread_load true"},
            None,
        ),
        ({"LOAD_FORMAT": "pt"}, None),
    ],
)
def test_a_user_who_has_chosen_is_obeyed(env: dict[str, str], value: str | None) -> None:
    one = made(FUSE, **env)
    assert one.value(STRATEGY) == value
    assert not [
        row for row in one.findings.applied if row.source == "worker" and row.flag == STRATEGY
    ]
    assert one.reading == ReadAhead(HERE, env.get("LOAD_FORMAT", "auto"))


def test_other_settings_of_the_loader_do_not_count() -> None:
    one = made(FUSE, MODEL_LOADER_EXTRA_CONFIG='{"enable_weights_track": true}')
    assert one.value(STRATEGY) == "prefetch"


@pytest.mark.parametrize("key", ["safetensors-load-strategy", "model-loader-extra-config"])
def test_so_is_a_configuration_file(key: str) -> None:
    one = made(FUSE, configured=key)
    assert (one.value(STRATEGY), one.reading) == (None, ReadAhead(HERE, "auto"))


@pytest.mark.parametrize("stored", [LOCAL, FUSE])
def test_a_user_who_lets_vllm_read_lets_the_worker_begin(stored: Stored) -> None:
    assert made(stored, SAFETENSORS_LOAD_STRATEGY="prefetch").reading == ReadAhead(HERE, "auto")


def test_weights_that_do_not_fit_or_are_others_are_left_to_the_worker() -> None:
    one = made(Stored(HERE, "fuse", fits_cache=False))
    assert (one.value(STRATEGY), one.reading) == (None, ReadAhead(HERE, "auto"))


@pytest.mark.parametrize("stored", [LOCAL, FUSE])
@pytest.mark.parametrize(
    "name",
    [
        "runai_streamer",
        "runai_streamer_sharded",
        "tensorizer",
        "fastsafetensors",
        "instanttensor",
        "ipc_cache",
        "modelexpress",
        "dummy",
    ],
)
def test_formats_that_read_past_the_page_cache(stored: Stored, name: str) -> None:
    one = made(stored, LOAD_FORMAT=name)
    assert (one.reading, one.value(STRATEGY)) == (None, None)
    assert made(stored, VLLM_EXTRA_ARGS=f"--load-format {name}").reading is None


@pytest.mark.parametrize("version", ["0.6.2", "0.32.0"])
def test_every_format_of_a_version_is_known_for_what_it_is(version: str) -> None:
    """A new one would be a plugin's to us: it has to be looked at."""
    option = versions.load(version).option("--load-format")
    assert option is not None
    read = {
        name
        for name in (*option.names, *option.choices)
        if made(LOCAL, version, LOAD_FORMAT=str(name)).reading is not None
    }
    expected = {
        "0.6.2": {"auto", "pt", "safetensors", "sharded_state", "gguf", "bitsandbytes", "mistral"},
        "0.32.0": {"auto", "hf", "mistral", "pt", "safetensors", "sharded_state"},
    }
    assert read == expected[version]


@pytest.mark.parametrize("key", ["revision", "download-dir", "load-format"])
def test_a_file_may_say_that_another_model_is_read(key: str) -> None:
    assert made(LOCAL, configured=key).reading is None


@pytest.mark.parametrize("flag", ["--revision", "--download-dir"])
def test_so_may_extra_arguments(flag: str) -> None:
    assert made(LOCAL, VLLM_EXTRA_ARGS=f"{flag}=/x").reading is None
