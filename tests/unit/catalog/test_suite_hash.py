from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

import pytest

from matrix.base import ids, paths
from matrix.catalog.suite_hash import speed_sha256, suite_parts, suite_sha256
from matrix.suite import catalog as suite


@pytest.fixture
def copy(tmp_path) -> Path:
    return Path(shutil.copytree(paths.SUITE, tmp_path / "suite"))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def changed(copy: Path) -> set[str]:
    before, after = suite_parts(), suite_parts.__wrapped__(copy)
    assert before.keys() == after.keys()
    return {part for part in before if before[part] != after[part]}


def test_every_approach_is_a_part_and_so_is_what_all_share(copy):
    assert set(suite_parts()) == {"*", *suite.APPROACHES}
    assert changed(copy) == set()


def test_an_approach_is_touched_by_its_module_and_by_what_that_takes_from_others(copy):
    edit(copy / "approaches" / "depthwise.py", "case.strides", "case.strides ")
    assert changed(copy) == {"depthwise", "separable", "depthwise-sum", "mixed-kernels"}
    edit(copy / "approaches" / "patches_einsum.py", "case.strides", "case.strides ")
    assert changed(copy) == {"depthwise", "separable", "depthwise-sum", "mixed-kernels", "patches-einsum"}


def test_a_case_more_touches_nothing_and_what_a_token_means_touches_all(copy):
    edit(copy / "catalog.py", "CASE_SETS = (\n", 'CASE_SETS = (\n    *_set("one more", "g16-k5", "nn-conv2d"),\n')
    assert changed(copy) == set()
    assert suite_sha256.__wrapped__(copy) != suite_sha256()
    edit(copy / "cases.py", '"s2": {"strides": (2, 2)}', '"s2": {"strides": (3, 3)}')
    assert changed(copy) == {"*"}


def test_callers_of_the_core_touch_nothing(copy):
    edit(copy / "test_correctness.py", "LIMITS", "LIMITS ")
    assert changed(copy) == set() and suite_sha256.__wrapped__(copy) == suite_sha256()


def test_what_measures_speed_touches_nothing_of_correctness(copy):
    (copy / "speed" / "peers").mkdir(parents=True, exist_ok=True)
    (copy / "speed" / "one_more.py").write_text("MORE = 1\n")
    (copy / "bench_speed.py").write_text("MORE = 1\n")
    assert changed(copy) == set() and suite_sha256.__wrapped__(copy) == suite_sha256()
    assert suite_sha256.__wrapped__(copy, "planned") == suite_sha256(how="planned")


def test_what_plans_touches_nothing_that_is_executed(copy):
    (copy / "planning.py").write_text("MORE = 1\n")
    kinds = get_args(ids.How)
    assert {kind for kind in kinds if suite_sha256.__wrapped__(copy, kind) != suite_sha256(how=kind)} == {"planned"}


def test_speed_is_touched_by_its_own_modules_and_by_the_programs_but_by_no_case(copy):
    (copy / "speed" / "peers").mkdir(parents=True, exist_ok=True)

    def both():
        suite_parts.cache_clear()
        return [speed_sha256.__wrapped__(copy, peer=peer) for peer in (False, True)]

    before = both()
    edit(copy / "catalog.py", "CASE_SETS = (\n", 'CASE_SETS = (\n    *_set("one more", "g16-k5", "nn-conv2d"),\n')
    assert both() == before
    (copy / "speed" / "peers" / "other.py").write_text("MORE = 1\n")
    touched = both()
    assert touched[0] == before[0] and touched[1] != before[1]
    edit(copy / "approaches" / "nn_conv2d.py", "case.padding", "case.padding ")
    assert both()[0] != before[0] and both()[1] == touched[1]
    (copy / "speed" / "one_more.py").write_text("MORE = 1\n")
    assert both()[1] != touched[1]
