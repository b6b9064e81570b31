from __future__ import annotations

import itertools
import re

import msgspec
import pytest
from click.testing import CliRunner
from unit import timings
from unit.fabricated import error, header, record, where

from matrix.answers import block_snippets
from matrix.answers.advise import MODES, Asked, advise, lines
from matrix.answers.processor import Processor
from matrix.answers.release_records import load
from matrix.base import paths
from matrix.catalog import known_errors, releases
from matrix.catalog.approaches import SPLIT
from matrix.cli.main import cli
from matrix.judge.notes import causes
from matrix.record import records, speed_records
from matrix.suite.cases import BLOCKS

DATA = releases.load()
PROFILES = releases.load_profiles()
CAUSE = causes(known_errors.load())


def test_advice_is_what_passed_and_says_why_the_rest_is_not(reports):
    asked = Asked(wish="infer", modes=list(MODES["infer"]))
    advice = advise(load(reports, "2.8", "cpu"), asked, PROFILES, CAUSE, None)
    best = {(one.approach, one.profile) for one in advice.best}
    assert ("nn-conv2d", "onednn-on") in best and ("nn-conv2d", "onednn-off") not in best
    assert "split-concat" in {approach for approach, _ in best}
    out = {(one.approach, one.profile): one.why for one in advice.out}
    assert "fused-conv-groups" in out["nn-conv2d", "onednn-off"] and ("split-concat", "onednn-off") not in out
    told = list(lines(advice, PROFILES, everything=True))
    assert any("TF_ENABLE_ONEDNN_OPTS=1" in line for line in told) and told[-3:] == advice.code.splitlines()[-3:]


def test_what_was_not_observed_is_not_advised(reports):
    asked = Asked(wish="infer", modes=["eager"], dtype="f64")
    advice = advise(load(reports, "2.8", "cpu"), asked, PROFILES, CAUSE, None)
    assert not any(one.approach == "slice-loop" for one in advice.best)


@pytest.mark.parametrize(("crashing", "processor"), [("x86-avx2-amd", None), ("x86-avx512bf16-amd", "zen3")])
def test_nothing_is_advised_of_a_run_in_which_the_convolution_without_groups_crashes(tmp_path, crashing, processor):
    """Nor where it crashes in the same on another processor of the same vendor."""
    crash = where("gradient", control=True, outcome="crash", error=records.Error(type="SIGFPE", message="killed"))
    for host_class in ("x86-avx2-amd", crashing):
        host = msgspec.structs.replace(record().header.host, host_class=host_class)
        for profile in ("onednn-on", "onednn-off"):
            change = crash if (host_class, profile) == (crashing, "onednn-on") else lambda cell: {}
            records.write(tmp_path, record(change, **vars_of(profile), host=host))
    person = Processor.named(processor) if processor else None
    asked = Asked(wish="infer", modes=list(MODES["infer"]))
    advice = advise(load(tmp_path, "2.8", "cpu", person), asked, PROFILES, CAUSE, person)
    assert {one.profile for one in advice.best} == {"onednn-off"}
    assert {one.why for one in advice.open if one.profile == "onednn-on"} == {
        "doubtful: under onednn-on a convolution without groups ends in crash"
    }


def vars_of(profile):
    return {"run": f"tf2.8.4-py310-cpu+{profile}", "profile": profile, "onednn": profile == "onednn-on"}


def test_neighbours_that_differ_leave_it_open(tmp_path):
    refused = where("forward", "graph", of="bias_relu", **error())
    for release, change in (("2.6.5", refused), ("2.9.3", lambda cell: {})):
        records.write(tmp_path, record(change, release=release, run=f"tf{release}-py39-cpu+onednn-off"))
    asked = Asked(wish="infer", modes=list(MODES["infer"]))
    advice = advise(load(tmp_path, "2.7", "cpu"), asked, PROFILES, CAUSE, None)
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
    advice = advise(load(tmp_path, "2.9", "cpu", processor), asked, PROFILES, CAUSE, processor)
    assert (advice.inferred, advice.default) == (True, default)
    assert "inferred" in "\n".join(lines(advice, PROFILES))


PUBLISHED = [release.version for release in DATA.releases if any(paths.REPORTS.glob(f"runs/*/*/tf{release.version}-*"))]
PROCESSORS = {"none": None, "zen3": Processor.named("zen3"), "icelake-server": Processor.named("icelake-server")}


@pytest.mark.parametrize("release", PUBLISHED[::4])
@pytest.mark.parametrize("processor", PROCESSORS.values(), ids=PROCESSORS)
def test_what_is_said_of_the_default_and_the_ranking_agree(release, processor):
    """One default for the sentence above and for every row below, in at most 25 lines of 80 columns."""
    recorded = load(paths.REPORTS, release, "cpu", processor)
    for wish, groups in itertools.product(("infer", "train"), (32, 256)):
        asked = Asked(wish=wish, modes=list(MODES[wish]), groups=groups, told=True)
        advice = advise(recorded, asked, PROFILES, CAUSE, processor)
        for one in (*advice.best, *advice.out, *advice.open):
            assert one.nothing_to_set == (one.profile == advice.default)
        told = list(lines(advice, PROFILES))
        assert len(told) <= 25 and max(map(len, told)) <= 80
        stated = " ".join(told).partition("where nothing set is ")[2]
        assert stated.startswith(f"{advice.default}.") or advice.default in {None, "default"}


def test_processors_are_answered_apart_and_by_records_that_are_named(tmp_path):
    """With oneDNN off nn-conv2d does not train, with it on it fuses. Of 2.15.1 only x86-avx512vnni has records."""

    def made(release, host_class, profile, **more):
        on = profile == "onednn-on"
        host = msgspec.structs.replace(header().host, host_class=host_class)

        def change(cell):
            if cell[0] not in {"nn-conv2d", SPLIT} or more:
                return None
            if cell[::2] == ("nn-conv2d", "fusion" if on else "gradient"):
                return {"epilogue": "fused"} if on else error()
            return {}

        run = f"tf{release}-py311-cpu+{profile}"
        records.write(tmp_path, record(change, release=release, run=run, profile=profile, host=host, onednn=on, **more))

    for profile in ("onednn-on", "onednn-off"):
        made("2.15.1", "x86-avx512vnni", profile)
    made("2.15.1", "x86-avx512vnni", "default", status="not_run", same_as="tf2.15.1-py311-cpu+onednn-on")
    for host_class in ("x86-avx512vnni", "x86-avx2-amd"):
        made("2.16.2", host_class, "onednn-on")
    arguments = ["advise", f"--reports={tmp_path}", "--release=2.15", "--need=train", "--processor"]
    zen3, icelake = (
        " ".join(CliRunner().invoke(cli, [*arguments, name]).stdout.split()) for name in ("zen3", "icelake-server")
    )
    assert "nn-conv2d" in zen3.partition("Asked")[0] and "with TF_ENABLE_ONEDNN_OPTS=1" in zen3
    assert "inferred from tf2.15.1-py311-cpu+onednn-on on x86-avx512vnni: on 2.16.2 0 of " in zen3
    assert "With nothing set this fails: nn-conv2d." in zen3
    assert "TensorFlow 2.15.1, x86-avx512vnni, where nothing set is onednn-on." in icelake
    assert "inferred" not in icelake and "this fails" not in icelake


def test_a_setting_is_answered_for_as_it_is_set(reports):
    told = asked_for(reports, "--need=infer", "--setting=oneDNN off")
    assert "with TF_ENABLE_ONEDNN_OPTS=0." in " ".join(told.split())
    assert "With what you have set these fail: keras-groups, nn-conv2d." in told and "nothing set" not in told
    code = asked_for(reports, "--need=infer", "--mode=eager", "--setting=TF_ENABLE_ONEDNN_OPTS=0", "--code=function")
    assert code.startswith('import os\nos.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"')


def test_who_keeps_onednn_to_an_isa_is_answered_under_that_cap_alone(tmp_path):
    capped = "onednn-on+isa-avx2"
    for profile in ("onednn-on", "onednn-off", capped):
        fails = where("gradient", **error()) if profile == capped else lambda cell: {}
        records.write(tmp_path, record(fails, **{**vars_of(profile), "onednn": profile != "onednn-off"}))
    recorded = load(tmp_path, "2.8", "cpu")
    for profile, trains, seen in ((capped, False, {capped}), ("onednn-on", True, {"onednn-on"})):
        advice = advise(recorded, Asked(wish="train", modes=["graph"], profile=profile), PROFILES, CAUSE, None)
        assert {one.profile for one in (*advice.best, *advice.out, *advice.open)} == seen
        assert ("nn-conv2d" in {one.approach for one in advice.best}) == trains


def test_a_setting_that_another_host_class_has_run_is_answered_in_its_name(tmp_path):
    capped, amx = "onednn-on+isa-avx2", msgspec.structs.replace(header().host, host_class="x86-amx")
    for profile, more in (("onednn-on", {}), ("onednn-off", {}), (capped, {"host": amx})):
        records.write(tmp_path, record(**{**vars_of(profile), "onednn": profile != "onednn-off"}, **more))
    for profile, host_class in (("", header().host.host_class), (capped, "x86-amx")):
        asked = Asked(wish="infer", modes=["graph"], profile=profile)
        assert advise(load(tmp_path, "2.8", "cpu"), asked, PROFILES, CAUSE, None).host_class == host_class


def asked_for(folder, *more):
    arguments = ["advise", "--release=2.8.4", f"--reports={folder}", "--processor=haswell", *more]
    return CliRunner().invoke(cli, arguments).stdout


def gain(told):
    """The factor that is told, and of which layer."""
    factor, layer = re.search(r"It is (\S+) times as fast as split-concat on ([^(]+) ", " ".join(told.split())).groups()
    return float(factor), layer


def test_the_ranking_is_that_of_the_nearest_layer(reports):
    """Far away masked-dense is the fastest; near it is the slowest."""
    usual = {"nn-conv2d": 1e-3, "split-concat": 4e-3, "masked-dense": 9e-3, "again": 1e-3}
    run = timings.run(usual)
    far = timings.run({"nn-conv2d": 9e-3, "split-concat": 8e-3, "masked-dense": 1e-3, "again": 9e-3})
    replace = msgspec.structs.replace
    points = [replace(point, layer="resnext50-56") for point in run.points]
    points += [replace(point, layer="mobilenet-14") for point in far.points]
    speed_records.write(reports, replace(run, points=points))
    near = asked_for(reports, "--need=infer", "--groups=64", "--channels=256", "--size=56")
    assert gain(near) == (pytest.approx(4, rel=0.1), "resnext50-56, the nearest layer timed")
    rows = [line.split()[1] for line in near.splitlines() if line[:2] in {"1.", "2.", "3."}]
    assert rows == ["nn-conv2d", SPLIT, "masked-dense"]
    there = asked_for(reports, "--need=infer", "--layer=mobilenet-14")
    assert gain(there) == (pytest.approx(8, rel=0.1), "mobilenet-14, the very layer")
    assert "1. masked-dense" in there


def test_depthwise_is_offered_where_there_is_one_channel_a_group(reports):
    assert " depthwise " in asked_for(reports, "--need=infer", "--groups=64", "--channels=64", "--all")
    assert " depthwise " not in asked_for(reports, "--need=infer", "--groups=32", "--channels=64", "--all")


def test_what_trains_slowly_is_a_trap_for_who_infers(reports):
    run = timings.run({"nn-conv2d": 1e-3, "keras-groups": 1e-3, "split-concat": 4e-3, "again": 1e-3})
    slow = timings.run({"nn-conv2d": 1e-3, "keras-groups": 0.2, "split-concat": 4e-3, "again": 1e-3})
    replace = msgspec.structs.replace
    points = [one for one in run.points if one.direction == "forward"]
    points += [one for one in slow.points if one.direction == "train"]
    speed_records.write(reports, replace(run, points=points))
    assert "Trap: keras-groups trains 200 times as slowly as the fastest." in asked_for(reports, "--need=infer")


@pytest.mark.parametrize(("code", "holds"), [("function", "def convolution"), ("layer", "class GroupedConv2D")])
def test_the_code_alone_is_a_program(reports, code, holds):
    told = asked_for(reports, "--need=infer", "--groups=8", "--channels=64", f"--code={code}", "--mode=graph")
    assert told.startswith("import") and (holds in told or "layers.Conv2D(64, 3, groups=8" in told)
    compile(told, "program", "exec")


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_is_advised_by_its_own_cells_with_a_program_of_all_of_it(reports, block):
    best = block_snippets.approaches(block)[0]
    told = asked_for(reports, "--need=train", f"--layer={block}")
    assert f"a whole {block};" in " ".join(told.split()) and re.search(r"1\. \S+", told)
    code = asked_for(reports, "--need=train", f"--layer={block}", "--code=layer")
    assert "def block(x):" in code
    compile(code, "program", "exec")

    def refused(cell):
        return error() if cell[3].startswith(block) and cell[0] == best else {}

    records.write(reports, record(refused, release="2.9.3", run="tf2.9.3-py310-cpu+onednn-off"))
    asked = Asked(wish="train", modes=list(MODES["infer"]), block=block)
    advice = advise(load(reports, "2.9.3", "cpu"), asked, PROFILES, CAUSE, None)
    assert {one.approach for one in advice.best} == {*block_snippets.approaches(block)} - {best}
    assert all(f"/{block}/" in cell for one in (*advice.best, *advice.out) for cell in one.cells)


def test_groups_that_cannot_share_the_channels_are_refused(reports):
    asked = CliRunner().invoke(cli, ["advise", "--release=2.8", "--need=infer", "--groups=3", "--channels=64"])
    assert asked.exit_code and "3 groups cannot share 64 channels" in str(asked.exception or asked.output)
