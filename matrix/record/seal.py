"""SHA256SUMS of what is published, as sha256sum writes it; and whether GitHub vouches that our workflow made it.

What is attested is the list: whoever has it and the files can say of each whether it is what the workflow published.
That a machine told the truth about itself no signature can say.
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
from matrix.base.text import plain

NAME = "SHA256SUMS"
WORKFLOW = ".github/workflows/matrix.yml"
MOST_BYTES = 16 * 2**20
LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)\n", re.ASCII)


def seal(reports: Path, readme: Path | None) -> Path:
    """Write the list beside `reports`, whose files it names from there, and the README's."""
    beside = reports.resolve().parent
    files = [*_published(reports), *([readme.resolve()] if readme else [])]
    lines = [f"{_sha256(file)}  {file.relative_to(beside)}\n" for file in files]
    write_whole(beside / NAME, "".join(lines).encode())
    return beside / NAME


def check(list_: Path) -> int:
    """How many files are what the list says. Raise BadRecord naming those that are not, or that it does not name."""
    named, folder = _read(list_), list_.resolve().parent
    faults = [f"{name}: {fault}" for name, sha256 in named.items() if (fault := _fault(folder, name, sha256))]
    tops = {name.split("/")[0] for name in named if "/" in name and not _leads_out(name)}
    there = {str(file.relative_to(folder)) for top in sorted(tops) for file in _published(folder / top)}
    faults += [f"{name}: is not on the list" for name in sorted(there - named.keys())]
    if faults:
        raise BadRecord("\n  ".join([f"{list_} is not of these files:", *map(plain, faults[:20])]))
    return len(named)


def attested(list_: Path, repository: str) -> int:
    """How many attestations of GitHub say that the workflow `matrix` of this repository made the list.

    Raise BadRecord where none does, MachineError where that cannot be asked. The exit status alone is not believed:
    gh 2.66 ended with 0 where it had found none (cli/cli issue 10418).
    """
    command = ["gh", "attestation", "verify", str(list_), f"--repo={repository}", "--format=json",
               f"--signer-workflow={repository}/{WORKFLOW}", "--deny-self-hosted-runners"]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        found = json.loads(done.stdout or "[]")
    except (OSError, subprocess.SubprocessError) as fault:
        raise MachineError(f"no attestation can be asked for: {fault}", "install GitHub's command line, gh") from fault
    except ValueError as fault:
        raise MachineError(f"gh answers with something else than JSON: {fault}", "update gh") from fault
    if done.returncode != 0 or not isinstance(found, list) or not found:
        said = " ".join(done.stderr.split())[-300:]
        raise BadRecord(f"nothing attests that {repository} published {list_}: {plain(said) or 'gh found none'}")
    return len(found)


def _published(reports: Path) -> Iterator[Path]:
    """Hidden files are the orchestrator's own. A link is among them, to be refused: it could lead anywhere."""
    for file in sorted(reports.resolve().rglob("*")):
        if not file.name.startswith(".") and (file.is_symlink() or not file.is_dir()):
            yield file


def _read(list_: Path) -> dict[str, str]:
    with list_.open("rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    text = data.decode("utf-8", "replace")
    found = {name: sha256 for sha256, name in LINE.findall(text)}
    whole = len(data) <= MOST_BYTES and sum(66 + len(name) + 1 for name in found) == len(text)
    if not (whole and found):
        raise BadRecord(f"{list_} is no list as sha256sum writes it", "make it anew: nox -s seal")
    return found


def _fault(folder: Path, name: str, sha256: str) -> str | None:
    if _leads_out(name):
        return "leads out of the folder"
    file = folder / name
    if file.is_symlink() or not file.is_file():
        return "is not there, or no plain file"
    return None if _sha256(file) == sha256 else "is another file"


def _leads_out(name: str) -> bool:
    return ".." in name.split("/") or name.startswith("/")


def _sha256(file: Path) -> str:
    if file.is_symlink() or not file.is_file():
        raise BadRecord(f"{file} is no plain file, and cannot be published", "remove it")
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
