"""What MIOpen logs of a convolution, on standard error: the command of its driver that would repeat it.

`MIOpen(HIP): Command [LogCmdConvolution] ./bin/MIOpenDriver conv -n 2 -c 16 ... -g 4 -F 1 -t 1`; its search for an
algorithm stands under another name, `LogCmdFindConvolution`. No TensorFlow here.
"""

import re
from typing import List

from .primitive import Primitive

VARIABLES = {"MIOPEN_ENABLE_LOGGING_CMD": "1"}
COMMAND = re.compile(
    r"^MIOpen(?:\([A-Za-z]+\))?: Command \[LogCmdConvolution\] \S*MIOpenDriver (conv\w*) (.*)$", re.MULTILINE
)
FORWARD = "1"


def parse(text: str) -> List[Primitive]:
    found = []
    for driver, arguments in COMMAND.findall(text):
        told = dict(re.findall(r"-(\w) (\S+)", arguments))
        if told.get("F") == FORWARD:
            found.append(Primitive("MIOpen", driver, groups=int(told.get("g", 1)), inputs=int(told["c"])))
    return found
