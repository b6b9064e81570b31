"""Fake suite: observes what nobody asked for."""

import os

os.write(1, b'{"format": "stream/1", "python": "3.0.0"}\n')
os.write(1, b'{"build_info": null, "cells": 1, "onednn": null, "packages": {}, "tensorflow": "2.8.4"}\n')
os.write(
    1,
    b'{"approach": "../../etc", "case": "g1-k1/none/f32/nhwc", "check": "forward", "evidence": "executed", '
    b'"mode": "eager", "outcome": "pass"}\n',
)
