"""Asks the package index for a project's wheels for CPython on Linux, and when they appeared."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import msgspec
import requests
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from matrix.base.errors import MachineError
from matrix.base.ids import MACHINES, USUAL, Architecture
from matrix.provision import interpreters

SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A wheel on the index. `python`: its CPython, as (3, minor). `date`: the day (UTC) on which it appeared."""

    project: str
    version: Version
    python: tuple[int, int]
    date: datetime.date
    architecture: Architecture = USUAL


class _File(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """The fields of PEP 691 and 700 that are needed here."""

    filename: str
    upload_time: datetime.datetime | None = None
    yanked: bool | str = False


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The index's answer for a project (PEP 691)."""

    name: str
    files: list[_File]


def settings() -> dict[str, str]:
    """Variables that make uv use the index that the user chose for pip, unless one was chosen for uv."""
    if "PIP_INDEX_URL" in os.environ and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & os.environ.keys():
        return {"UV_DEFAULT_INDEX": os.environ["PIP_INDEX_URL"]}
    return {}


def address() -> str:
    """Return the index that uv resolves from. uv says which when it is asked to lock no packages."""
    nothing = ("pip", "compile", "--quiet", "--no-header", "--emit-index-url", os.devnull)
    answer = interpreters.uv(*nothing, variables=settings())
    if match := re.search(r"^--index-url (\S+)$", answer.stdout, re.MULTILINE):
        return match[1].rstrip("/")
    raise MachineError(f"uv names no package index: {answer.stderr.strip()}", "set UV_DEFAULT_INDEX")


def ask(project: str, index: str) -> list[Offer]:
    """Raise MachineError where the index cannot be reached, or does not say when a file appeared (PEP 700)."""
    try:
        with requests.Session() as session:
            session.verify = os.environ.get("SSL_CERT_FILE") or True
            headers = {"Accept": "application/vnd.pypi.simple.v1+json"}
            answer = session.get(f"{index}/{project}/", headers=headers, timeout=SECONDS)
            answer.raise_for_status()
        page = msgspec.json.decode(answer.content, type=Page)
    except (requests.RequestException, msgspec.DecodeError) as fault:
        cure = "check the network, SSL_CERT_FILE, and UV_DEFAULT_INDEX: an index that speaks JSON (PEP 691)"
        raise MachineError(f"the package index does not answer for {project}: {fault}", cure) from fault
    return list(offers(page))


def offers(page: Page) -> Iterator[Offer]:
    """Yield the offers of an index's answer, without yanked wheels and those for another platform or Python."""
    for file in page.files:
        try:
            _, version, _, tags = parse_wheel_filename(file.filename)
        except InvalidWheelFilename:  # not a wheel
            continue
        names = [f"{tag.interpreter} {tag.abi} {tag.platform}" for tag in tags]
        fitting = [re.fullmatch(rf"cp3(\d+) cp3\1m? (?:many)?linux\w*_({'|'.join(MACHINES)})", name) for name in names]
        for minor, architecture in sorted({(int(match[1]), match[2]) for match in fitting if match}):
            if file.upload_time is None:
                cure = "choose one that does (PEP 700), with UV_DEFAULT_INDEX"
                raise MachineError(f"the package index does not say when {file.filename} appeared", cure)
            if not file.yanked:
                date = file.upload_time.astimezone(datetime.UTC).date()
                yield Offer(
                    project=page.name,
                    version=version,
                    python=(3, minor),
                    date=date,
                    architecture=cast(Architecture, architecture),
                )
