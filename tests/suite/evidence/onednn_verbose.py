"""What oneDNN says of each primitive that it executes, on standard output. No TensorFlow here.

A convolution's line names the implementation, the post-ops that run inside of it, and the problem, as in
`convolution,jit:avx512_core,forward_training,...,attr-post-ops:eltwise_relu,...,g4mb2_ic16oc32_ih9oh9kh3...`.
"""

import re
from typing import List

from .primitive import Primitive

# what asks for the lines: today, before oneDNN 2.5, and before it was called DNNL
VARIABLES = dict.fromkeys(("ONEDNN_VERBOSE", "DNNL_VERBOSE", "MKLDNN_VERBOSE"), "1")
CONVOLUTION = re.compile(r"^(?:onednn|dnnl|mkldnn)_verbose,(?:v1,primitive,)?exec,(?:cpu,)?convolution,([^,]*),(.*)$")
PROBLEM = re.compile(r"\b(?:g(?P<first>\d+))?mb\d+_(?:g(?P<second>\d+))?ic(?P<inputs>\d+)oc\d+_")
POST_OPS = re.compile(r"post[-_]ops:'?([\w;:.+-]+)")
ISA = re.compile(r"^(?:onednn|dnnl|mkldnn)_verbose,(?:v1,)?info,cpu,isa:(.*)$", re.MULTILINE)


def isa(text: str) -> str:
    """The instructions that it uses, such as "Intel AVX2"; "" where it does not say."""
    found = ISA.search(text)
    return found.group(1).strip()[:200] if found else ""


def parse(text: str) -> List[Primitive]:
    found = []
    for line in text.splitlines():
        convolution, problem = CONVOLUTION.match(line), PROBLEM.search(line)
        if convolution and problem:
            post_ops = POST_OPS.search(line)
            steps = (
                tuple(step.split(":")[0] for step in re.split("[;+]", post_ops.group(1)) if step) if post_ops else ()
            )
            groups = int(problem.group("first") or problem.group("second") or 1)
            found.append(Primitive("oneDNN", convolution.group(1), groups, int(problem.group("inputs")), steps))
    return found
