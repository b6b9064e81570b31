"""The suite on a GPU: `python -m suite.on_gpu`, with the arguments of `python -m suite`.

What a GPU adds stands here and in evidence/cudnn_plans.py, apart from what all runs share: cuDNN's newer log is read
too, float32 is judged as what TensorFlow computes there unless it is told not to, and where there are cores to spare
some workers go side by side, for most of the time goes into compiling and choosing kernels.
"""

import itertools
import json
import os
import select
import sys

from . import __main__ as suite
from . import reference, worker
from .evidence import cudnn_plans, library_logs

TF32_SINCE = 8.0  # compute capability: Ampere
CORES_A_WORKER = 4  # runs go side by side too


def prepare():
    """Call once, in the process that forks the workers; without a GPU it changes nothing of what is observed."""
    library_logs.LIBRARIES += (cudnn_plans,)
    observe_all = worker.observe_all

    def observe_all_on_gpu(cells, begin, task, limits):
        def begin_on_gpu():
            begin()
            round_as_the_gpu()

        return side_by_side(lambda part: observe_all(part, begin_on_gpu, task, limits), cells)

    worker.observe_all = observe_all_on_gpu


def side_by_side(observe, cells):
    """Yield the observations of all parts of the cells as they come. One approach is observed by one process."""
    parts = _parts(cells, max(1, len(os.sched_getaffinity(0)) // CORES_A_WORKER))
    said = dict.fromkeys([_forked(observe, part) for part in parts], b"")
    while said:
        for pipe in select.select(list(said), [], [])[0]:
            data = os.read(pipe, 65536)
            *lines, said[pipe] = (said[pipe] + data).split(b"\n")
            for line in lines:
                yield json.loads(line.decode("utf-8"))
            if not data:
                os.close(pipe)
                del said[pipe]


def _parts(cells, number):
    """By approach, each to the part with the fewest cells so far; the largest first."""
    approaches = [list(group) for _, group in itertools.groupby(sorted(cells), key=lambda cell: cell.approach)]
    parts = [[] for _ in range(min(number, len(approaches)))]
    for group in sorted(approaches, key=len, reverse=True):
        min(parts, key=len).extend(group)
    return parts


def _forked(observe, cells):
    """The pipe of a forked process that observes the cells: an observation a line."""
    read, write = os.pipe()
    if os.fork() == 0:
        status = worker.SUITE_FAULT
        try:
            for observation in observe(cells):
                os.write(write, json.dumps(observation).encode("utf-8") + b"\n")
            status = 0
        finally:  # whatever happens: it must not go on as if it were its parent
            os._exit(status)
    os.close(write)
    return read


def round_as_the_gpu():
    """In a worker: only there may the device be asked."""
    from . import runtime

    if rounds_to_tf32(runtime.gpus(), runtime.tf32()):
        reference.EPSILON["f32"] = reference.EPSILON["f16"]  # TF32 has the 10 bits of mantissa that float16 has


def rounds_to_tf32(gpus, allowed):
    """Whether a convolution's float32 inputs lose bits. `allowed`: what TensorFlow says, None before 2.4 where it says
    nothing, and where its CUDA does not know TF32.
    """
    told = [text.partition("compute capability: ")[2] for text in gpus]
    capable = any(float(capability) >= TF32_SINCE for capability in told if capability)
    return bool(allowed) and capable and os.environ.get("NVIDIA_TF32_OVERRIDE") != "0"


if __name__ == "__main__":
    prepare()
    sys.exit(suite.main())
