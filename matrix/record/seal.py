"""SHA256SUMS of the published files, as sha256sum writes it, and whether GitHub attests that our workflow made it.

The list is what is attested: whoever has the list and the files can check each file against it. No signature can say
whether a machine told the truth about itself.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from matrix.base.errors import BadRecord, MachineError
from matrix.base.files import write_whole
from matrix.base.text import listed_below, plain

NAME = "SHA256SUMS"
WORKFLOW = ".github/workflows/matrix.yml"
# Any branch has a workflow of that name: only this one was reviewed.
REF = "refs/heads/main"
MOST_BYTES = 16 * 2**20
LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)\n", re.ASCII)


def seal(reports: Path, readme: Path | None) -> Path:
    """Write the list of the published files and the README beside `reports`; its names are relative to that folder."""
    beside = reports.resolve().parent
    files = [*_published(reports), *([readme.resolve()] if readme else [])]
    if not files:
        raise BadRecord(f"{reports} holds nothing that could be published", "make some: nox -s matrix")
    for file in files:
        if file.is_symlink() or not file.is_file():
            raise BadRecord(f"{file} is no plain file, and cannot be published", "remove it")
    lines = [f"{_sha256(file)}  {file.relative_to(beside)}\n" for file in files]
    write_whole(beside / NAME, "".join(lines).encode())
    return beside / NAME


def check(list_: Path) -> int:
    """Return how many files the list names. Raise BadRecord unless the list and these files are all that its folder
    holds: whoever copies the folder copies hidden files too.
    """
    with list_.open("rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    text = data.decode("utf-8", "replace")
    listed = {name: sha256 for sha256, name in LINE.findall(text)}
    all_lines_match = sum(len(f"{sha256}  {name}\n") for name, sha256 in listed.items()) == len(text)
    if len(data) > MOST_BYTES or not listed or not all_lines_match:
        raise BadRecord(f"{list_} is no list as sha256sum writes it", "make it anew: nox -s seal")
    folder = list_.resolve().parent
    faults = []
    for name, sha256 in listed.items():
        if name.startswith("/") or ".." in name.split("/"):
            faults.append(f"{name}: leads out of the folder")
            continue
        file = folder / name
        if file.is_symlink() or not file.is_file():
            faults.append(f"{name}: is not there, or no plain file")
        elif _sha256(file) != sha256:
            faults.append(f"{name}: is another file")
    there = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_symlink() or not file.is_dir()}
    beside = sorted(there - listed.keys() - {list_.name})
    faults += [f"{name}: is not on the list" for name in beside]
    if faults:
        cure = "verify in a folder that holds nothing else, as it was downloaded" if beside else ""
        raise BadRecord(listed_below(f"{list_} is not of these files:", faults), cure)
    return len(listed)


def attested(list_: Path, repository: str) -> int:
    """Return how many attestations of GitHub say that the workflow `matrix` of this repository made the list.

    Raise BadRecord where there is none, MachineError where GitHub cannot be asked. The exit status alone is not
    believed: gh 2.66 ended with 0 where it had found none (cli/cli issue 10418).
    """
    command = ["gh", "attestation", "verify", str(list_), f"--repo={repository}", "--format=json",
               f"--signer-workflow={repository}/{WORKFLOW}", f"--source-ref={REF}",
               "--deny-self-hosted-runners"]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        found = json.loads(done.stdout or "[]")
    except (OSError, subprocess.SubprocessError) as fault:
        raise MachineError(f"no attestation can be asked for: {fault}", "install GitHub's command line, gh") from fault
    except ValueError as fault:
        raise MachineError(f"gh answers with something else than JSON: {fault}", "update gh") from fault
    if done.returncode != 0 or not isinstance(found, list) or not found:
        why = plain(" ".join(done.stderr.split())[-300:]) or "gh found none"
        raise BadRecord(f"nothing attests that {repository} published {list_}: {why}")
    return len(found)


def _published(folder: Path) -> Iterator[Path]:
    """Files and links below the folder, but no hidden files, which are the matrix's own.

    Links are returned so that they are refused: a link could lead anywhere.
    """
    for file in sorted(folder.resolve().rglob("*")):
        if not file.name.startswith(".") and (file.is_symlink() or not file.is_dir()):
            yield file


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
