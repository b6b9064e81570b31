from __future__ import annotations

import pytest
from unit.fabricated import header

from matrix.answers import published_answers
from matrix.base import ids, paths
from matrix.judge.settings import differences, resolved
from matrix.record import records


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ({}, {}, set()),
        ({}, {"profile": "onednn-on"}, {"oneDNN"}),
        ({"profile": "default"}, {}, set()),
        ({"profile": "default", "onednn": True}, {}, {"oneDNN"}),
        ({}, {"profile": "remapper-off"}, {"remapping"}),
        ({}, {"profile": "remapper-off", "onednn": True}, {"oneDNN", "remapping"}),
        ({"profile": "auto-cluster"}, {"profile": "remapper-off"}, {"jit", "remapping"}),
        ({}, {"profile": "onednn-off+auto-cluster"}, {"TF_XLA_FLAGS and jit"}),
        ({"onednn": True}, {"profile": "onednn-off+auto-cluster"}, {"oneDNN", "TF_XLA_FLAGS and jit"}),
        (
            {"profile": "onednn-on+isa-avx2"},
            {"profile": "onednn-on+isa-avx512"},
            {"ONEDNN_MAX_CPU_ISA and DNNL_MAX_CPU_ISA"},
        ),
        ({"tf32": True}, {"tf32": False}, {"TF32"}),
        ({}, {"profile": "of-another-catalog"}, {"of-another-catalog"}),
    ],
)
def test_what_differs_is_read_from_line_1_and_not_from_the_profiles_name(one, other, found):
    assert differences(header(**one), header(**other)) == found


def test_a_profile_that_pins_onednn_says_its_state_where_tensorflow_shows_none():
    """Under auto-clustering XLA compiles the very operations that show it."""
    for state, onednn in (("on", True), ("off", False)):
        hidden = header(profile=f"onednn-{state}+auto-cluster", onednn=None, observations=1)
        assert resolved(hidden).onednn is onednn
        assert differences(resolved(hidden), header(onednn=onednn)) == {"TF_XLA_FLAGS and jit"}
    assert resolved(header(profile="default", onednn=None, observations=1)).onednn is None
    assert resolved(header(profile="onednn-off", onednn=True, observations=1)).onednn is True


def test_each_published_workaround_by_a_profile_differs_from_the_failing_run_in_that_alone():
    observed = (one for one in records.headers(paths.REPORTS) if one.observations)
    headers = {(one.host.host_class, one.run): one for one in observed}
    index, _ = published_answers.load(paths.REPORTS)
    count = 0
    for where in (where for error in index.errors for where in error.where):
        for workaround in (one for one in where.ways if one.kind == "profile"):
            for run in where.runs:
                target = ids.parse_run(run).target.id
                other = headers[where.host_class, f"{target}+{workaround.name}"]
                this = headers[where.host_class, run]
                assert len(differences(resolved(this), resolved(other))) == 1, (run, workaround.name)
                count += 1
    assert count > 100
