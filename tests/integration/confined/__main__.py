"""A suite that looks around: what the process may do where an engine runs it, as one JSON object."""

import json
import os
import resource
import sys
from pathlib import Path


def main():
    json.dump(
        {
            "uid": os.getuid(),
            "interfaces": sorted(path.name for path in Path("/sys/class/net").iterdir()),
            "writable": sorted(writable()),
            "status": status(),
            "open_files": resource.getrlimit(resource.RLIMIT_NOFILE),
            "core": resource.getrlimit(resource.RLIMIT_CORE),
            "memory": limit("memory/memory.limit_in_bytes", "memory.max"),
            "memory_and_swap": limit("memory/memory.memsw.limit_in_bytes", "memory.swap.max"),
            "processes": limit("pids/pids.max", "pids.max"),
            "processors": sorted(os.sched_getaffinity(0)),
            "environment": dict(os.environ),
        },
        sys.stdout,
    )


def writable():
    """Every folder and file that this user could write to, but for devices and the kernel's own views."""
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders[:] = [name for name in folders if name not in {"proc", "sys"}]
        for path in [Path(folder), *(Path(folder) / name for name in files)]:
            if os.access(path, os.W_OK) and (path.is_file() or path.is_dir()):
                yield str(path)


def status():
    lines = (line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {line[0]: line[1].strip() for line in lines if len(line) == 2}


def limit(*files):
    """Of this control group, version 1 or 2."""
    found = [Path("/sys/fs/cgroup") / file for file in files if (Path("/sys/fs/cgroup") / file).is_file()]
    return found[0].read_text().strip() if found else None


main()
