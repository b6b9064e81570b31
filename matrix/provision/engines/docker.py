"""Engine `docker`: one image a target, and a container of it a run.

A container has no network, no capabilities, no writable place but a tmpfs, and nothing of the host mounted, so that
an Engine on another machine works the same. The suite enters as a layer of its own on the target's image: whole or
not at all, read-only by nature, and gone with the orchestrator.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from matrix.provision import bases, images
from matrix.provision.engines.protocol import Chunk, Ended, Environment, Limits, Program, Say
from matrix.record import host

BASE = f"{images.PROJECT}.base"

# Where a site says which certificates it trusts: the variables that uv, pip and requests know, in this order.
CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")

# Where the kernel shows its devices.
DEV = Path("/dev")
# What an Engine says of itself, and what it cannot do where it says no: rootless without cgroups, or an old kernel.
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

# Ids of the images that this process was given, and may still run; and those of them with a suite on top.
_needed: set[str] = set()
_with: dict[str, set[str]] = {}


def trouble() -> str | None:
    try:
        with images.faults():
            images.connect()
            if bases.can_be_had():
                return None
    except MachineError as fault:
        return f"{fault}; {fault.cure}"
    return "there is no base image, no registry answers, and mmdebstrap is not installed to make one"


def recipe(target: Target) -> str:
    """Of the Dockerfile, the base and the lock."""
    with images.faults():
        return _recipe(target, bases.expect(backends.load()[target.backend], target.python))


def is_built(target: Target) -> bool:
    with images.faults():
        return _built(target, recipe(target)) is not None


def provision(target: Target, say: Say) -> Environment:
    try:
        with images.faults():
            _tidy()
            base = bases.get(backends.load()[target.backend], target.python, say)
            built = _recipe(target, base)
            image = _built(target, built) or _build(target, base, built, say)
            _needed.add(str(image.id))
            loosened = _loosened(target.backend)
    except MachineError as fault:
        raise NotBuilt(str(fault), fault.cure, machine=True) from fault
    return Environment(
        target=target,
        where=str(image.id),
        recipe_sha256=built,
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
            **_confined(limits),
            **_devices(environment.target.backend),
        )
        return _Process(container)


def done(environment: Environment) -> None:
    """The images that stand on it go now, for an image under others cannot."""
    _needed.discard(environment.where)
    with contextlib.suppress(MachineError), images.faults():
        for image in _with.pop(environment.where, set()):
            images.remove(image)


def clean() -> int:
    with images.faults():
        return images.remove_all()


def _recipe(target: Target, base: bases.Base) -> str:
    dockerfile = backends.dockerfile(target.backend).read_text(encoding="utf-8")
    parts = ("docker", target.id, dockerfile, base.made_of, _toolkit(target) or "", locks.sha256(target))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _tag(target: Target) -> str:
    return f"{images.PROJECT}:{target.id}"


def _built(target: Target, recipe_sha256: str) -> Image | None:
    image = images.find(_tag(target))
    return image if image and image.labels.get(images.RECIPE) == recipe_sha256 else None


def _build(target: Target, base: bases.Base, recipe_sha256: str, say: Say) -> Image:
    """Build under the target's tag; the image that had it before goes."""
    images.make_room(_needed)
    say(f"building {target.id} on {base.reference}")
    before = images.find(_tag(target))
    with tempfile.TemporaryDirectory(prefix="matrix-image-") as folder:
        _lay_out(Path(folder), target)
        image = images.build(
            Path(folder),
            tag=_tag(target),
            labels={images.TARGET: target.id, images.RECIPE: recipe_sha256, BASE: f"{base.reference} {base.digest}"},
            arguments={
                "BASE": base.reference,
                "TOOLKIT": _toolkit(target) or base.reference,
                "PYTHON": target.python,
                "INSTALL": _install_command(target),
            },
        )
    if before is not None:
        images.remove(str(before.id))
    return image


def _lay_out(context: Path, target: Target) -> None:
    """The build's context. The site's certificates come along, and stay in a stage of which nothing is kept."""
    shutil.copy(backends.dockerfile(target.backend), context / "Dockerfile")
    shutil.copy(find_uv_bin(), context / "uv")
    for lock in locks.files(target):
        copy = context / "locks" / lock.relative_to(paths.LOCKS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(lock, copy)
    (context / "site.env").touch()
    if bundle := _certificates():
        shutil.copy(bundle, context / "certificates.pem")
        (context / "site.env").write_text("export SSL_CERT_FILE=/build/certificates.pem\n")


def _install_command(target: Target) -> str:
    command = locks.install_command(target, "--python", PYTHON)
    return " ".join(argument.replace(str(paths.LOCKS), "locks") for argument in command)


def _certificates() -> str | None:
    """The site's own CA bundle, where it has one: by the variables that uv, pip and requests know."""
    named = (os.environ.get(name) for name in CA_VARIABLES)
    return next((file for file in named if file and Path(file).is_file()), None)


def _with_suite(target_image: str, suite: Path) -> Image:
    """The target's image with the suite on top. The Engine's cache knows one that it has made already."""
    with tempfile.TemporaryDirectory(prefix="matrix-suite-") as folder:
        shutil.copytree(suite, Path(folder) / suite.name, ignore=shutil.ignore_patterns("__pycache__"))
        (Path(folder) / "Dockerfile").write_text(f"FROM {target_image}\nCOPY {suite.name} {SUITES}/{suite.name}\n")
        try:
            image = images.build(Path(folder), labels={images.OWNER: images.owner()})
        except NotBuilt as fault:  # copying files says nothing of the target
            raise MachineError(f"the suite cannot be added to its image: {fault}", fault.cure) from fault
    _with.setdefault(target_image, set()).add(str(image.id))
    return image


def _confined(limits: Limits) -> dict[str, Any]:
    """What a container may not do. `init` reaps orphans and passes on by which signal the suite died."""
    return {
        "init": True,
        "user": USER,
        "network_mode": "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "read_only": True,
        "working_dir": TMP,
        "tmpfs": {TMP: f"size={TMP_SIZE},mode=1777", "/dev/mqueue": "ro,size=4k"},
        "ipc_mode": "none",
        "mem_limit": limits.memory,
        "memswap_limit": limits.memory,
        "pids_limit": limits.processes,
        "ulimits": [Ulimit(name=name, soft=n, hard=n) for name, n in (("nofile", limits.files), ("core", 0))],
        "cpuset_cpus": _processors(),
        # The stream is read from the attached socket; what the suite writes must not fill the Engine's disk.
        "log_config": LogConfig(type=LogConfig.types.NONE),
    }


def _toolkit(target: Target) -> str | None:
    """The vendor's image that a GPU's libraries are taken from, where there is a GPU."""
    return backends.load()[target.backend].toolkit(target.release) if _devices(target.backend) else None


def _devices(backend: Backend) -> dict[str, Any]:
    """What of the machine's GPU a container is given; nothing where there is none, or for a backend without."""
    if backend == "cuda" and (uuid := host.gpu_uuid()):
        return {"device_requests": [DeviceRequest(driver="nvidia", device_ids=[uuid], capabilities=[["gpu"]])]}
    if backend == "rocm" and (DEV / "kfd").exists():
        groups = {file.stat().st_gid for file in (DEV / "kfd", *(DEV / "dri").glob("renderD*"))}
        return {"devices": [f"{DEV}/kfd", f"{DEV}/dri"], "group_add": sorted(groups)}
    return {}


def _loosened(backend: Backend) -> tuple[str, ...]:
    """In words: the devices that a container is given, and the limits that this Engine cannot set."""
    given = _devices(backend)
    told = [f"GPU {uuid}" for request in given.get("device_requests", ()) for uuid in request.device_ids]
    if given.get("devices"):
        told.append(f"{' and '.join(given['devices'])}, with groups {', '.join(map(str, given['group_add']))}")
    engine = images.connect().info()
    told += [words for name, words in LIMITED.items() if not engine.get(name)]
    if not any("name=seccomp" in option for option in engine.get("SecurityOptions") or ()):
        told.append("no seccomp profile")
    return (*told, *(() if images.is_local() else ("all processors of the Engine's machine",)))


def _processors() -> str | None:
    """Those that this process may use, as a child of it would; of an Engine elsewhere all."""
    return ",".join(map(str, sorted(os.sched_getaffinity(0)))) if images.is_local() else None


@cache
def _tidy() -> None:
    """Once a process: remove what orchestrators left that have ended, and at the end what this one leaves."""
    images.reap()
    atexit.register(_leave)


def _leave() -> None:
    # An Engine that has gone keeps it; the next orchestrator reaps.
    with contextlib.suppress(MachineError), images.faults():
        images.leave()


class _Process:
    """A container. A thread reads its attached socket, so that TLS and ssh need no select of their own."""

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
            # The response that docker keeps there owns the connection; its socket alone would leave it open. Over ssh
            # closing fails when the other end has gone first.
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
        """The Engine answers once what the container wrote is read: from here on it is, and dropped."""
        self._unread.set()
        self._drain()
        with images.faults(), images.unless(404, 409):
            self._container.kill()
            self._killed = True

    def wait(self) -> Ended:
        with images.faults():
            while self._reader.is_alive():
                self._drain()
            status = self._container.wait()["StatusCode"]
            oom = images.connect().api.inspect_container(str(self._container.id))["State"]["OOMKilled"]
            self._container.remove(force=True, v=True)
        # init says 128 + n of a suite that signal n ended.
        status = 128 - status if 128 < status < 128 + signal.NSIG else status
        return Ended(status=status, oom=oom and status == -signal.SIGKILL and not self._killed)

    def _drain(self) -> None:
        """What nobody read must not hold up the reader."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._chunks.get(timeout=0.05)


def _frames(attached: Any) -> Iterator[tuple[int, bytes]]:
    """(stream, data) as it comes, until the container's end.

    docker's own reader polls the socket first, and so leaves what TLS has read ahead until more comes.
    """
    getattr(attached, "_sock", attached).settimeout(None)
    receive = getattr(attached, "recv", None) or attached.read
    while len(header := _exactly(8, receive)) == 8:
        stream, left = struct.unpack(">BxxxL", header)
        while left and (data := receive(left)):
            left -= len(data)
            yield stream, data


def _exactly(size: int, receive: Callable[[int], bytes]) -> bytes:
    """Less only at the end."""
    data = b""
    while len(data) < size and (more := receive(size - len(data))):
        data += more
    return data
