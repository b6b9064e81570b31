"""What cuDNN logs of a convolution, on standard output. No TensorFlow here.

A call is a line that names the function, and its arguments line by line below it: the input's description comes first,
`dimA: ... val=[n,c,h,w]`, and the convolution's has `groupCount`. That is how the functions of cuDNN's older interface
are logged. A plan of the newer one (`cudnnBackendExecute`) is not understood: what it ran stays unknown.
"""

import re
from typing import Any, List, Match

from .primitive import Primitive

# up to cuDNN 8, and from 9 on
VARIABLES = {"CUDNN_LOGINFO_DBG": "1", "CUDNN_LOGLEVEL_DBG": "3", "CUDNN_LOGDEST_DBG": "stdout"}
# autotuning times algorithms by functions of other names: what is called so is executed
CALL = re.compile(
    r"^I! CuDNN \(v[^)]*\) function (cudnnConvolution(?:BiasActivation)?Forward)\(\) called:\n((?:i!.*\n)*)",
    re.MULTILINE,
)
SIZES = re.compile(r"^i! +dimA: type=int; val=\[\d+,(\d+),", re.MULTILINE)
GROUPS = re.compile(r"^i! +groupCount: type=int; val=(\d+);", re.MULTILINE)
ACTIVATION = re.compile(r"val=CUDNN_ACTIVATION_(\w+) \(")


def parse(text: str) -> List[Primitive]:
    return [_primitive(call) for call in CALL.finditer(text)]


def _primitive(call: Match[str]) -> Primitive:
    function, arguments = call.groups()
    activation = ACTIVATION.search(arguments)
    return Primitive(
        "cuDNN",
        function,
        groups=_number(GROUPS.search(arguments), 1),
        inputs=_number(SIZES.search(arguments), 0),
        post_ops=(activation.group(1).lower(),) if activation else (),
    )


def _number(found: Any, default: int) -> int:
    return int(found.group(1)) if found else default
