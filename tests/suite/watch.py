"""How a forked worker ended, and whether memory was why."""

import os
import re
import signal

PAGE = os.sysconf("SC_PAGE_SIZE")

# TensorFlow's CHECK macros say what failed on their last line; time, thread and source position say nothing more.
CHECK_FAILED = re.compile(rb" F [^\]\n]*\] ([^\n]*)")


def memory(pid):
    """Resident bytes of a process; 0 once it has gone."""
    try:
        with open("/proc/{}/statm".format(pid)) as statm:
            return int(statm.read().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def oom_kills():
    """How many processes the kernel has killed in this control group for want of memory (cgroup v2 or v1)."""
    for path in _counters():
        try:
            with open(path) as counters:
                found = re.search(r"^oom_kill (\d+)$", counters.read(), re.MULTILINE)
        except OSError:
            continue
        if found:
            return int(found.group(1))
    return 0


def _counters():
    # In a container the group is mounted at the root; outside, at the path that /proc tells.
    with open("/proc/self/cgroup") as groups:
        for _, controllers, path in (line.strip().split(":", 2) for line in groups):
            if controllers == "":
                yield "/sys/fs/cgroup" + path.rstrip("/") + "/memory.events"
            elif "memory" in controllers.split(","):
                yield "/sys/fs/cgroup/memory" + path.rstrip("/") + "/memory.oom_control"
    yield "/sys/fs/cgroup/memory.events"
    yield "/sys/fs/cgroup/memory/memory.oom_control"


def signal_name(number):
    """Real-time signals have no names of their own: SIGRTMIN+1."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return "SIGRTMIN{:+d}".format(number - signal.SIGRTMIN)


def fate(status, output):
    """What to say of a worker that ended without a result: outcome `crash`, its signal, TensorFlow's last word."""
    told = {"outcome": "crash"}
    if os.WIFSIGNALED(status):
        told["signal"] = signal_name(os.WTERMSIG(status))
    else:
        told["reason"] = "the process ended with exit status {} and no result".format(os.WEXITSTATUS(status))
    checks = CHECK_FAILED.findall(output)
    if checks:
        told["reason"] = checks[-1].decode("utf-8", "replace")[:300]
    return told
