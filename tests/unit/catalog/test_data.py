"""The data itself: whether the files of matrix/data/ and the tables of the catalog fit together."""

from __future__ import annotations

import re

import pytest

from matrix.base import paths
from matrix.catalog import entries, locks
from matrix.catalog.approaches import ADDITIONS
from matrix.catalog.releases import Release
from matrix.suite import catalog as suite
from matrix.update import refresh, resolve

RELEASES = entries.load_entries(paths.DATA / "releases.toml", "release", Release, key="version")
ON_CPU = [release for release in RELEASES if "cpu" in release.wheels]
SDISTS = resolve.load_sdists()
OPTION = r"--only-binary=:all:|--no-binary=(?P<source>[a-z0-9-]+)"
PIN = r"(?P<name>[a-z0-9]+(?:-[a-z0-9]+)*)==(?P<version>[0-9][0-9a-z.+]*) --hash=sha256:[0-9a-f]{64}"


def lines(text):
    found = [re.fullmatch(f"{OPTION}|{PIN}", line) for line in text.splitlines()]
    assert all(found), "a line is neither an option nor a pin with its hash"
    return found


def pins(text):
    named = [(match["name"], match["version"]) for match in lines(text) if match["name"]]
    assert len(named) == len(dict(named)), "a package is pinned twice"
    return dict(named)


def sources(text):
    return {match["source"] for match in lines(text) if match["source"]}


def lock_of(release):
    return (paths.LOCKS / f"{release.target('cpu').id}.txt").read_text()


def test_releases_are_written_as_they_are_read():
    assert refresh.dump(RELEASES) == (paths.DATA / "releases.toml").read_text()


def test_what_is_added_to_an_approach_belongs_to_one_of_the_suites():
    assert set(ADDITIONS) <= set(suite.APPROACHES)


def test_every_minor_release_is_there():
    minors = {tuple(map(int, release.version.split(".")[:2])) for release in RELEASES}
    assert {(1, minor) for minor in range(16)} | {(2, minor) for minor in range(22)} <= minors


def test_every_cpu_target_has_a_lock_and_every_lock_a_target():
    wanted = {locks.path(target) for release in RELEASES for target in refresh.targets(release)}
    assert set(paths.LOCKS.glob("tf*.txt")) == wanted
    assert {locks.path(release.target("cpu")) for release in ON_CPU} <= wanted


def test_every_peer_has_a_lock_and_every_lock_a_peer():
    peers = {file.stem.removesuffix("_peer") for file in (paths.SUITE / "speed" / "peers").glob("*_peer.py")}
    assert {f"peer-{peer}-py311-cpu.txt" for peer in peers} == {file.name for file in paths.LOCKS.glob("peer-*")}


@pytest.mark.parametrize("release", ON_CPU, ids=lambda release: release.version)
def test_a_lock_pins_its_release_and_the_harness_by_wheels_but_for_named_sources(release):
    lock = lock_of(release)
    name, _, version = release.wheels["cpu"].requirement.partition("==")
    assert pins(lock)[name] == version
    assert {"numpy", *resolve.HARNESS} <= set(pins(lock))
    assert lock.startswith("--only-binary=:all:\n")
    assert sources(lock) <= {sdist.name for sdist in SDISTS if sdist.holds_for(release.version)}
    assert sources(lock) <= set(pins(lock))


def test_what_is_left_out_without_a_gpu_are_nvidias_libraries_and_all_of_them():
    locked = {name for lock in paths.LOCKS.glob("*-cuda.txt") for name in pins(lock.read_text())}
    names = (paths.LOCKS / "left-out" / "cuda.txt").read_text().split()
    assert names == sorted(name for name in locked if name.startswith("nvidia-"))


@pytest.mark.parametrize("sdist", SDISTS, ids=lambda sdist: sdist.name)
def test_a_source_distribution_is_named_only_while_a_lock_builds_it(sdist):
    assert any(sdist.name in sources(lock_of(release)) for release in ON_CPU)


def test_what_sources_are_built_with_is_pinned_for_each_python_that_builds():
    building = {release.wheels["cpu"].python for release in ON_CPU if sources(lock_of(release))}
    files = {file.stem: pins(file.read_text()) for file in (paths.LOCKS / "build").iterdir()}
    assert set(files) == {f"py{python.replace('.', '')}" for python in building}
    assert all(set(resolve.BUILD_TOOLS) <= set(pinned) for pinned in files.values())


def test_the_landmarks_are_few_and_each_has_its_reason():
    reasons = [release.landmark for release in RELEASES if release.landmark]
    assert 8 <= len(reasons) <= 12
    assert len(set(reasons)) == len(reasons)


@pytest.mark.parametrize("file", ["releases.toml", "sdists.toml"])
def test_no_index_is_named(file):
    assert "://" not in (paths.DATA / file).read_text()
