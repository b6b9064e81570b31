"""Fake suite: dies in the middle of an observation."""

import os

HEAD = (
    '{"format": "stream/1", "python": "3.0.0"}\n'
    '{"build_info": null, "cells": 42, "onednn": null, "packages": {}, "tensorflow": "2.8.4"}\n'
)
os.write(1, HEAD.encode() + b'{"approach": "fake-se')
os.kill(os.getpid(), 9)
