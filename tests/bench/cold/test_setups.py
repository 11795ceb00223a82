"""Where the model is, and that each place is as new as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cold.setups import HUB, LOCAL, REPOSITORY, SECOND, VOLUME, Setups
from bench.cold.start import BARE, OURS
from tests import client
from tests.fuse import NoVolumeError
from tools.run import DEMO_MODEL


def test_a_folder_is_served_as_it_is(tmp_path: Path) -> None:
    with Setups(tmp_path).place(LOCAL, OURS) as place:
        assert place.model == str(DEMO_MODEL)
        assert place.env["HF_HUB_OFFLINE"] == "1"


def test_each_start_from_the_hub_has_an_empty_home_and_the_second_start_the_last(
    tmp_path: Path,
) -> None:
    setups = Setups(tmp_path)
    assert not setups.is_filled(OURS)
    homes = []
    for _ in range(2):
        with setups.place(HUB, OURS) as place:
            assert place.model == REPOSITORY
            assert client.answers(f"{place.env['HF_ENDPOINT']}/api/models/{REPOSITORY}")
            homes.append(Path(place.env["HOME"]))
            assert not any(homes[-1].iterdir())
            (homes[-1] / "file").touch()
    assert homes[0] != homes[1]
    assert setups.is_filled(OURS)
    assert not setups.is_filled(BARE)
    with setups.place(SECOND, OURS) as place:
        assert Path(place.env["HOME"]) == homes[1]


def test_a_volume_is_new_for_each_start(tmp_path: Path) -> None:
    setups = Setups(tmp_path)
    try:
        for _ in range(2):
            with setups.place(VOLUME, OURS) as place:
                folder = Path(place.model)
                assert (folder / "config.json").read_bytes() == (
                    DEMO_MODEL / "config.json"
                ).read_bytes()
            assert not any(folder.iterdir())
    except NoVolumeError as reason:
        pytest.skip(str(reason))
