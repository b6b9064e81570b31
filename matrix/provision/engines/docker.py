"""Engine `docker`: an image for each target, and a container of it for each run.

A container has no network, no capabilities, no writable place but a tmpfs, and nothing of this machine mounted, so that
an Engine on another machine works the same. The suite is a layer of its own on the target's image: whole or not at
all, read-only by nature, and removed with the orchestrator.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import queue
import shutil
import signal
import struct
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from docker.models.containers import Container
from docker.models.images import Image
from docker.types import DeviceRequest, LogConfig, Ulimit
from docker.utils.socket import STDOUT
from uv import find_uv_bin

from matrix.base import paths
from matrix.base.errors import MachineError, NotBuilt
from matrix.base.ids import Backend, Target
from matrix.catalog import backends, locks
from matrix.provision import base_images, images
from matrix.provision.engines.protocol import Chunk, Ended, Environment, Limits, Program, Say
from matrix.record import host

BASE = f"{images.PROJECT}.base"

# The variables of uv, pip and requests that name the certificates which a site trusts, in the order of preference.
CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")

DEV = Path("/dev")
# Abilities that an Engine reports, and what their lack means in words. A rootless Engine without cgroups lacks some, as
# does an Engine on an old kernel.
LIMITED = {
    "MemoryLimit": "memory is not limited",
    "SwapLimit": "swap is not limited",
    "PidsLimit": "processes are not counted",
    "CPUSet": "processors are not chosen",
}

PYTHON = "/opt/target/bin/python"
SUITES = "/suites"
USER = "1000:1000"
TMP = "/tmp"  # noqa: S108  (the container's own)
TMP_SIZE = 512 * 2**20
CHUNKS_AHEAD = 64

# Ids of the targets' images that this process may still run, and of the images with a suite that stand on each.
_needed: set[str] = set()
_with_suites: dict[str, set[str]] = {}


def trouble() -> str | None:
    try:
        with images.faults():
            images.connect()
            if base_images.can_be_had():
                return None
    except MachineError as fault:
        return f"{fault}; {fault.cure}"
    return "there is no base image, no registry answers, and mmdebstrap is not installed to make one"


def recipe(target: Target) -> str:
    with images.faults():
        return _recipe(target, base_images.expect(backends.of(target), target.python))


def is_built(target: Target) -> bool:
    with images.faults():
        return _built(target, recipe(target)) is not None


def provision(target: Target, say: Say) -> Environment:
    try:
        with images.faults():
            _tidy()
            base = base_images.get(backends.of(target), target.python, say)
            recipe_sha256 = _recipe(target, base)
            image = _built(target, recipe_sha256) or _build(target, base, recipe_sha256, say)
            _needed.add(str(image.id))
            loosened = _loosened(target.backend)
    except MachineError as fault:
        raise NotBuilt.because(fault) from fault
    return Environment(
        target=target,
        where=str(image.id),
        recipe_sha256=recipe_sha256,
        lock_sha256=locks.sha256(target),
        image_digest=image.id,
        base=image.labels.get(BASE),
        loosened=loosened,
    )


def start(
    environment: Environment,
    program: Program,
    arguments: Sequence[str],
    variables: Mapping[str, str],
    limits: Limits,
) -> _Process:
    with images.faults():
        container = images.connect().containers.create(
            _with_suite(environment.where, program.suite),
            [PYTHON, "-m", program.module, *arguments],
            environment={"HOME": TMP, "TMPDIR": TMP, "PYTHONPATH": SUITES, **variables},
            labels={images.PROJECT: "", images.OWNER: images.owner()},
            # init reaps orphans, and passes on by which signal the suite died.
            init=True,
            user=USER,
            network_mode="none",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            read_only=True,
            working_dir=TMP,
            tmpfs={TMP: f"size={TMP_SIZE},mode=1777", "/dev/mqueue": "ro,size=4k"},
            ipc_mode="none",
            mem_limit=limits.memory,
            memswap_limit=limits.memory,
            pids_limit=limits.processes,
            ulimits=[Ulimit(name=name, soft=n, hard=n) for name, n in (("nofile", limits.files), ("core", 0))],
            # The processors that a child of this process would have; on another machine all of them.
            cpuset_cpus=",".join(map(str, sorted(os.sched_getaffinity(0)))) if images.is_local() else None,
            # The stream is read from the attached socket; what the suite writes must not fill the Engine's disk.
            log_config=LogConfig(type=LogConfig.types.NONE),
            **_devices(environment.target.backend),
        )
        return _Process(container)


def done(environment: Environment) -> None:
    """Remove the images with a suite that stand on the target's image, which could not be removed under them."""
    _needed.discard(environment.where)
    with contextlib.suppress(MachineError), images.faults():
        for image in _with_suites.pop(environment.where, set()):
            images.remove(image)


def clean(*, dry_run: bool = False) -> int:
    with images.faults():
        return images.size_of_all() if dry_run else images.remove_all()


def _recipe(target: Target, base: base_images.Base) -> str:
    dockerfile = backends.dockerfile(target.backend).read_text(encoding="utf-8")
    parts = ("docker", target.id, dockerfile, base.made_of, _toolkit(target) or "", locks.sha256(target))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _tag(target: Target) -> str:
    return f"{images.PROJECT}:{target.id}"


def _built(target: Target, recipe_sha256: str) -> Image | None:
    image = images.find(_tag(target))
    return image if image and image.labels.get(images.RECIPE) == recipe_sha256 else None


def _build(target: Target, base: base_images.Base, recipe_sha256: str, say: Say) -> Image:
    """Build under the target's tag, and remove the image that had the tag before."""
    images.make_room(_needed)
    say(f"building {target.id} on {base.reference}")
    before = images.find(_tag(target))
    with tempfile.TemporaryDirectory(prefix="matrix-image-") as folder:
        context = Path(folder)
        shutil.copy(backends.dockerfile(target.backend), context / "Dockerfile")
        shutil.copy(find_uv_bin(), context / "uv")
        for lock in locks.files(target):
            copy = context / "locks" / lock.relative_to(paths.LOCKS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(lock, copy)
        # The site's certificates are used in a stage of which nothing is kept.
        (context / "site.env").touch()
        named = (os.environ.get(name) for name in CA_VARIABLES)
        if bundle := next((file for file in named if file and Path(file).is_file()), None):
            shutil.copy(bundle, context / "certificates.pem")
            (context / "site.env").write_text("export SSL_CERT_FILE=/build/certificates.pem\n")
        install = " ".join(locks.install_command(target, "--python", PYTHON)).replace(str(paths.LOCKS), "locks")
        image = images.build(
            context,
            tag=_tag(target),
            labels={images.TARGET: target.id, images.RECIPE: recipe_sha256, BASE: f"{base.reference} {base.digest}"},
            arguments={
                "BASE": base.reference,
                "TOOLKIT": _toolkit(target) or base.reference,
                "PYTHON": target.python,
                "INSTALL": install,
            },
        )
    if before is not None:
        images.remove(str(before.id))
    return image


def _with_suite(target_image: str, suite: Path) -> Image:
    """Return the target's image with the suite on top; the Engine's cache spares making the same image twice."""
    with tempfile.TemporaryDirectory(prefix="matrix-suite-") as folder:
        shutil.copytree(suite, Path(folder) / suite.name, ignore=shutil.ignore_patterns("__pycache__"))
        (Path(folder) / "Dockerfile").write_text(f"FROM {target_image}\nCOPY {suite.name} {SUITES}/{suite.name}\n")
        try:
            image = images.build(Path(folder), labels={images.OWNER: images.owner()})
        except NotBuilt as fault:  # a failure to copy files says nothing of the target
            raise MachineError(f"the suite cannot be added to its image: {fault}", fault.cure) from fault
    _with_suites.setdefault(target_image, set()).add(str(image.id))
    return image


def _toolkit(target: Target) -> str | None:
    """Name the vendor's image that a GPU's libraries are taken from, where there is a GPU."""
    return backends.load()[target.backend].toolkit(target.release) if _devices(target.backend) else None


def _devices(backend: Backend) -> dict[str, Any]:
    """Return the options that give a container this machine's GPU; none without a GPU of the backend."""
    if backend == "cuda" and (uuid := host.gpu_uuid()):
        return {"device_requests": [DeviceRequest(driver="nvidia", device_ids=[uuid], capabilities=[["gpu"]])]}
    if backend == "rocm" and (DEV / "kfd").exists():
        groups = {file.stat().st_gid for file in (DEV / "kfd", *(DEV / "dri").glob("renderD*"))}
        return {"devices": [f"{DEV}/kfd", f"{DEV}/dri"], "group_add": sorted(groups)}
    return {}


def _loosened(backend: Backend) -> tuple[str, ...]:
    """Say in words which devices a container is given, and which limits this Engine cannot set."""
    given = _devices(backend)
    words = [f"GPU {uuid}" for request in given.get("device_requests", ()) for uuid in request.device_ids]
    if given.get("devices"):
        words.append(f"{' and '.join(given['devices'])}, with groups {', '.join(map(str, given['group_add']))}")
    engine = images.connect().info()
    words += [cannot for ability, cannot in LIMITED.items() if not engine.get(ability)]
    if not any("name=seccomp" in option for option in engine.get("SecurityOptions") or ()):
        words.append("no seccomp profile")
    if not images.is_local():
        words.append("all processors of the Engine's machine")
    return tuple(words)


@cache
def _tidy() -> None:
    """Remove what ended orchestrators left, and let this one remove its own at its end. Runs once a process."""
    images.reap()
    atexit.register(_leave)


def _leave() -> None:
    # An Engine that does not answer any more keeps everything; the next orchestrator reaps.
    with contextlib.suppress(MachineError), images.faults():
        images.leave()


class _Process:
    """A container. A thread reads its attached socket, since `select` does not serve TLS and ssh."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._killed = False
        self._unread = threading.Event()
        self._chunks: queue.Queue[Chunk | None] = queue.Queue(CHUNKS_AHEAD)
        try:
            self._socket = container.attach_socket(params={"stdout": 1, "stderr": 1, "stream": 1})
            container.start()
        except BaseException:
            container.remove(force=True, v=True)
            raise
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()

    def _follow(self) -> None:
        try:
            for stream, data in _frames(self._socket):
                if not self._unread.is_set():
                    self._chunks.put(("out" if stream == STDOUT else "err", data))
        finally:
            self._chunks.put(None)
            # The response that docker keeps there owns the connection: closing the socket alone would leave it open.
            # Over ssh closing fails where the other end has gone first.
            with contextlib.suppress(OSError):
                getattr(self._socket, "_response", self._socket).close()

    def read(self, seconds: float) -> Chunk | None:
        try:
            chunk = self._chunks.get(timeout=seconds)
        except queue.Empty:
            return None
        if chunk is None:
            self._chunks.put(None)
            raise EOFError
        return chunk

    def kill(self) -> None:
        """The Engine answers only when all output of the container has been read: from here on it is dropped."""
        self._unread.set()
        self._drain()
        with images.faults(), images.where_possible():
            self._container.kill()
            self._killed = True

    def wait(self) -> Ended:
        with images.faults():
            while self._reader.is_alive():
                self._drain()
            status = self._container.wait()["StatusCode"]
            oom = images.connect().api.inspect_container(str(self._container.id))["State"]["OOMKilled"]
            self._container.remove(force=True, v=True)
        # init's exit status is 128 + n where signal n has ended the suite.
        status = 128 - status if 128 < status < 128 + signal.NSIG else status
        return Ended(status=status, oom=oom and status == -signal.SIGKILL and not self._killed)

    def _drain(self) -> None:
        """Drop what nobody read, so that it does not hold up the reader."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._chunks.get(timeout=0.05)


def _frames(attached: Any) -> Iterator[tuple[int, bytes]]:
    """Yield (stream, data) as it comes, until the container's end.

    docker's own reader polls the socket first, and so leaves what TLS has read ahead until more comes.
    """
    getattr(attached, "_sock", attached).settimeout(None)
    receive = getattr(attached, "recv", None) or attached.read
    while True:
        header = b""
        while len(header) < 8 and (more := receive(8 - len(header))):
            header += more
        if len(header) < 8:
            return
        stream, left = struct.unpack(">BxxxL", header)
        while left and (data := receive(left)):
            left -= len(data)
            yield stream, data
