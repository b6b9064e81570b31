from __future__ import annotations

import pytest

from matrix.base.errors import BadData
from matrix.catalog import releases
from matrix.catalog.entries import load_entries
from matrix.catalog.releases import Profile, Release

GOOD = """
[[release]]
version = "2.8.4"
date = 2022-11-18

[release.wheels.cpu]
requirement = "tensorflow-cpu==2.8.4"
python = "3.10"
"""


def load(tmp_path, text):
    file = tmp_path / "releases.toml"
    file.write_text(text)
    return load_entries(file, "release", Release, key="version")


def test_a_good_file(tmp_path):
    (release,) = load(tmp_path, GOOD)
    assert release.target("cpu").id == "tf2.8.4-py310-cpu"


def test_every_fault_is_told_at_once_with_its_line_and_mend(tmp_path):
    bad = GOOD + '[[release]]\nversion = "2.x"\nlandmrk = "typo"\n' + GOOD
    with pytest.raises(BadData) as told:
        load(tmp_path, bad)
    text = str(told.value)
    assert sorted(int(line.split(":")[1]) for line in text.splitlines()) == [9, 9, 10, 11, 14]
    assert "unknown key 'landmrk'; known are version, date, wheels, landmark" in text
    assert "date is missing; add it" in text
    assert "wheels is missing; add it" in text
    assert "matching regex" in text
    assert "version '2.8.4' is there twice; remove one" in text


def test_a_fault_names_the_line_of_its_key(tmp_path):
    with pytest.raises(BadData, match=r"releases\.toml:4: date: Invalid"):
        load(tmp_path, GOOD.replace("2022-11-18", '"soon"'))


@pytest.mark.parametrize(
    ("text", "told"),
    [("release = 3", "holds \\[\\[release\\]\\] entries"), ("[[relese]]", "remove relese"), ("[[", "is not TOML")],
)
def test_a_file_that_is_no_catalog(tmp_path, text, told):
    with pytest.raises(BadData, match=told):
        load(tmp_path, text)


def test_a_missing_file_says_how_to_get_it_back(tmp_path):
    with pytest.raises(BadData, match=r"releases\.toml") as told:
        load_entries(tmp_path / "releases.toml", "release", Release, key="version")
    assert "git checkout" in told.value.cure


def test_a_profile_holds_for_a_range_of_releases_and_for_backends():
    profile = Profile(name="onednn-on", environment={}, backends=["cpu"], why="w", releases=">=2.5")
    assert profile.holds_for("2.5.3", "cpu")
    assert profile.holds_for("2.22.0rc0", "cpu")
    assert not profile.holds_for("2.4.4", "cpu")
    assert not profile.holds_for("2.5.3", "cuda")


def test_the_catalog_itself_is_good():
    data = releases.load()
    assert data.release("2.8.4").wheels["cpu"].python == "3.10"
    assert data.profile("onednn-off").environment == {"TF_ENABLE_ONEDNN_OPTS": "0"}
