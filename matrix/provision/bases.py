"""Base images: the registry's `python:X.Y-slim`, or where it cannot be had one made from Debian's archive.

One of our own is a minimal Debian by mmdebstrap with Debian's Python, or with an interpreter of the host copied into
/usr/local, where the registry's images have theirs. Where the host has none, it is the Debian that brings that Python.
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
from matrix.provision import debian as mmdebstrap
from matrix.provision import images, interpreters
from matrix.provision.engines.protocol import Say

REPOSITORY = f"{images.PROJECT}/base"

# Of a standard library: what no target imports. Its site-packages are the host's own, and stay there.
LEFT_OUT = ("site-packages", "dist-packages", "test", "tests", "idlelib", "turtledemo", "config-*", "*.a")
# Where an interpreter keeps what belongs to it, in its own words.
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
    """`reference`: what FROM says. `made_of`: what decides its content, for the recipe. `digest`: of what was used."""

    reference: str
    made_of: str
    digest: str | None = None


def expect(backend: Backend, python: str) -> Base:
    """The base that is there already, else the registry's, which would be tried first. Costs no network."""
    reference = backend.reference(python)
    if (image := images.find(reference)) is None and (own := _own(backend, python)) is not None:
        return own
    return Base(reference=reference, made_of=reference, digest=_digest(image) if image else None)


def get(backend: Backend, python: str, say: Say) -> Base:
    """The base that is there already, else the registry's, else one of our own. Raise NotBuilt."""
    base = expect(backend, python)
    if base.digest is not None:
        return base
    if trouble := _pull(base.reference):
        say(f"making a base for Python {python}: {trouble}")
        make(backend, python, say)
    return expect(backend, python)


def can_be_had() -> bool:
    """Whether a base is there, can be made, or could be pulled. Asks the registry only where nothing else is left."""
    there = images.connect().images.list(filters={"reference": ["python:*-slim*", f"{REPOSITORY}:*"]})
    return bool(there) or shutil.which("mmdebstrap") is not None or _registry_answers()


def make_for(targets: Iterable[Target], say: Say) -> None:
    """Make the bases of these targets that are not there, whether a registry answers or not. Raise NotBuilt."""
    with images.faults():
        for name, python in sorted({(target.backend, target.python) for target in targets}):
            if _own(backend := backends.load()[name], python) is None:
                make(backend, python, say)


def make(backend: Backend, python: str, say: Say) -> None:
    """Make and tag a base of our own. Raise NotBuilt with the cure."""
    debian = _debian(backend, python)
    debians = mmdebstrap.PYTHONS[debian]
    if _own(backend, debians) is None:
        say(f"making a Debian {debian} for {backend.name}")
        _bootstrap(backend, debian)
    if python != debians:
        say(f"putting Python {python} into it")
        _add_interpreter(backend, python)


def _debian(backend: Backend, python: str) -> str:
    """The backend's, which has its packages; for want of an interpreter to put into it, the one that brings Python."""
    if backend.packages or mmdebstrap.PYTHONS[backend.debian] == python or interpreters.find(python):
        return backend.debian
    return next((debian for debian, debians in mmdebstrap.PYTHONS.items() if debians == python), backend.debian)


def _own(backend: Backend, python: str) -> Base | None:
    tag = _tag(backend, python)
    image = images.find(tag)
    if image is None or image.labels.get(images.RECIPE) != _recipe(backend, python):
        return None
    return Base(reference=tag, made_of=_recipe(backend, python), digest=image.id)


def _tag(backend: Backend, python: str) -> str:
    """A Debian with packages of a backend's own is that backend's; the plain one is anybody's."""
    owner = f"-{backend.name}" if backend.packages else ""
    return f"{REPOSITORY}:{_debian(backend, python)}{owner}-py{python}"


def _recipe(backend: Backend, python: str) -> str:
    """SHA-256 of how a base is made."""
    debian = _debian(backend, python)
    how = _mmdebstrap(backend, debian, "-")
    if python != mmdebstrap.PYTHONS[debian]:
        how += [(paths.DOCKERFILES / "base.Dockerfile").read_text(encoding="utf-8"), LAYOUT, *LEFT_OUT, python]
    return hashlib.sha256(json.dumps(how).encode()).hexdigest()


def _mmdebstrap(backend: Backend, debian: str, archive: str) -> list[str]:
    """All that decides a base's content."""
    # Debian's Python brings the libraries that any CPython is linked with.
    return mmdebstrap.command("minbase", ("python3-venv", *backend.packages), debian, archive)


def _bootstrap(backend: Backend, debian: str) -> None:
    debians = mmdebstrap.PYTHONS[debian]
    with tempfile.TemporaryDirectory(prefix="matrix-base-") as folder:
        archive = str(Path(folder) / "debian.tar")
        mmdebstrap.bootstrap(_mmdebstrap(backend, debian, archive), otherwise=", or let the Engine reach a registry")
        labels = {images.PROJECT: "", images.RECIPE: _recipe(backend, debians)}
        images.connect().api.import_image_from_file(
            archive,
            repository=REPOSITORY,
            tag=_tag(backend, debians).rpartition(":")[2],
            changes=[f'LABEL {key}="{value}"' for key, value in labels.items()],
        )


def _add_interpreter(backend: Backend, python: str) -> None:
    try:
        interpreter = interpreters.get(python)
    except MachineError as fault:
        raise NotBuilt(str(fault), fault.cure, machine=True) from fault
    with tempfile.TemporaryDirectory(prefix="matrix-base-") as folder:
        context = Path(folder)
        shutil.copy(paths.DOCKERFILES / "base.Dockerfile", context / "Dockerfile")
        _copy(interpreter, python, context / "usr" / "local")
        images.build(
            context,
            tag=_tag(backend, python),
            labels={images.RECIPE: _recipe(backend, python)},
            arguments={"DEBIAN": _tag(backend, mmdebstrap.PYTHONS[_debian(backend, python)]), "PYTHON": python},
        )


def _copy(interpreter: Path, python: str, prefix: Path) -> None:
    """Copy an interpreter and its standard library to another prefix; CPython finds its library from where it lies."""
    told = subprocess.run([str(interpreter), "-c", LAYOUT], capture_output=True, text=True, check=True)
    layout: dict[str, str] = json.loads(told.stdout)
    library = Path(layout["library"])
    shutil.copytree(
        library,
        prefix / library.relative_to(layout["prefix"]),
        symlinks=True,
        ignore=shutil.ignore_patterns(*LEFT_OUT),
    )
    (prefix / "bin").mkdir()
    shutil.copy2(layout["executable"], prefix / "bin" / f"python{python}")
    if layout["shared"]:
        shutil.copy2(layout["shared"], prefix / "lib")


@cache
def _pull(reference: str) -> str | None:
    """Why it could not be pulled; None when it was. Asked once: an absent registry takes seconds to say so."""
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
    """The registry's digest of an image, else the Engine's."""
    digests: list[str] = image.attrs["RepoDigests"]
    return digests[0].rpartition("@")[2] if digests else str(image.id)
