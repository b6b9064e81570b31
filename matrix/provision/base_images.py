"""Base images: the registry's `python:X.Y-slim`, or an image made from Debian's archive where no registry answers.

An image of our own is a minimal Debian with Debian's Python. Another Python is a copy of this machine's interpreter in
/usr/local, where the registry's images have theirs. Where this machine lacks that interpreter, the image is the Debian
that brings it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from docker.errors import APIError
from docker.models.images import Image

from matrix.base import paths
from matrix.base.errors import MachineError, NotBuilt
from matrix.base.ids import Target
from matrix.catalog import backends
from matrix.catalog.backends import Backend
from matrix.provision import debian_systems, images, interpreters
from matrix.provision.engines.protocol import Say

REPOSITORY = f"{images.PROJECT}/base"

# Parts of a standard library that no target imports. Its site-packages are this machine's own, and stay here.
LEFT_OUT = ("site-packages", "dist-packages", "test", "tests", "idlelib", "turtledemo", "config-*", "*.a")
# Asks an interpreter where it keeps what belongs to it.
LAYOUT = """
import json, os, sys, sysconfig
folders = (sysconfig.get_config_var("LIBDIR"), os.path.join(sys.base_prefix, "lib"))
shared = [os.path.join(folder, sysconfig.get_config_var("INSTSONAME")) for folder in folders]
print(json.dumps({"executable": os.path.realpath(sys.executable), "prefix": sys.base_prefix,
    "library": sysconfig.get_path("stdlib"),
    "shared": next((file for file in shared if file.endswith(".0") and os.path.isfile(file)), None)}))
"""


@dataclass(frozen=True, kw_only=True)
class Base:
    """`reference`: the name for FROM. `made_of`: a text that changes with the content. `digest`: None if not here."""

    reference: str
    made_of: str
    digest: str | None = None


def expect(backend: Backend, python: str) -> Base:
    """Return the base that is here, else the registry's, which would be tried first. Costs no network."""
    reference = backend.reference(python)
    image = images.find(reference)
    if image is None and (own := _own(backend, python)):
        return own
    return Base(reference=reference, made_of=reference, digest=_digest(image) if image else None)


def get(backend: Backend, python: str, say: Say) -> Base:
    """Return the base that is here, else the registry's, else one of our own. Raise NotBuilt."""
    base = expect(backend, python)
    if base.digest is not None:
        return base
    if trouble := _pull(base.reference):
        say(f"making a base for Python {python}: {trouble}")
        make(backend, python, say)
    return expect(backend, python)


def can_be_had() -> bool:
    """Say whether a base is here, can be made, or could be pulled. Ask the registry only as the last resort."""
    here = images.listed(reference=["python:*-slim*", f"{REPOSITORY}:*"])
    return bool(here) or shutil.which("mmdebstrap") is not None or _registry_answers()


def make_for(targets: Iterable[Target], say: Say) -> None:
    """Make the missing bases of these targets, whether a registry answers or not. Raise NotBuilt."""
    with images.faults():
        wanted = {_tag(backend := backends.of(target), target.python): (backend, target.python) for target in targets}
        for _, (backend, python) in sorted(wanted.items()):
            if _own(backend, python) is None:
                make(backend, python, say)


def make(backend: Backend, python: str, say: Say) -> None:
    """Make and tag a base of our own. Raise NotBuilt with the cure."""
    debian = _debian(backend, python)
    debians_python = debian_systems.PYTHONS[debian]
    plain = _tag(backend, debians_python)
    if _own(backend, debians_python) is None:
        say(f"making a Debian {debian} for {backend.name}")
        with tempfile.TemporaryDirectory(prefix="matrix-base-") as folder:
            archive = str(Path(folder) / "debian.tar")
            command = _mmdebstrap(backend, debian, archive)
            debian_systems.bootstrap(command, otherwise=", or let the Engine reach a registry")
            labels = {images.PROJECT: "", images.RECIPE: _recipe(backend, debians_python)}
            images.connect().api.import_image_from_file(
                archive,
                repository=REPOSITORY,
                tag=plain.rpartition(":")[2],
                changes=[f'LABEL {key}="{value}"' for key, value in labels.items()],
            )
    if python == debians_python:
        return
    say(f"putting Python {python} into it")
    try:
        interpreter = interpreters.get(python)
    except MachineError as fault:
        raise NotBuilt.because(fault) from fault
    with tempfile.TemporaryDirectory(prefix="matrix-base-") as folder:
        context = Path(folder)
        shutil.copy(paths.DOCKERFILES / "base.Dockerfile", context / "Dockerfile")
        copy_interpreter(interpreter, python, context / "usr" / "local")
        images.build(
            context,
            tag=_tag(backend, python),
            labels={images.RECIPE: _recipe(backend, python)},
            arguments={"DEBIAN": plain, "PYTHON": python},
        )


def copy_interpreter(interpreter: Path, python: str, prefix: Path) -> None:
    """Copy an interpreter and its standard library to another prefix; CPython finds its library from its own place."""
    answer = subprocess.run([str(interpreter), "-c", LAYOUT], capture_output=True, text=True, check=True)
    layout: dict[str, str] = json.loads(answer.stdout)
    library = Path(layout["library"])
    copied = prefix / library.relative_to(layout["prefix"])
    shutil.copytree(library, copied, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    (prefix / "bin").mkdir()
    shutil.copy2(layout["executable"], prefix / "bin" / f"python{python}")
    if layout["shared"]:
        shutil.copy2(layout["shared"], prefix / "lib")


def _debian(backend: Backend, python: str) -> str:
    """Choose the backend's Debian, which has its packages; or the Debian that brings a Python which is not here."""
    pythons = debian_systems.PYTHONS
    if backend.packages or pythons[backend.debian] == python or interpreters.find(python):
        return backend.debian
    return next((debian for debian, brought in pythons.items() if brought == python), backend.debian)


def _own(backend: Backend, python: str) -> Base | None:
    image = images.find(tag := _tag(backend, python))
    if image is None or image.labels.get(images.RECIPE) != (recipe := _recipe(backend, python)):
        return None
    return Base(reference=tag, made_of=recipe, digest=image.id)


def _tag(backend: Backend, python: str) -> str:
    """Name a Debian with a backend's packages after that backend; all other backends share the plain Debian."""
    owner = f"-{backend.system or backend.name}" if backend.packages else ""
    return f"{REPOSITORY}:{_debian(backend, python)}{owner}-py{python}"


def _recipe(backend: Backend, python: str) -> str:
    """Return the SHA-256 of how a base is made."""
    debian = _debian(backend, python)
    how = _mmdebstrap(backend, debian, "-")
    if python != debian_systems.PYTHONS[debian]:
        how += [(paths.DOCKERFILES / "base.Dockerfile").read_text(encoding="utf-8"), LAYOUT, *LEFT_OUT, python]
    return hashlib.sha256(json.dumps(how).encode()).hexdigest()


def _mmdebstrap(backend: Backend, debian: str, archive: str) -> list[str]:
    # Debian's Python brings the libraries that any CPython is linked with.
    more = [debian_systems.unpack(other, packages) for other, packages in backend.unpacked.items()]
    return debian_systems.command("minbase", ("python3-venv", *backend.packages), debian, archive, *more)


@cache
def _pull(reference: str) -> str | None:
    """Pull an image, or say why it cannot be pulled. Asked once: an absent registry takes seconds to say so."""
    try:
        images.connect().api.pull(reference)
    except APIError as fault:
        return f"{reference} cannot be pulled: {str(fault.explanation)[:200]}"
    return None


@cache
def _registry_answers() -> bool:
    try:
        images.connect().images.get_registry_data("python:3.13-slim")
    except APIError:
        return False
    return True


def _digest(image: Image) -> str:
    """Return the registry's digest of an image, else the Engine's."""
    digests: list[str] = image.attrs["RepoDigests"]
    return digests[0].rpartition("@")[2] if digests else str(image.id)
