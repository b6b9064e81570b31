"""The orchestrator's own faults, on a whole small project: nothing is lost, and a person is told how to go on."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import outcomes
import psutil
import pytest
import tiny
from mini import cannot
from tiny import PATIENCE, Tiny

from matrix.record import records

# A hundred by hand: docs/security.md.
KILLS = int(os.environ.get("MATRIX_KILLS", "10"))
SEED = 8

Told = Callable[[str, str], None]


@pytest.fixture
def told(request) -> Told:
    """Checks a fault and its outcome against the table."""
    write = request.config.getoption("--golden")
    return lambda fault, outcome: outcomes.check(fault, "venv", outcome, write=write)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Tiny:
    """Run once, and never disturbed."""
    project = tiny.make(tmp_path_factory.mktemp("whole"))
    status, said = project.run()
    if "prevented" in said:
        cannot(f"the package index does not answer: {said}")
    assert status == 0, said
    assert set(statuses(project.reports).values()) == {("complete", None), ("not_run", None)}
    return project


@pytest.fixture
def project(whole, tmp_path) -> Tiny:
    """The same with nothing run; its environment is built already."""
    shutil.copytree(whole.root, tmp_path / "project", symlinks=True)
    return Tiny(root=tmp_path / "project", work=whole.work, reports=tmp_path / "reports")


def published(reports: Path) -> dict[str, str]:
    """Every file without what changes from run to run: start, duration, day, and the hash over all of these."""
    files = [file for file in reports.rglob("*") if file.is_file() and file.name != ".lock"]
    volatile = r'"(started|seconds|sha256)": ?("[^"]*"|[0-9.]+),?|\d{4}-\d\d-\d\d'
    return {str(file.relative_to(reports)): re.sub(volatile, "", file.read_text()) for file in files}


def goes_on(project: Tiny, whole: Tiny) -> None:
    """The same command ends with the files of an undisturbed sweep."""
    status, said = project.run()
    assert status == 0, said
    assert published(project.reports) == published(whole.reports)


def statuses(reports: Path) -> dict[str, tuple[str, bool | None]]:
    return {one.header.profile: (one.header.status, one.header.machine) for one in records.read_all(reports)}


def of_environments(project: Tiny) -> list[psutil.Process]:
    """The processes that run in this project's environments."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(project.work) in word for word in process.info["cmdline"] or ())
    ]


def left_of(project: Tiny) -> list[psutil.Process]:
    """The processes of this project's environments that outlive it; a killed one needs a moment to go."""
    end = time.monotonic() + PATIENCE / 10
    while (left := of_environments(project)) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def after_some(project: Tiny, words: str) -> subprocess.Popen[str]:
    """Start `run`, and read what it says up to the line with these words."""
    process = project.start("run", "--engine=venv", f"--reports={project.reports}")
    tiny.read_until(process, words)
    return process


def test_killed_at_random_points(whole, project, tmp_path, told):
    """SIGKILL anywhere from start to end, the environment built or not: going on gives what was never disturbed.

    How long a run took only spreads the points: what is asserted holds at each, also before the start or after the
    end.
    """
    started = time.monotonic()
    project.run()
    random, seconds = Random(SEED), time.monotonic() - started
    for number in range(KILLS):
        built = random.random() < 0.8
        work = whole.work if built else tmp_path / f"work{number}"
        one = Tiny(root=project.root, work=work, reports=project.reports)
        shutil.rmtree(one.reports)
        process = one.start("run", "--engine=venv", f"--reports={one.reports}")
        time.sleep(random.uniform(0, seconds))
        process.kill()
        process.communicate()
        assert not left_of(one)
        made = list(records.read_all(one.reports))
        assert {record.header.status for record in made} <= {"complete", "not_run"}
        goes_on(one, whole)
    told("SIGKILL at a random point", "nothing runs on; the same command gives the records of an undisturbed sweep")


def test_an_interrupt_finishes_what_is_under_way(whole, project, told):
    with tiny.held(project):
        process = after_some(project, "observing")
        process.send_signal(signal.SIGINT)
        tiny.read_until(process, "under way will end, and be recorded")
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "the same command goes on" in said
    assert "complete" in {status for status, _ in statuses(project.reports).values()}
    goes_on(project, whole)
    told("SIGINT", "runs under way end and are recorded; exit 130 says how to go on")


def test_a_second_interrupt_stops_at_once(whole, project, told):
    with tiny.held(project):
        process = after_some(project, "observing")
        process.send_signal(signal.SIGINT)
        tiny.read_until(process, "once more stops them at once")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, said
    assert not left_of(project)
    goes_on(project, whole)
    told("SIGINT twice", "stops at once; what was recorded stays")


@pytest.mark.parametrize("words", ["installing", "observing"])
def test_asked_to_end(words, whole, project, tmp_path, told):
    fresh = Tiny(root=project.root, work=tmp_path / "work", reports=project.reports)
    with tiny.held(fresh):
        process = after_some(fresh, words)
        process.terminate()
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    assert "terminated" in said and "the same command goes on" in said
    assert not left_of(fresh)
    goes_on(fresh, whole)
    told(f"SIGTERM while {words}", "stops at once; exit 143 says how to go on")


def test_a_second_orchestrator_is_told_who_holds_the_folder(whole, project, told):
    with tiny.held(project):
        first = after_some(project, "observing")
        status, said = project.run()
    assert status == 6, said
    assert f"process {first.pid} (" in said and "at work since" in said and "wait for it" in said
    first.communicate(timeout=PATIENCE)
    assert first.returncode == 0
    assert published(project.reports) == published(whole.reports)
    told("two orchestrators, one folder", "the second says who holds it; exit 6")


def test_two_orchestrators_share_what_is_built(whole, project, tmp_path, told):
    work = tmp_path / "work"
    both = [Tiny(root=project.root, work=work, reports=tmp_path / name) for name in ("one", "other")]
    started = [one.start("run", "--engine=venv", f"--reports={one.reports}") for one in both]
    for process, one in zip(started, both, strict=True):
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
        assert published(one.reports) == published(whole.reports)
    told("two orchestrators, one work folder", "one builds, the other waits for it")


def mounted(project: Tiny, options: str, *steps: str) -> tuple[int, str]:
    """Shell commands with a tmpfs at reports/; `matrix run` stands for the whole command. What they leave is copied."""
    run = shlex.join([sys.executable, "-m", "matrix", "run", "--engine=venv", f"--reports={project.reports}"])
    kept = project.reports.with_name("kept")
    project.reports.mkdir()
    script = [f"mount -t tmpfs -o {options} none {project.reports}", *steps, f"cp -a {project.reports}/. {kept}"]
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "bash", "-euc", "\n".join(script).replace("matrix run", run)],
        cwd=project.root, env=tiny.environment(MATRIX_WORK=str(project.work)), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if "unshare failed" in done.stderr or "mount:" in done.stderr:
        cannot(f"no mount can be made here: {done.stderr}")
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("size", ["4k", "24k", "48k", "96k"])
def test_a_full_disk(size, whole, project, told):
    status, said = mounted(
        project, f"size={size}",
        "(matrix run; echo status $?) || true",
        f"mkdir {project.reports.with_name('full')}; cp -a {project.reports}/. {project.reports.with_name('full')}",
        f"mount -o remount,size=16m {project.reports}",
        "matrix run",
    )  # fmt: skip
    assert status == 0, said
    assert "status 5" in said and "No space left on device" in said and "make room" in said
    assert "Traceback" not in said
    full = project.reports.with_name("full")
    assert all(records.read(file) for file in records.files(full))
    assert not list(full.rglob("*.part"))
    assert published(project.reports.with_name("kept")) == published(whole.reports)
    told(
        "the disk of the reports is full",
        "ends with exit 5 and the cure; what was written is whole; goes on from there",
    )


def test_a_folder_that_cannot_be_written(project, told):
    status, said = mounted(project, "ro", "matrix run || echo status $?")
    assert status == 0, said
    assert "status 5" in said and "Read-only file system" in said and "mount it writable" in said
    assert "observing" not in said and "Traceback" not in said
    told("the reports folder is read-only", "ends with exit 5 and the cure before anything is run")


def test_an_index_that_cannot_be_reached(whole, project, tmp_path, told):
    fresh = Tiny(root=project.root, work=tmp_path / "work", reports=project.reports)
    nowhere = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_CACHE_DIR": str(tmp_path / "cache")}
    status, said = fresh.run(**nowhere, UV_HTTP_RETRIES="0")
    assert status == 8 and "this machine prevented 3 runs" in said and "tries them again" in said
    assert set(statuses(fresh.reports).values()) == {("not_built", True)}
    assert "3 records of a run that the machine prevented" in said
    goes_on(fresh, whole)
    told(
        "the package index cannot be reached",
        "not built, and the machine's fault; exit 8; tried again by the next call",
    )


def test_a_lock_whose_hash_is_not_the_files(whole, project, tmp_path, told):
    fresh = Tiny(root=project.root, work=tmp_path / "work", reports=project.reports)
    lock = project.root / "matrix" / "data" / "locks" / f"{tiny.TARGET}.txt"
    right = lock.read_text()
    lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", right))
    assert fresh.run()[0] == 8
    made = list(records.read_all(fresh.reports))
    assert {(one.header.status, one.header.machine) for one in made} == {("not_built", True)}
    assert all("Hash mismatch" in (one.header.reason or "") for one in made)
    lock.write_text(right)
    goes_on(fresh, whole)
    told(
        "a lock's hash is not the file's", "nothing is installed: not built, exit 8, and not counted against TensorFlow"
    )


def test_what_was_built_before_stands_when_it_cannot_be_built_again(whole, project, tmp_path, told):
    """A machine's fault takes no record's place."""
    shutil.copytree(whole.reports, project.reports)
    fresh = Tiny(root=project.root, work=tmp_path / "work", reports=project.reports)
    nowhere = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_CACHE_DIR": str(tmp_path / "cache")}
    status, said = fresh.run("--again", **nowhere, UV_HTTP_RETRIES="0")
    assert status == 8 and "not recorded" in said
    assert published(project.reports) == published(whole.reports)
    told("a machine's fault where a record stands", "the record stands, the fault is said, exit 8")


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[: len(data) // 2],
    "of a newer format": lambda data: data.replace(b'"format":"run/1"', b'"format":"run/2"'),
    "of another run": lambda data: data.replace(b"+onednn-on", b"+onednn-xx").replace(b'"onednn-on"', b'"onednn-xx"'),
    "of no format at all": lambda data: b"\x00" * 100,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_record_that_cannot_be_read(damage, whole, project, told):
    shutil.copytree(whole.reports, project.reports)
    (file,) = project.reports.rglob("*+onednn-on.jsonl")
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    damaged = file.read_bytes()
    status, said = project.run()
    assert status == 0, said
    kept = file.with_name(f"{file.name}.unreadable")
    assert kept.read_bytes() == damaged
    kept.unlink()
    assert published(project.reports) == published(whole.reports)
    told(f"a record {damage}", "the run is made again; what stood there is kept beside it")


def test_a_foreign_record_is_left_out_and_said(whole, project, told):
    """A record of another host class, in a folder of that class."""
    shutil.copytree(whole.reports, project.reports)
    (file,) = project.reports.rglob("*+onednn-on.jsonl")
    foreign = project.reports / "runs" / "x86-of-nobody" / "venv" / file.name
    foreign.parent.mkdir(parents=True)
    shutil.copy(file, foreign)
    status, said = project.run("--again")
    assert status == 4
    assert f"{foreign}: says that it belongs at" in said.replace("\n", "")
    assert {"1 record left out, since it could not be read."} <= set(said.splitlines())
    told("a record in a foreign place", "left out and counted; exit 4 says which")


def test_a_link_in_a_records_place_is_not_followed(whole, project, tmp_path, told):
    shutil.copytree(whole.reports, project.reports)
    (file,) = project.reports.rglob("*+onednn-on.jsonl")
    elsewhere = file.rename(tmp_path / file.name)
    file.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    assert project.run()[0] == 0
    assert not file.is_symlink() and elsewhere.read_bytes() == before
    told("a link in a record's place", "not followed; the run is made again in its place")


def test_what_a_killed_process_left_unjudged_is_judged(whole, project, told):
    """Killed between a record and its table: nothing is due any more, and yet the table is behind."""
    shutil.copytree(whole.reports, project.reports)
    (project.reports / "SUPPORT.md").unlink()
    (project.reports / ".behind").touch()
    goes_on(project, whole)
    told("killed between the last record and the table", "the next call judges the records, though nothing is due")


def test_the_suites_process_is_killed(whole, project, told):
    """As the kernel does for want of memory: it says nothing of TensorFlow, and is tried again."""
    with tiny.held(project):
        process = after_some(project, "+onednn-on: 30 cells")
        tiny.until(lambda: _suites(project))
        for suite in _suites(project):
            with contextlib.suppress(psutil.NoSuchProcess):
                suite.kill()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 8
    assert any(is_machines for _, is_machines in statuses(project.reports).values())
    goes_on(project, whole)
    told(
        "the suite's process is killed from outside",
        "its run is not complete, and the machine's fault; exit 8; tried again by the next call",
    )


def _suites(project: Tiny) -> list[psutil.Process]:
    """The processes that observe; one that only describes its environment is started again by the orchestrator."""
    words = {process: process.info["cmdline"] for process in of_environments(project)}
    return [process for process, said in words.items() if "suite" in said and "--describe" not in said]
