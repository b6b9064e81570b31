from __future__ import annotations

import msgspec
import pytest
from unit.fabricated import error, header, observe

from matrix.judge import processors
from matrix.record.records import Record

CELLS = [("nn-conv2d", "graph", "forward", f"g4-k3/bias_relu/{dtype}/nhwc") for dtype in ("f32", "bf16")]
PARTS = {"*": "0" * 12, "nn-conv2d": "1" * 12}


def made(host_class, *failing, release="2.9.3", profile="onednn-on", **changes) -> Record:
    """Two observations, one of each dtype; those of `failing` are refused."""
    observations = tuple(observe(cell, **(error() if cell[3].split("/")[2] in failing else {})) for cell in CELLS)
    host = msgspec.structs.replace(header().host, host_class=host_class)
    fields = {"run": f"tf{release}-py310-cpu+{profile}", "release": release, "suite_sha256": "a" * 64}
    line1 = header(profile, **fields | {"host": host, "observations": 2} | changes)
    return Record(header=line1, observations=observations)


def test_what_differs_between_processors_is_counted_by_dtype():
    off = [made(name, profile="onednn-off") for name in ("x86-avx2-amd", "x86-avx512vnni")]
    on = [made("x86-avx2-amd", "bf16"), made("x86-avx512vnni"), made("x86-amx")]
    without, with_onednn = processors.statements([*on, *off])
    assert (without.onednn, without.compared, without.differing) == (False, 2, {})
    assert (with_onednn.onednn, with_onednn.compared, with_onednn.differing) == (True, 2, {"bf16": 1})
    assert with_onednn.host_classes == ["x86-amx", "x86-avx2-amd", "x86-avx512vnni"]
    assert [(one.host_class, one.other, one.differing) for one in with_onednn.agreements] == [
        ("x86-amx", "x86-avx2-amd", {"bf16": 1}),
        ("x86-amx", "x86-avx512vnni", {}),
        ("x86-avx2-amd", "x86-avx512vnni", {"bf16": 1}),
    ]
    assert "does not matter: of 2 host classes on 1 releases, 0 of 2 outcomes differ." in processors.in_words(without)
    assert "1 of 2 outcomes differ, all in bf16." in processors.in_words(with_onednn)


@pytest.mark.parametrize(
    "other",
    [
        made("x86-amx", engine="docker"),
        made("x86-amx", lock_sha256="b" * 64),
        made("x86-amx", release="2.8.4"),
        made("x86-amx", onednn=False),
        made("x86-amx", profile="onednn-on+isa-avx2"),
        made("x86-amx", suite_sha256="b" * 64),
        made("x86-amx", suite_sha256="b" * 64, suite_parts={**PARTS, "nn-conv2d": "2" * 12}),
        made("arm-neoverse-v1"),
        made("x86-amx", planned_for={"type": "GPU"}),
    ],
)
def test_records_that_differ_in_more_than_the_processor_are_not_compared(other):
    assert processors.agreements([made("x86-avx2-amd", "f32", suite_parts=PARTS), other]) == []


def test_what_two_suites_observe_alike_is_compared():
    one, other = made("x86-avx2", suite_parts=PARTS), made("x86-amx", "f32", suite_sha256="b" * 64, suite_parts=PARTS)
    (agreement,) = processors.agreements([one, other])
    assert (agreement.compared, agreement.differing) == (2, {"f32": 1})


def test_emulated_processors_are_compared_but_not_counted():
    (statement,) = processors.statements([made("x86-avx2-emulated"), made("x86-amx")])
    assert (statement.compared, len(statement.agreements)) == (0, 1)


@pytest.mark.parametrize(
    ("asked", "order"),
    [
        (
            "x86-avx512bf16",
            [
                "x86-avx512bf16",
                "x86-avx512bf16-amd",
                "x86-avx512vnni",
                "x86-avx2-amd",
                "x86-amx",
                "x86-avx2-emulated",
                "arm-neoverse-v1-emulated",
            ],
        ),
        (
            "arm-neoverse-v1",
            ["arm-neoverse-v1-emulated", "x86-amx"],
        ),
        ("x86-avx2", ["x86-avx2-amd", "x86-avx512vnni", "x86-avx2-emulated"]),
    ],
)
def test_the_nearest_is_of_the_same_isa_then_lower_then_higher_and_emulated_ones_come_last(asked, order):
    assert processors.nearest(asked, sorted(order)) == order


def test_a_time_is_borrowed_from_the_same_architecture_alone():
    timed = ["x86-amx", "x86-avx2-amd", "cuda-sm90"]
    assert processors.nearest_timed("x86-avx2", timed) == ["x86-avx2-amd", "x86-amx"]
    assert processors.nearest_timed("arm-neoverse-v1", timed) == []
