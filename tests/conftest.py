"""Which tests go to the same worker, where several work side by side (`pytest -n`)."""

from __future__ import annotations

import pytest

# They share a Docker Engine: one of them removes images that another is using.
ENGINE = ("test_docker.py", "test_engine_faults.py", "test_engines_elsewhere.py")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file together: they share what its fixtures make. pytest-xdist reads the groups after this."""
    for item in items:
        group = "engine" if item.path.name in ENGINE else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
