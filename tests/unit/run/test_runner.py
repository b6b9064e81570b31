from __future__ import annotations

from matrix.run.runner import where


def test_where_the_time_went_is_told_most_first_and_the_whole_last():
    spent = {"import": 4.04, "all": 61.0, "jit forward": 40.2, "keras gradient": 12.0}
    assert where(spent) == "jit forward 40.2 s, keras gradient 12.0 s, import 4.0 s; all 61.0 s"
    assert where({"import": 4.0}) == "import 4.0 s"
