"""Limits on the site: bytes to fetch, time to show, time and memory to build."""

from __future__ import annotations

import csv
import gzip
import os
import re
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import pytest
from msgspec import structs

from matrix.base import paths
from matrix.catalog import releases
from matrix.record import records
from matrix.record.records import Record

KIB = 1024
OBSERVATIONS = 100_000
BUILD = """
import sys
from pathlib import Path
from matrix.site import build
build.build(*map(Path, sys.argv[1:]))
print(Path("/proc/self/status").read_text())
"""


def test_the_first_page_with_all_that_it_loads_is_small(site):
    text = (site / "index.html").read_text(encoding="utf-8")
    loaded = {site / path for path in re.findall(r'(?:src|href)="((?:data|static)/[^"]+\.(?:js|css|svg))"', text)}
    fonts = set((site / "static" / "fonts").glob("*.woff2"))
    assert len(loaded) == 4 and fonts
    size = sum(len(gzip.compress(file.read_bytes())) for file in {site / "index.html", *loaded, *fonts})
    assert size < 300 * KIB, f"{size / KIB:.0f} KiB"


def test_the_first_page_answers_within_a_second(page, address):
    """Measure from an empty page to an answered question.

    The time is processor time of the browser's main thread, so that other programs make no difference.
    """
    browser = page.context.new_cdp_session(page)
    browser.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(f"{address}/index.html#release=2.8.4")
    assert page.locator("#mine-answer").inner_text()
    told = {one["name"]: one["value"] for one in browser.send("Performance.getMetrics")["metrics"]}
    assert 0 < told["ScriptDuration"] <= told["TaskDuration"] < 1, told


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """Reports with 100,000 observations: the published ones, repeated under other releases and profiles."""
    folder = tmp_path_factory.mktemp("many") / "reports"
    published = [one for one in records.read_all(paths.REPORTS) if one.observations]
    data = releases.load()
    runs = [(entry.target("cpu"), profile.name) for profile in data.profiles for entry in data.releases
            if "cpu" in entry.wheels and profile.holds_for(entry.version, "cpu")]  # fmt: skip
    count = 0
    for (target, profile), record in zip(cycle(runs), cycle(published), strict=False):
        if count >= OBSERVATIONS:
            return folder
        count += len(record.observations)
        host = structs.replace(record.header.host, host_class=f"x86-{count // (OBSERVATIONS // 2)}")
        told = {"run": f"{target.id}+{profile}", "release": target.release, "backend": "cpu", "profile": profile}
        header = structs.replace(record.header, **told, host=host)
        records.write(folder, Record(header=header, observations=record.observations))
    raise AssertionError


def test_100_000_observations_are_built_within_10_s_and_500_mb(many, tmp_path):
    """The limit is on processor time, so that other programs make no difference: the build has one thread.

    The build reports its own memory, since the system's count for a child begins with what the parent had.
    """
    with (tmp_path / "told").open("w") as told:
        program = subprocess.Popen([sys.executable, "-c", BUILD, many, tmp_path / "site"], stdout=told)
    _, status, used = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    assert program.returncode == 0
    with (tmp_path / "site" / "data" / "runs.csv").open(encoding="utf-8", newline="") as rows:
        assert sum(int(row["observations"]) for row in csv.DictReader(rows)) >= OBSERVATIONS
    assert used.ru_utime + used.ru_stime < 10, f"{used.ru_utime + used.ru_stime:.1f} s"
    itself = (tmp_path / "told").read_text(encoding="utf-8")
    most = int(dict(re.findall(r"^(\w+):\s+(\d+)", itself, re.MULTILINE))["VmHWM"])
    assert most < 500 * KIB, f"{most / KIB:.0f} MB"
