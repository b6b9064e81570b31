"""The project's images on a Docker Engine: connects to it, builds, and removes what nobody uses any more.

Everything made here is labelled. Bases and targets stay until `clean`. Containers, first stages of a build and images
with the suite live no longer than the orchestrator that made them, and name it in a label: so the next orchestrator
removes what a killed orchestrator left, and nothing of an orchestrator that is still at work.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import docker
import psutil
import requests
from docker.client import DockerClient
from docker.context import ContextAPI
from docker.context.config import get_current_context_name
from docker.errors import APIError, BuildError, DockerException, ImageNotFound, NotFound
from docker.models.images import Image

from matrix.base.errors import MachineError, NotBuilt
from matrix.catalog import locks

PROJECT = "tf-groupconv-matrix"
OWNER = f"{PROJECT}.owner"
TARGET = f"{PROJECT}.target"
RECIPE = f"{PROJECT}.recipe"

# Bytes of the Engine's disk that must be free for a build: the largest image twice, since the builder copies it once.
FREE = 10 * 2**30

# Seconds that an Engine has to say that it is there, and to do the longest piece of work of which it tells nothing.
TO_ANSWER = 5
TO_WORK = 600


@cache
def connect() -> DockerClient:
    """Connect to the Engine of DOCKER_HOST (unix, tcp, ssh) or of Docker's current context.

    Raise MachineError where no Engine answers.
    """
    if not os.environ.get("DOCKER_HOST"):
        name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
        if not ContextAPI.get_context(name):  # docker itself would take the local Engine instead
            raise MachineError(f"there is no Docker context {name}", "see: docker context ls, or set DOCKER_HOST")
    try:
        client = docker.from_env(timeout=TO_ANSWER, use_ssh_client=True)
    except (DockerException, requests.RequestException, OSError) as fault:
        where = os.environ.get("DOCKER_HOST") or "the socket of the current Docker context"
        reason = _root(fault)
        cure = "start one (as root: systemctl start docker), set DOCKER_HOST, or choose the engine venv"
        if "Permission denied" in reason:
            cure = "join its group and log in again: sudo usermod -aG docker $USER"
        raise MachineError(f"no Docker Engine answers at {where}: {reason}", cure) from fault
    client.api.timeout = TO_WORK
    return client


def is_local() -> bool:
    """Say whether the Engine is on this machine, so that its disk and its processors are this machine's."""
    return bool(connect().api.base_url == "http+docker://localhost")


@contextlib.contextmanager
def faults() -> Iterator[None]:
    """Turn the Engine's failures into MachineError."""
    try:
        yield
    except (DockerException, requests.RequestException) as fault:
        # Only the Engine's own words, where it answered: the address around them is long, and names this process.
        words = str((fault.explanation if isinstance(fault, APIError) else None) or fault)
        raise MachineError(f"the Docker Engine failed: {_in_a_line(words)}", "see the Engine's log") from fault


def find(tag: str) -> Image | None:
    """Return the image with this tag, if the Engine has it already."""
    try:
        return connect().images.get(tag)
    except NotFound:
        return None


def build(
    context: Path,
    *,
    tag: str | None = None,
    labels: Mapping[str, str],
    arguments: Mapping[str, str] | None = None,
) -> Image:
    """Build the Dockerfile in `context`. Raise NotBuilt with the last words of the step that failed."""
    stages = f"{owner()} {uuid.uuid4().hex}"
    client = connect()
    try:
        image, _ = client.images.build(
            path=str(context),
            tag=tag,
            labels={PROJECT: "", **labels},
            buildargs={"OWNER": stages, **_proxies(), **(arguments or {})},
            rm=True,
            forcerm=True,
        )
    except BuildError as fault:
        words = _last_words(fault.build_log) or str(fault)
        raise NotBuilt(locks.why_not(words), machine=locks.is_machines_fault(words)) from fault
    finally:
        client.images.prune({"dangling": True, "label": f"{OWNER}={stages}"})
    return image


@cache
def owner() -> str:
    """Name this process for a label: boot and process namespace, then process id and start."""
    process = psutil.Process()
    return f"{_place()} {process.pid} {process.create_time():.2f}"


def reap() -> None:
    """Remove the containers and images of orchestrators that have ended, however they ended."""
    _remove_where(has_ended)


def leave() -> None:
    """Remove this process's own containers and images at its end."""
    _remove_where(lambda name: name == owner())


def has_ended(name: str) -> bool:
    """Say whether the process that `owner()` once named so has gone. False for another machine's: nobody can know."""
    place, pid, started = name.split(" ")[:3]
    if place != _place():
        return False
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" != started
    except psutil.NoSuchProcess:
        return True


def listed(**filters: str | list[str]) -> list[Image]:
    """List the images that fit, but for an image that another process removes meanwhile: docker-py asks the Engine for
    each image by itself, and its own list fails then.
    """
    found = []
    for entry in connect().api.images(filters=filters):
        with contextlib.suppress(ImageNotFound):
            found.append(connect().images.get(entry["Id"]))
    return found


def make_room(needed: Container[str]) -> None:
    """Remove targets, oldest first and none of the `needed` ids, until a build has room on the Engine's disk.

    Nothing is removed from an Engine on another machine, whose disk cannot be seen. Raise NotBuilt where there is not
    enough to remove.
    """
    if not is_local():
        return
    targets = [image for image in listed(label=TARGET) if OWNER not in image.labels]
    for image in reversed(_newest_first(targets)):
        if free() >= FREE:
            return
        if image.id not in needed:
            remove(str(image.id))
    if (left := free()) < FREE:
        what = f"{left / 2**30:.0f} GiB free on the Engine's disk, {FREE / 2**30:.0f} needed to build an image"
        raise NotBuilt(what, "make room there, for example with: docker image prune", machine=True)


def free() -> int:
    """Count the free bytes on the disk of an Engine on this machine."""
    return shutil.disk_usage(connect().info()["DockerRootDir"]).free


def _remove_where(chosen: Callable[[str], bool]) -> None:
    """Remove the containers and images whose owner is chosen."""
    client = connect()
    for container in client.containers.list(all=True, filters={"label": OWNER}, ignore_removed=True):
        if chosen(container.labels[OWNER]):
            with where_possible():
                container.remove(force=True, v=True)
    for image in _newest_first(listed(label=OWNER)):
        if chosen(image.labels[OWNER]):
            remove(str(image.id))


def size_of_all() -> int:
    """Return the bytes of every image of the project; layers that several share count several times."""
    return sum(int(image.attrs["Size"]) for image in listed(label=PROJECT))


def remove_all() -> int:
    """Remove every image of the project that is not in use, and return how many bytes came free."""
    client = connect()
    before = client.df()["LayersSize"]
    reap()
    for image in _newest_first(listed(label=PROJECT)):
        remove(str(image.id))
    return int(before - client.df()["LayersSize"])


def remove(image: str) -> None:
    """Remove the image with this id and its tags, unless it is in use."""
    with where_possible():
        connect().images.remove(image, force=True)


@contextlib.contextmanager
def where_possible() -> Iterator[None]:
    """Pass over the Engine's answer that there is nothing to do: 404 not there, 409 in use or ended."""
    try:
        yield
    except APIError as answer:
        if answer.status_code not in {404, 409}:
            raise


def _newest_first(images: Iterable[Image]) -> list[Image]:
    """Order images for removal: an image is made after the image that it stands on, and must go before it."""
    return sorted(images, key=lambda image: str(image.attrs["Created"]), reverse=True)


@cache
def _place() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"


def _proxies() -> dict[str, str]:
    """Return this machine's proxies. Docker knows these build arguments, and keeps them out of the image's history."""
    names = ("http_proxy", "https_proxy", "no_proxy")
    return {name: value for key in names for name in (key, key.upper()) if (value := os.environ.get(name))}


def _last_words(log: Iterable[dict[str, Any]]) -> str:
    """Return what the failed step itself wrote, without the builder's own lines and colours."""
    written = "".join(entry.get("stream", "") for entry in log)
    step = written.rsplit("---> Running in", 1)[-1].partition("\n")[2].partition("Removing intermediate container")[0]
    return re.sub(r"\x1b\[[0-9;]*m", "", step)


def _root(fault: BaseException) -> str:
    """Return the words of the operating system or of TLS beneath the libraries' layers, else those of the library."""
    root: BaseException = fault
    beneath = fault.__context__
    while beneath is not None:
        root = beneath if isinstance(beneath, OSError) else root
        beneath = beneath.__context__
    return _in_a_line(str(root))


def _in_a_line(text: str) -> str:
    return " ".join(text.split())[:300]
