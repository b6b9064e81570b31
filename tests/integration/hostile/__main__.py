"""A suite that does what a hostile wheel would, and says as one JSON object what it came to: "done", or the error."""

import ctypes
import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path

TOLD = json.loads(sys.argv[1])


def main():
    tries = {
        "read the orchestrator's environment": Path(f"/proc/{TOLD['orchestrator']}/environ").read_bytes,
        "read the orchestrator's memory": Path(f"/proc/{TOLD['orchestrator']}/mem").read_bytes,
        "trace the orchestrator": lambda: called("ptrace", 0x4206, TOLD["orchestrator"], 0, 0),
        "read the home": lambda: [path.read_bytes() for path in Path(TOLD["home"]).iterdir()],
        "read a secret": Path(TOLD["secret"]).read_bytes,
        "read the passwords": Path("/etc/shadow").read_bytes,
        "write into reports": lambda: (Path(TOLD["reports"]) / "support.json").write_text("{}"),
        "write into the environment": lambda: (Path(sys.prefix) / "sitecustomize.py").write_text(""),
        "write beside its own folder": (Path.cwd().parent / "matrix-hostile").touch,
        "remove what is published": (Path(TOLD["reports"]) / "stays").unlink,
        "reach docker.sock": lambda: socket.socket(socket.AF_UNIX).connect(TOLD["socket"]),
        "reach the network": lambda: socket.create_connection(("127.0.0.1", TOLD["port"]), 5),
        "send a datagram": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
        "ask the kernel for another door": lambda: called("syscall", 425, 8, None),  # io_uring_setup
        "mount": lambda: called("mount", b"none", b"/nowhere", b"tmpfs", 0, None),
        "be root elsewhere": lambda: called("unshare", 0x10000000),
        "dump core": lambda: resource.setrlimit(resource.RLIMIT_CORE, (1, 1)),
        "signal the orchestrator": lambda: os.kill(TOLD["orchestrator"], 0),
        "take all memory": lambda: bytearray(TOLD["memory"] * 2),
        "write a huge file": huge,
        # What TensorFlow needs must go on working.
        "work: its own folder": lambda: Path("own").write_text("x"),
        "work: the temporary folder": lambda: Path(os.environ["TMPDIR"], "own").write_text("x"),
        "work: a child": child,
        "work: a pair of sockets": socket.socketpair,
        "work: the processor": Path("/proc/cpuinfo").read_text,
        "work: random numbers": lambda: os.close(os.open("/dev/urandom", os.O_RDONLY)),
    }
    json.dump({what: outcome(do) for what, do in tries.items()}, sys.stdout)


def outcome(do):
    try:
        do()
    except Exception as fault:  # noqa: BLE001 - whatever keeps it from its aim
        return type(fault).__name__
    return "done"


def called(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def huge():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Path("huge").open("wb") as file:
        file.truncate(2**40)


def child():
    if os.fork() == 0:
        os._exit(0)
    assert os.wait()[1] == 0


main()
