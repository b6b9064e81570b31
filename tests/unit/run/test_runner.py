from __future__ import annotations

import pytest

from matrix.base import paths
from matrix.base.ids import parse_run
from matrix.run import runner
from matrix.run.runner import where


def test_where_the_time_went_is_told_most_first_and_the_whole_last():
    spent = {"import": 4.04, "all": 61.0, "jit forward": 40.2, "keras gradient": 12.0}
    assert where(spent) == "jit forward 40.2 s, keras gradient 12.0 s, import 4.0 s; all 61.0 s"
    assert where({"import": 4.0}) == "import 4.0 s"


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("ImportError: libamdhip64.so.3: cannot open shared object file: No such file", "libamdhip64.so.3"),
        ("".join(f"ImportError: {name}.so: cannot open shared object file\n" for name in ("libz", "liba")), "liba.so"),
        ("dlerror: libcudart.so.10: cannot open shared object file", "Traceback"),
        ("", "Traceback"),
        (None, "Traceback"),
    ],
)
def test_a_library_that_is_missing_is_named_though_the_target_says_only_where_it_was_missed(
    monkeypatch, tmp_path, log, reason
):
    monkeypatch.setattr(paths, "LOGS", tmp_path)
    run = parse_run("tf2.2.3-py38-rocm+default")
    if log is not None:
        (tmp_path / f"{run.id}.log").write_text(log)
    assert reason in runner._why_not_imported(run, "ImportError: Traceback (most recent call last):")
    assert runner._why_not_imported(run, None) is None
