"""No text of a stranger reaches the terminal with an escape sequence in it, whatever prints it."""

from __future__ import annotations

import json
import re

import pytest
from unit.contributions import HOST, contribute
from unit.fabricated import error, observe, record

from matrix.base import paths
from matrix.cli import main as main_
from matrix.record import quarantine, records
from matrix.record.records import Host

# A colour, C1's way to begin a sequence, an order to read from right to left, and an end of line that Python knows.
HOSTILE = "\x1b[31mred\x9b31m\u202egnp.exe\u2028"
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]")
CELL = ("nn-conv2d", "graph", "forward", "g4-k3/bias_relu/f32/nhwc")


@pytest.fixture
def said(capfd, monkeypatch, tmp_path):
    """What `python -m matrix ARGUMENTS` prints, as it would be called."""
    monkeypatch.setattr(quarantine, "FOLDER", tmp_path / "quarantine")
    monkeypatch.setattr(paths, "LOGS", tmp_path / "logs")

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["matrix", *map(str, arguments)])
        status = main_.main()
        told = capfd.readouterr()
        return status, told.out + told.err

    return call


def test_a_contribution_a_record_and_a_shard_of_a_stranger_are_shown_as_plain_text(said, tmp_path):
    sent = contribute(tmp_path, observe(CELL), host=HOST | {"cpu": HOSTILE})
    named = sent.rename(tmp_path / f"{HOSTILE}.jsonl")
    host = Host(host_class="x86-avx2", cpu=HOSTILE, cpu_flags=["avx2"], cores=2, kernel=HOSTILE)
    reports = tmp_path / "reports"
    records.write(reports, record(lambda cell: error(HOSTILE) if cell == CELL else {}, host=host))
    shard = tmp_path / HOSTILE
    broken = records.write(shard, record(host=host))
    broken.write_bytes(broken.read_bytes()[:-9])
    here = f"--reports={reports}"
    for arguments, words in [
        (("contribute", named, here), "red 31m gnp.exe"),
        (("show", "--release=2.8", "--approach=nn-conv2d", here), "red 31m gnp.exe"),
        (("merge", shard, here), "cut off"),
        (("contribute", tmp_path / HOSTILE / "none", here), "does not exist"),
        (("report", f"--reports={reports}"), "SUPPORT.md"),
    ]:
        _, told = said(*arguments)
        assert words in told and not ACTS.search(told), (arguments, told)


def test_json_says_the_same_with_escapes(said, tmp_path):
    sent = contribute(tmp_path, observe(CELL), host=HOST | {"cpu": HOSTILE})
    records.write(tmp_path / "reports", record())
    status, told = said("contribute", sent, f"--reports={tmp_path / 'reports'}", "--json")
    assert status == 0 and not ACTS.search(told)
    assert json.loads(told)["header"]["host"]["cpu"] == HOSTILE


def test_a_fault_that_nobody_thought_of_is_told_without_a_traceback(said, monkeypatch, tmp_path):
    monkeypatch.setattr("matrix.record.contribution.read", lambda file: {}[HOSTILE])
    status, told = said("contribute", contribute(tmp_path, observe(CELL)))
    assert status == 1 and "a fault of this program: KeyError" in told and "Traceback" not in told
    assert not ACTS.search(told)
    assert "KeyError" in (tmp_path / "logs" / "traceback.log").read_text()
