"""Fake observations of the tiny project: all pass, slowly enough to be interrupted; oneDNN as it was asked for.

A file `hold` beside this one holds every cell up, until it is removed or, in a container, a file `go` lies at home.
"""

import os
import time
from pathlib import Path

HOLD = Path(__file__).with_name("hold")
GO = Path(os.environ["HOME"]) / "go"


def start(lane):
    pass


def onednn_isa(cell):
    return ""


def observe(approach, mode, check, case):
    time.sleep(0.02)
    while HOLD.exists() and not GO.exists():
        time.sleep(0.02)
    found = {
        "approach": approach,
        "mode": mode,
        "check": check,
        "case": case,
        "outcome": "pass",
        "evidence": "executed",
    }
    if check == "fusion":
        op = "_MklNativeConv2D" if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1" else "Conv2D"
        found["fusion"] = {"kernel": "unknown", "epilogue": "none", "ops": {op: 1}, "source": "partition_graphs"}
    return found
