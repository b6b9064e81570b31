"""How a machine's GPUs are found. AMD's layout is the one that the kernel documents; no AMD GPU was there to try it."""

from __future__ import annotations

import pytest

from matrix.record import host


def add(topology, number, name, version):
    node = topology / str(number)
    node.mkdir()
    (node / "name").write_text(f"{name}\n")
    (node / "properties").write_text(
        f"cpu_cores_count 0\nsimd_count 440\ngfx_target_version {version}\nvendor_id 4098\n"
    )


@pytest.mark.parametrize(("version", "gfx"), [(90010, "gfx90a"), (90402, "gfx942"), (100300, "gfx1030")])
def test_an_amd_gpu_is_the_first_node_with_a_gfx_version(tmp_path, version, gfx):
    add(tmp_path, 0, "", 0)
    add(tmp_path, 1, "aldebaran", version)
    name, _, architecture = host._amd(tmp_path)
    assert (name, architecture) == ("aldebaran", gfx)


def test_processors_alone_are_no_gpu(tmp_path):
    add(tmp_path, 0, "", 0)
    assert host._amd(tmp_path) is None
    assert host._amd(tmp_path / "no-such-driver") is None


def test_an_nvidia_gpu_is_known_by_its_compute_capability(monkeypatch):
    monkeypatch.setattr(host, "_nvidia_smi", lambda *_: ["NVIDIA H100 80GB HBM3", "550.54.15", "9.0"])
    assert host._nvidia() == ("NVIDIA H100 80GB HBM3", "550.54.15", "sm90")


def test_amds_processors_are_classes_of_their_own():
    flags = {"avx", "avx2", "avx512f", "avx512_vnni"}
    assert host.cpu_class(flags, "GenuineIntel") == host.cpu_class(flags) == "x86-avx512vnni"
    assert host.cpu_class(flags, "AuthenticAMD") == "x86-avx512vnni-amd"
