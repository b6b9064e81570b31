"""Where this machine stands: does oneDNN switch itself on here, what works, what is fused, against the published row.

Runs in any environment that has TensorFlow and NumPy, on Python 3.6 or newer, installs nothing and asks no network:

    python probe.pyz

It takes the cells of the core that decide verdicts, writes down what came of them as a record that can be contributed,
and sends nothing anywhere.
"""

import argparse
import datetime
import itertools
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
CELL_SECONDS = 20
CELL_MEMORY = 6 * 2**30
GOOD = {"pass": "yes", "absent": "-", "skipped": "?"}
NO_SUCH = {"outcome": "absent"}
IN_KERNEL = {"fused": "yes", "partly": "in part", "separate": "no", "none": "-"}


def main():
    options = _options()
    if options.suite:
        return _observe_here(options.suite)
    published = json.loads(_resource("published.json"))
    began = time.time()
    progress = "Importing TensorFlow and observing, for {:g} s at most ...".format(options.seconds)
    print(progress, file=sys.stderr, flush=True)
    about, observations = _observe(published["cells"], options.seconds)
    if "tensorflow" not in about:
        print(about.get("not_imported", _not_imported(options.seconds, began)), file=sys.stderr)
        return 1
    found = _find(published, about, observations)
    _write_record(options.output, published, found, about, observations)
    found.update(record=options.output, seconds=round(time.time() - began, 1))
    if options.json:
        print(json.dumps(found, indent=2, sort_keys=True))
    else:
        _tell(found, published["letters"], options)
    return 0


def _not_imported(seconds, began):
    if time.time() - began < seconds:
        return "TensorFlow died while it was imported: python -c 'import tensorflow' tells more."
    return "TensorFlow was not imported within {:g} s: --seconds {:g} gives it time.".format(seconds, 4 * seconds)


def _find(published, about, observations):
    """Where this machine stands, as plain data."""
    return {
        "release": about["tensorflow"],
        "onednn": about.get("onednn"),
        "host": _machine(published["classes"]),
        "table": _table(published["cells"], observations),
        "against": _against(published, about, observations),
        "observed": len(observations),
        "not_reached": len(published["cells"]) - len(observations),
    }


def _tell(found, letters, options):
    _tell_machine(found)
    _tell_table(found["table"])
    if found["against"]:
        _tell_against(found["against"], found, letters)
    if found["not_reached"]:
        told = "\n{} cells were not reached: --seconds {:g} gives them time."
        print(told.format(found["not_reached"], 4 * options.seconds))
    print("\nThe record is {}: look at it, and contribute it as CONTRIBUTING.md says.".format(options.output))
    print("{:.0f} s".format(found["seconds"]))


def _options():
    parser = argparse.ArgumentParser(prog="probe.pyz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=50, help="end after this long (%(default)g)")
    parser.add_argument("--json", action="store_true", help="tell it as JSON, for programs")
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
    """The suite in this process, in the order of `cells`: a line of what the environment is, then one a cell."""
    stream = os.fdopen(os.dup(1), "wb", 0)
    os.dup2(2, 1)  # what TensorFlow prints is no line of ours
    try:
        import tensorflow as tf
    except Exception as fault:
        _say(stream, {"not_imported": "{}: {}".format(type(fault).__name__, fault)[:300]})
        return 1
    from suite import about, runtime
    from suite.catalog import Cell

    forks = sys.platform.startswith("linux")
    observations = _forked if forks else _one_by_one
    if not forks:
        runtime.start(False)
    (control,) = observations([about.CONTROL], stream)
    said = {"python": about.python(), "tensorflow": tf.__version__, "packages": about.packages()}
    _say(stream, dict(said, onednn=about.onednn(control)))
    for observation in observations([Cell(*cell.split("/", 3)) for cell in cells], stream):
        _say(stream, observation)
    return 0


def _forked(cells, stream):
    """In forked workers, as the matrix has it: a crash or a hang costs its cell."""
    from suite import observe, runtime, worker

    limits = worker.Limits(CELL_SECONDS, CELL_MEMORY)
    for lane, group in itertools.groupby(sorted(cells, key=runtime.lane), key=runtime.lane):

        def begin(lane=lane):
            stream.close()
            runtime.start(lane)

        for observation in worker.observe_all(list(group), begin, lambda cell: observe.observe(*cell), limits):
            yield observation


def _one_by_one(cells, _stream):
    """Where there is no fork to hold a crash: it ends this process, and the next one goes on behind it."""
    from suite import observe

    for cell in cells:
        yield dict(observe.observe(*cell))


def _say(stream, line):
    stream.write(json.dumps(line, sort_keys=True).encode("utf-8") + b"\n")


def _observe(cells, seconds):
    """(what the environment is, observations), as far as they came in time. A cell that kills its process is blamed."""
    about, observations, left = {}, [], list(cells)
    end = time.time() + seconds
    while left and time.time() < end:
        alive = _observe_some(left, end, about, observations)
        seen = set(map(_cell, observations))
        left = [cell for cell in left if cell not in seen]
        if alive or "tensorflow" not in about or not left or time.time() >= end:
            break
        observations.append(_died(left.pop(0)))
    return about, observations


def _observe_some(cells, end, about, observations):
    """Whether the process came to its own end."""
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    command = [sys.executable, HERE, "--suite"] + cells
    wanted = len(observations) + len(cells)
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    watch = threading.Thread(target=_end_in_time, args=(child, end), daemon=True)
    watch.start()
    try:
        for line in child.stdout:
            said = json.loads(line.decode("utf-8"))
            if "outcome" in said:
                observations.append(said)
                if len(observations) == wanted:
                    child.kill()  # all is said; TensorFlow may take seconds to go
            else:
                about.update(said)
    except ValueError:  # cut off in the middle of a line
        pass
    finally:
        child.stdout.close()
    return child.wait() == 0 or len(observations) == wanted


def _end_in_time(child, end):
    while child.poll() is None:
        if time.time() >= end:
            child.kill()
        time.sleep(0.1)


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


def _tell_machine(found):
    words = {True: "on", False: "off", None: "not to be seen"}
    print("\nTensorFlow {} on {} ({})".format(found["release"], found["host"]["cpu"], found["host"]["class"]))
    chosen = os.environ.get("TF_ENABLE_ONEDNN_OPTS")
    how = "by itself" if chosen is None else "with TF_ENABLE_ONEDNN_OPTS={}".format(chosen)
    print("oneDNN is {} here, {}".format(words[found["onednn"]], how))


def _table(cells, observations):
    """By approach a word for each of HEADS, of bias and ReLU after the convolution: what a layer usually has.

    `?` was not reached; `-` is not in this release, or nothing that an approach has.
    """
    found = dict(dict.fromkeys(cells), **{_cell(one): one for one in observations})
    table = {}
    for approach in dict.fromkeys(one["approach"] for one in observations):
        row = [_word(_of(found, approach, mode, check)) for mode, check in NEEDS]
        works = row[1] == "yes"  # what is fused into a kernel that then fails is not fused
        row[-1] = row[-1] if works else "-"
        table[approach] = dict(zip(HEADS, row))
    return table


def _tell_table(table):
    print("\n{:23}".format("conv + bias + ReLU") + "".join("{:>10}".format(head) for head in HEADS))
    for approach, row in table.items():
        print("{:23}".format(approach) + "".join("{:>10}".format(row[head]) for head in HEADS))


def _of(found, approach, mode, check):
    start = "/".join((approach, mode, check)) + "/"
    return next((one for cell, one in found.items() if cell.startswith(start) and "/bias_relu/" in cell), NO_SUCH)


def _word(observation):
    if observation is None:
        return "?"
    if observation["outcome"] == "pass" and "fusion" in observation:
        return IN_KERNEL[observation["fusion"]["epilogue"]]
    return GOOD.get(observation["outcome"], observation["outcome"])


def _against(published, about, observations):
    """The published row of this release, or of the nearest: how many cells are the same, and which are not."""
    release = about["tensorflow"]
    rows = published["rows"].get(release) or {}
    near = release if rows else _nearest(release, list(published["rows"]))
    if near is None:
        return None
    rows = published["rows"][near]
    wanted = {True: "onednn-on", False: "onednn-off"}.get(about.get("onednn"))
    profile = wanted if wanted in rows else "default" if "default" in rows else min(rows)
    row = dict(zip(published["cells"], rows[profile]["outcomes"]))
    letters = {word: letter for letter, word in published["letters"].items()}
    seen = {_cell(one): letters[_outcome(one)] for one in observations if one["outcome"] != "skipped"}
    unknown = (letters["not observed"], letters["skipped"])
    other = sorted(cell for cell, letter in seen.items() if row.get(cell, unknown[0]) not in unknown + (letter,))
    return {
        "release": near,
        "profile": profile,
        "host_class": rows[profile]["host_class"],
        "same": sum(row.get(cell) == letter for cell, letter in seen.items()),
        "different": [{"cell": cell, "published": row[cell], "here": seen[cell]} for cell in other],
    }


def _tell_against(against, found, letters):
    if against["release"] != found["release"]:
        print("\nNothing is published of {}; the nearest is {}.".format(found["release"], against["release"]))
    where = "{} {}, {}".format(against["release"], against["profile"], against["host_class"])
    different = against["different"]
    told = "\nAgainst the published row ({}): {} cells the same, {} different"
    print(told.format(where, against["same"], len(different)))
    for one in different if against["release"] == found["release"] else ():
        words = letters[one["published"]], letters[one["here"]]
        print("  {}: published {}, here {}".format(one["cell"], *words))
    if against["host_class"] != found["host"]["class"]:
        print("The row was measured on another host class: yours may well differ.")


def _nearest(release, known):
    def minor(text):
        return [int(number) for number in text.split(".")[:2]]

    return min(known, key=lambda one: [abs(a - b) for a, b in zip(minor(one), minor(release))], default=None)


def _cell(observation):
    return "/".join(observation[name] for name in ("approach", "mode", "check", "case"))


def _outcome(observation):
    """What is compared of an observation: its outcome, and of evidence where the epilogue ran."""
    has_fusion = observation["outcome"] == "pass" and "fusion" in observation
    return observation["fusion"]["epilogue"] if has_fusion else observation["outcome"]


def _write_record(output, published, found, about, observations):
    header = {
        "format": "contributed/1",
        "release": about["tensorflow"],
        "python": platform.python_version(),
        "platform": sys.platform,
        "made": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "host": found["host"],
        "packages": {name: version for name, version in about.get("packages", {}).items() if PACKAGES.match(name)},
        "environment": {name: os.environ[name] for name in SETTINGS if name in os.environ},
        "suite_sha256": published["suite_sha256"],
        "observations": len(observations),
    }
    if about.get("onednn") is not None:
        header["onednn"] = about["onednn"]
    with open(output, "w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(line, sort_keys=True) + "\n" for line in [header] + observations)


if __name__ == "__main__":
    sys.exit(main())
