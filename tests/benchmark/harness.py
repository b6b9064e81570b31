"""What the matrix costs beside the bare suite, what it saves beside nox and pip by hand, and what its products cost.

python tests/benchmark/harness.py ready RELEASE...   built: the matrix against bare pytest, in pairs
python tests/benchmark/harness.py cold RELEASE...    empty caches: the matrix against nox + pip by hand
python tests/benchmark/harness.py docker RELEASE...  built: a run in a container against one in an environment, in pairs
python tests/benchmark/harness.py probe RELEASE...   built: how far the probe gets in its time on a busy machine
python tests/benchmark/harness.py site               building the site of 100,000 observations: wanted within 10 s
python tests/benchmark/harness.py page               the site's first page in Chromium: wanted to answer within 1 s

The tests ask none of this: times say something of the machine, too. Both are wanted on PYTHONPATH: this project's root
and `tests`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from benchmark import pages
from rich.console import Console
from rich.table import Table

from matrix.answers.probe import pack
from matrix.base import paths
from matrix.catalog import releases as catalog
from matrix.catalog.releases import Release
from matrix.plan import selection
from matrix.provision import interpreters
from matrix.provision.engines import docker as docker_engine
from matrix.provision.engines import venv

BY_HAND = Path(__file__).parent / "by_hand" / "noxfile.py"
PAIRS = 3
# What a container costs does not grow with its cells: few are enough, and leave less to chance.
FEW = ("--approach=nn-conv2d", "--mode=graph", "--check=forward")
DOCKER_PAIRS = 7
console = Console()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    of_releases = {"ready": ready, "cold": cold, "docker": docker, "probe": probe}
    of_the_site = {"site": pages.site, "page": pages.page}
    parser.add_argument("what", choices=[*of_releases, *of_the_site])
    parser.add_argument("releases", nargs="*", help="landmarks by default; none for the site")
    options = parser.parse_args()
    if options.what in of_releases:
        of_releases[options.what](_here(options.releases or ["landmarks"]))
    elif options.releases:
        parser.error(f"{options.what} takes no releases")
    else:
        of_the_site[options.what]()


def _here(selectors: Sequence[str]) -> list[Release]:
    """The releases whose CPython is on this machine: fetching one would be measured with it."""
    chosen = [one for one in selection.select_releases(catalog.load(), selectors) if "cpu" in one.wheels]
    here = [release for release in chosen if interpreters.find(release.wheels["cpu"].python)]
    console.print(f"{len(here)} of {len(chosen)} releases: {', '.join(release.version for release in here)}")
    return here


def _profile(release: Release) -> str:
    """A profile that is run of every release, and is not another profile under another name."""
    return "onednn-off" if _switches_onednn(release) else "default"


def _switches_onednn(release: Release) -> bool:
    (profile,) = selection.select_profiles(catalog.load(), ["onednn-off"])
    return profile.holds_for(release.version, "cpu")


def ready(releases: Sequence[Release]) -> None:
    """Pairs in alternating order for each release, under a profile that every release has."""
    columns = ("release", "pytest s", "matrix s", "extra s", "import s", "forks s", "reference s", "rest s")
    table = Table(*columns)
    extras, bare = [], []
    for release in releases:
        environment = venv.provision(release.target("cpu"), console.print)
        pairs = [_pair(release, Path(environment.where), matrix_first=bool(number % 2)) for number in range(PAIRS)]
        extra = statistics.median(ours - theirs for theirs, ours in pairs)
        extras.append(extra)
        bare.append(statistics.median(theirs for theirs, _ in pairs))
        ours = statistics.median(ours for _, ours in pairs)
        table.add_row(release.version, *(f"{value:.2f}" for value in (bare[-1], ours, extra, *_shares(release))))
    console.print(table)
    console.print(
        f"extra a run: median {statistics.median(extras):.2f} s; of the sweep: {sum(extras) / sum(bare):+.1%}"
    )


def _pair(release: Release, folder: Path, *, matrix_first: bool) -> tuple[float, float]:
    """Seconds of bare pytest and of the matrix."""
    chosen = (f"--profile={_profile(release)}", f"--release={release.version}")
    return _timed(lambda: _pytest(folder), lambda: _matrix(*chosen), second_first=matrix_first)


def _timed(first: Callable[[], None], second: Callable[[], None], *, second_first: bool) -> tuple[float, float]:
    """Seconds of each, one after the other."""
    timed: dict[Callable[[], None], float] = {}
    for step in (second, first) if second_first else (first, second):
        began = time.perf_counter()
        step()
        timed[step] = time.perf_counter() - began
    return timed[first], timed[second]


def _pytest(folder: Path) -> None:
    variables = {"PATH": os.defpath, "HOME": tempfile.gettempdir(), "TF_ENABLE_ONEDNN_OPTS": "0"}
    command = [str(folder / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", str(paths.SUITE)]
    _run("pytest", command, variables, success={0, 1})


def _run(name: str, command: Sequence[str], variables: Mapping[str, str], success: AbstractSet[int]) -> None:
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if ended.returncode not in success:
        raise SystemExit(f"{name} could not run:\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")


def _matrix(*arguments: str, engine: str = "venv", variables: dict[str, str] | None = None) -> None:
    with tempfile.TemporaryDirectory() as reports:
        command = [sys.executable, "-m", "matrix", "run", f"--engine={engine}", f"--reports={reports}", *arguments]
        subprocess.run(command, cwd=paths.ROOT, env=os.environ | (variables or {}), check=True, capture_output=True)


def _shares(release: Release) -> tuple[float, float, float, float]:
    """Seconds of import, forks, reference, and the rest: TensorFlow's own work and what is around it."""
    run = f"{release.target('cpu').id}+{_profile(release)}"
    told = json.loads((paths.LOGS / f"{run}.seconds.json").read_text())
    known = [told.get(share, 0.0) for share in ("import", "fork", "reference")]
    return (*known, told["all"] - sum(known))  # type: ignore[return-value]


def docker(releases: Sequence[Release]) -> None:
    """A container is wanted to take less than 2 s more a run."""
    table = Table("release", "environment s", "container s", "extra s", "least", "most")
    for release in releases:
        for engine in (venv, docker_engine):
            engine.provision(release.target("cpu"), console.print)
        pairs = [_engines(release, docker_first=bool(number % 2)) for number in range(DOCKER_PAIRS)]
        extras = [theirs - ours for ours, theirs in pairs]
        middles = (statistics.median(one) for one in (*zip(*pairs, strict=True), extras))
        table.add_row(release.version, *(f"{value:.2f}" for value in (*middles, min(extras), max(extras))))
    console.print(table)


def _engines(release: Release, *, docker_first: bool) -> tuple[float, float]:
    """Seconds of the same run in an environment and in a container."""
    chosen = (f"--profile={_profile(release)}", f"--release={release.version}", *FEW)
    return _timed(lambda: _matrix(*chosen), lambda: _matrix(*chosen, engine="docker"), second_first=docker_first)


def probe(releases: Sequence[Release]) -> None:
    """While two loops keep processors busy. The probe ends itself in time; wanted is that it reaches most cells."""
    table = Table("release", "s", "observed", "not reached")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "probe.pyz"
        pack.build(paths.REPORTS, program)
        for release in releases:
            python = Path(venv.provision(release.target("cpu"), console.print).where) / "bin" / "python"
            busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(2)]
            began = time.perf_counter()
            try:
                command = [python, program, "--json", f"--output={folder}/probe.jsonl"]
                ended = subprocess.run(command, capture_output=True, text=True, check=False)
            finally:
                for process in busy:
                    process.kill()
                    process.wait()
            found = json.loads(ended.stdout) if ended.returncode == 0 else {"observed": 0, "not_reached": "all"}
            took = f"{time.perf_counter() - began:.1f}"
            table.add_row(release.version, took, str(found["observed"]), str(found["not_reached"]))
    console.print(table)


def cold(releases: Sequence[Release]) -> None:
    """Both from empty caches, within the same hour."""
    with tempfile.TemporaryDirectory(dir=paths.ROOT) as folder:
        ours = _cold_matrix(releases, Path(folder))
        theirs = _cold_by_hand(releases, Path(folder))
    console.print(f"{len(releases)} releases: matrix {ours:.0f} s, nox + pip {theirs:.0f} s, {theirs / ours:.1f} times")


def _cold_matrix(releases: Sequence[Release], folder: Path) -> float:
    variables = {"UV_CACHE_DIR": str(folder / "uv"), "MATRIX_WORK": str(folder / "work")}
    began = time.perf_counter()
    chosen = [f"--release={release.version}" for release in releases]
    _matrix(*chosen, "--profile=onednn-on", "--profile=onednn-off", "--profile=default", variables=variables)
    shutil.rmtree(folder / "work")
    return time.perf_counter() - began


def _cold_by_hand(releases: Sequence[Release], folder: Path) -> float:
    variables = os.environ | {
        "PIP_CACHE_DIR": str(folder / "pip"),
        "TARGETS": " ".join(release.target("cpu").id for release in releases),
        "SWITCHABLE": " ".join(release.target("cpu").id for release in releases if _switches_onednn(release)),
        "PATH": interpreters.search_path(),
    }
    command = [sys.executable, "-m", "nox", "-f", str(BY_HAND), "--envdir", str(folder / "nox")]
    began = time.perf_counter()
    _run("nox and pip by hand", command, variables, success={0})
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
