"""Uses real answers of the index (November 2026), cut to a few releases, with relative addresses."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import msgspec
import pytest
from packaging.version import Version
from unit.package_index import serving

from matrix.base.errors import BadData, BadUsage, MachineError
from matrix.catalog.entries import load_entries
from matrix.catalog.releases import Release, Wheel
from matrix.update import package_index, refresh, resolve

ANSWERS = Path(__file__).parents[1] / "data" / "index"
BOTH = ("py313-cpu", "py314-cpu", "py313-cuda", "py314-cuda")
SETTINGS = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")

EXPECTED = """\
[[release]]
version = "1.0.1"
date = 2017-03-08
wheels.cpu = { requirement = "tensorflow==1.0.1", python = "3.6" }
wheels.cuda = { requirement = "tensorflow-gpu==1.0.1", python = "3.6" }

[[release]]
version = "1.15.5"
date = 2021-01-06
wheels.cpu = { requirement = "tensorflow==1.15.5", python = "3.7" }
wheels.cuda = { requirement = "tensorflow-gpu==1.15.5", python = "3.7" }
wheels.rocm = { requirement = "tensorflow-rocm==1.15.12", python = "3.7" }

[[release]]
version = "2.0.4"
date = 2021-01-06
wheels.cpu = { requirement = "tensorflow==2.0.4", python = "3.7" }
wheels.cuda = { requirement = "tensorflow-gpu==2.0.4", python = "3.7" }
wheels.rocm = { requirement = "tensorflow-rocm==2.0.0", python = "3.7" }

[[release]]
version = "2.9.3"
date = 2022-11-16
wheels.cpu = { requirement = "tensorflow-cpu==2.9.3", python = "3.10" }
wheels.cuda = { requirement = "tensorflow==2.9.3", python = "3.10" }
wheels.rocm = { requirement = "tensorflow-rocm==2.9.4", python = "3.10" }

[[release]]
version = "2.14.0"
date = 2023-11-14
wheels.rocm = { requirement = "tensorflow-rocm==2.14.0.600", python = "3.11" }

[[release]]
version = "2.14.1"
date = 2023-11-14
wheels.cpu = { requirement = "tensorflow-cpu==2.14.1", python = "3.11" }
wheels.cuda = { requirement = "tensorflow==2.14.1", python = "3.11" }

[[release]]
version = "2.21.0"
date = 2026-03-06
wheels.cpu = { requirement = "tensorflow-cpu==2.21.0", python = "3.13", arm = "3.13" }
wheels.cuda = { requirement = "tensorflow[and-cuda]==2.21.0", python = "3.13" }
landmark = "The \\"newest\\"."

[[release]]
version = "2.22.0rc0"
date = 2026-09-23
wheels.cpu = { requirement = "tensorflow-cpu==2.22.0rc0", python = "3.14", common = "3.13", arm = "3.14" }
wheels.cuda = { requirement = "tensorflow[and-cuda]==2.22.0rc0", python = "3.14", common = "3.13" }

[[release]]
version = "2.23.0.dev20261026"
date = 2026-10-26
wheels.cpu = { requirement = "tf-nightly==2.23.0.dev20261026", python = "3.14", common = "3.13", arm = "3.14" }
wheels.cuda = { requirement = "tf-nightly[and-cuda]==2.23.0.dev20261026", python = "3.14", common = "3.13" }
landmark = "What comes next."
"""
EARLIER = """
[[release]]
version = "2.21.0rc1"
date = 2026-02-20
wheels.cpu = { requirement = "tensorflow-cpu==2.21.0rc1", python = "3.13" }

[[release]]
version = "2.21.0"
date = 2026-03-06
wheels.cpu = { requirement = "tensorflow-cpu==2.21.0", python = "3.13" }
landmark = 'The "newest".'

[[release]]
version = "2.22.0.dev20260905"
date = 2026-09-05
wheels.cpu = { requirement = "tf-nightly-cpu==2.22.0.dev20260905", python = "3.14" }
landmark = "What comes next."
"""


def answer(project):
    return json.loads((ANSWERS / f"{project}.json").read_text())


def offers(project, change=lambda file: file):
    document = answer(project)
    document["files"] = [change(file) for file in document["files"]]
    return list(package_index.offers(msgspec.convert(document, package_index.Page)))


def all_offers(change=lambda file: file):
    return {project: offers(project, change) for project in refresh.PROJECTS}


def test_a_wheel_of_rocm_is_named_by_the_tensorflow_that_it_holds():
    date, cpu, rocm = datetime.date(2022, 9, 2), "tensorflow-cpu==2.7.4", "tensorflow-rocm=={}"
    for number, holds in (("2.7.4", "2.7.0"), ("2.7.1", None)):
        wheels = {
            "cpu": Wheel(requirement=cpu, python="3.9"),
            "rocm": Wheel(requirement=rocm.format(number), python="3.9"),
        }
        found = list(refresh.rocm_apart(Release(version="2.7.4", date=date, wheels=wheels)))
        expected = [(holds, ["rocm"]), ("2.7.4", ["cpu"])] if holds else [("2.7.4", ["cpu", "rocm"])]
        assert [(one.version, list(one.wheels)) for one in found] == expected
    known = [Release(version="2.7.3", date=date, wheels={"cpu": wheels["cpu"]}, landmark="It trains.")]
    alone = Release(version="2.7.0", date=date, wheels={"rocm": wheels["rocm"]})
    both = Release(version="2.7.4", date=date, wheels=wheels)
    assert [one.landmark for one in refresh.with_landmarks([alone, both], known)] == [None, "It trains."]


@pytest.fixture
def the_index(monkeypatch):
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    with serving(ANSWERS) as address:
        monkeypatch.setenv("UV_DEFAULT_INDEX", address)
        yield address


@pytest.fixture
def data(tmp_path):
    (tmp_path / "releases.toml").write_text(EARLIER)
    (tmp_path / "sdists.toml").write_text('[[sdist]]\nname = "gast"\nreleases = ["<2.2"]\nwhy = "No wheel."\n')
    return tmp_path


@pytest.fixture
def _no_resolver(monkeypatch):
    """Lock nothing: resolving has tests of its own."""

    def _lock_of(release, target, sdists):
        return f"lock of {release.version} on {target.backend} {target.architecture}\n"

    monkeypatch.setattr(resolve, "lock", _lock_of)
    monkeypatch.setattr(resolve, "build_tools", lambda python: f"build tools for {python}\n")


def test_offers_are_wheels_for_cpython_on_linux():
    found = {(str(offer.version), offer.python, offer.date.isoformat()) for offer in offers("tensorflow")}
    assert ("1.0.1", (3, 6), "2017-03-08") in found
    assert ("2.22.0rc0", (3, 14), "2026-09-22") in found
    windows = {"filename": "tensorflow-9.0-cp313-cp313-win_amd64.whl"}
    apple = {"filename": "tensorflow-9.0-cp313-cp313-macosx_12_0_arm64.whl"}
    threads = {"filename": "tensorflow-9.0-cp314-cp314t-manylinux_2_27_x86_64.whl"}
    source = {"filename": "tensorflow-9.0.tar.gz"}
    for other in (windows, apple, threads, source):
        assert offers("tensorflow", lambda file, other=other: file | other) == []
    arm = {"filename": "tensorflow-9.0-cp313-cp313-manylinux_2_27_aarch64.whl"}
    assert {offer.architecture for offer in offers("tensorflow", lambda file: file | arm)} == {"aarch64"}


def test_a_release_is_for_arm_where_the_index_has_its_wheel_for_a_python_of_debian():
    """Before 2.16 the wheels for Arm are another name for a build of AWS's."""
    releases = [release for release in refresh.from_index(all_offers()) if "cpu" in release.wheels]
    assert {one.version: one.wheels["cpu"].arm for one in releases if one.wheels["cpu"].arm} == {
        "2.21.0": "3.13", "2.22.0rc0": "3.14", "2.23.0.dev20261026": "3.14",
    }  # fmt: skip

    def without_arm(file):
        return file | {"filename": file["filename"].replace("aarch64", "riscv64")}

    wheels = [wheel for release in refresh.from_index(all_offers(without_arm)) for wheel in release.wheels.values()]
    assert not any(wheel.arm for wheel in wheels)


def test_a_yanked_wheel_is_not_on_offer():
    assert any(file["yanked"] for file in answer("tensorflow-rocm")["files"])
    assert Version("2.6.0.post1") not in {offer.version for offer in offers("tensorflow-rocm")}


def test_an_index_that_keeps_no_dates_is_refused_with_the_way_out():
    with pytest.raises(MachineError, match="does not say when tensorflow-") as told:
        offers("tensorflow", lambda file: {key: value for key, value in file.items() if key != "upload-time"})
    assert "PEP 700" in told.value.cure


def test_a_yanked_patch_gives_way_to_the_one_before():
    def yank(file):
        return file | {"yanked": "broken"} if "-1.0.1-" in file["filename"] else file

    assert refresh.from_index(all_offers(yank))[0].version == "1.0.0"


def test_a_pre_release_goes_when_its_release_comes():
    def released(file):
        return file | {"filename": file["filename"].replace("2.22.0rc0", "2.22.0")}

    versions = [release.version for release in refresh.from_index(all_offers(released))]
    assert versions[-2:] == ["2.22.0", "2.23.0.dev20261026"]
    assert not any("rc" in version for version in versions)


def test_a_landmark_stays_with_its_minor_release_through_patches(data):
    def patched(file):
        return file | {"filename": file["filename"].replace("2.21.0-", "2.21.1-")}

    known = load_entries(data / "releases.toml", "release", Release, key="version")
    marked = refresh.with_landmarks(refresh.from_index(all_offers(patched)), known)
    assert {release.version: release.landmark for release in marked if release.landmark} == {
        "2.21.1": 'The "newest".',
        "2.23.0.dev20261026": "What comes next.",
    }


@pytest.mark.usefixtures("the_index", "_no_resolver")
def test_update_writes_the_catalog_and_every_lock_and_with_no_news_the_same_bytes(data):
    idle = data / "locks" / "tf2.22.0.dev20260905-py314-cpu.txt"
    peer = idle.with_name("peer-torch-py311-cpu.txt")
    idle.parent.mkdir()
    idle.write_text("")
    peer.write_text("")
    said = []
    refresh.update(data=data, say=said.append)
    assert (data / "releases.toml").read_text() == f"{refresh.HEAD}\n{EXPECTED}"
    releases = load_entries(data / "releases.toml", "release", Release, key="version")
    targets = [
        target.id
        for release in releases
        for backend in release.wheels
        for target in release.targets(backend)
        if backend == "cpu" or release.version != "1.0.1"
    ]
    on_arm = ["tf2.21.0-py313-cpu-aarch64", "tf2.22.0rc0-py314-cpu-aarch64", "tf2.23.0.dev20261026-py314-cpu-aarch64"]
    assert sorted(said) == sorted(f"locking {name}" for name in targets + on_arm)
    assert {file.stem for file in idle.parent.glob("tf*.txt")} == {*targets, *on_arm}
    assert (idle.parent / f"{on_arm[0]}.txt").read_text() == "lock of 2.21.0 on cpu aarch64\n"
    assert peer.exists()
    assert (idle.parent / "tf1.15.5-py37-cpu.txt").read_text() == "lock of 1.15.5 on cpu x86_64\n"
    assert {file.name for file in (idle.parent / "build").iterdir()} == {"py36.txt", "py37.txt"}

    def written():
        return {file: file.read_bytes() for file in data.rglob("*") if file.is_file()}

    before = written()
    refresh.update(data=data, say=said.append)
    assert written() == before


@pytest.mark.usefixtures("the_index", "_no_resolver")
def test_update_of_one_release_locks_it_and_what_has_no_lock(data):
    refresh.update(data=data, say=lambda _: None)
    locks = data / "locks"
    (locks / "tf2.0.4-py37-cpu.txt").unlink()
    for lock in locks.glob("*.txt"):
        lock.write_text("as before")
    refresh.update(["2.9.3"], data=data, say=lambda _: None)
    made = {lock.stem for lock in locks.glob("*.txt") if lock.read_text() != "as before"}
    assert made == {"tf2.9.3-py310-cpu", "tf2.9.3-py310-cuda", "tf2.9.3-py310-rocm", "tf2.0.4-py37-cpu"}


@pytest.mark.usefixtures("the_index", "_no_resolver")
@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("nightly", {f"tf2.23.0.dev20261026-{of}" for of in (*BOTH, "py314-cpu-aarch64")}),
        ("pre-release", {f"tf2.22.0rc0-{of}" for of in (*BOTH, "py314-cpu-aarch64")}),
        ("2.9", {"tf2.9.3-py310-cpu", "tf2.9.3-py310-cuda", "tf2.9.3-py310-rocm"}),
    ],
)
def test_update_knows_a_release_by_its_line(data, name, made):
    refresh.update(data=data, say=lambda _: None)
    for lock in (data / "locks").glob("*.txt"):
        lock.write_text("as before")
    refresh.update([name], data=data, say=lambda _: None)
    assert {lock.stem for lock in (data / "locks").glob("*.txt") if lock.read_text() != "as before"} == made


@pytest.mark.usefixtures("the_index", "_no_resolver")
def test_update_of_an_unknown_release_writes_nothing(data):
    with pytest.raises(BadUsage, match=r"2\.9\.9"):
        refresh.update(["2.9.9"], data=data, say=print)
    assert (data / "releases.toml").read_text() == EARLIER


@pytest.mark.usefixtures("the_index", "_no_resolver")
def test_a_dry_run_says_what_would_change_and_writes_nothing(data):
    said = []
    refresh.update(data=data, say=said.append, dry_run=True)
    assert said[0].startswith("new releases: 1.0.1, ") and said[-1].startswith("locks to be made: ")
    assert (data / "releases.toml").read_text() == EARLIER and not (data / "locks").exists()


@pytest.mark.usefixtures("the_index", "_no_resolver")
def test_a_release_that_cannot_be_locked_is_told_after_the_others_are(data, monkeypatch):
    def lock(release, target, sdists):
        if target.id in {"tf1.0.1-py36-cpu", "tf2.22.0rc0-py314-cpu"}:
            raise BadData(f"{release.version} has no NumPy", "wait")
        return "lock\n"

    monkeypatch.setattr(resolve, "lock", lock)
    with pytest.raises(BadData, match=r"^1\.0\.1 has no NumPy\n2\.22\.0rc0 has no NumPy$") as told:
        refresh.update(data=data, say=lambda _: None)
    assert told.value.cure == "wait"
    with_two_pythons = 2  # 2.22.0rc0 and the nightly
    assert len(list((data / "locks").glob("*-cpu.txt"))) == EXPECTED.count("wheels.cpu") + with_two_pythons - 2


@pytest.mark.parametrize("name", SETTINGS)
def test_the_index_is_the_one_that_the_user_configured(the_index, monkeypatch, name):
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv(name, f"{the_index}/")
    assert package_index.address() == the_index
    nightly = package_index.ask("tf-nightly-cpu", package_index.address())
    assert {(offer.python, offer.date) for offer in nightly} == {
        ((3, 13), datetime.date(2026, 9, 5)),
        ((3, 14), datetime.date(2026, 9, 5)),
    }


def test_an_index_chosen_for_uv_outranks_the_one_for_pip(the_index, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert package_index.address() == the_index


def test_a_project_that_the_index_lacks_and_an_index_that_is_not_there(the_index):
    with pytest.raises(MachineError, match="does not answer for no-such-project"):
        package_index.ask("no-such-project", the_index)
    with pytest.raises(MachineError, match="does not answer for tensorflow") as told:
        package_index.ask("tensorflow", "http://127.0.0.1:9/simple")
    assert "SSL_CERT_FILE" in told.value.cure


def test_an_index_that_does_not_speak_json_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "tensorflow.json").write_text("<!doctype html><a href='tensorflow-2.21.0.tar.gz'>")
    with serving(tmp_path) as address, pytest.raises(MachineError, match="does not answer for tensorflow") as told:
        package_index.ask("tensorflow", address)
    assert "PEP 691" in told.value.cure
