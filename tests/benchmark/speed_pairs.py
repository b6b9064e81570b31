"""Pairs of the same program in great number: how often does the speed suite call a program different from itself?

python tests/benchmark/speed_pairs.py [--approach nn-conv2d] [--onednn 1] [--processes 5] [RELEASE] [POINT...]

At each point of the default depth a program takes its turns seven times, and once made 15% slower on purpose. Each two
of the seven are a pair: of 14 points 294 pairs, which are not independent of each other. A run of `speed` has one pair
at a point, with all the other approaches beside it. Let nothing else run to see a quiet machine; to see a busy one, let
something run.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console

from matrix.base import paths
from matrix.catalog import releases
from matrix.plan import selection
from matrix.provision.engines import venv
from matrix.record.speed_records import word
from matrix.speed.estimates import Series, compare
from matrix.speed.speed_stream import PLANTED, Timed

COPIES = Path(__file__).parent / "speed_copies.py"
console = Console()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", nargs="?", default="2.21.0")
    parser.add_argument("points", nargs="*", metavar="POINT")
    parser.add_argument("--approach", default="nn-conv2d")
    parser.add_argument("--onednn", default="1", choices=("0", "1"))
    parser.add_argument("--processes", type=int, default=5)
    options = parser.parse_args()
    (release,) = selection.select_releases(releases.load(), [options.release])
    folder = Path(venv.provision(release.target("cpu"), console.print).where)
    began = time.monotonic()
    found: dict[str, dict[str, dict[int, Timed]]] = defaultdict(lambda: defaultdict(dict))
    for number in range(options.processes):
        for timed in _process(folder, number, options):
            found[f"{timed.layer} {timed.direction}"][timed.variant][number] = timed
    words: dict[str, Counter[str]] = {"copies": Counter(), PLANTED: Counter()}
    left_out = samples = 0
    for point, variants in found.items():
        series = {name: Series(timed=timed) for name, timed in variants.items()}
        for one, other in itertools.combinations(sorted(series), 2):
            compared = compare(series[one], series[other])
            if compared and PLANTED not in {one, other}:
                words["copies"][word(compared[1])] += 1
        compared = compare(series[PLANTED], series[options.approach])
        words[PLANTED][word(compared[1]) if compared else "not timed"] += 1
        taken = np.concatenate([values for one in series.values() for values in one.sampled.values()])
        samples, left_out = samples + len(taken), left_out + int(np.isnan(taken).sum())
        console.print(f"{point}: {len(taken)} samples, planted {compared}")
    console.print(f"{release.version}, {options.approach}, oneDNN {options.onednn}, {options.processes} processes:")
    console.print(f"pairs of the same: {dict(words['copies'])}; 15% slower: {dict(words[PLANTED])}")
    console.print(f"{left_out} of {samples} samples left out; {time.monotonic() - began:.0f} s")


def _process(folder: Path, number: int, options: argparse.Namespace) -> list[Timed]:
    with tempfile.TemporaryDirectory() as home:
        variables = {"PATH": os.defpath, "HOME": home, "PYTHONPATH": str(paths.SUITE.parent),
                     "TF_ENABLE_ONEDNN_OPTS": options.onednn}  # fmt: skip
        command = [str(folder / "bin" / "python"), str(COPIES), options.approach, f"--process={number}"]
        ended = subprocess.run([*command, *options.points], env=variables, check=True, capture_output=True)
    return [msgspec.json.decode(line, type=Timed) for line in ended.stdout.splitlines()]


if __name__ == "__main__":
    main()
