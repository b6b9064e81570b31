"""A measuring process that dies costs only the variant that it was measuring; the command line and the stream."""

from __future__ import annotations

import json
import os
import signal
import sys
from types import SimpleNamespace

import pytest
from suite.speed import layers, stream
from suite.speed.__main__ import Session

POINTS = layers.points("quick")
OPTIONS = SimpleNamespace(depth="quick", process=1, seconds=5, points=[])


def lines_of(point, excluded) -> list[dict]:
    return [
        dict(layers.key(point), variant=name, **({"failure": excluded[name]} if name in excluded else {"samples": [1]}))
        for name in ("nn-conv2d", "dense")
    ]


def dying_at(*deaths: tuple[int, str | None]):
    """A fake of work.py: at these points and variants (None: while it samples) the process kills itself."""

    def work(session, points, opened, say) -> None:
        if not opened:
            say({"environment": {"points": len(session.points)}})
        excluded = session.excluded
        for point in points:
            for variant in (*("nn-conv2d", "dense"), None):
                if variant in excluded:
                    continue
                say({"trying": [variant] if variant else ["nn-conv2d", "dense"]})
                if (POINTS.index(point), variant) in deaths and not {"nn-conv2d", "dense"} <= set(excluded):
                    os.kill(os.getpid(), signal.SIGKILL)
            say({"lines": lines_of(point, excluded)})
            excluded = {}

    return work


def measured(monkeypatch, work, options=OPTIONS) -> list[dict]:
    monkeypatch.setitem(sys.modules, "suite.speed.work", SimpleNamespace(work=work))
    return list(Session(options, {"tensorflow": "9.9", "onednn": True}).lines())


def test_all_points_are_measured(monkeypatch):
    told = measured(monkeypatch, dying_at())
    assert told[0] == {"tensorflow": "9.9", "onednn": True, "points": 3}
    assert [(line["layer"], line["direction"], line["variant"]) for line in told[1:]] == [
        (point.layer, point.direction, variant) for point in POINTS for variant in ("nn-conv2d", "dense")
    ]
    assert all("samples" in line for line in told[1:])


def test_a_variant_that_kills_the_process_fails_alone(monkeypatch):
    told = measured(monkeypatch, dying_at((1, "nn-conv2d"), (2, "nn-conv2d"), (2, "dense")))
    assert [line.get("failure", {}).get("message", "") for line in told[1:]] == [
        *("", ""),
        *("SIGKILL", ""),
        *("SIGKILL", "SIGKILL"),
    ]
    assert sum("points" in line for line in told) == 1


def test_a_death_while_all_are_sampled_fails_the_point(monkeypatch):
    told = measured(monkeypatch, dying_at((0, None)))
    assert ["failure" in line for line in told[1:]] == [True, True, False, False, False, False]


def test_a_death_outside_of_any_point_ends_the_process(monkeypatch):
    with pytest.raises(RuntimeError, match="outside of any point: crash SIGKILL"):
        measured(monkeypatch, lambda *_: os.kill(os.getpid(), signal.SIGKILL))


def test_the_environment_is_told_where_no_point_is_chosen(monkeypatch):
    nothing = SimpleNamespace(depth="quick", process=1, seconds=5, points=["no-such-layer/*"])
    assert measured(monkeypatch, dying_at(), nothing) == [{"tensorflow": "9.9", "onednn": True, "points": 0}]


def test_the_first_process_tells_onednns_own_time(monkeypatch):
    def measure_all(rows, say) -> None:
        assert (POINTS[0], "dense") in rows
        say({"point": POINTS[0].id, "variant": "dense", "primitive": 0.5})

    monkeypatch.setitem(sys.modules, "suite.speed.primitives", SimpleNamespace(measure_all=measure_all))
    first = SimpleNamespace(depth="quick", process=0, seconds=5, points=[])
    told = measured(monkeypatch, dying_at(), first)
    assert [line.get("primitive") for line in told[1:]] == [None, 0.5, None, None, None, None]


def test_patterns_choose_points():
    assert stream.matching(POINTS, []) == POINTS
    assert stream.matching(POINTS, ["*/train", "mobile*"]) == POINTS[1:]


def test_options_say_what_is_not_known(capsys):
    assert stream.options("p", "d", ["--process", "3", "x/*"]).process == 3
    with pytest.raises(SystemExit):
        stream.options("p", "d", ["--depth", "deeper"])
    assert "invalid choice: 'deeper'" in capsys.readouterr().err


def test_the_closing_counts_lines_of_variants():
    said = []
    stream.tell(iter([{"tensorflow": "9.9"}, {"variant": "a"}, {"variant": "b"}]), said.append)
    assert said[-1] == {"closing": 2}


def test_only_the_stream_has_standard_output(capfd):
    kept = os.dup(1)
    try:
        say = stream.reserve_standard_output()
        os.write(1, b"chatter\n")
        say({"b": 1, "a": 2})
    finally:
        os.dup2(kept, 1)
    told = capfd.readouterr()
    assert json.loads(told.out) == {"a": 2, "b": 1} and told.err == "chatter\n"
