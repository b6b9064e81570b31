"""What the package index offers: the wheels of a project for CPython on Linux x86-64, and when they appeared."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import requests
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version
from pypi_simple import PYPI_SIMPLE_ENDPOINT, NoSuchProjectError, ProjectPage, PyPISimple, UnsupportedContentTypeError

from matrix.errors import MachineError


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A wheel that can be installed: of this version, for this CPython (3, minor), on the index since `date` (UTC)."""

    project: str
    version: Version
    python: tuple[int, int]
    date: datetime.date


def configured() -> str | None:
    """The index that the user chose for uv or pip, if any."""
    names = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
    return next((value for name in names if (value := os.environ.get(name))), None)


def ask(project: str) -> list[Offer]:
    """Raise MachineError where the index cannot be reached, or does not say when a file appeared (PEP 700)."""
    with requests.Session() as session:
        session.verify = os.environ.get("SSL_CERT_FILE") or True
        try:
            page = PyPISimple(configured() or PYPI_SIMPLE_ENDPOINT, session=session).get_project_page(project)
        except (requests.RequestException, NoSuchProjectError, UnsupportedContentTypeError) as fault:
            cure = "check the network, UV_DEFAULT_INDEX or PIP_INDEX_URL, and SSL_CERT_FILE"
            raise MachineError(f"the package index does not answer for {project}: {fault}", cure) from fault
    return list(offers(page))


def offers(page: ProjectPage) -> Iterator[Offer]:
    """The wheels of an index's answer; a yanked one is not on offer."""
    for file in page.packages:
        if file.package_type != "wheel" or file.is_yanked:
            continue
        if file.upload_time is None:
            cure = "choose one that does (PEP 700), with UV_DEFAULT_INDEX"
            raise MachineError(f"the package index does not say when {file.filename} appeared", cure)
        for version, python in _linux_cpythons(file.filename):
            date = file.upload_time.astimezone(datetime.UTC).date()
            yield Offer(project=page.project, version=version, python=python, date=date)


def _linux_cpythons(filename: str) -> set[tuple[Version, tuple[int, int]]]:
    """Empty for another platform, for a free-threaded or other Python, and for a name that no installer takes."""
    try:
        _, version, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return set()
    fits = (
        re.fullmatch(r"cp3(\d+) cp3\1m? (?:many)?linux\w*_x86_64", f"{tag.interpreter} {tag.abi} {tag.platform}")
        for tag in tags
    )
    return {(version, (3, int(match[1]))) for match in fits if match}
