from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from unit.fabricated import record

from matrix.base.errors import BadRecord, MachineError
from matrix.record import records, seal


@pytest.fixture
def published(tmp_path) -> Path:
    """A folder with a record, a table and a README, sealed."""
    records.write(tmp_path / "reports", record())
    (tmp_path / "reports" / "support.json").write_text("{}")
    (tmp_path / "reports" / ".lock").touch()
    (tmp_path / "README.md").write_text("A table.\n")
    assert seal.seal(tmp_path / "reports", tmp_path / "README.md") == tmp_path / "SHA256SUMS"
    (tmp_path / "reports" / ".lock").unlink()  # no artifact of GitHub's holds a hidden file
    return tmp_path


def test_everything_that_is_published_is_on_the_list_and_sha256sum_reads_it(published):
    names = [line.split("  ")[1] for line in (published / "SHA256SUMS").read_text().splitlines()]
    (made,) = records.files(published / "reports")
    assert names == [str(made.relative_to(published)), "reports/support.json", "README.md"]
    assert seal.check(published / "SHA256SUMS") == 3
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=published, check=True)


def test_what_is_sealed_can_be_checked_elsewhere(published, tmp_path_factory):
    elsewhere = shutil.copytree(published, tmp_path_factory.mktemp("elsewhere") / "published")
    assert seal.check(elsewhere / "SHA256SUMS") == 3


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda folder: (folder / "README.md").write_text("Another.\n"), "README.md: is another file"),
        (lambda folder: (folder / "README.md").unlink(), "README.md: is not there"),
        (
            lambda folder: (folder / "reports" / "runs" / "more.jsonl").touch(),
            "reports/runs/more.jsonl: is not on the list",
        ),
        (lambda folder: (folder / "reports" / "more").symlink_to("/etc/passwd"), "reports/more: is not on the list"),
        (lambda folder: (folder / "noxfile.py").touch(), "noxfile.py: is not on the list"),
        (lambda folder: (folder / "reports" / ".hidden").touch(), "reports/.hidden: is not on the list"),
        (lambda folder: (folder / ".git").symlink_to("/tmp"), ".git: is not on the list"),
    ],
)
def test_what_is_not_as_it_was_sealed_is_named(published, harm, told):
    harm(published)
    with pytest.raises(BadRecord, match=f"is not of these files:\n  {told}"):
        seal.check(published / "SHA256SUMS")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "reports/../../secret"])
def test_a_list_does_not_lead_out_of_its_folder(published, name):
    with (published / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  {name}\n")
    with pytest.raises(BadRecord, match="leads out of the folder"):
        seal.check(published / "SHA256SUMS")


@pytest.mark.parametrize("text", ["", "no list\n", f"{'0' * 64}  a\nno list\n", f"{'0' * 64}  a\n" * 2, "0" * 70])
def test_what_is_no_list_is_refused(published, text):
    (published / "SHA256SUMS").write_text(text)
    with pytest.raises(BadRecord, match="is no list"):
        seal.check(published / "SHA256SUMS")


def test_a_link_is_not_sealed(published):
    (published / "reports" / "more").symlink_to("/etc/passwd")
    with pytest.raises(BadRecord, match="is no plain file"):
        seal.seal(published / "reports", None)


FAKE_GH = """#!/bin/sh
# A fake gh: it prints a given answer, and writes down its arguments.
echo "$*" > "$(dirname "$0")/asked"
printf '%s' '{said}'
echo 'so it is' >&2
exit {status}
"""


@pytest.fixture
def fake_gh(tmp_path, monkeypatch):
    def says(said: str, status: int = 0) -> Path:
        program = tmp_path / "bin" / "gh"
        program.parent.mkdir(exist_ok=True)
        program.write_text(FAKE_GH.format(said=said, status=status))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")
        return program.parent / "asked"

    return says


def test_github_is_asked_for_this_workflow_on_its_own_runners(published, fake_gh):
    asked = fake_gh('[{"attestation": {}}, {"attestation": {}}]')
    assert seal.attested(published / "SHA256SUMS", "a/b") == 2
    words = asked.read_text().split()
    assert words[:3] == ["attestation", "verify", str(published / "SHA256SUMS")]
    wanted = {"--repo=a/b", "--signer-workflow=a/b/.github/workflows/matrix.yml", "--source-ref=refs/heads/main"}
    assert wanted | {"--deny-self-hosted-runners"} < set(words)


@pytest.mark.parametrize(("said", "status"), [("", 0), ("[]", 0), ("{}", 0), ("", 1), ("[1]", 1)])
def test_what_is_not_attested_is_refused_whatever_the_exit_status(published, fake_gh, said, status):
    fake_gh(said, status)
    with pytest.raises(BadRecord, match=r"nothing attests that a/b published .*: so it is"):
        seal.attested(published / "SHA256SUMS", "a/b")


def test_where_it_cannot_be_asked_that_is_said(published, fake_gh, monkeypatch):
    fake_gh("no JSON")
    with pytest.raises(MachineError, match="something else than JSON"):
        seal.attested(published / "SHA256SUMS", "a/b")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MachineError, match="no attestation can be asked for") as caught:
        seal.attested(published / "SHA256SUMS", "a/b")
    assert "install GitHub's command line" in caught.value.cure


def test_nothing_is_not_sealed(tmp_path):
    with pytest.raises(BadRecord, match="holds nothing that could be published"):
        seal.seal(tmp_path / "none", None)
    assert not (tmp_path / "SHA256SUMS").exists()
