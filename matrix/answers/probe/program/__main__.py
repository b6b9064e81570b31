"""Where this machine stands: does oneDNN switch itself on here, what works, what is fused, against the published row.

Runs in any environment that has TensorFlow and NumPy, on Python 3.6 or newer, installs nothing and asks no network:

    python probe.pyz

It observes the cells of the core that decide verdicts, writes a record of them that can be contributed, and sends
nothing anywhere.
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
# What changes TensorFlow's kernels; nothing else of the environment is anyone's business.
SETTINGS = (
    "TF_ENABLE_ONEDNN_OPTS", "TF_DISABLE_MKL", "TF_XLA_FLAGS", "XLA_FLAGS", "TF_CUDNN_USE_RUNTIME_FUSION",
    "TF_USE_LEGACY_KERAS", "KERAS_BACKEND", "NVIDIA_TF32_OVERRIDE", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA",
    "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
FLAGS = re.compile(r"(sse4_[12]|avx.*|amx.*|fma|f16c|asimd(dp|fhm|hp)?|bf16|i8mm|sve2?|sve(bf16|i8mm)|sme.*)$")
# The columns of the table, and what they are called.
NEEDS = [
    ("eager", "forward"), ("graph", "forward"), ("keras", "forward"), ("jit", "forward"),
    ("graph", "gradient"), ("keras", "gradient"), ("graph", "fusion"),
]  # fmt: skip
HEADS = ["eager", "graph", "predict", "XLA", "gradient", "fit", "fused"]
GRAPHS = [["graph", "forward"], ["keras", "forward"], ["graph", "gradient"], ["keras", "gradient"]]
CELL = ("approach", "mode", "check", "case")
CELL_SECONDS = 20
CELL_MEMORY = 6 * 2**30
ELSEWHERE = """\
There is no TensorFlow for {0}.
Run the probe with the Python of your project: path/to/its/environment/bin/python {1}
Or install TensorFlow for this one: {0} -m pip install tensorflow"""
SIGNS = """\
yes: computed as in float64; wrong, error, crash: not; -: not in this release; ?: not reached.
fused: bias and ReLU ran inside the convolution's kernel."""
OUTCOMES = {"pass": "yes", "absent": "-", "skipped": "?"}
IN_KERNEL = {"fused": "yes", "partly": "in part", "separate": "no", "none": "-"}


def main():
    if sys.argv[1:2] == ["check"]:
        import checking

        return checking.main(sys.argv[2:], _published(), sys.modules[__name__])
    parser = argparse.ArgumentParser(prog="probe.pyz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=_seconds, default=50, help="end after this long (%(default)g)")
    parser.add_argument("--json", action="store_true", help="tell it as JSON, for programs")
    parser.add_argument("--output", default="probe.jsonl", help="where the record goes (%(default)s)")
    parser.add_argument("--suite", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.suite:
        return _observe_here(options.suite)
    published = _published()
    began = time.time()
    progress = "Importing TensorFlow and observing, for {:g} s at most ...".format(options.seconds)
    print(progress, file=sys.stderr, flush=True)
    about, observations = observe(published["cells"], options.seconds)
    if "tensorflow" not in about:
        why = "TensorFlow died while it was imported: python -c 'import tensorflow' tells more."
        if time.time() - began >= options.seconds:
            why = "TensorFlow was not imported within {:g} s: --seconds {:g} gives it time."
            why = why.format(options.seconds, 4 * options.seconds)
        print(about.get("not_imported", why), file=sys.stderr)
        if "No module named 'tensorflow'" in about.get("not_imported", ""):
            print(ELSEWHERE.format(sys.executable, os.path.basename(sys.argv[0])), file=sys.stderr)
        return 1
    found = {
        "release": about["tensorflow"],
        "onednn": about.get("onednn"),
        "host": _host(_cpuinfo(), published["classes"], published["arm_cores"]),
        "table": _table(published["cells"], observations),
        "against": _against(published, about, observations),
        "observed": len(observations),
        "not_reached": len(published["cells"]) - len(observations),
        "record": options.output,
    }
    found["do"] = what_to_do(found, published)
    _write_record(options.output, published, found, about, observations)
    found["seconds"] = round(time.time() - began, 1)
    if options.json:
        print(json.dumps(found, indent=2, sort_keys=True))
    else:
        _tell(found, published["letters"], options)
    return 0


def _seconds(text):
    """The time to take; what is no time is refused."""
    seconds = float(text)
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError("{} is no time: give seconds, as in --seconds 50".format(text))
    return seconds


def _published():
    if zipfile.is_zipfile(HERE):
        with zipfile.ZipFile(HERE) as archive:
            return json.loads(archive.read("published.json").decode("utf-8"))
    with open(os.path.join(HERE, "published.json"), encoding="utf-8") as stream:
        return json.load(stream)


def _observe_here(cells):
    """Observe in this process, in the order of `cells`: print what the environment is, then a line for each cell."""
    stream = os.fdopen(os.dup(1), "wb", 0)
    os.dup2(2, 1)  # what TensorFlow prints is no line of ours

    def say(line):
        stream.write(json.dumps(line, sort_keys=True).encode("utf-8") + b"\n")

    try:
        import tensorflow as tf
    except Exception as fault:
        say({"not_imported": "{}: {}".format(type(fault).__name__, fault)[:300]})
        return 1
    from suite import about, runtime
    from suite.catalog import NAMED_LAYERS, Cell

    for name, fields in json.loads(os.environ.get("PROBE_LAYERS", "{}")).items():
        NAMED_LAYERS[name] = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}

    forks = sys.platform.startswith("linux")
    observations = _forked if forks else _one_by_one
    if not forks:
        runtime.start(False)
    (control,) = observations([about.CONTROL], stream)
    said = {"python": about.python(), "tensorflow": tf.__version__, "packages": about.packages()}
    say(dict(said, onednn=about.onednn(control)))
    for observation in observations([Cell(*cell.split("/", 3)) for cell in cells], stream):
        say(observation)
    return 0


def _forked(cells, stream):
    """In forked workers, as the matrix does it: a crash or a hang costs its cell."""
    from suite import observe, runtime, worker

    limits = worker.Limits(CELL_SECONDS, CELL_MEMORY)
    for lane, group in itertools.groupby(sorted(cells, key=runtime.lane), key=runtime.lane):

        def begin(lane=lane):
            stream.close()
            runtime.start(lane)

        for observation in worker.observe_all(list(group), begin, lambda cell: observe.observe(*cell), limits):
            yield observation


def _one_by_one(cells, _stream):
    """Without a fork, a crash ends this process; `observe` starts another that goes on behind the cell."""
    from suite import observe

    for cell in cells:
        yield dict(observe.observe(*cell))


def observe(cells, seconds):
    """Return what the environment is, and the observations that came in time. A cell that kills its process crashed."""
    about, observations, left = {}, [], list(cells)
    end = time.time() + seconds
    while left and time.time() < end:
        alive = _observe_some(left, end, about, observations)
        seen = set(map(_cell, observations))
        left = [cell for cell in left if cell not in seen]
        if alive or "tensorflow" not in about or not left or time.time() >= end:
            break
        crash = {"outcome": "crash", "evidence": "executed", "reason": "the process ended here"}
        observations.append(dict(zip(CELL, left.pop(0).split("/", 3)), **crash))
    return about, observations


def _observe_some(cells, end, about, observations):
    """Read what a child process observes into `about` and `observations`; tell whether it came to its own end."""
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    command = [sys.executable, HERE, "--suite"] + cells
    wanted = len(observations) + len(cells)
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)

    def end_in_time():
        while child.poll() is None:
            if time.time() >= end:
                child.kill()
            time.sleep(0.1)

    threading.Thread(target=end_in_time, daemon=True).start()
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


def _cell(observation):
    return "/".join(observation[name] for name in CELL)


def _cpuinfo():
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def _host(cpuinfo, classes, arm_cores):
    """The processor; its class is the highest vector feature that it has, or its core, as in the published records."""
    line = r"^(model name|vendor_id|flags|Features|CPU implementer|CPU part)[ \t]*: (.*)$"
    found = re.findall(line, cpuinfo, re.MULTILINE)
    fields = dict(found)
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    machine = {"x86_64": "x86", "AMD64": "x86", "aarch64": "arm", "arm64": "arm"}.get(platform.machine(), "other")
    highest = next((word for flag, word in classes if flag in flags), "base")
    keys = ["{} {}".format(fields.get("CPU implementer"), part) for name, part in found if name == "CPU part"]
    core = next((arm_cores[key] for key in keys if key in arm_cores), None)
    amd = "-amd" if fields.get("vendor_id") == "AuthenticAMD" else ""
    return {
        "class": "arm-" + core if core else "{}-{}{}".format(machine, highest, amd),
        "cpu": fields.get("model name") or core or platform.processor() or platform.machine(),
        "vendor": fields.get("vendor_id"),
        "cpu_flags": sorted(flag for flag in flags if FLAGS.match(flag)),
        "cores": os.cpu_count() or 1,
        "kernel": platform.release(),
    }


def _table(cells, observations):
    """By approach a word for each of HEADS, of bias and ReLU after the convolution: what a layer usually has.

    `?` was not reached; `-` is not in this release, or no such cell is asked of the approach.
    """
    seen = {_cell(one): one for one in observations}
    usual = {}
    for cell in cells:
        if "/bias_relu/" in cell:
            usual.setdefault(tuple(cell.split("/")[:3]), seen.get(cell))
    table = {}
    for approach in dict.fromkeys(one["approach"] for one in observations):
        row = {}
        for head, (mode, check) in zip(HEADS, NEEDS):
            one = usual.get((approach, mode, check), {"outcome": "absent"})
            if one is None:
                row[head] = "?"
            elif one["outcome"] == "pass" and "fusion" in one:
                row[head] = IN_KERNEL[one["fusion"]["epilogue"]]
            else:
                row[head] = OUTCOMES.get(one["outcome"], one["outcome"])
        if row["graph"] != "yes":  # what is fused into a kernel that then fails is not fused
            row["fused"] = "-"
        table[approach] = row
    return table


def _against(published, about, observations):
    """The published row of this release, or of the nearest: how many cells are the same, and which are not."""
    if not published["rows"]:
        return None
    near, profile = row_of(published, about)
    rows = published["rows"][near]
    row = dict(zip(published["cells"], rows[profile]["outcomes"]))
    letters = {word: letter for letter, word in published["letters"].items()}
    seen = {}
    for one in observations:
        if one["outcome"] != "skipped":
            # Where the epilogue ran is compared too, in observations that show it.
            fused = one["outcome"] == "pass" and "fusion" in one
            seen[_cell(one)] = letters[one["fusion"]["epilogue"] if fused else one["outcome"]]
    unknown = (letters["not observed"], letters["skipped"])
    other = sorted(cell for cell, letter in seen.items() if row.get(cell, unknown[0]) not in unknown + (letter,))
    return {
        "release": near,
        "profile": profile,
        "host_class": rows[profile]["host_class"],
        "same": sum(row.get(cell) == letter for cell, letter in seen.items()),
        "different": [{"cell": cell, "published": row[cell], "here": seen[cell]} for cell in other],
    }


def row_of(published, about):
    """Return release and profile of the published row that is nearest to what runs here."""

    def minor(release):
        return [int(number) for number in release.split(".")[:2]]

    def distance(release):
        return [abs(a - b) for a, b in zip(minor(release), minor(about["tensorflow"]))]

    near = about["tensorflow"]
    if near not in published["rows"]:
        near = min(published["rows"], key=distance)
    rows = published["rows"][near]
    wanted = {True: "onednn-on", False: "onednn-off"}.get(about.get("onednn"))
    return near, wanted if wanted in rows else "default" if "default" in rows else min(rows)


def what_to_do(found, published):
    """What to write here, by what was observed; and what to set instead, by the published row of this very release."""
    table = found["table"]
    order = [name for name in published["plainest"] if name in table]
    trains = [name for name in order if table[name]["gradient"] == table[name]["fit"] == "yes"]
    infers = [name for name in order if table[name]["graph"] == table[name]["predict"] == "yes"]
    both = [name for name in infers if name in trains]
    if not infers and not trains:
        return ["Nothing can be said yet: too few cells were reached."]
    if both:
        told = ["Write it as {}: it infers and trains here.".format(both[0])]
    else:
        told = ["To infer, write it as {}.".format(infers[0])] if infers else []
        told += ["To train, write it as {}.".format(trains[0])] if trains else []
    rows = published["rows"].get(found["release"], {})
    better = found["onednn"] is False and rows.get("onednn-on")
    if better:
        seen = dict(zip(published["cells"], better["outcomes"]))
        best = (both or infers or trains)[0]
        for name in order[: order.index(best)]:
            asked = [
                seen.get(cell)
                for cell in published["cells"]
                if cell.startswith(name + "/") and "/bias_relu/" in cell and cell.split("/")[1:3] in GRAPHS
            ]
            if asked and set(asked) == {"p"}:
                told.append("Or set TF_ENABLE_ONEDNN_OPTS=1 before TensorFlow is imported:")
                told.append("then {} infers and trains, as published for {}.".format(name, better["host_class"]))
                return told
    return told


def _tell(found, letters, options):
    host, against = found["host"], found["against"]
    print("\nTensorFlow {} on {} ({})".format(found["release"], host["cpu"], host["class"]))
    state = {True: "on", False: "off", None: "not to be seen"}[found["onednn"]]
    chosen = os.environ.get("TF_ENABLE_ONEDNN_OPTS")
    how = "by itself" if chosen is None else "with TF_ENABLE_ONEDNN_OPTS={}".format(chosen)
    print("oneDNN is {} here, {}".format(state, how))

    print("\n{:23}".format("conv + bias + ReLU") + "".join("{:>10}".format(head) for head in HEADS))
    for approach, row in found["table"].items():
        print("{:23}".format(approach) + "".join("{:>10}".format(row[head]) for head in HEADS))
    print(SIGNS)

    total = found["observed"] + found["not_reached"]
    print("\n{} of {} cells were reached, in {:.0f} s.".format(found["observed"], total, found["seconds"]))
    if found["not_reached"]:
        print("--seconds {:g} gives the others time.".format(4 * options.seconds))
    if against:
        same_release = against["release"] == found["release"]
        if not same_release:
            print("Nothing is published of {}; the nearest is {}.".format(found["release"], against["release"]))
        where = "{}, {}, {}".format(against["release"], against["profile"], against["host_class"])
        told = "Published ({}): {} of these cells came out the same, {} otherwise."
        print(told.format(where, against["same"], len(against["different"])))
        for one in against["different"] if same_release else ():
            words = letters[one["published"]], letters[one["here"]]
            print("  {}: published {}, here {}".format(one["cell"], *words))
        if against["host_class"] != host["class"] and against["different"]:
            print("It was measured on another kind of processor, which may be why.")
    print("The record is {}: look at it, and contribute it as CONTRIBUTING.md says.".format(options.output))

    print("\nWhat to do")
    for line in found["do"]:
        print("  " + line)


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
