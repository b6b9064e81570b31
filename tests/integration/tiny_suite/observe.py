"""Fake observations of the tiny project: all pass, slowly enough to be interrupted; oneDNN as it was asked for."""

import os
import time


def observe(approach, mode, check, case):
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
