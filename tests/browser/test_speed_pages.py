"""The pages of speed, from small made-up files: anyone can read them, and texts stay texts."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest
from browser.conftest import serve
from browser.test_every_page import AXE
from browser.test_hostile_records import LONG, MARKUP, TURNED
from browser.test_questions import BEST
from playwright.sync_api import expect
from unit.fabricated import header, record
from unit.timings import USUAL, run

from matrix.answers.advise import MODES, Asked, advise
from matrix.answers.release_records import load
from matrix.base.text import plain
from matrix.catalog import known_errors, releases
from matrix.judge.notes import causes
from matrix.record import records, speed_records
from matrix.record.records import Record
from matrix.site import build

ON = record(profile="onednn-on", onednn=True)
DEFAULT = Record(header=header("default", status="not_run", same_as=ON.header.run))
RUN = "runs/x86-avx2/venv/tf2.8.4-py310-cpu%2Bonednn-on.speed.html"


def hostile(text: str, release: str):
    """A file in which every free text is `text`."""
    made = run({**USUAL, "keras-groups": "crash"}, release=release, run=f"tf{release}-py310-cpu+onednn-on")
    error = records.Error(type=text[:100], message=text[:300])
    host = msgspec.structs.replace(made.host, cpu=text[:200], kernel=text[:200], gpu=text[:200])
    points = [
        msgspec.structs.replace(
            point,
            variants=[msgspec.structs.replace(one, failure=error) if one.failure else one for one in point.variants],
        )
        for point in made.points
    ]
    return msgspec.structs.replace(made, points=points, host=host, python=text[:200], packages={text[:200]: text[:200]})


@pytest.fixture(scope="module")
def timed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("timed")
    reports = folder / "reports"
    for one in (ON, DEFAULT, record(onednn=False)):
        records.write(reports, one)
    slow = {"nn-conv2d": 9e-3, "again": 9e-3, "masked-dense": 5e-3, "keras-groups": "UnimplementedError"}
    speed_records.write(reports, run(USUAL | slow))
    peer = run(profile=None, run="peer-torch-py311-cpu", peer="torch", release="2.13.0")
    speed_records.write(reports, peer)
    for number, text in enumerate((MARKUP, TURNED, LONG)):
        speed_records.write(reports, hostile(text, f"2.9.{number}"))
    build.build(reports, folder / "site")
    return folder


@pytest.fixture(scope="module")
def served(timed):
    with serve(timed / "site") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_reader_finds_what_is_fastest_and_every_way_behind_it(page, timed):
    page.goto(f"{(timed / 'site').as_uri()}/index.html")
    page.get_by_role("navigation", name="Site").get_by_role("link", name="Speed").click()
    region = page.get_by_role("region", name="resnext50-56 x1, forward on x86-avx2", exact=True)
    row = region.get_by_role("row").filter(has_text="2.8.4, onednn-on")
    expect(row).to_contain_text("split-concat")
    row.get_by_role("link").click()
    failed = page.get_by_role("row").filter(has_text="keras-groups").first
    expect(failed).to_contain_text("UnimplementedError: does not compute")
    slow = page.get_by_role("row", name="nn-conv2d").filter(has_not_text=" of nn-conv2d").first
    expect(slow).to_contain_text("slower")
    expect(page.locator("main")).to_contain_text("Control: of 2 pairs of the same program 0 were called different")


def test_a_cell_says_how_fast_it_is(page, timed):
    page.goto(f"{(timed / 'site').as_uri()}/tf/2.8.4/nn-conv2d.html")
    region = page.get_by_role("region", name="speed under onednn-on on x86-avx2")
    expect(region.get_by_role("row").nth(1)).to_contain_text("resnext50-56 x1, forward")
    expect(region.get_by_role("row").nth(1)).to_contain_text("slower")


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("path", ["speed.html", RUN, "tf/2.8.4/nn-conv2d.html"])
def test_nothing_sticks_out_and_axe_finds_nothing_serious(watched, served, width, path):
    page = watched(viewport={"width": width, "height": 900}, bypass_csp=True).new_page()
    page.goto(f"{served}/{path}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run()")
    assert [one["id"] for one in found["violations"]] == []


def test_without_scripts_it_can_be_read(watched, timed):
    page = watched(java_script_enabled=False).new_page()
    page.goto(f"{(timed / 'site').as_uri()}/speed.html")
    expect(page.get_by_role("row").filter(has_text="2.8.4, onednn-on").first).to_be_visible()


@pytest.mark.parametrize(("number", "text"), list(enumerate((MARKUP, TURNED, LONG))))
def test_texts_stay_texts(watched, timed, number, text):
    page = watched(viewport={"width": 360, "height": 800}).new_page()
    for path in ("speed.html", RUN.replace("2.8.4", f"2.9.{number}")):
        page.goto(f"{(timed / 'site').as_uri()}/{path}")
        assert page.title() not in {"1", "taken"} and page.locator("img").count() == 0
        assert plain(text)[:20] in page.locator("main").inner_text()
        assert not {"\N{RIGHT-TO-LEFT OVERRIDE}", "\x07", "\N{ZERO WIDTH SPACE}"} & set(page.content())
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(("wish", "need"), [("infer", "infer-graph"), ("train", "train")])
@pytest.mark.parametrize("dtype", ["f32", "f16"])
def test_the_page_puts_in_the_order_of_speed_what_advise_does(page, timed, wish, need, dtype):
    page.goto(f"{(timed / 'site').as_uri()}/index.html")
    asked = Asked(wish=wish, modes=list(MODES[wish]), dtype=dtype)
    found = load(timed / "reports", "2.8.4", "cpu")
    advice = advise(found, asked, releases.load_profiles(), causes(known_errors.load()), None)
    wanted = {"backend": "cpu", "host": "", "form": "grouped-2d", "layout": "nhwc", "nothing": False}
    shown, *_ = page.evaluate(BEST, {**wanted, "release": "2.8.4", "need": need, "dtype": dtype})
    assert shown == [[one.approach, one.profile] for one in advice.best]
    assert (advice.best[0].approach == "split-concat") == (dtype == "f32")
