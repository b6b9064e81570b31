"""What a person sees of a sweep without a terminal: no long silence, and how long an interrupt takes."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from unit.fabricated import record

from matrix.run import progress
from matrix.run.progress import Plain


@pytest.fixture
def clock(monkeypatch):
    """Seconds that a test lets pass: `clock[0] += 60`."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def shown(clock):
    written = io.StringIO()
    return Plain(Console(file=written, width=200, soft_wrap=True), {}), written


def test_a_minute_of_silence_is_broken_by_what_is_under_way(shown, clock):
    plain, written = shown
    plain.building("installing tf2.8.4")
    plain.started("tf2.9.3-py310-cpu+onednn-off", 40)
    plain.waiting("tf2.9.3-py310-cpu+onednn-on", "no memory")
    for _ in range(10):
        plain.observed("tf2.9.3-py310-cpu+onednn-off")
    said = written.getvalue()
    clock[0] += 59
    plain.beat()
    assert written.getvalue() == said
    clock[0] += 1
    plain.beat()
    (line,) = written.getvalue().removeprefix(said).splitlines()
    assert line == (
        "[  60.0 s] installing tf2.8.4, since 60 s; observing tf2.9.3-py310-cpu+onednn-off, 10 of 40 cells, "
        "since 60 s; tf2.9.3-py310-cpu+onednn-on waits: no memory, since 60 s"
    )
    plain.built()
    plain.waited("tf2.9.3-py310-cpu+onednn-on")
    plain.finished(record(run="tf2.9.3-py310-cpu+onednn-off", release="2.9.3"))
    said = written.getvalue()
    clock[0] += 100
    plain.beat()
    assert written.getvalue() == said, "nothing is under way"


@pytest.mark.parametrize(
    ("observed", "told"),
    [(20, "that takes about 4 min"), (0, "nobody knows how long that takes")],
)
def test_an_interrupt_says_how_long_what_is_under_way_will_take(shown, clock, observed, told):
    plain, written = shown
    plain.started("tf2.9.3-py310-cpu+onednn-off", 100)
    for _ in range(observed):
        plain.observed("tf2.9.3-py310-cpu+onednn-off")
    clock[0] += 60
    plain.interrupted(1)
    assert f"1 under way will end, and be recorded; {told}; once more stops them at once, in 10 s" in written.getvalue()


def test_what_cannot_be_counted_makes_it_a_lower_bound(shown, clock):
    plain, written = shown
    plain.building("installing tf2.8.4")
    plain.started("tf2.9.3-py310-cpu+onednn-off", 100)
    plain.observed("tf2.9.3-py310-cpu+onednn-off")
    clock[0] += 1
    plain.interrupted(2)
    assert "that takes at least about 2 min" in written.getvalue()


def test_how_it_stands_is_learnt_from_how_it_goes(clock):
    """Three runs of ten minutes each, as expected. This machine takes three times as long, and is believed in time."""
    written = io.StringIO()
    runs = [f"tf2.9.{patch}-py310-cpu+onednn-off" for patch in range(3)]
    plain = Plain(Console(file=written, width=200, soft_wrap=True), dict.fromkeys(runs, 600))
    assert plain.stands() == "0 of 3 runs done, about 30 min left"
    for run, left in zip(runs, ("about 51 min left", "about 27 min left", ""), strict=True):
        plain.started(run, 100)
        clock[0] += 900
        for _ in range(50):
            plain.observed(run)
        half_way = plain.stands()
        clock[0] += 900
        plain.finished(record(run=run, release=run[2:7]))
        assert plain.stands().endswith(left) and (left or not plain.stands())
        assert half_way.startswith(f"{runs.index(run)} of 3 runs done, about ")
    assert "; 1 of 3 runs done, about 51 min left\n" in written.getvalue()


def test_a_terminal_sees_one_bar_for_all_and_how_it_stands():
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with progress.showing(console, {"tf2.9.3-py310-cpu+onednn-off": 600, "tf2.9.3-py310-cpu+default": 0}) as bars:
        bars.started("tf2.9.3-py310-cpu+onednn-off", 40)
        bars.observed("tf2.9.3-py310-cpu+onednn-off")
        bars.finished(record(run="tf2.9.3-py310-cpu+onednn-off", release="2.9.3"))
        bars._bars.refresh()
    shown = console.file.getvalue()
    assert "0 of 2 runs done, about 10 min left" in shown and "1 of 2 runs done, a minute or less left" in shown
