from __future__ import annotations

from unit.contributions import contribute
from unit.fabricated import observe

from matrix.answers import contribution_comparison
from matrix.judge.verdicts import judged_runs
from matrix.record import contribution, records

CASE = "g4-k3/bias_relu/f32/nhwc"


def test_a_contribution_is_compared_with_ours_and_overrides_nothing(reports, tmp_path):
    file = contribute(tmp_path, observe(("nn-conv2d", "graph", "forward", CASE)))
    sent = contribution.read(file)
    made, _ = records.readable(reports)
    compared = contribution_comparison.compare(sent, judged_runs(made))
    assert compared.run == "tf2.8.4-py310-cpu+onednn-off"
    (other,) = compared.other
    assert (other.cell, other.published, other.there) == (f"nn-conv2d/graph/forward/{CASE}", "error", "pass")
    target = contribution.take(reports, sent)
    taken, _ = contribution.read_all(reports)
    assert [one.name for one in taken] == [sent.name] and target.parent.name == "contributed"
    assert records.readable(reports)[0] == made
