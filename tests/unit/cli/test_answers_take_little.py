"""The verbs that answer questions need only what the package itself depends on, and nothing of its extra `run`."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest

from matrix.base import paths
from matrix.cli.main import VERBS

PROJECT = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]
WITHOUT = """
import sys
from importlib import import_module


class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(name, name=name)


sys.meta_path.insert(0, Without())
import_module("matrix.cli.main")
import_module("matrix.cli.{module}")
"""
ANSWERING = ("explanation", "advice", "models", "questions", "comparison")
# What a distribution is imported as, where that is another name.
IMPORTED_AS = {"markdown-it-py": "markdown_it"}


@pytest.mark.parametrize("module", ANSWERING)
def test_an_answer_imports_nothing_of_the_extra(module):
    assert module in VERBS
    names = [re.split(r"[\[<>=]", one)[0] for one in PROJECT["optional-dependencies"]["run"]]
    absent = {IMPORTED_AS.get(name, name) for name in names}
    code = WITHOUT.format(absent=absent, module=module)
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
