"""Makes Debian systems with mmdebstrap: for base images, and for the CPython of a processor that QEMU emulates."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence

from matrix.base.errors import NotBuilt

PYTHONS = {"bookworm": "3.11", "trixie": "3.13", "forky": "3.14"}
# A closed network's copy of the archive is often older than a testing release may be. Its signature is checked all the
# same; only whether a newer archive has been published since is not.
AGE = "--aptopt=Acquire::Check-Valid-Until false"


def command(variant: str, packages: Iterable[str], debian: str, into: str, *more: str) -> list[str]:
    """Return the command for `bootstrap`. It holds all that decides the content of the system."""
    return ["mmdebstrap", "--quiet", f"--variant={variant}", *more, f"--include={','.join(packages)}", debian, into]


def unpack(debian: str, packages: Iterable[str]) -> str:
    """Return the option of mmdebstrap that adds the files of another Debian's packages without installing them."""
    source, names = '"$1/etc/apt/sources.list.d/more.list"', " ".join(f"{name}/{debian}" for name in packages)
    steps = (
        "set -e; export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG",
        f'echo "deb http://deb.debian.org/debian {debian} main" > {source}',
        "apt-get update --quiet",
        f'cd "$1/tmp"; apt-get download --quiet {names}',
        'for package in *.deb; do dpkg --extract "$package" "$1"; done',
        f'rm *.deb {source}; chroot "$1" ldconfig',
    )
    return f"--customize-hook={'; '.join(steps)}"


def bootstrap(command: Sequence[str], *, otherwise: str = "") -> None:
    """Make the system. Raise NotBuilt with the cure; `otherwise` says in words what would do without mmdebstrap."""
    name, *arguments = command
    try:
        made = subprocess.run([name, AGE, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as fault:
        cure = f"install it (apt-get install mmdebstrap){otherwise}"
        raise NotBuilt("mmdebstrap is not installed", cure, machine=True) from fault
    if made.returncode != 0:
        raise NotBuilt(f"mmdebstrap failed: {' '.join(made.stderr.split())[-300:]}", machine=True)
