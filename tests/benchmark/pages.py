"""What the site costs in time: to build, and to answer in a browser. Called by `harness.py site` and `page`."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import threading
from collections.abc import Sequence
from itertools import count, cycle
from pathlib import Path

from benchmark.machines import REPETITIONS, measured
from browser.conftest import BROWSERS, QUIET, serve
from msgspec import structs
from playwright.sync_api import Browser, sync_playwright

from matrix.base import paths
from matrix.catalog import releases
from matrix.record import records
from matrix.record.records import Record
from matrix.site import build

OBSERVATIONS = 100_000
SECONDS_TO_BUILD, SECONDS_TO_ANSWER = 10, 1


def repeat_published(reports: Path, observations: int = OBSERVATIONS) -> None:
    """Write the published records of processors again and again, each under the next release and profile, until there
    are so many observations. A GPU's records cannot stand for a processor's.
    """
    published = [one for one in records.read_all(paths.REPORTS) if one.observations and one.header.backend == "cpu"]
    data = releases.load()
    runs = [(entry.target("cpu"), profile.name) for profile in data.profiles for entry in data.releases
            if "cpu" in entry.wheels and profile.holds_for(entry.version, "cpu")]  # fmt: skip
    written = 0
    for (target, profile), record in zip(cycle(runs), cycle(published), strict=False):
        if written >= observations:
            return
        written += len(record.observations)
        # Two host classes, since one has not enough releases and profiles.
        host = structs.replace(record.header.host, host_class=f"x86-{written // (observations // 2)}")
        named = {"run": f"{target.id}+{profile}", "release": target.release, "backend": "cpu", "profile": profile}
        header = structs.replace(record.header, **named, host=host)
        records.write(reports, Record(header=header, observations=record.observations))


def site() -> None:
    """The build has one thread, so that its seconds of a processor are those of a machine without other work."""
    with tempfile.TemporaryDirectory() as folder:
        reports, sites = Path(folder) / "reports", (Path(folder) / f"site-{number}" for number in count())
        repeat_published(reports)
        what = f"building the site of {OBSERVATIONS:,} observations"
        measured(what, SECONDS_TO_BUILD, lambda: build.build(reports, next(sites)))


def page() -> None:
    """From an empty page to an answered question, by the ticks of the browser's main thread, which other work of the
    machine does not move.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        raise SystemExit("no Chromium is on this machine; install the package chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        build.build(paths.REPORTS, Path(folder) / "site")
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        with serve(Path(folder) / "site") as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            address = f"http://127.0.0.1:{server.server_port}/index.html#release=2.8.4"
            ticks = [_ticks(browser, address) for _ in range(REPETITIONS)]
            server.shutdown()
        browser.close()
    tasks, scripts = ([one[name] for one in ticks] for name in ("TaskDuration", "ScriptDuration"))
    print(
        f"answering on the first page: {_told(tasks)} of the main thread, {_told(scripts)} of that in scripts; "
        f"wanted within {SECONDS_TO_ANSWER:g} s"
    )


def _ticks(browser: Browser, address: str) -> dict[str, float]:
    """Seconds by what the main thread did, in a browser context that has cached nothing."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        opened = context.new_page()
        asked = context.new_cdp_session(opened)
        asked.send("Performance.enable", {"timeDomain": "threadTicks"})
        opened.goto(address)
        if not opened.locator("#mine-answer .answer").first.inner_text():
            raise SystemExit("the first page answered nothing")
        return {one["name"]: one["value"] for one in asked.send("Performance.getMetrics")["metrics"]}


def _told(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
