"""Resolves with uv itself, from a package index on this machine whose TensorFlow has a few bytes."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
import zipfile

import msgspec
import pytest
from unit.package_index import serving

from matrix.base.errors import BadData
from matrix.catalog.releases import Release
from matrix.update import resolve
from matrix.update.resolve import Sdist

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
CPYTHON = f"cp{sys.version_info.major}{sys.version_info.minor}"
PURE = "py3-none-any"
OLD, NEW = "2022-11-16", "2026-01-01"


class Index:
    """The files of the index. `wheel` and `source` add a file and return its hash."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "files").mkdir()

    def wheel(self, name, version, day, needs=(), tag=PURE):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            info = f"{name.replace('-', '_')}-{version}.dist-info"
            archive.writestr(f"{info}/METADATA", metadata(name, version, needs))
            archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
            archive.writestr(f"{info}/RECORD", "")
        return self.add(name, f"{name.replace('-', '_')}-{version}-{tag}.whl", day, data.getvalue())

    def source(self, name, version, day):
        """Its metadata is static (PEP 643), so that uv builds nothing here."""
        data = io.BytesIO()
        text = metadata(name, version, (), "2.2").encode()
        with tarfile.open(fileobj=data, mode="w:gz") as archive:
            entry = tarfile.TarInfo(f"{name}-{version}/PKG-INFO")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
            archive.addfile(tarfile.TarInfo(f"{name}-{version}/pyproject.toml"))
        return self.add(name, f"{name}-{version}.tar.gz", day, data.getvalue())

    def add(self, name, filename, day, data):
        (self.folder / "files" / filename).write_bytes(data)
        answer = self.folder / f"{name}.json"
        page = {"name": name, "meta": {"api-version": "1.1"}, "versions": [], "files": []}
        if answer.exists():
            page = json.loads(answer.read_text())
        sha256 = hashlib.sha256(data).hexdigest()
        page["files"].append(
            {
                "filename": filename,
                "url": f"files/{filename}",
                "hashes": {"sha256": sha256},
                "upload-time": f"{day}T12:00:00Z",
                "size": len(data),
            }
        )
        answer.write_text(json.dumps(page))
        return sha256


def metadata(name, version, needs, edition="2.1"):
    lines = [f"Metadata-Version: {edition}", f"Name: {name}", f"Version: {version}"]
    return "\n".join([*lines, *(f"Requires-Dist: {need}" for need in needs), ""])


@pytest.fixture
def packages(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    folder.mkdir()
    packages = Index(folder)
    packages.wheel("numpy", "1.23.4", "2022-10-12")
    packages.wheel("numpy", "2.5.0", NEW)
    packages.wheel("pluggy", "1.0", "2021-01-01")
    packages.wheel("pluggy", "1.7", NEW)
    packages.wheel("pytest", "9.2", NEW, ["pluggy>=1.5"])
    packages.wheel("pytest-benchmark", "5.2", NEW, ["pytest"])
    with serving(folder) as address:
        monkeypatch.setenv("UV_DEFAULT_INDEX", address)
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
        yield packages


def release(requirement):
    entry = {
        "version": "2.8.4",
        "date": OLD,
        "wheels": {"cpu": {"requirement": requirement, "python": PYTHON, "arm": PYTHON}},
    }
    return msgspec.convert(entry, Release)


def lock(*sdists):
    one = release("tensorflow-cpu==2.8.4")
    return resolve.lock(one, one.target("cpu"), sdists).splitlines()


def pins(lines):
    return [line.partition(" ")[0] for line in lines if not line.startswith("-")]


def gast(releases=("<2.9",)):
    return Sdist(name="gast", releases=list(releases), why="No wheel.")


def test_tensorflows_needs_are_of_its_time_and_the_harness_is_the_newest(packages):
    packages.wheel("tensorflow-cpu", "2.8.4", OLD, ["numpy>=1.20"])
    assert pins(lock()) == [
        "numpy==1.23.4",
        "pluggy==1.7",
        "pytest==9.2",
        "pytest-benchmark==5.2",
        "tensorflow-cpu==2.8.4",
    ]


def test_the_harness_gives_way_to_what_tensorflow_needs(packages):
    packages.wheel("tensorflow-cpu", "2.8.4", OLD, ["pluggy"])
    packages.wheel("pytest", "6.0", "2020-08-01", ["pluggy<1.5"])
    assert {"pluggy==1.0", "pytest==6.0"} <= set(pins(lock()))


def test_what_appears_the_day_after_a_release_belongs_to_it(packages):
    packages.wheel("tensorflow-cpu", "2.8.4", OLD, ["keras"])
    packages.wheel("keras", "2.7", "2021-01-01")
    packages.wheel("keras", "2.8", "2022-11-17")
    packages.wheel("keras", "2.9", "2022-11-18")
    assert "keras==2.8" in pins(lock())


def test_a_package_is_one_file_the_most_specific(packages):
    packages.wheel("tensorflow-cpu", "2.8.4", OLD, ["protobuf"])
    packages.wheel("protobuf", "3.19.6", OLD)
    packages.wheel("protobuf", "3.19.6", OLD, tag=f"{CPYTHON}-{CPYTHON}-win_amd64")
    packages.wheel("protobuf", "3.19.6", OLD, tag=f"{CPYTHON}-{CPYTHON}-manylinux_2_34_x86_64")
    packages.wheel("protobuf", "3.19.6", OLD, tag=f"{CPYTHON}-{CPYTHON}-manylinux1_x86_64")
    best = packages.wheel(
        "protobuf", "3.19.6", OLD, tag=f"{CPYTHON}-{CPYTHON}-manylinux_2_17_x86_64.manylinux2014_x86_64"
    )
    assert f"protobuf==3.19.6 --hash=sha256:{best}" in lock()


def test_a_named_source_is_built_and_an_unnamed_one_refused(packages):
    packages.wheel("tensorflow-cpu", "2.8.4", OLD, ["gast"])
    source = packages.source("gast", "0.2.2", "2019-01-01")
    text = lock(gast())
    assert text[:2] == ["--only-binary=:all:", "--no-binary=gast"]
    assert f"gast==0.2.2 --hash=sha256:{source}" in text
    with pytest.raises(BadData, match="gast"):
        lock(gast(releases=["<2.8"]))


def test_a_wheel_that_appeared_later_is_taken_for_the_same_version(packages):
    packages.wheel("tensorflow-cpu", "2.8.4", OLD, ["gast"])
    packages.source("gast", "0.2.2", "2019-01-01")
    wheel = packages.wheel("gast", "0.2.2", NEW)
    text = lock(gast())
    assert f"gast==0.2.2 --hash=sha256:{wheel}" in text
    assert not any(line.startswith("--no-binary") for line in text)


def test_a_named_source_that_is_not_needed_is_told(packages):
    packages.wheel("tensorflow-cpu", "2.8.4", OLD, ["numpy"])
    with pytest.raises(BadData, match="builds no gast") as told:
        lock(gast())
    assert told.value.cure == "narrow its `releases`"


def test_a_harness_without_a_wheel_is_told(packages):
    packages.wheel("tensorflow-cpu", "2.8.4", OLD)
    packages.wheel("pytest-benchmark", "6.0", NEW, ["py-cpuinfo"])
    packages.source("py-cpuinfo", "8.0", NEW)
    with pytest.raises(BadData, match="no wheel of py-cpuinfo") as told:
        lock()
    assert "sdists.toml" in told.value.cure


def test_what_cannot_be_resolved_is_told_in_uvs_words(packages):
    packages.wheel("tensorflow-cpu", "2.8.4", OLD, ["numpy>=2"])
    with pytest.raises(BadData, match=r"cannot resolve tensorflow-cpu==2\.8\.4 (?s:.*) depend on numpy>=2"):
        lock()


def test_build_tools_are_pinned_in_the_form_of_a_lock(packages):
    setuptools = packages.wheel("setuptools", "59.6.0", OLD)
    wheel = packages.wheel("wheel", "0.37.1", OLD)
    assert resolve.build_tools(PYTHON) == (
        f"setuptools==59.6.0 --hash=sha256:{setuptools}\nwheel==0.37.1 --hash=sha256:{wheel}\n"
    )


def test_on_arm_the_files_are_those_for_arm(packages):
    """Wheels are chosen by their names, dependencies by their markers; `tensorflow` is the build for CPUs on Arm."""
    packages.wheel("tensorflow", "2.8.4", OLD, ["numpy", 'wrapt; platform_machine != "aarch64"'])
    here, there = (
        packages.wheel("numpy", "1.23.5", OLD, tag=f"{CPYTHON}-{CPYTHON}-manylinux_2_17_{machine}")
        for machine in ("x86_64", "aarch64")
    )
    assert here != there
    one = release("tensorflow-cpu==2.8.4")
    found = resolve.lock(one, one.targets("cpu", "aarch64")[0], ()).splitlines()
    assert f"numpy==1.23.5 --hash=sha256:{there}" in found
    assert "tensorflow==2.8.4" in pins(found)


def test_the_tags_of_an_old_cpython():
    tags = [str(tag) for tag in resolve._tags(6)]
    assert tags[0] == "cp36-cp36m-manylinux_2_28_x86_64"
    assert tags.index("cp36-cp36m-manylinux2014_x86_64") < tags.index("cp36-cp36m-manylinux1_x86_64")
    assert tags.index("cp36-cp36m-linux_x86_64") < tags.index("py3-none-any")


def test_a_build_that_the_catalog_does_not_hold_may_build_what_any_release_builds(packages):
    """A build between two releases: the ranges of sdists.toml do not apply, and a wheel is taken if there is one."""
    packages.source("gast", "0.2.2", "2019-01-01")
    packages.wheel("wrapt", "1.14.1", "2022-05-01")
    packages.source("wrapt", "1.14.1", "2022-05-01")
    packages.wheel("tensorflow-cpu", "2.8.4", OLD, ["gast==0.2.2", "wrapt"])
    elsewhere = [gast(["<1.0"]), Sdist(name="wrapt", releases=["<1.0"], why="No wheel.")]
    with pytest.raises(BadData, match="gast"):
        lock(*elsewhere)
    between = resolve.lock_of_another(release("tensorflow-cpu==2.8.4"), "cpu", elsewhere).splitlines()
    assert between[:2] == ["--only-binary=:all:", "--no-binary=gast"]
    assert {"gast==0.2.2", "wrapt==1.14.1"} <= set(pins(between))
    with pytest.raises(BadData, match="no wheel of gast"):
        resolve.lock_of_another(release("tensorflow-cpu==2.8.4"), "cpu", elsewhere[1:])
