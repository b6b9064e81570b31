"""How large the site may be, and how much memory its build may take; for times see `nox -s benchmark`."""

from __future__ import annotations

import csv
import gzip
import re
import subprocess
import sys

from benchmark import pages

KIB = 1024
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
    newest = max((site / "data" / "advice").glob("*-cpu.js"), key=lambda file: file.stat().st_size)
    assert len(loaded) == 5 and fonts
    size = sum(len(gzip.compress(file.read_bytes())) for file in {site / "index.html", newest, *loaded, *fonts})
    assert size < 300 * KIB, f"{size / KIB:.0f} KiB"


def test_no_page_is_heavy(site):
    """The first page is measured above, with all that it loads."""
    for file in {*site.rglob("*.html")} - {site / "index.html"}:
        text = file.read_bytes()
        assert len(text) < 600 * KIB, f"{file}: {len(text) / KIB:.0f} KiB"
        assert len(gzip.compress(text)) < 300 * KIB, file


def test_the_whole_site_is_under_40_mb(site):
    assert sum(file.stat().st_size for file in site.rglob("*") if file.is_file()) < 40_000_000


def test_100_000_observations_are_built_within_500_mb(tmp_path):
    """The build tells its memory itself: what the system counts for a child begins with what the parent had."""
    pages.repeat_published(tmp_path / "reports")
    command = [sys.executable, "-c", BUILD, tmp_path / "reports", tmp_path / "site"]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    with gzip.open(tmp_path / "site" / "data" / "runs.csv.gz", "rt", encoding="utf-8", newline="") as rows:
        assert sum(int(row["observations"]) for row in csv.DictReader(rows)) >= pages.OBSERVATIONS
    most = int(dict(re.findall(r"^(\w+):\s+(\d+)", told, re.MULTILINE))["VmHWM"])
    assert most < 500 * KIB, f"{most / KIB:.0f} MB"
