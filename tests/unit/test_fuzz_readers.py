"""Every reader takes or refuses mutations of real inputs. The million of docs/security.md: `nox -s fuzz`."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace

import pytest
from fuzz import __main__ as fuzzing
from fuzz.readers import READERS

from matrix.base import paths

# A reader that takes long to read has a small share, and a small number here.
INPUTS = {name: 100 if reader.share > 1 else 20 for name, reader in READERS.items()}


@pytest.fixture(scope="module")
def counted() -> dict[str, Counter[str]]:
    return {}


@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_or_refuses(name, counted, capsys):
    counted[name] = fuzzing.fuzz(name, range(INPUTS[name]), seed=1)
    assert counted[name]["fed"] == INPUTS[name]
    assert not counted[name]["uncaught"], capsys.readouterr().err


def test_at_least_half_get_past_what_is_checked_first(counted):
    total = sum(counted.values(), Counter())
    assert total["past"] >= total["fed"] / 2


def test_what_a_reader_does_not_promise_to_raise_is_counted_and_kept(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(READERS, "id", replace(READERS["id"], refuses=(KeyError,)))
    monkeypatch.setattr(fuzzing, "KEPT", tmp_path)
    assert fuzzing.fuzz("id", range(20), seed=1)["uncaught"] > 10
    assert "is not a" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == fuzzing.SHOWN


def test_the_same_seed_gives_the_same_inputs():
    made = [list(fuzzing.inputs("id", READERS["id"], range(20), seed)) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


def test_the_report_has_a_row_of_every_reader(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["fuzz", "--inputs", "50"])
    monkeypatch.setattr(paths, "WORK", tmp_path)
    assert fuzzing.main() == 0
    rows = [line.split(" | ")[0] for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert rows == ["| reader", *(f"| {name}" for name in READERS), "| all"]
