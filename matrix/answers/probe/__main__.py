"""Where this machine stands: does oneDNN switch itself on here, what works, what is fused, against the published row.

Runs in any environment that has TensorFlow and NumPy, on Python 3.6 or newer, installs nothing and asks no network:

    python probe.pyz

It takes the cells of the core that decide verdicts, writes down what came of them as a record that can be contributed,
and sends nothing anywhere.
"""

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import threading
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = re.compile(r"(tensorflow|tf[_-]nightly|keras|tf[_-]keras|numpy|intel)")
# what changes TensorFlow's kernels; nothing else of the environment is anyone's business
SETTINGS = (
    "TF_ENABLE_ONEDNN_OPTS", "TF_DISABLE_MKL", "TF_XLA_FLAGS", "XLA_FLAGS", "TF_CUDNN_USE_RUNTIME_FUSION",
    "TF_USE_LEGACY_KERAS", "KERAS_BACKEND", "NVIDIA_TF32_OVERRIDE", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA",
    "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
FLAGS = re.compile(r"(sse4_[12]|avx.*|amx.*|fma|f16c)$")
NEEDS = [
    ("eager", "forward"), ("graph", "forward"), ("keras", "forward"), ("jit", "forward"),
    ("graph", "gradient"), ("keras", "gradient"), ("graph", "fusion"),
]  # fmt: skip
HEADS = ["eager", "graph", "predict", "XLA", "gradient", "fit", "fused"]
IMPORT_SECONDS = 120
AT_LEAST_SECONDS = 20
GOOD = {"pass": "yes", "absent": "-", "skipped": "?"}
IN_KERNEL = {"fused": "yes", "partly": "in part", "separate": "no", "none": "-"}


def main():
    options = _options()
    if options.suite:
        return _observe_here(options.suite)
    published = json.loads(_resource("published.json"))
    began = time.time()
    print("Importing TensorFlow and observing, for about {:g} s at most ...".format(options.seconds))
    about, observations = _observe(published["cells"], options.seconds)
    if "tensorflow" not in about:
        print(about.get("not_imported", "TensorFlow was not imported within {:g} s, or died.".format(IMPORT_SECONDS)))
        return 1
    machine = _machine(published["classes"])
    _tell_machine(about, machine)
    _tell_table(observations)
    _tell_published(published, about, machine, observations)
    missing = len(published["cells"]) - len(observations)
    if missing:
        print("\n{} cells were not reached: --seconds {:g} gives them time.".format(missing, 4 * options.seconds))
    _write_record(options.output, published, about, machine, observations)
    print("{:.0f} s".format(time.time() - began))
    return 0


def _options():
    parser = argparse.ArgumentParser(prog="probe.pyz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=55, help="end after about this long (%(default)g)")
    parser.add_argument("--output", default="probe.jsonl", help="where the record goes (%(default)s)")
    parser.add_argument("--suite", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


def _resource(name):
    if zipfile.is_zipfile(HERE):
        with zipfile.ZipFile(HERE) as archive:
            return archive.read(name).decode("utf-8")
    with open(os.path.join(HERE, name), encoding="utf-8") as stream:
        return stream.read()


def _observe_here(cells):
    """The suite in this process; where there is no fork to hold a crash, the cells one by one."""
    if sys.platform.startswith("linux"):
        from suite.__main__ import main as suite_main

        return suite_main(cells)
    import tensorflow as tf
    from suite import about, observe, runtime
    from suite.catalog import Cell

    runtime.start(False)
    said = {"python": about.python(), "tensorflow": tf.__version__, "packages": about.packages()}
    control = observe.observe(*about.CONTROL)
    _say(dict(said, onednn=about.onednn(control)))
    for cell in cells:
        _say(dict(observe.observe(*Cell(*cell.split("/", 3)))))
    return 0


def _say(line):
    print(json.dumps(line, sort_keys=True), flush=True)


def _observe(cells, seconds):
    """(what the environment is, observations), as far as they came in time. A cell that kills its process is blamed."""
    about, observations, left = {}, [], list(cells)
    clock = Clock(seconds)
    while left and not clock.is_over():
        before = len(observations)
        alive = _observe_some(left, clock, about, observations)
        left = left[len(observations) - before :]
        if alive or "tensorflow" not in about or not left or clock.is_over():
            break
        observations.append(_died(left.pop(0)))
    return about, observations


class Clock(object):
    """Until TensorFlow is there nothing is in time; then there is at least a little, however long its import took."""

    def __init__(self, seconds):
        self.over, self.end = time.time() + seconds, time.time() + IMPORT_SECONDS
        self.running = False

    def start(self):
        if not self.running:
            self.running, self.end = True, max(self.over, time.time() + AT_LEAST_SECONDS)

    def is_over(self):
        return time.time() >= self.end


def _observe_some(cells, clock, about, observations):
    """Whether the process came to its own end."""
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    command = [sys.executable, HERE, "--suite"] + cells
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    watch = threading.Thread(target=_end_in_time, args=(child, clock), daemon=True)
    watch.start()
    try:
        for line in child.stdout:
            said = json.loads(line.decode("utf-8"))
            if "outcome" in said:
                observations.append(said)
            else:
                about.update(said)
            if "tensorflow" in about:
                clock.start()
    except ValueError:  # cut off in the middle of a line
        pass
    finally:
        child.stdout.close()
    return child.wait() == 0


def _end_in_time(child, clock):
    while child.poll() is None:
        if clock.is_over():
            child.kill()
        time.sleep(0.2)


def _died(cell):
    approach, mode, check, case = cell.split("/", 3)
    return {
        "approach": approach,
        "mode": mode,
        "check": check,
        "case": case,
        "outcome": "crash",
        "evidence": "executed",
        "reason": "the process ended here",
    }


def _machine(classes):
    """The host class: the highest vector feature that the processor has, by the rule of the published records."""
    flags, name, vendor = _flags()
    machine = {"x86_64": "x86", "AMD64": "x86", "aarch64": "arm", "arm64": "arm"}.get(platform.machine(), "other")
    highest = next((word for flag, word in classes if flag in flags), "base")
    return {
        "class": "{}-{}{}".format(machine, highest, "-amd" if vendor == "AuthenticAMD" else ""),
        "cpu": name,
        "cpu_flags": sorted(flag for flag in flags if FLAGS.match(flag)),
        "cores": os.cpu_count() or 1,
        "kernel": platform.release(),
    }


def _flags():
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
            fields = dict(re.findall(r"^(model name|vendor_id|flags)\s*: (.*)$", stream.read(), re.MULTILINE))
    except OSError:
        fields = {}
    name = fields.get("model name") or platform.processor() or platform.machine()
    return set(fields.get("flags", "").split()), name, fields.get("vendor_id", "")


def _tell_machine(about, machine):
    words = {True: "on", False: "off", None: "not to be seen"}
    print("\nTensorFlow {} on {} ({})".format(about["tensorflow"], machine["cpu"], machine["class"]))
    chosen = os.environ.get("TF_ENABLE_ONEDNN_OPTS")
    how = "by itself" if chosen is None else "with TF_ENABLE_ONEDNN_OPTS={}".format(chosen)
    print("oneDNN is {} here, {}".format(words[about.get("onednn")], how))


def _tell_table(observations):
    """Of bias and ReLU after the convolution, which is what a layer usually has."""
    found = {_cell(one): one for one in observations}
    approaches = list(dict.fromkeys(one["approach"] for one in observations))
    print("\n{:23}".format("conv + bias + ReLU") + "".join("{:>10}".format(head) for head in HEADS))
    for approach in approaches:
        row = [_word(_of(found, approach, mode, check)) for mode, check in NEEDS]
        works = row[1] == "yes"  # what is fused into a kernel that then fails is not fused
        row[-1] = row[-1] if works else "-"
        print("{:23}".format(approach) + "".join("{:>10}".format(word) for word in row))


def _of(found, approach, mode, check):
    cells = (one for cell, one in found.items() if cell.startswith("/".join((approach, mode, check)) + "/"))
    return next((one for one in cells if "/bias_relu/" in one["case"]), None)


def _word(observation):
    if observation is None:
        return "?"
    if observation["outcome"] == "pass" and "fusion" in observation:
        return IN_KERNEL[observation["fusion"]["epilogue"]]
    return GOOD.get(observation["outcome"], observation["outcome"])


def _tell_published(published, about, machine, observations):
    release = about["tensorflow"]
    rows = published["rows"].get(release) or {}
    near = release if rows else _nearest(release, list(published["rows"]))
    if near is None:
        return
    rows = published["rows"][near]
    wanted = {True: "onednn-on", False: "onednn-off"}.get(about.get("onednn"))
    profile = wanted if wanted in rows else "default" if "default" in rows else min(rows)
    if near != release:
        print("\nNothing is published of {}; the nearest is {}.".format(release, near))
    row = dict(zip(published["cells"], rows[profile]["outcomes"]))
    seen = {_cell(one): _letter(one) for one in observations}
    other = sorted(cell for cell, letter in seen.items() if row.get(cell, "?") not in ("?", letter))
    same = sum(row.get(cell) == letter for cell, letter in seen.items())
    where = "{} {}, {}".format(near, profile, rows[profile]["host_class"])
    print("\nAgainst the published row ({}): {} cells the same, {} different".format(where, same, len(other)))
    letters = published["letters"]
    for cell in other if near == release else ():
        print("  {}: published {}, here {}".format(cell, letters[row[cell]], letters[seen[cell]]))
    if rows[profile]["host_class"] != machine["class"]:
        print("The row was measured on another host class: yours may well differ.")


def _nearest(release, known):
    def minor(text):
        return [int(number) for number in text.split(".")[:2]]

    return min(known, key=lambda one: [abs(a - b) for a, b in zip(minor(one), minor(release))], default=None)


def _cell(observation):
    return "/".join(observation[name] for name in ("approach", "mode", "check", "case"))


def _letter(observation):
    """What is compared of an observation: its outcome, and of evidence where the epilogue ran."""
    if observation["outcome"] == "pass" and "fusion" in observation:
        return {"fused": "F", "partly": "P", "separate": "S", "none": "N"}[observation["fusion"]["epilogue"]]
    letters = {"pass": "p", "wrong": "w", "error": "e", "crash": "c", "timeout": "t", "oom": "o", "absent": "a"}
    return letters.get(observation["outcome"], "?")


def _write_record(output, published, about, machine, observations):
    header = {
        "format": "contributed/1",
        "release": about["tensorflow"],
        "python": platform.python_version(),
        "platform": sys.platform,
        "made": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "host": machine,
        "packages": {name: version for name, version in about.get("packages", {}).items() if PACKAGES.match(name)},
        "environment": {name: os.environ[name] for name in SETTINGS if name in os.environ},
        "suite_sha256": published["suite_sha256"],
        "observations": len(observations),
    }
    if about.get("onednn") is not None:
        header["onednn"] = about["onednn"]
    with open(output, "w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(line, sort_keys=True) + "\n" for line in [header] + observations)
    print("\nThe record is {}: look at it, and contribute it as CONTRIBUTING.md says.".format(output))


if __name__ == "__main__":
    sys.exit(main())
