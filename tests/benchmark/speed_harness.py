"""The speed suite beside a bare script, on one call of about a millisecond: does measuring change what is measured?

python tests/benchmark/speed_harness.py [--pairs 20] [RELEASE]

Each pair is a process of the suite, in which all variants of the point take turns, and one of the bare script, one
after the other, in changing order. The ratio of their medians should be 1, its interval within 2%. Wants a quiet
machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from scipy import stats

from matrix.base import paths
from matrix.catalog import releases
from matrix.plan import selection
from matrix.provision.engines import venv

BARE = Path(__file__).parent / "bare_speed.py"
POINT, VARIANT = "resnext50-56/1/graph/forward", "nn-conv2d"
WANTED = 0.02
console = Console()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", nargs="?", default="2.15.1")
    parser.add_argument("--pairs", type=int, default=20)
    options = parser.parse_args()
    (release,) = selection.select_releases(releases.load(), [options.release])
    folder = Path(venv.provision(release.target("cpu"), console.print).where)
    ratios = [_ratio(folder, number) for number in range(options.pairs)]
    low, high = _interval(ratios)
    within = 1 - WANTED <= low <= high <= 1 + WANTED
    console.print(f"{len(ratios)} pairs on {release.version}: suite / bare {_mean(ratios):.4f} [{low:.4f}, {high:.4f}]")
    console.print(f"{'within' if within else 'NOT within'} {WANTED:.0%}")


def _ratio(folder: Path, number: int) -> float:
    """The suite's median divided by the bare script's; which of the two goes first alternates."""
    steps = {"bare": lambda: _bare(folder), "suite": lambda: _suite(folder, number + 1)}
    order = list(steps) if number % 2 else list(steps)[::-1]
    took = {name: steps[name]() for name in order}
    ratio = took["suite"] / took["bare"]
    told = ", ".join(f"{name} {seconds * 1e3:.4f} ms" for name, seconds in sorted(took.items()))
    console.print(f"pair {number + 1}: {told}, ratio {ratio:.4f}")
    return ratio


def _bare(folder: Path) -> float:
    return float(_run(folder, str(BARE)))


def _suite(folder: Path, process: int) -> float:
    """Processes from 1 on, each with its own order of the variants: the first of a run does more than to measure."""
    lines = map(json.loads, _run(folder, "-m", "suite.speed", f"--process={process}", POINT).splitlines())
    (samples,) = (line["samples"] for line in lines if line.get("variant") == VARIANT)
    return statistics.median(samples)


def _run(folder: Path, *arguments: str) -> str:
    with tempfile.TemporaryDirectory() as home:
        variables = {"PATH": os.defpath, "HOME": home, "PYTHONPATH": str(paths.SUITE.parent)}
        command = [str(folder / "bin" / "python"), *arguments]
        return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout


def _mean(ratios: list[float]) -> float:
    return float(np.exp(np.mean(np.log(ratios))))


def _interval(ratios: list[float]) -> tuple[float, float]:
    """The 95% interval of the geometric mean over pairs."""
    found = stats.bootstrap([np.log(ratios)], np.mean, n_resamples=9999, method="percentile", rng=0)
    return float(np.exp(found.confidence_interval.low)), float(np.exp(found.confidence_interval.high))


if __name__ == "__main__":
    main()
