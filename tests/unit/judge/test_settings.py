from __future__ import annotations

import pytest
from unit.fabricated import header

from matrix.answers import published_answers
from matrix.base import ids, paths
from matrix.catalog import releases
from matrix.judge.settings import cap, differences, resolved, switched
from matrix.record import records
from matrix.record.records import Given

REMAPPER_OFF = Given(environment={"TF_ENABLE_ONEDNN_OPTS": "0"}, optimizer={"remapping": False})
CAPPED = Given(environment={"TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": "AVX2"})


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
            {"DNNL_MAX_CPU_ISA and ONEDNN_MAX_CPU_ISA"},
        ),
        ({"tf32": True}, {"tf32": False}, {"TF32"}),
        ({}, {"profile": "of-another-catalog"}, {"of-another-catalog"}),
        ({}, {"profile": "of-another-catalog", "setting": REMAPPER_OFF}, {"remapping"}),
        ({}, {"profile": "onednn-off", "setting": REMAPPER_OFF}, {"remapping"}),
        ({"profile": "onednn-off+remapper-off"}, {"setting": REMAPPER_OFF}, set()),
        ({"onednn_isa": "Intel AVX2"}, {"onednn_isa": "Intel AVX-512"}, {"ISA"}),
        ({"onednn_isa": "Intel AVX2"}, {}, set()),
        ({"onednn_isa": "Intel AVX2"}, {"onednn_isa": "Intel AVX-512", "release": "2.9.3"}, set()),
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


def test_what_a_later_run_sets_otherwise_is_told_as_far_as_both_tell_it():
    assert switched(header(), header(onednn=True)) == ("oneDNN on",)
    assert switched(header(onednn=True), header(release="2.9.3", onednn_isa="Intel AVX2")) == ("oneDNN off",)
    assert switched(header(), header(onednn=None)) == switched(header(tf32=None), header(tf32=True)) == ()
    assert switched(header(), header(setting=REMAPPER_OFF)) == ("remapping=False",)
    assert switched(header(setting=REMAPPER_OFF), header()) == ("remapping as it is by itself",)


def test_what_line_1_says_was_set_holds_whatever_the_profile_of_that_name_sets_now():
    assert cap(header(setting=CAPPED)) == "avx2"
    assert cap(header(profile="onednn-on+isa-avx512", setting=CAPPED)) == "avx2"
    assert cap(header(setting=Given(environment={"ONEDNN_MAX_CPU_ISA": "of another oneDNN"}))) is None
    hidden = header(profile="onednn-off+auto-cluster", onednn=None, observations=1, setting=CAPPED)
    assert resolved(hidden).onednn is True


def test_a_record_keeps_what_was_set_and_one_without_it_is_read_as_before():
    for given in (None, REMAPPER_OFF):
        data = records.encode(records.Record(header=header(setting=given)))
        assert (b'"setting"' in data) == (given is not None)
        assert records.decode(data).header.setting == given


def test_what_was_set_has_one_name_in_whatever_order_it_was_written():
    cap_on = {"TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2"}
    written = header(profile="onednn-on+isa-avx512", setting=Given(environment=cap_on))
    read = records.decode(records.encode(records.Record(header=written))).header
    assert list(read.setting.environment) != list(cap_on)
    assert differences(written, read) == differences(read, header(profile="onednn-on+isa-avx2")) == set()


def test_every_cap_of_the_catalog_is_one_that_a_host_class_is_named_by():
    for profile in releases.load_profiles().values():
        assert (profile.cap is None) == (releases.MAX_ISA[0] not in profile.environment)


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
