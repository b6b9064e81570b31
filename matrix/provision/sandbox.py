"""Confines this process, then becomes a command: `python -I -S sandbox.py SPEC COMMAND...`; a program of its own.

It asks for nothing that an ordinary user lacks: Landlock closes the file system and TCP, seccomp closes sockets and the
kernel's other doors, limits bound memory, files and dumps. What the kernel does not know is left out; `lacking` says so
beforehand, and each record tells it.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import Any

# linux/landlock.h: rights that a file has as well as a folder, and the rights of each version of Landlock.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL
RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
READ = EXECUTE | READ_FILE | READ_DIR
TCP, SCOPES = 0b11, 0b11  # bind and connect; abstract sockets and signals
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PATH_BENEATH = 1
# From `linux/capability.h`, `linux/prctl.h`, `linux/seccomp.h` and `linux/filter.h`.
CAPABILITY_VERSION = 0x20080522
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 1, 38, 22, 2
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050001  # the second: the call fails with EPERM
# Architecture by `platform.machine()`, as `linux/audit.h` numbers it, and the column of its system calls below.
ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
CLOSED = {
    "socket": (41, 198), "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsmount": (432, 432), "mount_setattr": (442, 442), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "open_by_handle_at": (304, 265), "pidfd_getfd": (438, 438), "kexec_load": (246, 104), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224),
    "swapoff": (168, 225), "acct": (163, 89), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171), "clock_adjtime": (305, 266), "sethostname": (170, 161), "syslog": (103, 116),
}  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def landlock_version() -> int:
    """0 where the kernel has no Landlock, or has it turned off."""
    return max(0, int(_libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(1))))


def lacking() -> Iterator[str]:
    """Say which parts of the sandbox are not in force on this machine."""
    version = landlock_version()
    if not version:
        yield "no Landlock in this kernel: the files of this user can be read and written"
    elif version < 6:
        yield "Landlock before version 6: other processes of this user can be sent signals"
    if platform.machine() not in ARCHITECTURES:
        yield f"no seccomp filter for {platform.machine()}: sockets can be opened"
    yield "nothing limits the number of processes"


def main(arguments: Sequence[str]) -> None:
    spec, *command = arguments
    told: dict[str, Any] = json.loads(spec)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != told["parent"]:
        sys.exit("whoever started this has gone")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for limit, most in told["limits"].items():
        resource.setrlimit(getattr(resource, limit), (most, most))
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    # Root's capabilities: with CAP_PERFMON the environments of all processes can be read, whatever Landlock says.
    if _libc.capset(struct.pack("=Ii", CAPABILITY_VERSION, 0), bytes(24)) != 0:
        raise OSError(ctypes.get_errno(), "capabilities cannot be given up")
    if version := landlock_version():
        _landlock(version, told["read"], told["write"], told["devices"])
    if platform.machine() in ARCHITECTURES:
        _seccomp()
    os.execv(command[0], command)  # noqa: S606 - this is what the program is for


def _landlock(version: int, read: Sequence[str], write: Sequence[str], devices: Sequence[str]) -> None:
    handled = RIGHTS[min(version, max(RIGHTS))]
    attributes = struct.pack("QQQ", handled, TCP if version >= 4 else 0, SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _called(CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint(0))
    rights = ((read, READ), (write, handled & ~EXECUTE), (devices, READ_FILE | WRITE_FILE | IOCTL))
    for paths, right in rights:
        for path in paths:
            try:
                descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            allowed = right & handled & (-1 if os.path.isdir(path) else OF_FILES)  # noqa: PTH112 - imports little
            _called(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", allowed, descriptor), 0)
            os.close(descriptor)
    _called(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _seccomp() -> None:
    architecture, column = ARCHITECTURES[platform.machine()]
    numbers = [each[column] for each in CLOSED.values()]
    refuse = len(numbers) + 1  # where the last instruction lies, seen from the first comparison of a number
    program = [
        (LOAD, 0, 0, 4),  # the architecture of the call: there is one for 32-bit programs too, with other numbers
        (EQUAL, 0, refuse + 2, architecture),
        (LOAD, 0, 0, 0),
        (AT_LEAST, refuse, 0, 0x40000000),  # and one with other numbers within x86_64
        *((EQUAL, refuse - 1 - place, 0, number) for place, number in enumerate(numbers)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in program))
    _prctl(PR_SET_SECCOMP, FILTER, struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))


def _called(*arguments: object) -> int:
    result = int(_libc.syscall(*arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {arguments[0]}: {os.strerror(ctypes.get_errno())}")
    return result


def _prctl(option: int, *arguments: object) -> None:
    if _libc.prctl(option, *arguments, *[0] * (4 - len(arguments))) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    main(sys.argv[1:])
