"""The wheel, installed into an empty environment outside of the checkout: it answers, and needs nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

from matrix.base import paths

TEXT = "Fused conv implementation does not support grouped convolutions for now."
MOST_BYTES = 5_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [find_uv_bin(), "build", "--quiet", "--wheel", "--out-dir", str(folder), str(paths.ROOT)]
    subprocess.run(command, check=True, timeout=300)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory) -> Path:
    """The folder of the programs of an environment that has the wheel and what it depends on."""
    environment = tmp_path_factory.mktemp("empty") / "environment"
    for command in (["venv", "--python", sys.executable, environment], ["pip", "install", "-p", environment, wheel]):
        subprocess.run([find_uv_bin(), *map(str, command)], check=True, timeout=300)
    return environment / "bin"


@pytest.fixture
def ask(programs, tmp_path):
    """Ask in a folder of its own, with a cache of its own, and nothing of the checkout in the environment."""
    own = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": os.environ["PATH"]}

    def asked(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [programs / "tf-groupconv", *arguments], cwd=tmp_path, env=own | variables, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip

    return asked


def test_the_wheel_is_small_and_holds_real_files(wheel):
    assert wheel.stat().st_size < MOST_BYTES
    names = zipfile.ZipFile(wheel).namelist()
    suite = {file.relative_to(paths.SUITE).as_posix() for file in paths.SUITE.rglob("*.py")}
    assert {f"matrix/suite/{name}" for name in suite} <= set(names)
    assert {
        "matrix/bundled/reports.tar.xz",
        "matrix/bundled/docs/method.md",
        "matrix/data/locks/build/py36.txt",
    } <= set(names)


def test_what_answers_take_is_installed_and_no_more(programs):
    command = [find_uv_bin(), "pip", "freeze", "-p", str(programs.parent)]
    installed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert not {"docker", "scipy", "numpy", "uv", "rich"} & {line.partition("==")[0] for line in installed.splitlines()}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("explain", TEXT, "--release", "2.8"), "TF_ENABLE_ONEDNN_OPTS=1"),
        (("advise", "--release", "2.8", "--need", "train"), "split-concat"),
        (("show", "--release", "2.8", "--approach", "nn-conv2d", "--script"), "import tensorflow"),
        (("diff", "2.8", "2.9"), "unchanged"),
        (("claims",), "against"),
        (("--version",), "records until 20"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_an_installed_package_answers(ask, arguments, told):
    done = ask(*arguments)
    assert done.returncode == 0 and told in done.stdout, done.stderr


def test_the_probe_that_it_builds_is_the_checkout_s(ask, tmp_path):
    done = ask("probe")
    assert done.returncode == 0 and "published.json" in zipfile.ZipFile(tmp_path / "probe.pyz").namelist()


def test_the_records_are_unpacked_once_and_to_where_a_person_says(ask, tmp_path):
    for _ in range(2):
        assert ask("claims", MATRIX_WORK=str(tmp_path / "work")).returncode == 0
    assert len(list((tmp_path / "work").iterdir())) == 1 and not (tmp_path / "cache").exists()


def test_a_working_folder_that_cannot_be_made_is_told_with_its_cure(ask):
    done = ask("claims", MATRIX_WORK="/dev/null/work")
    assert (done.returncode, done.stdout) == (5, "") and "MATRIX_WORK" in done.stderr


def test_a_verb_that_needs_more_packages_says_which(ask):
    done = ask("run", "--release", "2.8", "--plan")
    assert done.returncode == 5 and "pip install 'tf-groupconv[run]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_shell_can_complete_verbs_and_choices(ask):
    words = {"_TF_GROUPCONV_COMPLETE": "bash_complete", "COMP_CWORD": "3"}
    done = ask(**words, COMP_WORDS="tf-groupconv advise --need tr")
    assert done.stdout == "plain,train\n"
