"""The suite on a GPU: `python -m suite.on_gpu`, with the arguments of `python -m suite`.

What a GPU adds stands here and in evidence/cudnn_plans.py, apart from what all runs share: cuDNN's newer log is read
too, and float32 is judged as what TensorFlow computes there unless it is told not to.
"""

import os
import sys

from . import __main__ as suite
from . import reference, worker
from .evidence import cudnn_plans, library_logs

TF32_SINCE = 8.0  # compute capability: Ampere


def prepare():
    """Call once, in the process that forks the workers; without a GPU it changes nothing."""
    library_logs.LIBRARIES += (cudnn_plans,)
    observe_all = worker.observe_all

    def observe_all_on_gpu(cells, begin, task, limits):
        def begin_on_gpu():
            begin()
            round_as_the_gpu()

        return observe_all(cells, begin_on_gpu, task, limits)

    worker.observe_all = observe_all_on_gpu


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
