from __future__ import annotations

import msgspec
from unit.fabricated import error, header, observe

from matrix.judge import processors
from matrix.judge.ladder import ladders
from matrix.record.records import Fusion, Record

DTYPES = ("f32", "bf16", "f16")
CELLS = [("nn-conv2d", "graph", "gradient", f"g4-k3/bias_relu/{dtype}/nhwc") for dtype in DTYPES]
AMX = "Intel AVX-512 with float16, Intel DL Boost and bfloat16 support and Intel AMX with bfloat16 and 8-bit support"
BF16 = "Intel AVX-512 with Intel DL Boost and bfloat16 support"


def made(cap: str | None, says: str | None, *failing: str, op="_MklNativeConv2D", host_class="x86-amx", **changes):
    """A run with oneDNN on under a cap; gradients fail in the dtypes of `failing`."""
    profile = f"onednn-on+isa-{cap}" if cap else "onednn-on"
    shown = Fusion(kernel="grouped", epilogue="none", ops={op: 1}, source="partition_graphs")
    fusion = observe(("nn-conv2d", "graph", "fusion", "g4-k3/none/f16/nhwc"), fusion=shown)
    gradients = [observe(cell, **(error() if cell[3].split("/")[2] in failing else {})) for cell in CELLS]
    host = msgspec.structs.replace(header().host, host_class=host_class)
    line1 = {"onednn": True, "onednn_isa": says, "host": host, "observations": 4} | changes
    return Record(header=header(profile, **line1), observations=(fusion, *gradients))


TOP, CAPPED, LOWEST = made(None, AMX), made("avx512-bf16", BF16, "f16"), made("avx2", "Intel AVX2", "f16", "bf16")


def test_each_rung_is_compared_with_the_one_above_whatever_the_order_of_the_records():
    (ladder,) = ladders([LOWEST, TOP, CAPPED])
    assert (ladder.host_class, ladder.release, ladder.refused) == ("x86-amx", "2.8.4", [])
    assert [(rung.cap, rung.isa) for rung in ladder.rungs] == [
        (None, "amx"),
        ("avx512bf16", "avx512bf16"),
        ("avx2", "avx2"),
    ]
    top, middle, low = ladder.rungs
    assert top.above is None and middle.above and low.above
    assert (middle.above.compared, low.above.run) == (4, middle.run)
    (one,), (other,) = middle.above.differences, low.above.differences
    assert (one.dtype, one.there, one.here, one.first) == ("f16", "pass", "error", "/".join(CELLS[2]))
    assert (other.dtype, other.approach, other.check, other.cells) == ("bf16", "nn-conv2d", "gradient", 1)


def test_a_cap_is_believed_only_where_onednn_says_that_it_kept_to_it():
    (ladder,) = ladders([TOP, LOWEST, made("avx512", AMX, "f32"), made("avx512-vnni", None, "f32")])
    assert [rung.cap for rung in ladder.rungs] == [None, "avx2"]
    assert ladder.refused == [f"tf2.8.4-py310-cpu+onednn-on+isa-{cap}" for cap in ("avx512", "avx512-vnni")]


def test_a_rung_is_compared_with_a_processor_that_has_no_more_and_is_not_taken_for_it():
    real = made(None, None, "f16", op="Conv2D", host_class="x86-avx2-amd")
    emulated = made(None, None, host_class="x86-avx2-emulated")
    (ladder,) = ladders([TOP, CAPPED, LOWEST, real, emulated])
    assert [rung.beside for rung in ladder.rungs[:-1]] == [[], []]
    (beside,) = ladder.rungs[-1].beside
    assert (beside.host_class, beside.compared) == ("x86-avx2-amd", 4)
    assert [(one.dtype, one.there, one.here) for one in beside.differences] == [("bf16", "pass", "error")]
    # TensorFlow asks the processor which dtypes oneDNN computes, and a cap does not reach that.
    assert (ladder.rungs[-1].computed_by, beside.computed_by) == ({"f16": "_MklNativeConv2D"}, {"f16": "Conv2D"})
    assert {one.host_class for one in processors.agreements([LOWEST, real])} == set()


def test_what_differs_in_more_than_the_cap_is_no_rung():
    others = [made("avx2", "Intel AVX2", **changes) for changes in ({"lock_sha256": "b" * 64}, {"engine": "docker"})]
    assert [[rung.above for rung in ladder.rungs] for ladder in ladders([TOP, *others])] == [[None], [None]]
    assert ladders([TOP, made("avx2", "Intel AVX2", onednn=False)]) == []
