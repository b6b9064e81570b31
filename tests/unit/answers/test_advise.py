from __future__ import annotations

import pytest
from unit.fabricated import error, record, where

from matrix.answers.advise import MODES, Asked, advise, lines
from matrix.answers.processor import Processor
from matrix.answers.release_records import load
from matrix.catalog import known_errors, releases
from matrix.judge.notes import causes
from matrix.record import records

DATA = releases.load()
CAUSE = causes(known_errors.load())


def test_advice_is_what_passed_and_says_why_the_rest_is_not(reports):
    asked = Asked(wish="infer", modes=list(MODES["infer"]))
    advice = advise(load(reports, "2.8", "cpu"), asked, DATA, CAUSE, None)
    best = {(one.approach, one.profile) for one in advice.best}
    assert ("nn-conv2d", "onednn-on") in best and ("nn-conv2d", "onednn-off") not in best
    assert "split-concat" in {approach for approach, _ in best}
    out = {(one.approach, one.profile): one.why for one in advice.out}
    assert "fused-conv-groups" in out["nn-conv2d", "onednn-off"] and ("split-concat", "onednn-off") not in out
    told = "\n".join(lines(advice, DATA))
    assert "TF_ENABLE_ONEDNN_OPTS=1" in told and f"\n{advice.code}" in f"{told}\n"


def test_what_was_not_observed_is_not_advised(reports):
    asked = Asked(wish="infer", modes=["eager"], dtype="f64", groups=None)
    advice = advise(load(reports, "2.8", "cpu"), asked, DATA, CAUSE, None)
    assert not any(one.approach == "slice-loop" for one in advice.best)


def test_neighbours_that_differ_leave_it_open(tmp_path):
    refused = where("forward", "graph", of="bias_relu", **error())
    for release, change in (("2.6.5", refused), ("2.9.3", lambda cell: {})):
        records.write(tmp_path, record(change, release=release, run=f"tf{release}-py39-cpu+onednn-off"))
    asked = Asked(wish="infer", modes=list(MODES["infer"]))
    advice = advise(load(tmp_path, "2.7", "cpu"), asked, DATA, CAUSE, None)
    assert advice.note and "nn-conv2d" not in {one.approach for one in advice.best}
    assert "differ" in next(one.why for one in advice.open if one.approach == "nn-conv2d")


@pytest.mark.parametrize(("flags", "default"), [("avx2,fma", "onednn-off"), ("avx512f,avx512_vnni", "onednn-on")])
def test_a_processor_without_records_is_inferred_by_tensorflows_own_rule(tmp_path, flags, default):
    for profile in ("onednn-off", "onednn-on", "default"):
        run = f"tf2.9.3-py310-cpu+{profile}"
        more = {"status": "not_run", "same_as": "tf2.9.3-py310-cpu+onednn-on"} if profile == "default" else {}
        change = (lambda cell: None) if profile == "default" else (lambda cell: {})
        host = records.Host(host_class="x86-amx", cpu="One", cpu_flags=["amx_int8"], cores=2, kernel="6.1")
        made = record(change, release="2.9.3", run=run, profile=profile, host=host, **more)
        records.write(tmp_path, made)
    processor = Processor.with_flags(flags)
    asked = Asked(wish="infer", modes=list(MODES["infer"]))
    advice = advise(load(tmp_path, "2.9", "cpu", processor), asked, DATA, CAUSE, processor)
    assert (advice.inferred, advice.default) == (True, default)
    assert "inferred" in "\n".join(lines(advice, DATA))
