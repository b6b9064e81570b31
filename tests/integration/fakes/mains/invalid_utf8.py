"""Fake suite: its stream is not text."""

import os

os.write(1, b'{"format": "stream/1", "python": "\xff\xfe"}\n')
