from __future__ import annotations

import msgspec
from unit.timings import USUAL, run

from matrix.catalog import releases
from matrix.report.speed_tables import ranking_in_words
from matrix.speed.comparisons import places
from matrix.speed.rankings import rankings

DATA = releases.load()
LOOP_WINS = USUAL | {"split-concat": 0.5e-3}


def on(host_class: str, seconds=USUAL, layer="resnext50-56", **changes):
    made = run(seconds, **changes)
    points = [msgspec.structs.replace(point, layer=layer) for point in made.points]
    return msgspec.structs.replace(
        made, points=points, host=msgspec.structs.replace(made.host, host_class=host_class)
    )  # fmt: skip


def told(*runs) -> dict[str, str]:
    return {found.direction: ranking_in_words(found) for found in rankings(places(runs, DATA))}


def test_where_all_processors_agree_one_approach_is_named():
    found = rankings(places([on("x86-avx2"), on("x86-amx")], DATA))
    assert [one.places for one in found] == [("x86-amx", "x86-avx2")] * 2
    assert told(on("x86-avx2"), on("x86-amx"))["forward"] == "nn-conv2d at 1 of 1 layers."


def test_where_the_order_flips_between_processors_both_are_named():
    assert told(on("x86-avx2"), on("x86-amx", LOOP_WINS))["train"] == (
        "no approach at any layer on all of them."
        " It differs at resnext50-56 (split-concat on x86-amx, nn-conv2d on x86-avx2)."
    )


def test_where_the_order_flips_between_layers_no_approach_leads_all():
    one, other = on("x86-amx"), on("x86-amx", LOOP_WINS, layer="mobilenet-14")
    both = msgspec.structs.replace(one, points=[*one.points, *other.points])
    assert told(both)["forward"] == "nn-conv2d at resnext50-56; split-concat at mobilenet-14."


def test_more_threads_are_a_place_of_their_own():
    (found, _) = rankings(places([on("x86-amx"), on("x86-amx", threads=2)], DATA))
    assert found.places == ("x86-amx", "x86-amx, 2 threads")


def test_what_is_as_fast_counts():
    """depthwise is the same within the noise; on the other processor it is the fastest alone."""
    alike = on("x86-avx2", USUAL | {"depthwise": 1.0e-3})
    alone = on("x86-amx", USUAL | {"depthwise": 0.5e-3})
    assert told(alike, alone)["forward"] == "depthwise at 1 of 1 layers."


def test_settings_and_releases_are_not_mixed():
    found = rankings(places([on("x86-amx"), on("x86-avx2", LOOP_WINS, profile="onednn-off")], DATA))
    assert {(one.profile, one.places) for one in found} == {
        ("onednn-on", ("x86-amx",)), ("onednn-off", ("x86-avx2",)),
    }  # fmt: skip


def test_a_layer_that_was_not_timed_everywhere_is_left_out():
    one, other = on("x86-amx"), on("x86-avx2", layer="mobilenet-14")
    assert rankings(places([one, other], DATA)) == []
