from __future__ import annotations

import json
import re
from collections.abc import Iterator

import msgspec
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


# Line 1 says of two runs that are compared that these are the same. A run of another kind than the other has another.
ALIKE = (
    "release", "backend", "python", "engine", "status", "depth", "packages", "lock_sha256", "threads", "gpus", "tf32",
    "build_info", "planned_for",
)  # fmt: skip


# The option, by its word in profiles' names, of each thing that line 1 can say was set.
OPTION_OF = {
    "TF_ENABLE_ONEDNN_OPTS": "onednn", "ONEDNN_MAX_CPU_ISA": "isa", "DNNL_MAX_CPU_ISA": "isa", "TF_XLA_FLAGS": "auto",
    "jit": "auto", "remapping": "remapper", "TF_USE_LEGACY_KERAS": "legacy", "TF_CUDNN_USE_RUNTIME_FUSION": "runtime",
    "TF_DETERMINISTIC_OPS": "deterministic", "NVIDIA_TF32_OVERRIDE": "tf32",
}  # fmt: skip


class Published:
    """The published records by the row that rests on them, and each workaround that is another profile."""

    def __init__(self) -> None:
        support = json.loads((paths.REPORTS / "support.json").read_text())
        self.verdicts = support["verdicts"]
        self.runs = {
            (one["host_class"], one["release"], one["backend"], one["profile"]): one for one in support["runs"]
        }

    def line_1(self, host_class: str, release: str, backend: str, profile: str) -> records.Header:
        """Of the record that the row rests on: where a run is another's double, the other's."""
        row = self.runs[host_class, release, backend, profile]
        if row.get("same_as"):
            row = self.runs[host_class, release, backend, ids.parse_run(row["same_as"]).profile]
        (header,) = records.headers_of([paths.REPORTS / row["record"]])
        assert header.run == row["run"] and header.host.host_class == host_class
        return header

    def of_errors(self) -> Iterator[tuple[str, records.Header, records.Header]]:
        """Each with its approach, the run that fails, and the one that is offered."""
        index, _ = published_answers.load(paths.REPORTS)
        for where in (where for error in index.errors for where in error.where):
            for way in (one for one in where.ways if one.kind == "profile"):
                for run in where.runs:
                    target, profile = ids.parse_run(run).target, ids.parse_run(run).profile
                    at = (where.host_class, target.release, target.backend)
                    yield where.approach, self.line_1(*at, profile), self.line_1(*at, way.name)

    def of_notes(self) -> Iterator[tuple[str, records.Header, records.Header]]:
        for verdict in self.verdicts:
            at = (verdict["host_class"], verdict["release"], verdict["backend"])
            for note in verdict.get("notes", ()):
                for names in re.findall(r"Workaround, measured here: (?:.*; )?profile ([^;]+?)[.;]", note):
                    for name in re.split(", | or ", re.sub(r" \(only [^)]*\)", "", names)):
                        failing = self.line_1(*at, verdict["profile"])
                        yield verdict["approach"], failing, self.line_1(*at, name)


def set_in(header: records.Header) -> dict[str, str]:
    """What is set by line 1, in the words of profiles' names, and read without the code that chose the workaround:
    oneDNN as TensorFlow reports it, and the option, such as `remapper-off` in `onednn-off+remapper-off`.
    """
    words = [word for word in header.profile.split("+") if word != "default"]
    found = {word.partition("-")[0]: word for word in words}
    if header.setting:  # older records do not say what their profile set
        assert {OPTION_OF[name] for name in (*header.setting.environment, *header.setting.optimizer)} == found.keys()
    if header.onednn is None:  # the control by which TensorFlow would show it crashed, or XLA compiled it
        assert "onednn" in found
        return found
    reported = f"onednn-{'on' if header.onednn else 'off'}"
    assert found.setdefault("onednn", reported) == reported
    return found


def test_what_line_1_says_was_set_is_read_in_the_words_of_profiles():
    capped = header(profile="onednn-on+isa-avx2", setting=CAPPED)
    assert set_in(msgspec.structs.replace(capped, onednn=True)) == {"onednn": "onednn-on", "isa": "isa-avx2"}
    assert set_in(header(profile="default", onednn=False)) == {"onednn": "onednn-off"}
    with pytest.raises(AssertionError):
        set_in(header(profile="onednn-off", setting=REMAPPER_OFF))


@pytest.fixture(scope="module")
def published() -> Published:
    return Published()


@pytest.mark.parametrize(("source", "least"), [("of_errors", 100), ("of_notes", 100)])
def test_each_published_workaround_by_a_profile_differs_from_the_failing_run_in_that_alone(published, source, least):
    found = list(getattr(published, source)())
    assert len(found) > least
    for approach, failing, offered in found:
        told = (failing.run, offered.run)
        assert [key for key in ALIKE if getattr(failing, key) != getattr(offered, key)] == [], told
        assert failing.host.host_class == offered.host.host_class, told
        assert failing.host.cpu_flags == offered.host.cpu_flags, told
        assert {"*", approach} <= failing.same_parts(offered.suite_parts or {}), told
        one, other = set_in(failing), set_in(offered)
        (differs,) = {thing for thing in one.keys() | other.keys() if one.get(thing) != other.get(thing)}
        assert differs == "isa" or len({failing.onednn_isa, offered.onednn_isa} - {None}) < 2, told
        # What is set is named by the profile that is offered; what is no longer set, by the one that fails.
        names = offered.profile if differs in other else failing.profile
        assert other.get(differs, one.get(differs)) in names.split("+"), told
