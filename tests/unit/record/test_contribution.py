from __future__ import annotations

import pytest
from unit.contributions import HOST, contribute
from unit.fabricated import error, observe

from matrix.base.errors import BadRecord
from matrix.record import contribution
from matrix.record.contribution import read

CASE = "g4-k3/bias_relu/f32/nhwc"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"observations": 7}, "promises 7"),
        ({"format": "run/1"}, "format"),
        ({"host": HOST | {"class": "../../etc"}}, "line 1"),
        ({"release": "2.8.4\n"}, "line 1"),
        ({"more": 1}, "unknown field"),
        ({"made": "9999-99-99T99:99:99Z"}, "at no time"),
        ({"made": "9999-01-01T00:00:00Z"}, "one of them is wrong"),
    ],
)
def test_what_is_no_contribution_is_refused(tmp_path, changes, why):
    with pytest.raises(BadRecord, match=why):
        read(contribute(tmp_path, observe(("nn-conv2d", "graph", "forward", CASE)), **changes))


def test_a_contribution_that_contradicts_itself_is_refused(tmp_path):
    lying = observe(("nn-conv2d", "graph", "forward", CASE), **error("no") | {"outcome": "pass"})
    with pytest.raises(BadRecord, match="passed with an error"):
        read(contribute(tmp_path, lying))


def test_what_is_taken_is_what_was_checked_and_one_that_cannot_be_read_is_named(tmp_path):
    file = contribute(tmp_path, observe(("nn-conv2d", "graph", "forward", CASE)))
    checked, sent = file.read_bytes(), read(file)
    file.write_bytes(b"another file by now")
    taken = contribution.take(tmp_path, sent)
    assert taken.read_bytes() == checked
    taken.with_name("broken.jsonl").write_bytes(b"no record")
    found, faults = contribution.read_all(tmp_path)
    assert [one.name for one in found] == [sent.name]
    assert [str(fault).partition(":")[0] for fault in faults] == [str(taken.with_name("broken.jsonl"))]
