from __future__ import annotations

import pytest
from unit.contributions import HOST, contribute
from unit.fabricated import error, observe

from matrix.base.errors import BadRecord
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
    ],
)
def test_what_is_no_contribution_is_refused(tmp_path, changes, why):
    with pytest.raises(BadRecord, match=why):
        read(contribute(tmp_path, observe(("nn-conv2d", "graph", "forward", CASE)), **changes))


def test_a_contribution_that_contradicts_itself_is_refused(tmp_path):
    lying = observe(("nn-conv2d", "graph", "forward", CASE), **error("no") | {"outcome": "pass"})
    with pytest.raises(BadRecord, match="passed with an error"):
        read(contribute(tmp_path, lying))
