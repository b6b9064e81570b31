"""The commands of README, CONTRIBUTING and docs, run as they are written, in a clone, with nothing but Python at hand.

What would take hours is only planned. Commands for the root of another machine, or with a word to fill in, are not run;
`tests/unit/test_docs.py` looks at their options.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from matrix.base import paths

BLOCK = re.compile(r"^( *)```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# `map-groups` is the approach that docs/adding.md adds.
TO_FILL_IN = re.compile(r"\b(?:ENV|ADDRESS|TOKEN|OWNER|SHA256|BACKEND|map-groups)\b|\bsudo\b")
# What comes after a session that would take long, so that it starts and does little.
LITTLE = {"matrix": "--plan", "tests": "--collect-only -q tests/unit/base", "merge": "--dry-run"}
DOCUMENTS = [paths.ROOT / "README.md", paths.ROOT / "CONTRIBUTING.md", *sorted(paths.DOCS.glob("*.md"))]
FIRST = r"""
python3 -m venv .venv && .venv/bin/pip install -q uv
.venv/bin/uv tool install -q -p '>=3.11' --editable . && .venv/bin/uv tool install -q -p '>=3.11' 'nox[uv]'
export PATH="$(.venv/bin/uv tool dir --bin):$PATH"
"""


def commands(document: Path) -> list[str]:
    """Each line of each block of commands, without its comment."""
    lines = [line for _, block in BLOCK.findall(document.read_text()) for line in block.splitlines()]
    return [re.sub(r"\s+# .*$", "", line.strip()) for line in lines]


def made_short(command: str) -> str:
    if command == "python cell.py":
        return f"{command} || test $? = 1"  # the cell fails, as the record says
    session = re.search(r"nox -s (\w+)( -- .*)?$", command)
    if session and session[1] in LITTLE and "--help" not in command:
        return f"{command}{'' if session[2] else ' --'} {LITTLE[session[1]]}"
    return command


RUN = {document: [one for one in commands(document) if not TO_FILL_IN.search(one)] for document in DOCUMENTS}
WITH_COMMANDS = [document for document, found in RUN.items() if found and document.stem != "self-hosted-runners"]


@pytest.fixture
def clone(tmp_path) -> Path:
    """The files that git knows, with a home of its own beside them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=paths.ROOT, check=True,
        capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        target = tmp_path / "clone" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (paths.ROOT / name).exists():
            shutil.copy(paths.ROOT / name, target, follow_symlinks=False)
    return tmp_path / "clone"


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=lambda file: file.name)
def test_the_commands_of_a_document_run_one_after_the_other(document, clone, environment):
    """`python` is that of a TensorFlow environment, as where a person runs the probe and a cell's script."""
    tools = clone.parent / "bin"
    tools.mkdir()
    (tools / "python").write_text(f'#!/bin/sh\nexec "{environment.where}/bin/python" "$@"\n')
    (tools / "python").chmod(0o755)
    kept = ("SSL_CERT_FILE", "PIP_CERT", "PIP_CONFIG_FILE", "PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX")
    own = {name: os.environ[name] for name in kept if name in os.environ}
    cache = subprocess.run([find_uv_bin(), "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    own |= {"HOME": str(clone.parent), "PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin", "UV_CACHE_DIR": cache}
    own |= {"UV_PYTHON_INSTALL_DIR": str(clone.parent / "pythons"), "PYENV_ROOT": os.environ.get("PYENV_ROOT", "")}
    (clone / "shards" / "1-of-5" / "runs").mkdir(parents=True)
    first = "" if document.name in {"README.md", "CONTRIBUTING.md"} else FIRST
    script = "\n".join(["set -eux", first, *(f"( {one} )" if one.startswith("cd ") else one for one in
                                             map(made_short, RUN[document]))])  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", script], cwd=clone, env=own, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_what_is_run_is_what_is_written():
    readme = RUN[paths.README]
    assert any("nox -s matrix" in one for one in readme) and any("tf-groupconv explain" in one for one in readme)
    assert {file.name for file in WITH_COMMANDS} >= {"README.md", "CONTRIBUTING.md", "reading.md", "distributed.md"}
    assert made_short("nox -s matrix -- --shard 3/5") == "nox -s matrix -- --shard 3/5 --plan"
    assert made_short("x nox -s tests") == "x nox -s tests -- --collect-only -q tests/unit/base"
