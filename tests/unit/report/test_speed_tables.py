from __future__ import annotations

import json
import re

import msgspec
import pytest
from markdown_it import MarkdownIt
from unit.fabricated import header, record
from unit.report.test_report import HOSTILE, publish
from unit.timings import USUAL, run

from matrix.answers.advise import MODES, Asked, advise
from matrix.answers.release_records import load
from matrix.catalog import known_errors, releases
from matrix.catalog.suite_hash import speed_sha256
from matrix.judge.notes import causes
from matrix.record import records, speed_records
from matrix.record.records import Record
from matrix.report import speed_tables
from matrix.report.report import report
from matrix.speed import comparisons

ON = record(profile="onednn-on", onednn=True)
DEFAULT = Record(header=header("default", status="not_run", same_as=ON.header.run))
TIMED = run()
DATA, PROFILES, CAUSE = releases.load(), releases.load_profiles(), causes(known_errors.load())


@pytest.fixture
def readme(tmp_path):
    speed_records.write(tmp_path, TIMED)
    return publish(tmp_path, ON, DEFAULT, record(onednn=False))


def test_support_has_each_approachs_ratios_and_the_control(tmp_path, readme):
    support = report(tmp_path, readme).support
    assert (support.control.pairs, support.control.false_alarms) == (2, 0)
    found = {(one.profile, one.approach): one.speed for one in support.verdicts if one.speed}
    assert {key for key, _ in found} == {"onednn-on", "default"}
    ours, other = found["onednn-on", "nn-conv2d"], found["onednn-on", "split-concat"]
    assert [(one.layer, one.batch, one.direction) for one in ours] == [
        ("resnext50-56", 1, "forward"), ("resnext50-56", 1, "train"),
    ]  # fmt: skip
    assert ours[0].against == "split-concat" and ours[0].word == "faster" and ours[0].run == TIMED.run
    assert other[0].against == "dense" and other[0].word == "slower"
    assert found["default", "nn-conv2d"] == ours


def test_the_tables_say_what_is_fastest_and_lead_to_the_file(tmp_path, readme):
    report(tmp_path, readme)
    text = (tmp_path / "SUPPORT.md").read_text()
    link = "runs/x86-avx2/venv/tf2.8.4-py310-cpu+onednn-on.speed.json"
    row = next(line for line in text.splitlines() if link in line and line.startswith("| [2.8.4, onednn-on]"))
    assert re.search(r"\| nn-conv2d \| 1\.\d+ ms \| 0\.2\d \\\[0\.2\d, 0\.2\d\\\] faster \|", row), row
    assert "Control: of 2 pairs of the same program 0 were called different" in text
    assert (tmp_path / link).is_file()
    assert f"TensorFlow [2.8.4, onednn-on]({link})" in text
    assert re.search(r"\| resnext50-56 \(56x56, 128 channels in 32 groups, 3x3\) \| 1 \| nn-conv2d \|", text)


def test_what_was_measured_in_another_way_is_counted():
    today = run(speed_sha256=speed_sha256())
    assert speed_tables.method_in_words([TIMED, today]).endswith(" By another version of the speed suite: 1 of 2 runs.")
    assert speed_tables.method_in_words([today]).endswith("were called slower.")


def test_every_table_of_speed_has_as_many_cells_as_heads(tmp_path, readme):
    report(tmp_path, readme)
    for file in (readme, tmp_path / "SUPPORT.md"):
        cells = MarkdownIt("commonmark").enable("table").parse(file.read_text())
        rows, inside = [], 0
        for token in cells:
            inside = 0 if token.type == "tr_open" else inside + (token.type in {"th_open", "td_open"})
            rows += [inside] if token.type == "tr_close" else []
        assert rows and 0 not in rows
    for line in (tmp_path / "SUPPORT.md").read_text().splitlines():
        if line.startswith("| resnext"):
            assert line.count(" |") == 8, line


def test_a_way_that_is_many_times_slower_is_named_with_how_many(tmp_path, readme):
    (place,) = comparisons.places([TIMED, of("2.9.3", {"keras-groups": 50 * USUAL["split-concat"]})], DATA)
    assert {(one.run.release, one.approach) for one in place.traps} == {("2.9.3", "keras-groups")}
    (trap, *_), told = place.traps, speed_tables.trap_in_words(place.traps[0])
    assert trap.least == pytest.approx(50, rel=0.1)
    assert re.fullmatch(r"keras-groups, forward in graph: \d\d times as long", told)
    speed_records.write(tmp_path, place.runs[0])
    report(tmp_path, readme)
    assert told in (tmp_path / "SUPPORT.md").read_text()


def test_the_short_table_is_of_the_newest_release_timed_most_deeply():
    newest = of("2.9.3", {}, depth="quick")
    (place,) = comparisons.places([TIMED, newest], DATA)
    told = comparisons.fast(place, [TIMED.run, newest.run])
    assert told is not None and told.run == TIMED


def test_the_short_table_is_of_a_nightly_only_where_no_final_release_was_timed():
    nightly = of("2.23.0.dev20261026", {})
    for runs, wanted in [([nightly, TIMED], TIMED), ([nightly], nightly)]:
        (place,) = comparisons.places(runs, DATA)
        told = comparisons.fast(place, [])
        assert told is not None and told.run == wanted


def test_a_trap_in_a_mode_that_no_table_shows_is_named_too():
    jitted = [msgspec.structs.replace(point, mode="jit") for point in of("2.9.3", {"nn-conv2d": 4.0}).points]
    traps = comparisons.traps(msgspec.structs.replace(TIMED, points=jitted))
    assert {speed_tables.trap_in_words(one).partition(":")[0] for one in traps} == {
        "nn-conv2d, forward in jit",
        "nn-conv2d, forward and backward in jit",
    }


def test_what_freezing_gains_is_told_for_each_run(tmp_path, readme):
    quicker = run(USUAL | {"frozen": 0.8e-3})
    (found,) = comparisons.frozen(quicker)
    assert (found.of, found.points, found.faster) == ("nn-conv2d", 2, 2) and found.least == pytest.approx(0.8, rel=0.02)
    speed_records.write(tmp_path, quicker)
    report(tmp_path, readme)
    words = "nn-conv2d with a constant filter takes 0.79 of its time with a variable: faster at 2 of 2 points"
    assert words in (tmp_path / "SUPPORT.md").read_text()


def test_a_network_is_told_beside_split_concat_with_its_memory():
    made = run(depth="network")
    points = [msgspec.structs.replace(point, layer="resnext50") for point in made.points]
    points = [msgspec.structs.replace(one, variants=[_with_memory(each) for each in one.variants]) for one in points]
    steps = comparisons.networks([run(), msgspec.structs.replace(made, points=points)])
    assert [(step.point.direction, step.base.variant) for step in steps] == [
        ("forward", "split-concat"), ("train", "split-concat"),
    ]  # fmt: skip
    words = speed_tables.network_in_words(steps[0])
    assert words.startswith(
        "Of the time with split-concat (4.2 ms, 120 MB) it takes with nn-conv2d 0.25 [0.24, 0.25] (120 MB), "
    )
    assert not comparisons.places([msgspec.structs.replace(made, points=points)], DATA)


def test_a_table_of_a_network_has_a_row_for_each_run(tmp_path, readme):
    for threads in (1, 2):
        for profile, seconds in (("onednn-on", {}), ("onednn-off", {"nn-conv2d": "UnimplementedError"})):
            made = run(USUAL | seconds, profile, depth="network", threads=threads, onednn=profile == "onednn-on")
            points = [msgspec.structs.replace(point, layer="shufflenet") for point in made.points]
            speed_records.write(tmp_path, msgspec.structs.replace(made, points=points))
    report(tmp_path, readme)
    text = (tmp_path / "SUPPORT.md").read_text()
    text = text[text.index("### Whole networks") :].partition("\n### ")[0]
    rows = [[cell.strip() for cell in line.split(" | ")] for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 * (1 + 4)
    assert rows[0][0] == "| run" and rows[0][3] == "nn-conv2d"
    assert [(row[0].partition("]")[0], row[1]) for row in rows[1:5]] == [
        ("| [2.8.4, onednn-on", "1"), ("| [2.8.4, onednn-on", "2"),
        ("| [2.8.4, onednn-off", "1"), ("| [2.8.4, onednn-off", "2"),
    ]  # fmt: skip
    assert rows[1][2].startswith("split-concat: 4.") and rows[1][3].startswith("0.2")
    assert rows[3][3] == "UnimplementedError"


def _with_memory(variant):
    return msgspec.structs.replace(variant, memory=120_000_000)


def test_half_precision_is_told_beside_f32_and_stands_in_a_file_of_its_own(tmp_path, readme):
    made = run(USUAL | {"in-f32": 2.0e-3}, depth="half")
    points = [msgspec.structs.replace(point, dtype="bf16") for point in made.points]
    half = msgspec.structs.replace(made, points=points)
    told = [speed_tables.half_in_words(one) for one in comparisons.half_points([TIMED, half])]
    assert len(told) == 2
    assert re.fullmatch(r"nn-conv2d, 1\.\d+ ms; in f32 nn-conv2d takes 1\.9\d \[.*\] times as long", told[0]), told
    assert not comparisons.places([half], DATA) and not half.is_usual
    speed_records.write(tmp_path, half)
    assert len(speed_records.SPEED.files(tmp_path)) == 2
    report(tmp_path, readme)
    text = (tmp_path / "SUPPORT.md").read_text()
    assert "- **resnext50-56 x1, forward, bf16** on x86-avx2, 1 thread, [2.8.4, onednn-on]" in text


def test_what_a_second_run_found_again_is_counted(tmp_path):
    again = twice(of("2.9.3", {}))
    found = comparisons.repeats([TIMED, again])
    assert found.pairs == 6 and found.false_alarms == 0  # three approaches in two directions
    moved = [
        msgspec.structs.replace(point, ratios=[msgspec.structs.replace(one, before=(9.0, 9.1)) for one in point.ratios])
        for point in again.points
    ]
    moved_run = msgspec.structs.replace(again, points=moved)
    assert comparisons.repeats([moved_run]).false_alarms == 6
    assert "Of 6 ratios that a second run measured again 6 were called different and 0 were left open." in (
        speed_tables.method_in_words([moved_run])
    )


def test_no_speed_no_word_of_it(tmp_path):
    readme = publish(tmp_path, ON)
    report(tmp_path, readme)
    assert "How fast" not in (tmp_path / "SUPPORT.md").read_text() + readme.read_text()


def test_a_broken_file_is_left_out_and_told(tmp_path, readme):
    file = speed_records.SPEED.files(tmp_path)[0]
    file.write_bytes(file.read_bytes()[:-40])
    summary = report(tmp_path, readme)
    assert [str(fault).partition(": ")[0] for fault in summary.faults] == [str(file)]
    assert not any(one.speed for one in summary.support.verdicts)


def test_hostile_texts_stay_text(tmp_path):
    changes = {"host": msgspec.structs.replace(TIMED.host, cpu=HOSTILE), "release": "2.13.0", "peer": "torch",
               "run": "peer-torch-py311-cpu", "profile": None}  # fmt: skip
    speed_records.write(tmp_path, msgspec.structs.replace(TIMED, **changes))
    speed_records.write(tmp_path, msgspec.structs.replace(TIMED, host=changes["host"]))
    readme = publish(tmp_path, ON)
    report(tmp_path, readme)
    for file in (readme, tmp_path / "SUPPORT.md"):
        text = file.read_text()
        assert "\u202e" not in text and "alert" in (tmp_path / "SUPPORT.md").read_text()
        shown = MarkdownIt("commonmark").enable("table").render(text)
        assert not re.search(r"<(?:script|img|b>)|javascript:[^<]*\"|href=\"http", shown)


def of(release: str, seconds: dict, **changes):
    fields = {"release": release, "run": f"tf{release}-py310-cpu+onednn-on"}
    return msgspec.structs.replace(run(USUAL | seconds), **fields | changes)


def twice(made):
    """The same run, as if an earlier run had found the same."""
    ratios = [[msgspec.structs.replace(one, before=one.interval) for one in point.ratios] for point in made.points]
    points = [msgspec.structs.replace(point, ratios=found) for point, found in zip(made.points, ratios, strict=True)]
    return msgspec.structs.replace(made, points=points)


def test_what_became_slower_is_found_and_needs_two_runs():
    old, new = of("2.8.4", {}), of("2.9.3", {"nn-conv2d": 1.5e-3})
    found = list(comparisons.changes([old, new]))
    assert {(one.approach, one.word, one.confirmed) for one in found} == {("nn-conv2d", "slower", False)}
    assert found[0].factor == pytest.approx(1.5, rel=0.1) and found[0].before == old
    assert {one.confirmed for one in comparisons.changes([old, twice(new)])} == {True}
    assert not list(comparisons.changes([old, msgspec.structs.replace(new, speed_sha256="4" * 64)]))


def test_a_machine_that_became_slower_changes_nothing():
    assert (
        list(comparisons.changes([of("2.8.4", {}), of("2.9.3", {name: 3 * time for name, time in USUAL.items()})]))
        == []
    )


def test_other_processors_are_not_compared():
    new = of("2.9.3", {"nn-conv2d": 1.5e-3}, host=msgspec.structs.replace(TIMED.host, cpu="Another"))
    assert list(comparisons.changes([of("2.8.4", {}), new])) == []


def test_peers_stand_beside_the_releases_in_a_mode_of_their_own():
    peer = run(profile=None, run="peer-torch-py311-cpu", peer="torch", release="2.13.0")
    points = [msgspec.structs.replace(point, mode="eager") for point in peer.points]
    (place,) = comparisons.places([TIMED, msgspec.structs.replace(peer, points=points)], DATA)
    assert [[row.run.run for row in layer.rows] for layer in place.layers] == [[TIMED.run, peer.run]] * 2


def test_every_doubt_has_words_and_a_way_on():
    doubts = [speed_records.Doubt(kind=kind, value=3) for kind in speed_tables.DOUBTS]
    told = speed_tables.doubts_in_words(doubts)
    assert told.count(";") == len(doubts) - 1 and set(speed_tables.DOUBTS) == set(speed_records.DoubtKind.__args__)
    variants = [msgspec.structs.replace(one, doubts=doubts) for one in TIMED.points[0].variants]
    doubtful = msgspec.structs.replace(TIMED, points=[msgspec.structs.replace(TIMED.points[0], variants=variants)])
    line = speed_tables.next_in_words(doubtful)
    assert line.endswith("nox -s speed -- --release 2.8.4 --profile onednn-on --depth default --engine venv --again")
    assert "greater --depth" not in line, "no depth takes more samples of a slow call"
    assert "greater --depth" in speed_tables.next_in_words(msgspec.structs.replace(doubtful, depth="quick"))


def asked(wish="infer", **more) -> Asked:
    return Asked(wish=wish, modes=list(MODES[wish]), **more)


def test_advice_is_in_the_order_of_speed_where_it_was_measured(tmp_path, readme):
    slow = {"nn-conv2d": 9e-3, "masked-dense": 5e-3}
    speed_records.write(tmp_path, run(USUAL | slow))
    advice = advise(load(tmp_path, "2.8.4", "cpu"), asked(), PROFILES, CAUSE, None)
    first = [one.approach for one in advice.best if one.seconds]
    assert first == ["split-concat", "masked-dense", "nn-conv2d"] == [one.approach for one in advice.best][:3]
    assert [one.times for one in advice.best][:3] == sorted(one.times for one in advice.best if one.times)


def test_advice_for_a_mode_is_in_the_order_of_that_modes_speed(tmp_path, readme):
    jitted = run(USUAL | {"nn-conv2d": 9e-3}).points
    points = [msgspec.structs.replace(point, mode="jit") for point in jitted]
    speed_records.write(tmp_path, msgspec.structs.replace(TIMED, points=[*TIMED.points, *points]))

    def fastest(mode: str) -> list[str]:
        advice = advise(load(tmp_path, "2.8.4", "cpu"), Asked(wish="infer", modes=[mode]), PROFILES, CAUSE, None)
        return [one.approach for one in advice.best if one.seconds][:1]

    assert (fastest("graph"), fastest("jit"), fastest("eager")) == (["nn-conv2d"], ["masked-dense"], [])


@pytest.mark.parametrize("more", [{"dtype": "f16"}, {"wish": "train", "dtype": "f64"}])
def test_what_was_not_timed_is_not_ordered_by_speed(tmp_path, readme, more):
    advice = advise(load(tmp_path, "2.8.4", "cpu"), asked(**more), PROFILES, CAUSE, None)
    assert not any(one.seconds for one in advice.best)


def test_another_releases_speed_is_not_borrowed(tmp_path, readme):
    records.write(tmp_path, record(release="2.10.1", run="tf2.10.1-py310-cpu+onednn-on", profile="onednn-on"))
    advice = advise(load(tmp_path, "2.9", "cpu"), asked(), PROFILES, CAUSE, None)
    assert advice.best and not any(one.seconds for one in advice.best if one.release == "2.10.1")


def test_the_encoded_advice_says_it_to_programs(tmp_path, readme):
    advice = advise(load(tmp_path, "2.8.4", "cpu"), asked(), PROFILES, CAUSE, None)
    best = json.loads(msgspec.json.encode(advice))["best"][0]
    assert best["approach"] == "nn-conv2d" and best["seconds"] == pytest.approx(USUAL["nn-conv2d"], rel=0.1)
