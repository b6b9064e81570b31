"""A whole stream in which every cell passes, for fake suites that lie about one thing only."""

import json

from . import catalog


def whole():
    cells = catalog.cells()
    environment = {"build_info": None, "cells": len(cells), "onednn": None, "packages": {}, "tensorflow": "2.8.4"}
    passed = [dict(cell._asdict(), outcome="pass", evidence="executed") for cell in cells]
    lines = [{"format": "stream/1", "python": "3.10.0"}, environment, *passed, {"closing": len(cells), "seconds": {}}]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
