"""The scripts and the probe, as far as that needs no TensorFlow: that they are programs, and say what they should."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from unit.fabricated import error, observe, record

from matrix.answers import contributed, probe_build, terminal
from matrix.answers.advise import MODES, Asked, advise
from matrix.answers.lookup import Machine, load
from matrix.answers.reproduction import Reproduction, script
from matrix.answers.show import lines, reproduction, show
from matrix.answers.snippets import snippet
from matrix.base.errors import BadRecord, BadUsage
from matrix.catalog import known_errors, releases
from matrix.catalog.approaches import INTERCHANGEABLE
from matrix.cli.main import cli
from matrix.judge.notes import causes
from matrix.judge.verdicts import REPRESENTATIVE, core_case, judged_runs
from matrix.record import records
from matrix.suite import catalog as suite

DATA = releases.load()
CAUSE = causes(known_errors.load())
FUSED = "Fused conv implementation does not support grouped convolutions for now."
CASE = "g4-k3/bias_relu/f32/nhwc"
NATIVE = ("nn-conv2d", "keras-groups")


def refused(cell):
    """What 2.8.4 does without oneDNN, in short."""
    graph = cell[0] in NATIVE and cell[1] in {"graph", "keras"} and cell[3] == CASE
    return error(FUSED) if graph and cell[2] == "forward" else {}


ON = record(profile="onednn-on", run="tf2.8.4-py310-cpu+onednn-on", onednn=True)


@pytest.fixture
def reports(tmp_path):
    for one in (record(refused, onednn=False), ON):
        records.write(tmp_path, one)
    return tmp_path


def short(release: str) -> list[str]:
    """The scripts of all cells that have one on a release."""
    found = []
    for cell in suite.cells():
        with contextlib.suppress(BadUsage):
            found.append(script(Reproduction(cell=tuple(cell), release=release, profile=None, told="Recorded.")))
    return found


def test_what_has_no_short_script_has_the_suites_command():
    cell = ("nn-conv2d", "graph", "fusion", CASE)
    with pytest.raises(BadUsage) as fault:
        script(Reproduction(cell=cell, release="2.8.4", profile=None, told="x"))
    assert fault.value.cure.endswith(f"python -m suite.observe {' '.join(cell)}")


@pytest.mark.parametrize("release", ["1.15.5", "2.4.4", "2.21.0"])
def test_every_short_script_is_a_program(release):
    made = short(release)
    assert len(made) > 100
    for text in made:
        ast.parse(text, feature_version=(3, 7))
        assert max(map(len, text.splitlines())) <= 200


def test_a_script_sets_what_the_profile_sets_before_tensorflow_is_imported():
    wanted = Reproduction(
        cell=("nn-conv2d", "graph", "forward", CASE), release="2.8.4", profile=DATA.profile("onednn-off"), told="x"
    )
    before, _, _ = script(wanted).partition("import tensorflow")
    assert 'os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"' in before


@pytest.mark.parametrize("approach", INTERCHANGEABLE)
def test_a_snippet_is_code(approach):
    ast.parse(snippet(approach))


def test_advice_is_what_passed_and_says_why_the_rest_is_not(reports):
    asked = Asked(wish="infer", modes=list(MODES["infer"]))
    advice = advise(load(reports, "2.8", "cpu"), asked, DATA, CAUSE, None)
    best = {(one.approach, one.profile) for one in advice.best}
    assert ("nn-conv2d", "onednn-on") in best and ("nn-conv2d", "onednn-off") not in best
    assert "split-concat" in {approach for approach, _ in best}
    out = {(one.approach, one.profile): one.why for one in advice.out}
    assert "fused-conv-groups" in out["nn-conv2d", "onednn-off"] and ("split-concat", "onednn-off") not in out
    told = "\n".join(terminal.advised(advice, DATA))
    assert "TF_ENABLE_ONEDNN_OPTS=1" in told and advice.code in told.replace("\n    ", "\n")


def test_what_was_not_observed_is_not_advised(reports):
    asked = Asked(wish="infer", modes=["eager"], dtype="f64", groups=None)
    advice = advise(load(reports, "2.8", "cpu"), asked, DATA, CAUSE, None)
    assert not any(one.approach == "slice-loop" for one in advice.best)


def test_neighbours_that_differ_leave_it_open(tmp_path):
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
    machine = Machine.with_flags(flags.split(","))
    asked = Asked(wish="infer", modes=list(MODES["infer"]))
    advice = advise(load(tmp_path, "2.9", "cpu", machine), asked, DATA, CAUSE, machine)
    assert (advice.inferred, advice.default) == (True, default)
    assert "inferred" in "\n".join(terminal.advised(advice, DATA))


def test_show_tells_cells_and_makes_a_script_of_one_that_fails(reports):
    showing = show(load(reports, "2.8", "cpu"), "nn-conv2d", "graph/forward/*", CAUSE)
    assert {one.profile: one.verdict for one in showing.shown} == {"onednn-off": "partial", "onednn-on": "works"}
    assert any(FUSED in line for line in lines(showing))
    wanted = reproduction(showing, DATA, None)
    assert wanted.cell == ("nn-conv2d", "graph", "forward", CASE) and FUSED in wanted.told
    with pytest.raises(BadUsage, match="no cell of nn-conv2d"):
        show(load(reports, "2.8", "cpu"), "nn-conv2d", "nothing/*", CAUSE)


def test_the_probe_holds_the_suite_a_program_and_the_published_rows():
    data = probe_build.pack(probe_build.published([record(refused), ON]))
    assert data.startswith(b"#!/usr/bin/env python3\n") and data == probe_build.pack(
        probe_build.published([record(refused), ON])
    )
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
        published = json.loads(archive.read("published.json"))
        ast.parse(archive.read("__main__.py"), feature_version=(3, 7))
    assert {"suite/observe.py", "suite/worker.py", "suite/catalog.py"} <= names
    assert not any("test_" in name for name in names)
    rows = published["rows"]["2.8.4"]
    cell = published["cells"].index(f"nn-conv2d/graph/forward/{CASE}")
    assert (rows["onednn-off"]["outcomes"][cell], rows["onednn-on"]["outcomes"][cell]) == ("e", "p")
    assert set("".join(row["outcomes"] for row in rows.values())) <= set(published["letters"])


def test_the_probe_observes_first_what_its_table_shows():
    cells = probe_build.cells()
    shown = [cell for cell in suite.cells() if (cell.mode, cell.check) in probe_build.TABLE]
    shown = {tuple(cell) for cell in shown if cell.case == core_case(cell.approach, REPRESENTATIVE)}
    assert set(cells[: len(shown)]) == shown and len(set(cells)) == len(cells) == 279
    source = probe_build.MAIN.read_text()
    needs = ast.literal_eval(source[source.index("NEEDS = ") + 8 : source.index("]  # fmt") + 1])
    assert set(needs) == set(probe_build.TABLE)


HOST = {"class": "x86-avx2", "cpu": "A processor", "cpu_flags": ["avx2"], "cores": 4, "kernel": "6.1"}


def contribution(tmp_path, *made, **changes):
    first = {
        "format": "contributed/1", "release": "2.8.4", "python": "3.10.13", "platform": "linux",
        "made": "2026-01-02T03:04:05Z", "host": HOST, "packages": {}, "environment": {}, "onednn": False,
        "suite_sha256": "0" * 64, "observations": len(made),
    }  # fmt: skip
    encoded = [
        records.encode(records.Record(header=record().header, observations=(one,))).split(b"\n")[1] for one in made
    ]
    file = tmp_path / "probe.jsonl"
    file.write_bytes(b"\n".join([json.dumps(first | changes).encode(), *encoded]) + b"\n")
    return file


def test_a_contribution_is_compared_with_ours_and_overrides_nothing(reports, tmp_path):
    file = contribution(tmp_path, observe(("nn-conv2d", "graph", "forward", CASE)))
    taken = contributed.read(file)
    made, _ = records.readable(reports)
    against = contributed.against(taken, judged_runs(made))
    assert against.run == "tf2.8.4-py310-cpu+onednn-off"
    (other,) = against.other
    assert (other.cell, other.published, other.there) == (f"nn-conv2d/graph/forward/{CASE}", "error", "pass")
    target = contributed.take(reports, taken, file)
    assert [one.name for one in contributed.read_all(reports)] == [taken.name] and target.parent.name == "contributed"
    assert records.readable(reports)[0] == made


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"observations": 7}, "promises 7"),
        ({"format": "run/1"}, "format"),
        ({"host": HOST | {"class": "../../etc"}}, "line 1"),
        ({"release": "2.8.4\n"}, "line 1"),
        ({"more": 1}, "unknown field"),
    ],
)
def test_what_is_no_contribution_is_refused(tmp_path, changes, why):
    with pytest.raises(BadRecord, match=why):
        contributed.read(contribution(tmp_path, observe(("nn-conv2d", "graph", "forward", CASE)), **changes))


def test_a_contribution_that_contradicts_itself_is_refused(tmp_path):
    lying = observe(("nn-conv2d", "graph", "forward", CASE), **error("no") | {"outcome": "pass"})
    with pytest.raises(BadRecord, match="passed with an error"):
        contributed.read(contribution(tmp_path, lying))


VERBS = [
    ("explain", "Fused conv implementation does not support grouped convolutions"),
    ("advise", "--release=2.8", "--need=infer"),
    ("show", "--release=2.8", "--approach=nn-conv2d"),
    ("claims",),
    ("diff", "onednn-off", "onednn-on"),
    ("probe", "--output={folder}/probe.pyz"),
    ("contribute", "{folder}/probe.jsonl"),
    ("bisect", "--no-runs", "--approach=nn-conv2d", "--check=forward", "--profile=onednn-off", "2.9.3", "2.8.4"),
]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_every_answer_can_be_had_as_json(verb, reports, tmp_path):
    new = record(run="tf2.9.3-py310-cpu+onednn-off", release="2.9.3")
    records.write(reports, new)
    contribution(tmp_path, observe(("nn-conv2d", "graph", "forward", CASE)))
    arguments = [argument.format(folder=tmp_path) for argument in verb]
    asked = CliRunner().invoke(cli, [*arguments, f"--reports={reports}", "--json"])
    assert asked.exit_code == 0, asked.output
    assert json.loads(asked.stdout)
    told = CliRunner().invoke(cli, [*arguments, f"--reports={reports}"])
    assert told.exit_code == 0 and not told.stdout.startswith(("{", "["))


def test_what_a_bisection_found_as_json(reports):
    records.write(reports, record(run="tf2.9.3-py310-cpu+onednn-off", release="2.9.3"))
    asked = CliRunner().invoke(cli, [*VERBS[-1], f"--reports={reports}", "--json"])
    found = json.loads(asked.stdout)
    assert found["cell"] == f"nn-conv2d/graph/forward/{CASE}" and found["narrowed"] is None
    assert found["by_records"]["good"]["release"] == "2.9.3" and FUSED in found["by_records"]["bad"]["outcome"]


def test_what_was_taken_says_where_it_lies(reports, tmp_path):
    file = contribution(tmp_path, observe(("nn-conv2d", "graph", "forward", CASE)))
    asked = CliRunner().invoke(cli, ["contribute", str(file), "--take", f"--reports={reports}", "--json"])
    found = json.loads(asked.stdout)
    assert Path(found["taken"]).read_bytes() == file.read_bytes()
    assert found["other"] == [{"cell": f"nn-conv2d/graph/forward/{CASE}", "published": "error", "there": "pass"}]
